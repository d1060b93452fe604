"""Infinite width with heavy-tailed weights: length maps instead of variances; no chi_1.

With symmetric alpha-stable weights, alpha < 2, a pre-activation is alpha-stable too, its variance
is infinite and so is chi_1: neither is reported. What stays is the scale of the pre-activation.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.quadrature import Array, composite_rule, feature_edges
from fpcheck.theory.roots import roots_on_grid
from fpcheck.theory.stable_law import stable_tail

NO_VARIANCE = "weights have no finite variance under their law; chi_1 is not defined"
FAR = 1e12  # beyond it a bounded function has reached its ends
LOG_LOWEST, LOG_HIGHEST = -40.0, 40.0  # log q between which fixed points are looked for
STEP = 0.5
TOUCHING = 1e-11
BESIDE_KINK = np.concatenate((-(2.0 ** np.arange(-30.0, 0.0)), 2.0 ** np.arange(-30.0, 0.0)))


def absolute_moment(f: ActivationFunction, alpha: float, scale: float) -> float:
    """E |phi(scale z)|^alpha, z symmetric stable with E exp(itz) = exp(-|t|^alpha / 2).

    To about 1e-12 of it. For alpha = 2 it is E phi^2 at q = scale^2, of any activation function;
    for alpha < 2 the function must be bounded.

    Raises:
        ValueError: the expectation is infinite, or alpha is out of range.
        UnsupportedOperationError: sin, for alpha < 2: |sin|^alpha bends at every zero.
    """
    if alpha == 2.0:
        return moments.second_moment(f, scale * scale)
    if f.name == "sin":
        raise UnsupportedOperationError("length maps of heavy-tailed weights do not follow 'sin'")
    if not all(math.isfinite(end) for end in f.values):
        raise ValueError(f"E |{f.label}|^{alpha:g} is infinite under a stable law of that index")
    if scale == 0.0:
        return float(abs(f.phi(np.zeros(1))[0]) ** alpha)
    right = _side(f, alpha, scale, 1.0)
    return right if f.kind.odd else 0.5 * (right + _side(f, alpha, scale, -1.0))


def stable_length_map(
    f: ActivationFunction, alpha: float, sigma_w: float, sigma_b: float, q: float
) -> float:
    """The next layer's q: sigma_w^alpha E |phi(q^(1/alpha) z)|^alpha + sigma_b^alpha.

    q^(1/alpha) is the scale of a pre-activation; weights are symmetric stable of scale
    sigma_w (0.5 / fan_in)^(1/alpha), so that alpha = 2 is N(0, sigma_w^2 / fan_in) and q the
    variance. chi_1 is not defined for alpha < 2.
    """
    moment = absolute_moment(f, alpha, q ** (1.0 / alpha))
    return float(sigma_w**alpha * moment + sigma_b**alpha)


def stable_fixed_points(
    f: ActivationFunction, alpha: float, sigma_w: float, sigma_b: float
) -> tuple[float, ...]:
    """The fixed points q of the length map, ascending, 0 first where it is one.

    For alpha < 2 there is a positive one for every sigma_w > 0, even without biases, of a function
    with a slope at 0.
    """

    def growth(u: float) -> float:
        q = math.exp(u)
        return stable_length_map(f, alpha, sigma_w, sigma_b, q) / q - 1.0

    steps = round((LOG_HIGHEST - LOG_LOWEST) / STEP)
    grid = [LOG_LOWEST + STEP * k for k in range(steps + 1)]
    found = tuple(math.exp(u) for u in roots_on_grid(growth, grid, TOUCHING))
    return found if stable_length_map(f, alpha, sigma_w, sigma_b, 0.0) > 0.0 else (0.0, *found)


def cauchy_absolute_moment(f: ActivationFunction, scale: float) -> float:
    """E |phi(scale C)|, C standard Cauchy, for a bounded activation function.

    Raises:
        ValueError: the function is not bounded; the expectation is infinite.
    """
    return absolute_moment(f, 1.0, 2.0 * scale)  # the stable law of index 1 has scale 1/2


def cauchy_length_map(f: ActivationFunction, gamma: float, scale: float) -> float:
    """The next layer's scale gamma E |phi(scale C)|, for weights (gamma / fan_in) C and no bias."""
    return gamma * cauchy_absolute_moment(f, scale)


def cauchy_fixed_scales(f: ActivationFunction, gamma: float) -> tuple[float, ...]:
    """The positive fixed points of the Cauchy length map, ascending."""
    return tuple(0.5 * q for q in stable_fixed_points(f, 1.0, 2.0 * gamma, 0.0) if q > 0.0)


def _side(f: ActivationFunction, alpha: float, scale: float, sign: float) -> float:
    """E |phi(sign scale |z|)|^alpha: its start and its rise, weighed with P(|z| > x / scale).

    By parts, so that the law enters by its tail alone; in log x, where |x|^alpha is smooth.
    """
    kinks = np.array([sign * t for t in f.kinks if sign * t > 0.0])
    small = 2.0 ** np.arange(math.floor(math.log2(min(scale, 1.0))) - 60.0, -1.0)
    beside = (kinks[:, None] * (1.0 + BESIDE_KINK)).ravel()
    own = feature_edges(1.0, FAR)
    edges = np.unique(np.concatenate((small, own, [FAR], kinks, beside)))
    x, weights = composite_rule(edges)
    rises = (weights * _rise(f, alpha, sign, x)).reshape(len(edges) - 1, -1)
    size = np.abs(f.phi(sign * edges)) ** alpha
    # Where phi leaves 0 at a kink its power has no bounded slope: what a panel's nodes miss of
    # the whole rise over it is added at its middle.
    missed = np.diff(size) - rises.sum(axis=1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    inside = float(rises.ravel() @ stable_tail(alpha, np.log(x / scale)))
    return float(size[0]) + inside + float(missed @ stable_tail(alpha, np.log(middle / scale)))


def _rise(f: ActivationFunction, alpha: float, sign: float, x: Array) -> Array:
    """d |phi(sign x)|^alpha / dx."""
    value: Array = f.phi(sign * x)
    size = np.abs(value)
    rise = np.zeros_like(x)
    on = size > 0.0
    rise[on] = alpha * size[on] ** (alpha - 1.0) * np.sign(value[on]) * sign
    rise[on] *= f.derivative(sign * x[on])
    return rise
