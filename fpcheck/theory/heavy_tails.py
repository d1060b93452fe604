"""Infinite width with heavy-tailed weights: length maps instead of variances; no chi_1.

With symmetric alpha-stable weights, alpha < 2, a pre-activation is alpha-stable too, its variance
is infinite and so is chi_1: neither is reported. What stays is the scale of the pre-activation.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.quadrature import Array, composite_rule, feature_edges
from fpcheck.theory.roots import roots_on_grid

NO_VARIANCE = "weights have no finite variance under their law; chi_1 is not defined"
FAR = 1e12  # beyond it a bounded function has reached its ends


def cauchy_absolute_moment(f: ActivationFunction, scale: float) -> float:
    """E |phi(scale C)|, C standard Cauchy, for a bounded activation function.

    Raises:
        ValueError: the function is not bounded; the expectation is infinite.
    """
    if not all(math.isfinite(end) for end in f.values):
        raise ValueError(f"E |{f.label}| is infinite under a Cauchy law")
    return 0.5 * (_half(f, scale, 1.0) + _half(f, scale, -1.0))


def cauchy_length_map(f: ActivationFunction, gamma: float, scale: float) -> float:
    """The next layer's scale gamma E |phi(scale C)|, for weights (gamma / fan_in) C and no bias."""
    return gamma * cauchy_absolute_moment(f, scale)


def cauchy_fixed_scales(f: ActivationFunction, gamma: float) -> tuple[float, ...]:
    """The positive fixed points of the Cauchy length map, ascending."""

    def growth(u: float) -> float:
        return cauchy_length_map(f, gamma, math.exp(u)) / math.exp(u) - 1.0

    return tuple(math.exp(u) for u in roots_on_grid(growth, [0.5 * k for k in range(-40, 41)]))


def _half(f: ActivationFunction, scale: float, sign: float) -> float:
    """E |phi(sign scale |C|)|: panels geometric in x, and the far end in closed form."""
    if scale == 0.0:
        return float(abs(f.phi(np.zeros(1))[0]))
    own = feature_edges(1.0, FAR) / scale
    small = 2.0 ** np.arange(-40.0, 41.0)
    kinks = [sign * t / scale for t in f.kinks if sign * t > 0.0]
    edges = np.unique(np.concatenate(([0.0], small, own, kinks)))
    x, weights = composite_rule(edges)
    value: Array = np.abs(f.phi(sign * scale * x)) * weights / (1.0 + x * x)
    far = float(edges[-1])
    beyond = abs(float(f.phi(np.array([sign * scale * far]))[0])) * math.atan(1.0 / far)
    return 2.0 / math.pi * (float(value.sum()) + beyond)
