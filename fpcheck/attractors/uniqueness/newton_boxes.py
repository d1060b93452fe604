"""The interval Newton operator on many boxes at once.

For a box X with midpoint m, C near (I - J)^-1 and the Jacobians J(X) of all points of the box,

    K(X) = m - C (m - f(m)) + (I - C (I - J(X))) (X - m)

holds every fixed point of X; if K(X) lies in the interior of X, there is exactly one in X, and it
is in K(X); if K(X) and X are disjoint, there is none [Krawczyk 1969; Moore 1977].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.relaxed import relax, relaxable
from fpcheck.network.enclosure import Ball, Enclosing, enclose, enclose_jacobian, enclosing
from fpcheck.network.enclosure.ball import TINY, WIDEN, matmul, minus, plus
from fpcheck.network.program import Program

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What one look at k boxes gave.

    empty: no fixed point; single: exactly one, proved; low, high: (k, n), what is left of each box;
    smear: (k, n), how much each edge blurs f; contracts: whether K maps every direction to a
    smaller one, so that at most one fixed point is in the box.
    """

    empty: Bools
    single: Bools
    contracts: Bools
    low: Array
    high: Array
    smear: Array


# Boxes (k, n), given by exact floats, low and high, and what one look at them gives.
Look: TypeAlias = Callable[[Array, Array], Looked]


@dataclass(frozen=True, slots=True)
class Looks:
    """What looks at boxes: `prune` rules out and narrows, `verify` also proves a single point."""

    prune: Look
    verify: Look


def looking(program: Program) -> Looks:
    """The looks of an enclosable network."""
    made = enclosing(program)

    def verify(low: Array, high: Array) -> Looked:
        return _verified(made, low, high)

    if not relaxable(program):
        return Looks(verify, verify)
    return Looks(lambda low, high: _pruned(made, low, high), verify)


def _pruned(made: Enclosing, low: Array, high: Array) -> Looked:
    """The Newton operator of the linear relaxation f(m + d) = c + A d.

    d = C (c - m) + (I - C (I - A)) d at a fixed point. It proves no single point.
    """
    mid, rad = _middle(low, high)
    relaxed = relax(made, mid, rad)
    linear = relaxed.linear.map(lambda x: x.swapaxes(1, 2))
    newton, spread = _newton(mid, rad, relaxed.offset, linear)
    left_low, left_high = _meet(low, high, relaxed.reach(rad))
    left_low, left_high = _meet(left_low, left_high, newton)
    empty = np.asarray((left_low > left_high).any(axis=1))
    contracts = np.asarray(((newton.rad < rad) & (spread < rad)).all(axis=1))
    none = np.zeros(len(low), dtype=bool)
    return Looked(empty, none, contracts, left_low, left_high, _smear(linear, low, high))


def _verified(made: Enclosing, low: Array, high: Array) -> Looked:
    """The Newton operator of all Jacobians of the box."""
    mid, rad = _middle(low, high)
    value, jacobian = enclose_jacobian(made, Ball(mid, rad))
    centre = enclose(made, Ball(mid, np.zeros_like(mid))).map(lambda x: x.reshape(mid.shape))
    newton, spread = _newton(mid, rad, centre, jacobian)
    left_low, left_high = _meet(low, high, value)
    left_low, left_high = _meet(left_low, left_high, newton)
    empty = np.asarray((left_low > left_high).any(axis=1))
    single = _within(newton, low, high) & ~empty
    contracts = np.asarray((spread < rad).all(axis=1))
    smear = _smear(jacobian, low, high)
    return Looked(empty, single, contracts, left_low, left_high, smear)


def _middle(low: Array, high: Array) -> tuple[Array, Array]:
    """Midpoint and radius of a box that holds the given one."""
    mid = 0.5 * low + 0.5 * high
    return mid, np.maximum(high - mid, mid - low) * WIDEN + TINY


def _smear(jacobian: Ball, low: Array, high: Array) -> Array:
    """How much each edge of the boxes blurs f."""
    size = np.abs(jacobian.mid) + jacobian.rad
    return np.asarray(np.where(np.isfinite(size), size, 1e30).sum(axis=1) * (high - low))


def _newton(mid: Array, rad: Array, centre: Ball, jacobian: Ball) -> tuple[Ball, Array]:
    """(K(X), the radius of its last term)."""
    n = mid.shape[1]
    one = Ball(np.eye(n), np.zeros((n, n)))
    slopes = minus(one, jacobian)
    inverse = _inverses(slopes.mid)
    near = Ball(inverse, np.zeros_like(inverse))
    error = minus(one, matmul(near, slopes))
    defect = minus(Ball(mid, np.zeros_like(mid)), centre)
    step = matmul(near, defect.map(lambda x: x[:, :, None])).map(lambda x: x[:, :, 0])
    sizes = np.abs(error.mid) + error.rad
    spread = (sizes @ rad[:, :, None])[:, :, 0] * (1.0 + (n + 8) * 2.0**-52) + TINY
    moved = minus(Ball(mid, np.zeros_like(mid)), step)
    return plus(moved, Ball(np.zeros_like(spread), spread)), spread


def _inverses(matrices: Array) -> Array:
    """Approximate inverses; the identity where a matrix has none. matrices: (k, n, n)."""
    one = np.eye(matrices.shape[1])
    safe = np.where(np.isfinite(matrices).all(axis=(1, 2), keepdims=True), matrices, one)
    try:
        found: Array = np.linalg.inv(safe)
    except np.linalg.LinAlgError:
        found = np.stack([_inverse(matrix) for matrix in safe])
    bad = ~np.isfinite(found).all(axis=(1, 2), keepdims=True)
    return np.where(bad, one, found)


def _inverse(matrix: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return np.eye(len(matrix))


def _meet(low: Array, high: Array, ball: Ball) -> tuple[Array, Array]:
    """The part of the boxes that the balls, rounded outwards, leave."""
    least = np.nextafter(ball.mid - ball.rad, -np.inf)
    most = np.nextafter(ball.mid + ball.rad, np.inf)
    return np.maximum(low, least), np.minimum(high, most)


def _within(ball: Ball, low: Array, high: Array) -> Bools:
    """Whether the balls, rounded outwards, lie in the interior of the boxes."""
    least = np.nextafter(ball.mid - ball.rad, -np.inf)
    most = np.nextafter(ball.mid + ball.rad, np.inf)
    return np.asarray(((least > low) & (most < high)).all(axis=1))
