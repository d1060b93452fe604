"""Gaussian expectations over correlated pairs: E phi(x) phi(y) and E phi'(x) phi'(y).

x ~ N(0, q1), y ~ N(0, q2), correlation c. Smooth functions, and those that bend at 0 alone, are
integrated in polar coordinates (`polar`). Piecewise-linear ones that bend elsewhere: x and y are
split into a shared and two private parts, x = sqrt(q1) (sqrt|c| w + sqrt(1 - |c|) z), likewise y;
the private parts smooth phi in closed form into a function of w, and one integral over w remains.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.asymptotes import LINEAR_AT_INFINITY
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.piecewise_linear import Pieces
from fpcheck.theory.polar import polar_expectation
from fpcheck.theory.quadrature import (
    FEATURE_PANELS,
    INV_SQRT_2PI,
    REACH,
    Array,
    composite_rule,
)

RELU = activation("relu")
# Variances where what differs from the asymptote is below 1e-13 of the whole: by 1 / sqrt(q), but
# by 1 / q in the moment of a function that comes to its asymptote on both sides.
LINEAR_FROM, MOMENT_LINEAR_FROM = 1e26, 1e13
FAR = 1e3  # where a function that becomes linear has its last slope


@lru_cache(maxsize=moments.CACHED)
def pair_moment(f: ActivationFunction, q1: float, q2: float, c: float) -> float:
    """E phi(x) phi(y), x ~ N(0, q1), y ~ N(0, q2), correlation c in [-1, 1]."""
    _check(q1, q2, c)
    forms = closed_forms(f)
    if forms is not None:
        return forms.pair(q1, q2, c, f.p0)
    if min(q1, q2) == 0.0 or c == 0.0:
        return moments.mean(f, q1) * moments.mean(f, q2)
    if c == 1.0 and q1 == q2:
        return moments.second_moment(f, q1)
    return _by_quadrature(f, q1, q2, c, slope=False)


@lru_cache(maxsize=moments.CACHED)
def pair_slope_moment(f: ActivationFunction, q1: float, q2: float, c: float) -> float:
    """E phi'(x) phi'(y), which is d E phi(x) phi(y) / d cov(x, y) [Price 1958].

    Raises:
        UnsupportedOperationError: the function is a step, for which it is not defined.
    """
    _check(q1, q2, c)
    if f.kind.derivative is None:
        raise UnsupportedOperationError(
            f"the correlation map's slope is not defined for activation '{f.name}'"
        )
    forms = closed_forms(f)
    if forms is not None and forms.pair_slope is not None:
        return forms.pair_slope(q1, q2, c, f.p0)
    if min(q1, q2) == 0.0 or c == 0.0:
        return moments.mean_slope(f, q1) * moments.mean_slope(f, q2)
    if c == 1.0 and q1 == q2:
        return moments.slope_moment(f, q1)
    return _by_quadrature(f, q1, q2, c, slope=True)


def _by_quadrature(f: ActivationFunction, q1: float, q2: float, c: float, slope: bool) -> float:
    p = piecewise_linear.pieces(f)
    if p is not None:
        return shared_expectation(p, q1, q2, c, slope=slope)
    both_sides = f.name in LINEAR_AT_INFINITY and f.name not in ("elu", "selu")
    linear_from = MOMENT_LINEAR_FROM if both_sides and not slope else LINEAR_FROM
    if f.name in LINEAR_AT_INFINITY and min(q1, q2) > linear_from:
        gain = float(f.derivative(np.array([FAR]))[0]) ** 2
        return gain * (pair_slope_moment if slope else pair_moment)(RELU, q1, q2, c)
    g = f.derivative if slope else f.phi
    return polar_expectation(g, (q1, q2), c, moments.SMOOTH_SCALE, parity=f.kind.odd)


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


def _check(q1: float, q2: float, c: float) -> None:
    if not (0.0 <= q1 < math.inf and 0.0 <= q2 < math.inf):
        raise ValueError(f"variances must be finite and not negative, got {q1} and {q2}")
    if not -1.0 <= c <= 1.0:
        raise ValueError(f"a correlation lies in [-1, 1], got {c}")
