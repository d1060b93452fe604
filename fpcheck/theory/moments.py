"""Gaussian moments of an activation function phi at x ~ N(0, q).

Closed forms where there are some that keep their digits (`closed_forms`), else quadrature split at
the kinks (`quadrature`), and the Taylor series at 0 for small q (`origin_series`). From q = 1e-12
to 1e12: E phi^2, E phi'^2 and d/dq E phi^2 to 1e-13 of themselves, also where they are small tail
probabilities; the mean to 1e-13 of E |phi|; the second derivative to 1e-12 of itself but beside
its changes of sign.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import piecewise_linear
from fpcheck.theory.asymptotes import LINEAR_AT_INFINITY, slope_product_remainder
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.origin_series import (
    mean_from_series,
    slope_at_no_variance,
    small_variance,
    square_moment,
)
from fpcheck.theory.quadrature import Array, gaussian_rule

CACHED = 8192  # moments kept: a network's layers share their functions, a scan its grid

# The distance of the nearest complex singularity of the smooth functions from the real axis: tanh
# i pi/2, logistic i pi, softsign -1; entire ones by where they bend. One scale for all is enough.
SMOOTH_SCALE = 1.0


def feature_scale(f: ActivationFunction) -> float | None:
    """The scale that panels must resolve; None where `f` is a polynomial between its kinks."""
    return None if piecewise_linear.pieces(f) or f.name == "step" else SMOOTH_SCALE


@lru_cache(maxsize=CACHED)
def mean(f: ActivationFunction, q: float) -> float:
    """E phi(x), x ~ N(0, q)."""
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.mean(q, f.p0)
    if f.kind.odd:
        return 0.0
    if q == 0.0:
        return float(f.phi(np.zeros(1))[0])
    if q <= small_variance(f):
        return mean_from_series(f, q)
    _, weights, phi = _sampled(f, q)
    return float(weights @ phi)


@lru_cache(maxsize=CACHED)
def second_moment(f: ActivationFunction, q: float) -> float:
    """E phi(x)^2, x ~ N(0, q)."""
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.second(q, f.p0)
    if q == 0.0:
        return float(f.phi(np.zeros(1))[0]) ** 2
    _, weights, phi = _sampled(f, q)
    return float(weights @ (phi * phi))


@lru_cache(maxsize=CACHED)
def slope_moment(f: ActivationFunction, q: float) -> float:
    """E phi'(x)^2, x ~ N(0, q); at q = 0 the limit from above.

    Raises:
        UnsupportedOperationError: the function is a step, for which it is not defined.
    """
    _check(q)
    _check_slope(f)
    forms = closed_forms(f)
    if forms is not None and forms.slope is not None:
        return forms.slope(q, f.p0)
    if q == 0.0:
        return 0.5 * sum(slope**2 for slope in _slopes_at_zero(f))
    p = piecewise_linear.pieces(f)
    if p is not None:
        return piecewise_linear.slope_moment(p, q)
    _, weights, _ = _sampled(f, q)
    return float(weights @ _sampled_slope(f, q) ** 2)


@lru_cache(maxsize=CACHED)
def mean_slope(f: ActivationFunction, q: float) -> float:
    """E phi'(x), x ~ N(0, q); at q = 0 the limit from above. Not defined for a step."""
    _check(q)
    _check_slope(f)
    if q == 0.0:
        return 0.5 * sum(_slopes_at_zero(f))
    p = piecewise_linear.pieces(f)
    if p is not None:
        return piecewise_linear.mean_slope(p, q)
    _, weights, _ = _sampled(f, q)
    return float(weights @ _sampled_slope(f, q))


@lru_cache(maxsize=CACHED)
def second_moment_slope(f: ActivationFunction, q: float) -> float:
    """d/dq E phi(x)^2, x ~ N(0, q); at q = 0 the limit from above.

    By quadrature it is E[x phi phi'] / q, which for a function that vanishes at 0 and grows to
    both sides is a mean of what is nowhere negative. At small q it is taken from the series at 0,
    or piece by piece, for the others.
    """
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.second_slope(q, f.p0)
    p = piecewise_linear.pieces(f)
    if q == 0.0:
        if p is None:
            return slope_at_no_variance(f)
        bends = 0.0 in p.knots and float(f.phi(np.zeros(1))[0]) != 0.0
        return math.inf if bends else slope_moment(f, 0.0)
    if q <= small_variance(f):
        return square_moment(f, q, 1)
    if p is not None and piecewise_linear.straight_at_zero(p, q):
        return slope_moment(f, q) + piecewise_linear.curvature_moment(p, q)
    x, weights, phi = _sampled(f, q)
    return float(weights @ (x * phi * _sampled_slope(f, q))) / q


@lru_cache(maxsize=CACHED)
def second_moment_curvature(f: ActivationFunction, q: float) -> float:
    """The second derivative of E phi(x)^2 with respect to q > 0, x ~ N(0, q).

    By quadrature it is E[x phi phi' (x^2/q - 3)] / (2 q^2), with phi phi' less that of the
    asymptote, which adds nothing, where phi becomes linear at infinity. Relative accuracy 1e-12
    but beside a change of sign.
    """
    _check(q)
    forms = closed_forms(f)
    if forms is not None and forms.second_curvature is not None:
        return forms.second_curvature(q, f.p0)
    if 0.0 < q <= small_variance(f):
        return square_moment(f, q, 2)
    p = piecewise_linear.pieces(f)
    if p is not None and (
        not piecewise_linear.flat_at_infinity(p) or piecewise_linear.straight_at_zero(p, q)
    ):
        return piecewise_linear.second_moment_curvature(p, q)

    x, weights, phi = _sampled(f, q)
    if f.name in LINEAR_AT_INFINITY:
        product = slope_product_remainder(f, x)
    else:
        product = phi * _sampled_slope(f, q)
    return float(weights @ (x * product * (x * x / q - 3.0))) / (2.0 * q * q)


@lru_cache(maxsize=16)
def _sampled(f: ActivationFunction, q: float) -> tuple[Array, Array, Array]:
    """Nodes, weights of the expectation at q > 0 and phi there; the moments of one q share them."""
    x, weights = gaussian_rule(q, f.kinks, feature_scale(f))
    return x, weights, f.phi(x)


@lru_cache(maxsize=16)
def _sampled_slope(f: ActivationFunction, q: float) -> Array:
    """phi' at the nodes of `_sampled`."""
    return f.derivative(_sampled(f, q)[0])


def _slopes_at_zero(f: ActivationFunction) -> tuple[float, float]:
    """phi' just below and just above 0."""
    below, above = f.derivative(np.array([-math.ulp(0.0), math.ulp(0.0)]))
    return float(below), float(above)


def _check(q: float) -> None:
    if not 0.0 <= q < math.inf:
        raise ValueError(f"a variance must be finite and not negative, got {q}")


def _check_slope(f: ActivationFunction) -> None:
    if f.kind.derivative is None:
        raise UnsupportedOperationError(
            f"chi_1 is not defined for activation '{f.name}': its derivative is a delta",
            hint="analyse the variance map alone, or use a smooth activation",
        )
