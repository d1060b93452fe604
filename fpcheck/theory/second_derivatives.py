"""phi'' of the smooth activation functions, which only the theory needs.

Deltas at kinks are not part of it: where phi' jumps (ELU, SELU at 0) phi vanishes, so they add
nothing to E[phi phi'']. Softsign's phi' has no jump.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.activations.formulas import (
    GELU_TANH_CUBIC,
    GELU_TANH_SCALE,
)
from fpcheck.network.activations.registry import SELU_ALPHA, SELU_SCALE
from fpcheck.theory.quadrature import Array


def second_derivative(f: ActivationFunction, x: Array) -> Array:
    """phi''(x) between the kinks, elementwise. x: any shape.

    Raises:
        KeyError: the function is piecewise linear or a step; it has no second derivative here.
    """
    return _SECOND[f.name](x, f.p0)


def has_second_derivative(f: ActivationFunction) -> bool:
    """Whether `second_derivative` knows the function."""
    return f.name in _SECOND


def _decayed(x: Array) -> Array:
    return np.exp(-np.abs(x))


def _sigmoid_slope(x: Array) -> Array:
    decayed = _decayed(x)
    return decayed / (1.0 + decayed) ** 2


def _sigmoid_curvature(x: Array) -> Array:
    return -_sigmoid_slope(x) * np.tanh(0.5 * x)


def _tanh(x: Array, p0: float) -> Array:
    return -8.0 * np.tanh(x) * _sigmoid_slope(2.0 * x)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, 0.0, alpha * np.exp(np.minimum(x, 0.0)))


def _gelu(x: Array, p0: float) -> Array:
    return (2.0 - x * x) * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _gelu_tanh(x: Array, p0: float) -> Array:
    # phi = x s(v), s the logistic function, v = 2 sqrt(2/pi) (x + c x^3).
    v = 2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x**3)
    first = 2.0 * GELU_TANH_SCALE * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x)
    second = 12.0 * GELU_TANH_SCALE * GELU_TANH_CUBIC * x
    return (2.0 * first + x * second) * _sigmoid_slope(v) + x * first**2 * _sigmoid_curvature(v)


def _silu(x: Array, p0: float) -> Array:
    return 2.0 * _sigmoid_slope(x) + x * _sigmoid_curvature(x)


def _softsign(x: Array, p0: float) -> Array:
    return -2.0 * np.sign(x) / (1.0 + np.abs(x)) ** 3


def _erf(x: Array, p0: float) -> Array:
    return -4.0 / math.sqrt(math.pi) * x * np.exp(-x * x)


_SECOND: Mapping[str, Callable[[Array, float], Array]] = {
    "tanh": _tanh,
    "sigmoid": lambda x, p0: _sigmoid_curvature(x),
    "elu": _elu,
    "selu": lambda x, p0: SELU_SCALE * _elu(x, SELU_ALPHA),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "softplus": lambda x, p0: _sigmoid_slope(x),
    "softsign": _softsign,
    "erf": _erf,
    "sin": lambda x, p0: -np.sin(x),
}
