"""Multinomial logistic regression as a function to be minimised, and Newton's method for it.

Arrays run over the classes first: what is summed over them then lies in memory in long rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_STEPS = 200
MOST_HALVINGS = 40
MOST_PRODUCTS = 2000  # of the second derivative with a direction, in one Newton step
FIRST_RESIDUAL, LAST_RESIDUAL = 0.1, 1e-5  # of the linear systems, far from the end and near it
FLOOR = 1e-13  # of the loss: a gain below it is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """sum over rows of -log p(label) + penalty/2 |W|^2, intercepts free.

    rows: (m, p); labels: (m,) in range(c). Points are (c, p + 1), the intercepts behind W, and
    every column adds up to 0: along all others nothing but the penalty curves the loss.
    """

    rows: Array
    labels: Labels
    classes: int
    penalty: float

    def scores(self, point: Array) -> Array:
        """(c, m): W x + intercept."""
        scores: Array = point[:, :-1] @ self.rows.T
        scores += point[:, -1:]
        return scores

    def value(self, point: Array, scores: Array) -> float:
        """The loss at a point, whose scores these are."""
        top = scores.max(axis=0)
        logs = np.log(np.exp(scores - top).sum(axis=0)) + top
        misfit = float(np.sum(logs - scores[self.labels, np.arange(len(logs))]))
        return misfit + 0.5 * self.penalty * float(np.sum(np.square(point[:, :-1])))

    def gradient(self, point: Array, shares: Array) -> Array:
        """(c, p + 1), with the classes' probabilities (c, m) at the point."""
        residual = shares.copy()
        residual[self.labels, np.arange(len(self.labels))] -= 1.0
        return self._gathered(residual, point)

    def curved(self, shares: Array, direction: Array) -> Array:
        """(c, p + 1): the second derivative times a direction."""
        moved = self.scores(direction)
        moved *= shares
        moved -= shares * moved.sum(axis=0)
        return self._gathered(moved, direction)

    def diagonal(self, shares: Array, squares: Array) -> Array:
        """(p + 1,): the second derivative's diagonal, its mean over the classes.

        squares: those of the rows. One scale for all classes keeps columns that add up to 0 so.
        """
        spread = (shares * (1.0 - shares)).mean(axis=0)
        return np.append(spread @ squares + self.penalty, spread.sum())

    def _gathered(self, values: Array, point: Array) -> Array:
        """(c, p + 1): values (c, m) times the rows, and the penalty's part."""
        out = np.empty(point.shape)
        np.matmul(values, self.rows, out=out[:, :-1])
        out[:, :-1] += self.penalty * point[:, :-1]
        values.sum(axis=1, out=out[:, -1])
        out -= out.mean(axis=0)  # rounding, which would add up where little curves the loss
        return out


def probabilities(scores: Array) -> Array:
    """(c, m): exp(scores), every column scaled to add up to 1."""
    shares: Array = np.exp(scores - scores.max(axis=0))
    shares /= shares.sum(axis=0)
    return shares


def minimise(loss: Loss, start: Array, tolerance: float) -> tuple[Array, bool]:
    """The least point from a start (c, p + 1), and whether it is known to `tolerance`.

    Newton steps, halved until they pay, from linear systems solved by preconditioned conjugate
    gradients the more exactly the nearer the end [Nocedal, Wright 2006, section 7.1]. Since the
    loss curves by `penalty` or more, |W - W*| is at most the Newton decrement over its root; the
    search ends where that is below tolerance |W|, or where the gradient is rounding.
    """
    squares = np.square(loss.rows)
    point, scores = start, loss.scores(start)
    value = loss.value(point, scores)
    inexact, before = FIRST_RESIDUAL, np.inf
    for _ in range(MOST_STEPS):
        shares = probabilities(scores)
        slope = loss.gradient(point, shares)
        step = _newton_step(loss, shares, slope, loss.diagonal(shares, squares), inexact)
        squared = -float(np.sum(slope * step))  # the decrement's square
        if not squared > FLOOR * FLOOR * value:
            return point, squared >= 0.0
        length, moved = _length(loss, point, scores, value, step, squared)
        if length == 0.0:
            return point, False
        point, scores = point + length * step, moved
        value, decrement = loss.value(point, scores), float(np.sqrt(squared))
        reach = tolerance * np.sqrt(loss.penalty) * float(np.linalg.norm(point[:, :-1]))
        if decrement <= reach or (squared <= FLOOR * value and decrement > 0.5 * before):
            return point, True
        before = decrement
        inexact = float(np.clip(decrement / np.sqrt(value), LAST_RESIDUAL, FIRST_RESIDUAL))
    return point, False


def _length(
    loss: Loss, point: Array, scores: Array, value: float, step: Array, squared: float
) -> tuple[float, Array]:
    """The share of the Newton step to take, and the scores there.

    1, or the first halving that lowers the loss enough; 0 where none does.
    """
    along = loss.scores(step)
    if squared <= FLOOR * value:  # too near the end for the loss to show it
        return 1.0, scores + along
    length = 1.0
    for _ in range(MOST_HALVINGS):
        moved = scores + length * along
        if loss.value(point + length * step, moved) <= value - 1e-4 * length * squared:
            return length, moved
        length *= 0.5
    return 0.0, scores


def _newton_step(loss: Loss, shares: Array, slope: Array, diagonal: Array, inexact: float) -> Array:
    """Minus the inverse second derivative times the slope, to a relative residual `inexact`."""
    scale = 1.0 / (diagonal + np.finfo(np.float64).tiny)
    step, left = np.zeros_like(slope), -slope
    direction = eased = scale * left
    energy = float(np.sum(left * eased))
    target = inexact * inexact * energy
    for _ in range(MOST_PRODUCTS):
        product = loss.curved(shares, direction)
        curvature = float(np.sum(direction * product))
        if not curvature > 0.0:
            break
        length = energy / curvature
        step += length * direction
        left = left - length * product
        eased = scale * left
        before, energy = energy, float(np.sum(left * eased))
        if not energy > target:
            break
        direction = eased + (energy / before) * direction
    return step
