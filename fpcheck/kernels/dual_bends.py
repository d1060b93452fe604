"""Dual activations of piecewise-linear functions over blocks of pairs, from their bends.

The second derivative of E phi(x) phi(y) with respect to the covariance is E phi''(x) phi''(y), a
sum over pairs of knots of bivariate normal densities [Price 1958]. With c = cos u, t = tan(u / 2)
the density at the knots a, b (in standard deviations) is exp(-(g (1 + t^2)^2 / t^2 + h (1 + t^2)))
over 2 pi, g = (a - b)^2 / 8, h = a b / 2, and its integrals over u up to pi/2 give the moments.
"""

from __future__ import annotations

import math

from fpcheck.kernels.arithmetic import choose, multiply_add
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.functions import exp_negative

INV_TWO_PI = 0.5 / math.pi
# Of neighbouring panels in t: NODES nodes follow exp(-g / t^2) and exp(-h t^2) to 1e-15.
NODES = 16
RATIO = 1.0 / 3.0
FLAT = 1e-17  # of t^2: a gap g so small is not felt
DARK = 80.0  # exp(-80), beside at most exp(40) that the whole may be smaller by
WIDE = 3.0  # exp(-h t^2) is followed over a whole panel from 0 up to this h t^2


@kernel
def bent_pairs(
    knots, others, jumps, mirrored, left, right, c, nodes, weights, plain, bend, moment, slope
):
    """moment, slope (m, k) <- E phi(x) phi(y), E phi'(x) phi'(y) at correlations c.

    knots (m, n), others (k, n): the knots in standard deviations of every row and column; jumps
    (n,): of phi' there; mirrored: 1 if phi is odd but for a constant, so that half of the pairs of
    knots is enough. left (m, 3), right (k, 3): E phi, E phi', standard deviation. nodes, weights
    (NODES,): a rule on [0, 1]; plain, bend: (NODES,) scratch. Returns 0.
    """
    for i in range(c.shape[0]):
        mean, mean_slope, spread = left[i]
        for j in range(c.shape[1]):
            v = c[i, j]
            first, second = _bends(
                knots[i], others[j], jumps, mirrored, v, nodes, weights, plain, bend
            )
            linear = multiply_add(v, mean_slope * right[j, 1], INV_TWO_PI * second)
            moment[i, j] = multiply_add(spread * right[j, 2], linear, mean * right[j, 0])
            turned = -first if v < 0.0 else first if v >= 0.0 else v  # NaN stays NaN
            slope[i, j] = multiply_add(mean_slope, right[j, 1], INV_TWO_PI * turned)
    return 0


@kernel
def bent_rows(knots, jumps, mirrored, left, nodes, weights, plain, bend, moment, slope):
    """moment, slope (m,) <- E phi(x)^2, E phi'(x)^2; arguments as `bent_pairs`. Returns 0."""
    for i in range(moment.shape[0]):
        mean, mean_slope, spread = left[i]
        first, second = _bends(
            knots[i], knots[i], jumps, mirrored, 1.0, nodes, weights, plain, bend
        )
        linear = multiply_add(mean_slope, mean_slope, INV_TWO_PI * second)
        moment[i] = multiply_add(spread * spread, linear, mean * mean)
        slope[i] = multiply_add(mean_slope, mean_slope, INV_TWO_PI * first)
    return 0


@scalar
def _bends(knots, others, jumps, mirrored, c, nodes, weights, plain, bend):
    """Integrals over u from arccos |c| to pi/2 of the density and of it times |c| - cos u.

    For c < 0 of y's mirror image, whose correlation is |c|. The sums are kept apart by nodes, in
    plain and bend, so that the loops over them vectorise.
    """
    size = abs(c)
    start = math.sqrt((1.0 - size) / (1.0 + size))
    for k in range(NODES):
        plain[k] = 0.0
        bend[k] = 0.0
    n = jumps.shape[0]
    for a in range(n // 2 if mirrored else n):
        for b in range(n):
            other = others[b] if c >= 0.0 else -others[b]
            gap = knots[a] - other
            _add_integrals(
                0.125 * gap * gap, 0.5 * knots[a] * other, start, jumps[a] * jumps[b],
                nodes, weights, plain, bend,
            )  # fmt: skip
    first, second = 0.0, 0.0
    for k in range(NODES):
        first += plain[k]
        second += bend[k]
    double = 4.0 if mirrored else 2.0
    return double * first, 2.0 * double / (1.0 + start * start) * second


@scalar
def _add_integrals(g, h, start, jump, nodes, weights, plain, bend):
    """Add a pair of knots: panel by panel downwards over t = tan(u / 2) from 1 to start."""
    high = 1.0
    origin = start * start
    flat = g <= FLAT * origin
    while high > start and g <= DARK * high * high:
        low = RATIO * high
        if low < start or (flat and h * high * high < WIDE):
            low = start
        width = high - low
        scale = jump * width
        for k in range(NODES):
            t = multiply_add(width, nodes[k], low)
            square = t * t
            one = 1.0 + square
            inverse = 1.0 / (square * one)
            exponent = multiply_add(g * one * one, inverse * one, h * one)
            density = exp_negative(choose(exponent > 0.0, -exponent, 0.0), 0.0)
            part = scale * weights[k] * density * (square * inverse)
            plain[k] = plain[k] + part
            bend[k] = multiply_add(part, (square - origin) * (square * inverse), bend[k])
        high = low
