"""Dual activations of piecewise-linear functions that bend elsewhere than at 0.

They are summed over the bends (kernels.dual_bends). Rounding is magnified by the size of the terms
over E phi^2: little, but for bounded functions at variances above 1e5 times the square of their
width. Such rows are integrated pair by pair (theory.pairs), at 1 ms a pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels.dual_bends import NODES, bent_pairs, bent_rows
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments, pairs, piecewise_linear
from fpcheck.theory.piecewise_linear import Pieces
from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, composite_rule, unit_rule

MAGNIFIED = 1e5  # of rounding: up to there the moments are good to 1e-10
FARTHEST = 1e100  # standard deviations: no knot is further, so that its square is a number


@dataclass(frozen=True, slots=True, eq=False)
class BentRows:
    """Variances q (m,) with what the integrals take of each.

    knots: (m, n) in standard deviations. own: (m, 3), E phi, E phi' and the standard deviation.
    second, slope: (m,), E phi^2 and E phi'^2. wild: (m,), where they are too magnified.
    """

    q: Array
    knots: Array
    own: Array
    second: Array
    slope: Array
    wild: NDArray[np.bool_]


def bent_moments(
    f: ActivationFunction, left: Array, right: Array, c: Array, *, slope: bool
) -> tuple[Array, Array | None]:
    """E phi(x) phi(y) and, if `slope`, E phi'(x) phi'(y), at correlations c (m, k)."""
    rows, columns = bent_rows_of(f, left), bent_rows_of(f, right)
    moment, slopes = np.empty(c.shape), np.empty(c.shape)
    bent_pairs(
        rows.knots, columns.knots, *_bends(f), rows.own, columns.own, c, *_rule(), moment, slopes
    )
    for i, j in np.argwhere((rows.wild[:, None] | columns.wild) & ~np.isnan(c)).tolist():
        q1, q2, size = float(left[i]), float(right[j]), float(c[i, j])
        moment[i, j] = pairs.pair_moment(f, q1, q2, size)
        if slope:
            slopes[i, j] = pairs.pair_slope_moment(f, q1, q2, size)
    return moment, slopes if slope else None


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
    wild = ~(size <= MAGNIFIED * second) | ~(slope_size <= MAGNIFIED * slope)
    for row in np.flatnonzero(wild | still):
        second[row] = moments.second_moment(f, float(q[row]))
        slope[row] = moments.slope_moment(f, float(q[row]))
        own[row, 0] = moments.mean(f, float(q[row]))
    return BentRows(q, knots, own, second, slope, wild & ~still)


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
