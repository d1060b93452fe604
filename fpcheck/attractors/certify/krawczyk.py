"""Existence and uniqueness of fixed points of f^p by Krawczyk's operator [Krawczyk 1969]."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.certify.chain_slopes import ChainSlopes
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.widest import widest
from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, U, matmul, minus, split
from fpcheck.network.enclosure.matrices import (
    inverse,
    inverted,
    less_identity,
    max_norm,
    max_norms,
    point,
    two_norms,
)

TRIES = 4
# Linear maps have no other fixed point anywhere: somewhere the doubling has to end.
CEILING = 2.0**20
FIRST_GUESS = 1e-3
# Up to this width bounds entry by entry may be better than norms, and cost little.
NARROW = 16

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Existence:
    """Fixed points of f^p, each within `error` of its printed point and the only one within
    `radius`; all arrays begin with an axis for the points.

    jacobian: of f^p, holds the ones at the exact points; moving: C near (I - J)^-1; factor:
    |I - C (I - J)| on the box of `radius`.
    """

    error: Array
    radius: Array
    factor: Array
    jacobian: Ball
    moving: Ball

    def at(self, rows: Rows) -> Existence:
        """The same for some of the points."""
        return Existence(
            self.error[rows],
            self.radius[rows],
            self.factor[rows],
            split(self.jacobian, rows),
            split(self.moving, rows),
        )


def prove_existence(around: Return, jacobian: Array) -> tuple[Existence, list[str]]:
    """The proofs in boxes as small as may be, and why there is none, "" where there is one.

    jacobian: of f^p at the points, (k, n, n), roughly.

    N(x) = x - C (x - f^p(x)) with C near (I - J)^-1 moves the centre by at most alpha and contracts
    the box of radius r by beta = |I - C (I - J(box))|. Where alpha + beta r <= r it maps the box
    into itself, and where beta < 1 it has one fixed point at most; C is regular there.
    """
    near_inverse, regular = inverted(np.eye(jacobian.shape[-1]) - jacobian)
    moving = point(near_inverse)
    defect = minus(point(around.points), around.image)
    alpha = max_norms(matmul(moving, defect.map(lambda x: x[:, :, None])))
    size = sizes(around)
    radius = 2.0 * alpha + 4 * U * size
    beta = np.full(len(radius), math.inf)
    proved = np.zeros(len(radius), dtype=bool)
    slopes = Ball(np.zeros_like(jacobian), np.full_like(jacobian, np.inf))
    left = np.flatnonzero(regular & np.isfinite(alpha))
    for _ in range(TRIES):
        if not len(left):
            break
        box = around.at(left).in_box(radius[left])
        slopes.mid[left], slopes.rad[left] = box.mid, box.rad
        wrong = less_identity(matmul(split(moving, left), less_identity(box)))
        a, b, r = alpha[left], max_norms(wrong), radius[left]
        held = (b < 1.0) & ((a + b * r) * (1.0 + 4 * U) < r)
        beta[left], proved[left] = b, held
        wider = np.where(b < 1.0, np.minimum(1.5 * a / (1.0 - b), size[left]), 0.0)
        radius[left] = np.where(held, r, np.maximum(4.0 * r, wider))
        left = left[~held]
    error = alpha / (1.0 - beta) * (1.0 + 8 * U)
    reasons = [
        "" if proved[row] else _why_not(regular[row], alpha[row], beta[row])
        for row in range(len(radius))
    ]
    return Existence(error, radius, beta, slopes, moving), reasons


def unique_radius(around: Return, found: Existence, chain: ChainSlopes | None) -> Array:
    """As large radii as were found within which the points are the only ones, (k,).

    chain: the slopes around the points where the network is a dense chain.
    """
    unique = found.radius
    if chain is not None:
        unique = np.maximum(unique, _unique_in_ball(around, found, chain))
    if chain is None or around.points.shape[1] <= NARROW:
        unique = np.maximum(unique, _unique_in_box(around, found))
    return unique


def sizes(around: Return) -> Array:
    """The largest entry of every point, at least 1."""
    return np.asarray(np.maximum(1.0, np.abs(around.points).max(axis=1, initial=0.0)))


def _unique_in_box(around: Return, found: Existence) -> Array:
    """Radii at which N contracts."""
    size = sizes(around)

    def bound(radius: Array, rows: Rows) -> Array:
        slopes = around.at(rows).in_box(radius)
        wrong = less_identity(matmul(split(found.moving, rows), less_identity(slopes)))
        return np.where(radius > CEILING * size[rows], math.inf, max_norms(wrong))

    start = (found.radius, found.factor)
    return widest(bound, start, FIRST_GUESS * size, around.points.shape[1])


def _unique_in_ball(around: Return, found: Existence, chain: ChainSlopes) -> Array:
    """The same in the 2-norm, as the radii of boxes that lie in the balls: they have to hold the
    boxes in which the points are. Only slopes between the exact point and another count: N takes
    another fixed point nearer to it, and yet leaves both where they are."""
    count, n = around.points.shape
    size = sizes(around)
    root = math.sqrt(n) * (1.0 + 4 * U)
    wrong = less_identity(matmul(found.moving, less_identity(chain.jacobian)))
    rest = two_norms(wrong, loose=True)
    straying = chain.straying(found.moving.mid, None, found.error * root)

    def bound(radius: Array, rows: Rows) -> Array:
        value = (rest[rows] + straying(radius * root, rows)) * (1.0 + 4 * U)
        return np.where(radius > CEILING * size[rows], math.inf, value)

    first = bound(found.radius, np.arange(count))
    unique = np.zeros(count)
    able = np.flatnonzero(first < 1.0)
    unique[able] = widest(
        lambda radius, rows: bound(radius, able[rows]),
        (found.radius[able], first[able]),
        FIRST_GUESS * size[able],
        0,
    )
    return unique


def index_sign(found: Existence, row: int) -> int | None:
    """The sign of det(I - J) of one point, None where it is not proved: that of C's determinant
    where |I - C (I - J)| < 1, C a product of triangular matrices whose signs are plain."""
    matrix = less_identity(split(found.jacobian, row))
    made = inverse(matrix.mid)
    if made is None or not max_norm(less_identity(matmul(made.ball, matrix))) < 1.0:
        return None
    return made.sign or None


def _why_not(regular: bool, alpha: float, beta: float) -> str:
    if not regular:
        return "I - J is singular"
    if not math.isfinite(alpha):
        return "the values cannot be enclosed: numbers out of range"
    if not beta < 1.0:
        return f"I - J is too near singular, or a kink too near: Krawczyk's factor is {beta:.2g}"
    return f"rounding moves the point by up to {alpha:.2g}, more than Krawczyk's test allows"
