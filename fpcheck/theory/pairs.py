"""Gaussian expectations over correlated pairs: E phi(x) phi(y) and E phi'(x) phi'(y).

x ~ N(0, q1), y ~ N(0, q2), correlation c. Smooth functions, and those that bend at 0 alone, are
integrated in polar coordinates (`polar`), piecewise-linear ones that bend elsewhere summed over
their bends (`bent`).
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
from fpcheck.theory.polar import polar_expectation

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
    if piecewise_linear.pieces(f) is not None:
        from fpcheck.theory.bent import bent_pair

        return bent_pair(f, q1, q2, c, slope=slope)
    both_sides = f.name in LINEAR_AT_INFINITY and f.name not in ("elu", "selu")
    linear_from = MOMENT_LINEAR_FROM if both_sides and not slope else LINEAR_FROM
    if f.name in LINEAR_AT_INFINITY and min(q1, q2) > linear_from:
        gain = float(f.derivative(np.array([FAR]))[0]) ** 2
        return gain * (pair_slope_moment if slope else pair_moment)(RELU, q1, q2, c)
    g = f.derivative if slope else f.phi
    return polar_expectation(g, (q1, q2), c, moments.SMOOTH_SCALE, parity=f.kind.odd)


def _check(q1: float, q2: float, c: float) -> None:
    if not (0.0 <= q1 < math.inf and 0.0 <= q2 < math.inf):
        raise ValueError(f"variances must be finite and not negative, got {q1} and {q2}")
    if not -1.0 <= c <= 1.0:
        raise ValueError(f"a correlation lies in [-1, 1], got {c}")
