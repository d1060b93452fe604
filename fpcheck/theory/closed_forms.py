"""Gaussian expectations that have a closed form which keeps its digits at every variance.

Every function takes variances q and a covariance k (= c sqrt(q1 q2)); arcsines are written as
arctangents, whose argument does not crowd against 1 at large q.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import atan, atan2, exp, expm1, pi, sqrt

from fpcheck.network.activations import ActivationFunction


@dataclass(frozen=True, slots=True)
class ClosedForms:
    """The closed forms of one family; `p` is the family's first parameter.

    mean, second, slope: E phi, E phi^2, E phi'^2 at (q, p). second_slope, second_curvature: the
    derivatives of E phi^2 with respect to q. pair, pair_slope: E phi(x) phi(y), E phi'(x) phi'(y)
    at (q1, q2, c, p). None: there is no such number (step), or no closed form.
    """

    mean: Callable[[float, float], float]
    second: Callable[[float, float], float]
    slope: Callable[[float, float], float] | None
    second_slope: Callable[[float, float], float]
    second_curvature: Callable[[float, float], float] | None
    pair: Callable[[float, float, float, float], float]
    pair_slope: Callable[[float, float, float, float], float] | None


def closed_forms(f: ActivationFunction) -> ClosedForms | None:
    """The closed forms of `f`'s family, None where it has none."""
    return _FORMS.get(f.name)


def scale_free_gain(f: ActivationFunction) -> float | None:
    """k with E phi(x)^2 = k q for every q, None unless phi(s x) = s phi(x) for all s > 0."""
    if f.name == "identity":
        return 1.0
    if f.name in ("relu", "leaky_relu"):
        return 0.5 * (1.0 + f.p0 * f.p0)
    return None


def _sine(c: float) -> float:
    return sqrt(max(0.0, (1.0 - c) * (1.0 + c)))


def _obtuse(c: float) -> float:
    """pi - arccos c."""
    return pi - atan2(_sine(c), c)


# Leaky ReLU with negative slope a (ReLU: a = 0) is a x + (1 - a) relu(x), and
# E x relu(y) = k/2. The ReLU part is the arc-cosine kernel [Cho, Saul 2009].
def _leaky_pair(q1: float, q2: float, c: float, a: float) -> float:
    arc = (_sine(c) + c * _obtuse(c)) / (2.0 * pi)
    return sqrt(q1) * sqrt(q2) * (a * c + (1.0 - a) ** 2 * arc)


_LEAKY = ClosedForms(
    mean=lambda q, a: (1.0 - a) * sqrt(q / (2.0 * pi)),
    second=lambda q, a: 0.5 * (1.0 + a * a) * q,
    slope=lambda q, a: 0.5 * (1.0 + a * a),
    second_slope=lambda q, a: 0.5 * (1.0 + a * a),
    second_curvature=lambda q, a: 0.0,
    pair=_leaky_pair,
    pair_slope=lambda q1, q2, c, a: a + (1.0 - a) ** 2 * _obtuse(c) / (2.0 * pi),
)

_IDENTITY = ClosedForms(
    mean=lambda q, p: 0.0,
    second=lambda q, p: q,
    slope=lambda q, p: 1.0,
    second_slope=lambda q, p: 1.0,
    second_curvature=lambda q, p: 0.0,
    pair=lambda q1, q2, c, p: c * sqrt(q1) * sqrt(q2),
    pair_slope=lambda q1, q2, c, p: 1.0,
)

_STEP = ClosedForms(
    mean=lambda q, p: 0.5 if q > 0.0 else 0.0,
    second=lambda q, p: 0.5 if q > 0.0 else 0.0,
    slope=None,
    second_slope=lambda q, p: 0.0,
    second_curvature=lambda q, p: 0.0,
    pair=lambda q1, q2, c, p: _obtuse(c) / (2.0 * pi) if min(q1, q2) > 0.0 else 0.0,
    pair_slope=None,
)


def _erf_determinant(q1: float, q2: float, c: float) -> float:
    """(1 + 2 q1)(1 + 2 q2) - 4 k^2, without the cancellation."""
    return 1.0 + 2.0 * (q1 + q2) + 4.0 * q1 * q2 * (1.0 - c) * (1.0 + c)


# [Williams 1998]
_ERF = ClosedForms(
    mean=lambda q, p: 0.0,
    second=lambda q, p: 2.0 / pi * atan(2.0 * q / sqrt(1.0 + 4.0 * q)),
    slope=lambda q, p: 4.0 / pi / sqrt(1.0 + 4.0 * q),
    second_slope=lambda q, p: 4.0 / pi / ((1.0 + 2.0 * q) * sqrt(1.0 + 4.0 * q)),
    second_curvature=lambda q, p: (
        -8.0 / pi * (2.0 + 6.0 * q) / ((1.0 + 2.0 * q) ** 2 * (1.0 + 4.0 * q) ** 1.5)
    ),
    pair=lambda q1, q2, c, p: (
        2.0 / pi * atan2(2.0 * c * sqrt(q1) * sqrt(q2), sqrt(_erf_determinant(q1, q2, c)))
    ),
    pair_slope=lambda q1, q2, c, p: 4.0 / pi / sqrt(_erf_determinant(q1, q2, c)),
)


