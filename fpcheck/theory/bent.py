"""Dual activations of piecewise-linear functions that bend elsewhere than at 0.

They are summed over the bends (kernels.dual_bends). Rounding is magnified by the size of the terms
over E phi^2: little, but for bounded functions at variances far above the square of their width.
Such rows are integrated pair by pair (`shared_part`), at 1 ms a pair: in blocks from 1e5 times that
square on, where 1e-10 is left; a pair alone sooner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fpcheck.kernels.dual_bends import NODES, bent_pairs, bent_rows
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.piecewise_linear import Pieces
from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, composite_rule, unit_rule
from fpcheck.theory.shared_part import shared_expectation

# Of rounding: up to there the moments are good to 1e-10, and to 1e-13.
MAGNIFIED, MAGNIFIED_ALONE = 1e5, 100.0
FARTHEST = 1e100  # standard deviations: no knot is further, so that its square is a number


@dataclass(frozen=True, slots=True, eq=False)
class BentRows:
    """Variances q (m,) with what the integrals take of each.

    knots: (m, n) in standard deviations. own: (m, 3), E phi, E phi' and the standard deviation.
    second, slope: (m,), E phi^2 and E phi'^2. magnified: (m,), how often rounding is.
    """

    q: Array
    knots: Array
    own: Array
    second: Array
    slope: Array
    magnified: Array


def bent_moments(
    f: ActivationFunction, left: Array, right: Array, c: Array, *, slope: bool
) -> tuple[Array, Array | None]:
    """E phi(x) phi(y) and, if `slope`, E phi'(x) phi'(y), at correlations c (m, k)."""
    rows, columns = bent_rows_of(f, left), bent_rows_of(f, right)
    moment, slopes = np.empty(c.shape), np.empty(c.shape)
    bent_pairs(
        rows.knots, columns.knots, *_bends(f), rows.own, columns.own, c, *_rule(), moment, slopes
    )
    wild = (rows.magnified[:, None] > MAGNIFIED) | (columns.magnified > MAGNIFIED)
    for i, j in np.argwhere(wild & ~np.isnan(c)).tolist():
        at = (rows, i), (columns, j), float(c[i, j])
        moment[i, j] = _integrated(f, *at, slope=False)
        if slope:
            slopes[i, j] = _integrated(f, *at, slope=True)
    return moment, slopes if slope else None


def bent_pair(f: ActivationFunction, q1: float, q2: float, c: float, *, slope: bool) -> float:
    """E phi(x) phi(y), or E phi'(x) phi'(y), at variances q1, q2 > 0 and correlation c."""
    row, column = _row(f, q1), _row(f, q2)
    if max(row.magnified[0], column.magnified[0]) > MAGNIFIED_ALONE:
        return _integrated(f, (row, 0), (column, 0), c, slope=slope)
    found = np.empty((2, 1, 1))
    one = np.array([[c]])
    bent_pairs(row.knots, column.knots, *_bends(f), row.own, column.own, one, *_rule(), *found)
    return float(found[int(slope), 0, 0])


@lru_cache(maxsize=1024)
def _row(f: ActivationFunction, q: float) -> BentRows:
    return bent_rows_of(f, np.array([q]))


def _integrated(
    f: ActivationFunction,
    left: tuple[BentRows, int],
    right: tuple[BentRows, int],
    c: float,
    *,
    slope: bool,
) -> float:
    """One of the moments by the part that x and y share."""
    (rows, i), (columns, j) = left, right
    if c == 0.0:
        return float(rows.own[i, int(slope)] * columns.own[j, int(slope)])
    q1, q2 = float(rows.q[i]), float(columns.q[j])
    if c == 1.0 and q1 == q2:
        return float((rows.slope if slope else rows.second)[i])
    return shared_expectation(_pieces(f), q1, q2, c, slope=slope)


def bent_rows_of(f: ActivationFunction, q: Array) -> BentRows:
    """The rows of variances q (m,); at q = 0 the limits from above."""
    p = _pieces(f)
    spread = np.sqrt(q)
    still = spread == 0.0
    scale = np.where(still, 1.0, spread)
    knots = _in_spreads(np.array(p.knots), scale[:, None])
    means, mean_slopes = _means(f, p, scale), _mean_slopes(p, scale)
    own = np.stack([means, mean_slopes, spread], axis=1)
    jumps, mirrored = _bends(f)
    if mirrored:
        own[:, 0] = moments.mean(f, 0.0)
    own[still, :2] = moments.mean(f, 0.0), moments.mean_slope(f, 0.0)
    second, slope, size, slope_size = (np.empty(q.shape) for _ in range(4))
    bent_rows(knots, jumps, mirrored, own, *_rule(), second, slope)
    bent_rows(knots, np.abs(jumps), False, np.abs(own), *_rule(), size, slope_size)
    magnified = np.maximum(_over(size, second), _over(slope_size, slope))
    for row in np.flatnonzero((magnified > MAGNIFIED_ALONE) | still):
        second[row] = moments.second_moment(f, float(q[row]))
        slope[row] = moments.slope_moment(f, float(q[row]))
        own[row, 0] = moments.mean(f, float(q[row]))
    return BentRows(q, knots, own, second, slope, np.where(still, 1.0, magnified))


def _over(size: Array, value: Array) -> Array:
    """size / value; 1 where both are 0, infinite where `value` is not above 0 otherwise."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(value > 0.0, size / value, math.inf)
    return np.where(size == 0.0, 1.0, ratio)


