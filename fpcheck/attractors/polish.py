"""Newton's method on x - f^p(x), and how well the point that it finds is determined."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.attractors.selfmap import Array, image, orbit, return_jacobian
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

EPSILON = float(np.finfo(np.float64).eps)
# Residual of a point that counts as found, absolute below size 1 and relative above it: a
# thousandth of the iteration's own relative rule, and well above the rounding of a deep network.
RESIDUAL_LIMIT = 1e-12
# At a multiple root a residual of 1e-12 says little (an almost-root looks the same), so there it
# must be at the rounding level: some ten units in the last place.
DEGENERATE_RESIDUAL = 64 * EPSILON
# At a double root rounding hides the point within sqrt(eps), and the smallest singular value of
# I - J, in the map's own scales, is of that size there: below it det(I - J) has no known sign.
DEGENERATE_SIGMA = 4 * math.sqrt(EPSILON)
# Directions whose singular value is below this are left alone by a Newton step: rounding in the
# residual, divided by it, would throw the point along a line of fixed points.
NULL_SIGMA = 1e-13
# Ends of iteration that are closer, relative to their size, count as one where none is polished.
UNPOLISHED_ERROR = 1e-6
MAX_NEWTON_STEPS = 60  # a triple root gains a factor 2/3 a step: 36 of them from 0.03 to 1e-8
HALVINGS = 8
SUFFICIENT_DECREASE = 1e-4  # Armijo's constant


@dataclass(frozen=True, slots=True)
class Polished:
    """A point of period `period`, as well determined as float64 allows.

    points: (period, n), its orbit; residual: max |f^p(x) - x|; jacobian: (n, n), of f^p, and sigma,
    the smallest singular value of I - J, are None where no dense Jacobian was taken; error: bound
    of the distance to the exact point, 2-norm, to first order: |dx| <= |f^p(x) - x| / sigma.
    """

    points: Array
    residual: float
    error: float
    jacobian: Array | None = None
    sigma: float | None = None
    nullity: int = 0

    @property
    def point(self) -> Array:
        """The orbit's first point, (n,)."""
        first: Array = self.points[0]
        return first

    @property
    def period(self) -> int:
        """The number of points of the orbit."""
        return len(self.points)

    @property
    def degenerate(self) -> bool:
        """Whether I - J is singular at rounding level."""
        return self.nullity > 0


def polish(
    program: Program,
    start: Array,
    period: int,
    monitor: Monitor,
    max_steps: int = MAX_NEWTON_STEPS,
) -> Polished | None:
    """The point that damped Newton steps reach from `start`, or None where they do not converge.

    start: (n,). Each step solves (I - J) dx = f^p(x) - x by LU, or by a truncated singular value
    decomposition where I - J is nearly singular, and is halved until |f^p(x) - x| falls. It stops
    where rounding lets the residual fall no more.

    Raises:
        UnsupportedOperationError: an activation has no useful derivative.
    """
    x = start
    defect = _defect(program, x, period)
    for _ in range(max_steps):
        monitor.check()
        points = orbit(program, x, period)
        jac = return_jacobian(program, points)
        if not np.isfinite(jac).all():
            return None
        if not defect.any():
            return _judged(points, defect, jac)
        moved = _step(program, x, defect, jac, period)
        if moved is None:
            return _judged(points, defect, jac)
        x, defect = moved
    points = orbit(program, x, period)
    return _judged(points, defect, return_jacobian(program, points))


def unpolished(program: Program, state: Array, period: int) -> Polished:
    """The iteration's end state as it is, for networks whose dense Jacobian is out of reach."""
    defect = _defect(program, state, period)
    return Polished(
        orbit(program, state, period), _largest(defect), UNPOLISHED_ERROR * size_of(state)
    )


def in_order(program: Program, found: Polished) -> Polished:
    """The same orbit from its smallest state on, wherever the iteration stopped."""
    first = min(range(found.period), key=lambda i: coordinates(found.points[i]))
    if first == 0:
        return found
    points = np.roll(found.points, -first, axis=0)
    jac = None if found.jacobian is None else return_jacobian(program, points)
    return replace(found, points=points, jacobian=jac)