def _sin_pair(q1: float, q2: float, c: float, p: float) -> float:
    """exp(-(q1 + q2)/2) sinh k, written so that nothing overflows."""
    k = c * sqrt(q1) * sqrt(q2)
    return math.copysign(-0.5 * exp(abs(k) - 0.5 * (q1 + q2)) * expm1(-2.0 * abs(k)), k)


def _sin_pair_slope(q1: float, q2: float, c: float, p: float) -> float:
    k = abs(c) * sqrt(q1) * sqrt(q2)
    return 0.5 * exp(k - 0.5 * (q1 + q2)) * (1.0 + exp(-2.0 * k))


_SIN = ClosedForms(
    mean=lambda q, p: 0.0,
    second=lambda q, p: -0.5 * expm1(-2.0 * q),
    slope=lambda q, p: 0.5 * (1.0 + exp(-2.0 * q)),
    second_slope=lambda q, p: exp(-2.0 * q),
    second_curvature=lambda q, p: -2.0 * exp(-2.0 * q),
    pair=_sin_pair,
    pair_slope=_sin_pair_slope,
)


# GELU, phi = x Phi(x). With h = y Phi(x) Phi(y), Stein's lemma on E[x h] and the same again on
# E[y pdf(x) Phi(y)] reduces everything to E Phi Phi = 1/4 + arcsin(...)/(2 pi) and
# E pdf pdf = 1/(2 pi sqrt D), D = (1 + q1)(1 + q2) - k^2; the slope is d/dk of it [Price 1958].
def _gelu_determinant(q1: float, q2: float, c: float) -> float:
    return 1.0 + q1 + q2 + q1 * q2 * (1.0 - c) * (1.0 + c)


def _gelu_pair(q1: float, q2: float, c: float, p: float) -> float:
    k = c * sqrt(q1) * sqrt(q2)
    root = sqrt(_gelu_determinant(q1, q2, c))
    shares = 1.0 / (1.0 + q1) + 1.0 / (1.0 + q2)
    bracket = q1 * q2 * (1.0 - c) * (1.0 + c) + k * k * shares
    return k * (0.25 + atan2(k, root) / (2.0 * pi)) + bracket / (2.0 * pi * root)


def _gelu_pair_slope(q1: float, q2: float, c: float, p: float) -> float:
    k = c * sqrt(q1) * sqrt(q2)
    determinant = _gelu_determinant(q1, q2, c)
    root = sqrt(determinant)
    shares = 1.0 / (1.0 + q1) + 1.0 / (1.0 + q2)
    free = q1 * q2 * (1.0 - c) * (1.0 + c)
    # bracket + (2 shares - 1) D in positive terms: nothing cancels at c = 1 and large q.
    numerator = 3.0 + q2 / (1.0 + q1) + q1 / (1.0 + q2) + shares * free
    return 0.25 + atan2(k, root) / (2.0 * pi) + k * numerator / (2.0 * pi * root * determinant)


def _gelu_second(q: float, p: float) -> float:
    angle = atan(q / sqrt(1.0 + 2.0 * q))
    return q * (0.25 + angle / (2.0 * pi) + q / (pi * (1.0 + q) * sqrt(1.0 + 2.0 * q)))


def _gelu_slope(q: float, p: float) -> float:
    root = sqrt(1.0 + 2.0 * q)
    tail = q * (3.0 + 5.0 * q) / (2.0 * pi * (1.0 + q) * root**3)
    return 0.25 + atan(q / root) / (2.0 * pi) + tail


def _gelu_second_slope(q: float, p: float) -> float:
    root = sqrt(1.0 + 2.0 * q)
    tail = q / (2.0 * pi * (1.0 + q) * root)
    tail += q * (2.0 + 4.0 * q + q * q) / (pi * (1.0 + q) ** 2 * root**3)
    return 0.25 + atan(q / root) / (2.0 * pi) + tail


def _gelu_second_curvature(q: float, p: float) -> float:
    numerator = 6.0 + q * (18.0 + q * (11.0 - 5.0 * q))
    root = sqrt(1.0 + 2.0 * q)
    return numerator / (2.0 * pi * (1.0 + q) ** 3 * root**5)


_GELU = ClosedForms(
    mean=lambda q, p: q / sqrt(2.0 * pi * (1.0 + q)),
    second=_gelu_second,
    slope=_gelu_slope,
    second_slope=_gelu_second_slope,
    second_curvature=_gelu_second_curvature,
    pair=_gelu_pair,
    pair_slope=_gelu_pair_slope,
)

_FORMS: Mapping[str, ClosedForms] = {
    "identity": _IDENTITY,
    "relu": _LEAKY,
    "leaky_relu": _LEAKY,
    "step": _STEP,
    "erf": _ERF,
    "sin": _SIN,
    "gelu": _GELU,
}
