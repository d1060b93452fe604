"""The NumPy formulas of the activation functions that are more than one call.

They are the definition; the compiled pass in `kernels` is held against them. At a kink the
derivative is the one that PyTorch takes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations.kind import Array

INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
GELU_TANH_SCALE = math.sqrt(2.0 / math.pi)
GELU_TANH_CUBIC = 0.044715


def erf(x: Array) -> Array:
    """The error function."""
    from scipy.special import erf

    return np.asarray(erf(x))


def sigmoid(x: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    decayed = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decayed) / (1.0 + decayed)


def sigmoid_slope(x: Array, a: float, b: float) -> Array:
    """s (1 - s), from the decaying exponential."""
    decayed = np.exp(-np.abs(x))
    return decayed / (1.0 + decayed) ** 2


def tanh_slope(x: Array, a: float, b: float) -> Array:
    """sech^2 x."""
    # 1 - tanh^2 loses every digit for large |x|; sech^2 does not.
    decayed = np.exp(-2.0 * np.abs(x))
    return 4.0 * decayed / (1.0 + decayed) ** 2


def elu(x: Array, alpha: float, b: float) -> Array:
    """x above 0, alpha (exp(x) - 1) below."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_slope(x: Array, alpha: float, b: float) -> Array:
    """1 above 0, alpha exp(x) at and below 0."""
    return np.asarray(np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0))))


def gelu(x: Array, a: float, b: float) -> Array:
    """x Phi(x), Phi the standard normal distribution function."""
    from scipy.special import ndtr

    below: Array = ndtr(x)
    return x * below


def gelu_slope(x: Array, a: float, b: float) -> Array:
    """Phi(x) + x pdf(x)."""
    from scipy.special import ndtr

    below: Array = ndtr(x)
    return below + x * INV_SQRT_2PI * np.exp(-0.5 * x * x)


def gelu_tanh(x: Array, a: float, b: float) -> Array:
    """GELU's approximation by tanh. [Hendrycks, Gimpel 2016, section 2]"""
    # 0.5 (1 + tanh u) is the logistic function of 2u, which keeps its digits for negative u.
    return x * sigmoid(2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x))


def gelu_tanh_slope(x: Array, a: float, b: float) -> Array:
    """The derivative of `gelu_tanh`."""
    inner = 2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x)
    slope = 2.0 * GELU_TANH_SCALE * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x)
    return sigmoid(inner) + x * sigmoid_slope(inner, 0.0, 0.0) * slope


def silu_slope(x: Array, a: float, b: float) -> Array:
    """s + x s (1 - s), s the logistic function."""
    return sigmoid(x) + x * sigmoid_slope(x, a, b)


def crelu(x: Array, tau: float, m: float) -> Array:
    """min(max(x - tau, 0), m)."""
    return np.minimum(np.maximum(x - tau, 0.0), m)


def soft_threshold(x: Array, tau: float, b: float) -> Array:
    """0 for |x| <= tau, else x - sign(x) tau."""
    return np.sign(x) * np.maximum(np.abs(x) - tau, 0.0)


def cst(x: Array, tau: float, m: float) -> Array:
    """sign(x) min(max(|x| - tau, 0), m)."""
    return np.sign(x) * np.minimum(np.maximum(np.abs(x) - tau, 0.0), m)


def indicator(condition: NDArray[np.bool_]) -> Array:
    """1 where the condition holds, else 0."""
    return condition.astype(np.float64)