def coordinates(point: Array) -> tuple[float, ...]:
    """What points are ordered by: rounded, so that the order does not hang on the last bits."""
    return tuple((point.round(9) + 0.0).tolist())


def size_of(x: Array) -> float:
    """max(1, max |x_i|): what absolute tolerances are multiplied with."""
    return max(1.0, _largest(x))


def _step(
    program: Program, x: Array, defect: Array, jac: Array, period: int
) -> tuple[Array, Array] | None:
    """The next point and its defect; None where no step makes the defect smaller."""
    direction = _direction(jac, defect)
    norm = float(np.linalg.norm(defect))
    fraction = 1.0
    for _ in range(HALVINGS):
        moved = x + fraction * direction
        next_defect = _defect(program, moved, period)
        # Written so that a NaN is never a decrease.
        if float(np.linalg.norm(next_defect)) <= (1.0 - SUFFICIENT_DECREASE * fraction) * norm:
            return moved, next_defect
        if _largest(defect) <= 4 * EPSILON * _largest(x):
            return None  # at the rounding level already: smaller steps find nothing
        fraction *= 0.5
    return None


def _direction(jac: Array, defect: Array) -> Array:
    matrix = np.eye(len(defect)) - jac
    try:
        full = np.linalg.solve(matrix, defect)
    except np.linalg.LinAlgError:
        full = np.full_like(defect, np.inf)
    if np.linalg.norm(full) * math.sqrt(EPSILON) <= np.linalg.norm(defect):
        return np.asarray(full)
    left, sigmas, right_t = np.linalg.svd(matrix)
    kept = sigmas > NULL_SIGMA * max(1.0, float(sigmas[0]))
    inverse = np.divide(1.0, sigmas, out=np.zeros_like(sigmas), where=kept)
    return np.asarray(right_t.T @ (inverse * (left.T @ defect)))


def _judged(points: Array, defect: Array, jac: Array) -> Polished | None:
    """The point with its error, or None if its residual is too large for a root."""
    if not np.isfinite(jac).all():
        return None
    size = size_of(points)
    residual = _largest(defect)
    # The nearest double to a root may be off by EPSILON of it, which a steep map makes larger.
    unavoidable = EPSILON * float(np.linalg.norm(jac)) * _largest(points)
    if not residual <= max(RESIDUAL_LIMIT * size, 4 * unavoidable):
        return None
    smallest = float(np.linalg.svd(np.eye(len(defect)) - jac, compute_uv=False)[-1])
    nullity = _nullity(jac, smallest)
    if nullity:
        if residual > DEGENERATE_RESIDUAL * size:
            return None
        # A triple root is hidden within eps^(1/3); higher ones come out as several points.
        error = EPSILON ** (1.0 / 3.0) * size
    else:
        floor = EPSILON * _largest(points)
        error = math.sqrt(len(defect)) * max(residual, floor) / smallest
    return Polished(points, residual, error, jac, smallest, nullity)


def _nullity(jac: Array, smallest: float) -> int:
    """In how many directions I - J is singular at rounding level. smallest: its singular value.

    Rows and columns are first scaled so that the largest entry of I and |J| in each is 1. Scaling
    makes nothing singular, and without it one long entry would seem to: J = [[0.9, 1000], [0, 0.9]]
    has det(I - J) = 0.01.
    """
    sizes = np.maximum(np.eye(len(jac)), np.abs(jac))
    by_row = sizes.max(axis=1, keepdims=True)
    # Its scaled entries are at most 2, and scaling divides the smallest value by no more than this.
    if smallest > 4.0 * len(jac) * DEGENERATE_SIGMA * float(by_row.max()):
        return 0
    by_column = (sizes / by_row).max(axis=0, keepdims=True)
    sigmas = np.linalg.svd((np.eye(len(jac)) - jac) / by_row / by_column, compute_uv=False)
    return int(np.count_nonzero(sigmas <= DEGENERATE_SIGMA * max(1.0, float(sigmas[0]))))


def _defect(program: Program, x: Array, period: int) -> Array:
    difference: Array = image(program, x.reshape(1, -1), period)[0] - x
    return difference


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x)))
