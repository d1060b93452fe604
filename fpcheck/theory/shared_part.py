"""Expectations over correlated pairs of a piecewise-linear phi by the part that x and y share.

x and y are split into a shared and two private parts, x = sqrt(q1) (sqrt|c| w + sqrt(1 - |c|) z),
likewise y; the private parts smooth phi in closed form into a function of w, and one integral over
w remains. It is followed to ten standard deviations, and what phi differs by from its value at a
knot is summed: exact where x often passes the knots, not where it hardly ever does (`bent`).
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.theory import piecewise_linear
from fpcheck.theory.piecewise_linear import Pieces
from fpcheck.theory.quadrature import (
    FEATURE_PANELS,
    INV_SQRT_2PI,
    REACH,
    Array,
    composite_rule,
)


def shared_expectation(p: Pieces, q1: float, q2: float, c: float, *, slope: bool) -> float:
    """E g(x) g(y), g the piecewise-linear function or its slope, over the shared part w."""
    smoothed = piecewise_linear.smoothed_slope if slope else piecewise_linear.smoothed
    shared, private = math.sqrt(abs(c)), 1.0 - abs(c)
    sign = math.copysign(1.0, c)
    w, weights = _shared_rule(p, (q1, sign * q2), shared, private)
    left = smoothed(p, math.sqrt(q1) * shared * w, q1 * private)
    if q1 == q2 and c > 0:
        return float(np.dot(weights, left * left))
    right = smoothed(p, sign * math.sqrt(q2) * shared * w, q2 * private)
    return float(np.dot(weights, left * right))


def _shared_rule(
    p: Pieces, variances: tuple[float, float], shared: float, private: float
) -> tuple[Array, Array]:
    """Nodes and weights of the integral over w.

    A smoothed kink at t bends over sqrt(q (1 - |c|)), so its neighbourhood is resolved at that
    scale; `variances` carry the sign with which w enters.
    """
    edges = [np.arange(-REACH, REACH + 1.0)]
    for q in variances:
        gain = math.copysign(math.sqrt(abs(q)) * shared, q)
        width = math.sqrt(abs(q) * private)
        for kink in p.knots:
            around = _kink_edges(width, abs(kink) + REACH * abs(gain))
            edges += [(kink + around) / gain, (kink - around) / gain, np.array([kink / gain])]
    inside = np.unique(np.concatenate(edges))
    w, weights = composite_rule(inside[np.abs(inside) <= REACH])
    return w, weights * INV_SQRT_2PI * np.exp(-0.5 * w * w)


def _kink_edges(width: float, reach: float) -> Array:
    """Distances from a kink smoothed over `width`: uniform panels, then geometric ones."""
    if width == 0.0:
        return np.empty(0)
    uniform = width * np.arange(1, FEATURE_PANELS // 2 + 1)
    doublings = max(0, math.ceil(math.log2(max(1.0, reach / uniform[-1]))))
    return np.concatenate((uniform, uniform[-1] * 2.0 ** np.arange(1, doublings + 1)))
