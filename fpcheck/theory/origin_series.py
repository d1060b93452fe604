"""One-sided Taylor series at 0 of the functions without closed forms, and moments from them.

At small q every derivative of E phi^2 with respect to q is a sum that cancels when it is taken by
quadrature; from the series it is a few terms without cancellation.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.activations.formulas import GELU_TANH_CUBIC, GELU_TANH_SCALE
from fpcheck.network.activations.registry import SELU_ALPHA, SELU_SCALE
from fpcheck.theory.quadrature import Array

TERMS = 40
# Distance of the nearest singularity from 0; the exponential has none, and changes over 1.
RADII = {
    "tanh": 0.5 * math.pi,
    "sigmoid": math.pi,
    "silu": math.pi,
    "softplus": math.pi,
    "gelu_tanh": 2.0,
    "softsign": 1.0,
    "elu": 1.0,
    "selu": 1.0,
}
SMALL = 1.0 / 256.0  # of the radius squared: terms fall to exp(-128), the 40th below 1e-24


def small_variance(f: ActivationFunction) -> float:
    """The variance up to which `square_moment` holds; 0 where the function has no series here."""
    return SMALL * RADII.get(f.name, 0.0) ** 2


def square_moment(f: ActivationFunction, q: float, order: int) -> float:
    """The derivative of E phi(x)^2 of that order with respect to q, 0 < q <= small_variance."""
    return _moment(_even_and_odd(f, 2), q, order)


def mean_from_series(f: ActivationFunction, q: float) -> float:
    """E phi(x), 0 < q <= small_variance."""
    return _moment(_even_and_odd(f, 1), q, 0)


def slope_at_no_variance(f: ActivationFunction) -> float:
    """The limit of d/dq E phi(x)^2 for q to 0."""
    coefficients = _even_and_odd(f, 2)
    return math.inf if coefficients[1] else float(coefficients[2])


def _moment(coefficients: Array, q: float, order: int) -> float:
    power = 0.5 * np.arange(TERMS)
    factor = _half_moments().copy()
    for k in range(order):
        factor *= power - k
    terms = coefficients * factor * np.power(q, power)
    return float(terms[::-1].sum()) / q**order


@cache
def _even_and_odd(f: ActivationFunction, exponent: int) -> Array:
    """The coefficients that x^n of phi or phi^2 has over both sides, times |x|^n.

    Odd ones are half the difference of the sides: exactly 0 for a smooth function, not nearly.
    """
    right, left = _sides(f)
    if exponent == 2:
        right, left = _product(right, right), _product(left, left)
    even = np.arange(TERMS) % 2 == 0
    return 0.5 * (right + np.where(even, left, -left))


@cache
def _half_moments() -> Array:
    """E |z|^n."""
    return np.array(
        [2.0 ** (0.5 * n) * math.gamma(0.5 * (n + 1)) / math.sqrt(math.pi) for n in range(TERMS)]
    )


def _sides(f: ActivationFunction) -> tuple[Array, Array]:
    """Coefficients of phi for x > 0 and for x < 0."""
    x = np.zeros(TERMS)
    x[1] = 1.0
    n = np.arange(TERMS)
    if f.name in ("elu", "selu"):
        scale, alpha = (SELU_SCALE, SELU_ALPHA) if f.name == "selu" else (1.0, f.p0)
        exponential = np.array([1.0 / math.factorial(k) for k in range(TERMS)])
        exponential[0] = 0.0
        return scale * x, scale * alpha * exponential
    if f.name == "softsign":
        right = np.where(n > 0, (-1.0) ** (n + 1), 0.0)
        return right, np.where(n > 0, 1.0, 0.0)
    if f.name == "tanh":  # 2 s(2x) - 1
        both = 2.0 * _logistic(2.0 * x)
        both[0] -= 1.0
    elif f.name == "sigmoid":
        both = _logistic(x)
    elif f.name == "silu":
        both = _product(x, _logistic(x))
    elif f.name == "softplus":
        both = np.concatenate(([math.log(2.0)], _logistic(x)[:-1] / n[1:]))
    else:  # gelu_tanh
        inner = 2.0 * GELU_TANH_SCALE * x
        inner[3] = 2.0 * GELU_TANH_SCALE * GELU_TANH_CUBIC
        both = _product(x, _logistic(inner))
    return both, both


def _logistic(v: Array) -> Array:
    """The series of s(v(x)), v(0) = 0, from s' = s (1 - s) v'."""
    slope = np.arange(1, TERMS) * v[1:]
    s = np.zeros(TERMS)
    s[0] = 0.5
    for n in range(TERMS - 1):
        spread = s[: n + 1] - _product(s, s)[: n + 1]
        s[n + 1] = float(spread[::-1] @ slope[: n + 1]) / (n + 1)
    # s - 1/2 is odd in v: what is even is rounding.
    return np.where((np.arange(TERMS) % 2 == 1) | (np.arange(TERMS) == 0), s, 0.0)


def _product(a: Array, b: Array) -> Array:
    return np.convolve(a, b)[:TERMS]
