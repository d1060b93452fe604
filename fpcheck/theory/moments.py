"""Gaussian moments of an activation function phi at x ~ N(0, q).

Closed forms where there are some that keep their digits (`closed_forms`), else quadrature split at
the kinks (`quadrature`). Relative accuracy about 1e-13 of the expectation of the absolute value,
for q from 1e-12 to 1e12.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import piecewise_linear
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.quadrature import Array, expectation
from fpcheck.theory.second_derivatives import second_derivative

CACHED = 8192  # moments kept: a network's layers share their functions, a scan its grid

# The distance of the nearest complex singularity of the smooth functions from the real axis: tanh
# i pi/2, logistic i pi, softsign -1; entire ones by where they bend. One scale for all is enough.
SMOOTH_SCALE = 1.0


def feature_scale(f: ActivationFunction) -> float | None:
    """The scale that panels must resolve; None where `f` is a polynomial between its kinks."""
    return None if piecewise_linear.pieces(f) or f.name == "step" else SMOOTH_SCALE


def bend_scale(f: ActivationFunction) -> float:
    """How far from 0 the function bends: the largest |kink|, at least the smooth functions' 1."""
    return max((abs(t) for t in f.kinks), default=0.0) or 1.0


@lru_cache(maxsize=CACHED)
def mean(f: ActivationFunction, q: float) -> float:
    """E phi(x), x ~ N(0, q)."""
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.mean(q, f.p0)
    return 0.0 if f.kind.odd else _expect(f, f.phi, q)


@lru_cache(maxsize=CACHED)
def second_moment(f: ActivationFunction, q: float) -> float:
    """E phi(x)^2, x ~ N(0, q)."""
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.second(q, f.p0)
    return _expect(f, lambda x: f.phi(x) ** 2, q)


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
    return _expect(f, lambda x: f.derivative(x) ** 2, q)


@lru_cache(maxsize=CACHED)
def curvature_moment(f: ActivationFunction, q: float) -> float:
    """E[phi phi''](x), x ~ N(0, q), q > 0, the deltas of phi'' at kinks included.

    Raises:
        UnsupportedOperationError: the function is a step, for which it is not defined.
    """
    _check(q)
    _check_slope(f)
    p = piecewise_linear.pieces(f)
    if p is not None:
        return piecewise_linear.curvature_moment(p, q)
    if f.name == "sin":  # phi'' = -phi; no quadrature follows its oscillation at large q
        return -second_moment(f, q)
    return _expect(f, lambda x: f.phi(x) * second_derivative(f, x), q)


@lru_cache(maxsize=CACHED)
def second_moment_slope(f: ActivationFunction, q: float) -> float:
    """d/dq E phi(x)^2, x ~ N(0, q); at q = 0 the limit from above.

    E phi'^2 + E phi phi'' at small q, where it keeps its digits, and E[x phi phi'] / q at large q,
    where the two terms of the former all but cancel for functions that saturate.
    """
    _check(q)
    forms = closed_forms(f)
    if forms is not None:
        return forms.second_slope(q, f.p0)
    if q == 0.0:
        at_zero = float(f.phi(np.zeros(1))[0])
        bend = 0.0 if at_zero == 0.0 else _bend_at_zero(f, at_zero)
        return slope_moment(f, 0.0) + bend
    if q <= bend_scale(f) ** 2:
        return slope_moment(f, q) + curvature_moment(f, q)
    return _expect(f, lambda x: x * f.phi(x) * f.derivative(x), q) / q


@lru_cache(maxsize=CACHED)
def second_moment_curvature(f: ActivationFunction, q: float) -> float:
    """The second derivative of E phi(x)^2 with respect to q > 0, x ~ N(0, q).

    By quadrature it is E[x phi phi' (x^2/q - 3)] / (2 q^2), whose absolute error is about 1e-15/q.
    """
    _check(q)
    forms = closed_forms(f)
    if forms is not None and forms.second_curvature is not None:
        return forms.second_curvature(q, f.p0)
    p = piecewise_linear.pieces(f)
    if p is not None:
        return piecewise_linear.second_moment_curvature(p, q)
    total = _expect(f, lambda x: x * f.phi(x) * f.derivative(x) * (x * x / q - 3.0), q)
    return total / (2.0 * q * q)


def _expect(f: ActivationFunction, function: Callable[[Array], Array], q: float) -> float:
    return expectation(function, q, f.kinks, feature_scale(f))


def _slopes_at_zero(f: ActivationFunction) -> tuple[float, float]:
    """phi' just below and just above 0."""
    below, above = f.derivative(np.array([-math.ulp(0.0), math.ulp(0.0)]))
    return float(below), float(above)


def _bend_at_zero(f: ActivationFunction, value: float) -> float:
    """phi(0) phi''(0) for the functions that do not vanish at 0; infinite at a kink there."""
    if 0.0 in f.kinks:
        return math.inf
    if piecewise_linear.pieces(f) is not None:
        return 0.0
    return value * float(second_derivative(f, np.zeros(1))[0])


def _check(q: float) -> None:
    if not 0.0 <= q < math.inf:
        raise ValueError(f"a variance must be finite and not negative, got {q}")


def _check_slope(f: ActivationFunction) -> None:
    if f.kind.derivative is None:
        raise UnsupportedOperationError(
            f"chi_1 is not defined for activation '{f.name}': its derivative is a delta",
            hint="analyse the variance map alone, or use a smooth activation",
        )