def _pieces(f: ActivationFunction) -> Pieces:
    p = piecewise_linear.pieces(f)
    if p is None or not p.knots:
        raise ValueError(f"activation '{f.name}' has no bends")
    return p


def _bends(f: ActivationFunction) -> tuple[Array, bool]:
    """The jumps of phi', and whether phi is odd but for a constant."""
    p = _pieces(f)
    knots, jumps = np.array(p.knots), np.diff(p.slopes)
    mirrored = np.array_equal(knots, -knots[::-1]) and np.array_equal(jumps, -jumps[::-1])
    return jumps, mirrored and len(knots) % 2 == 0


def _rule() -> tuple[Array, Array, Array, Array]:
    """Nodes and weights on [0, 1], and the kernels' scratch."""
    nodes, weights = unit_rule()
    return nodes, weights, np.empty(NODES), np.empty(NODES)


def _means(f: ActivationFunction, p: Pieces, spread: Array) -> Array:
    """E phi(x), x ~ N(0, spread^2), for every spread > 0.

    phi(x) = phi(0) + slope x + the sum over knots of jump (x - t)_+, or (t - x)_+ left of 0.
    """
    from scipy.special import ndtr

    d = -np.abs(_in_spreads(np.array(p.knots), spread[:, None]))
    ramps = d * ndtr(d) + INV_SQRT_2PI * np.exp(-0.5 * d * d)
    return np.asarray(float(f.phi(np.zeros(1))[0]) + spread * (ramps @ np.diff(p.slopes)))


def _mean_slopes(p: Pieces, spread: Array) -> Array:
    """E phi'(x), x ~ N(0, spread^2), for every spread > 0."""
    total = np.zeros(spread.shape)
    ends = [-math.inf, *p.knots, math.inf]
    for slope, low, high in zip(p.slopes, ends[:-1], ends[1:], strict=True):
        if slope:
            total += slope * _share(low, high, spread)
    return total


def _share(low: float, high: float, spread: Array) -> Array:
    """P(low < x < high)."""
    from scipy.special import ndtr

    a, b = _in_spreads(low, spread), _in_spreads(high, spread)
    # The difference of the tails on the side where they are small.
    long = np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
    if high - low == math.inf:
        return np.asarray(long)
    t, weights = composite_rule(np.array([low, high]))
    z = _in_spreads(t, spread[:, None])
    short = INV_SQRT_2PI / spread * (np.exp(-0.5 * z * z) @ weights)
    return np.where(high - low <= spread, short, long)


def _in_spreads(t: float | Array, spread: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.clip(t / spread, -FARTHEST, FARTHEST)
