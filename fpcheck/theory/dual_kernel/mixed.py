"""Pairs of tanh and of sigmoid as sums of arcsines, one at a time and at any correlation.

The logistic law is a scale mixture of normal ones, with the Kolmogorov law K of scales [Andrews,
Mallows 1974]: tanh x = E erf(x / (d sqrt 2)), d ~ K. So E tanh(x) tanh(y) is the expectation, over
two independent scales, of the closed form for erf. In log d the density falls off so fast on both
sides that the trapezoidal rule with SCALES nodes is exact to rounding.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.quadrature import Array

SCALES = 32
SMALLEST, LARGEST = 0.14, 4.4  # scales beyond weigh less than 1e-16
AT_ONCE = 2048  # pairs

# x in units of tanh's argument, and the derivative's factor: sigmoid x = (1 + tanh(x/2)) / 2.
_UNITS = {"tanh": (1.0, 0.0, 1.0), "sigmoid": (0.5, 0.25, 0.25)}


def is_mixed(f: ActivationFunction) -> bool:
    """Whether `mixed_moments` knows the function."""
    return f.name in _UNITS


def mixed_moments(
    f: ActivationFunction, left: Array, right: Array, c: Array, *, slope: bool
) -> Array:
    """E phi(x) phi(y), or E phi'(x) phi'(y) if `slope`, of pairs (p,): variances, correlations."""
    unit, constant, factor = _UNITS[f.name]
    left, right = unit * unit * left, unit * unit * right
    out = np.empty(len(c))
    for start in range(0, len(c), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        out[some] = _sums(left[some], right[some], c[some], slope)
    if slope:
        return factor * unit * unit * out
    return constant + factor * out


def _sums(left: Array, right: Array, c: Array, slope: bool) -> Array:
    """The same of tanh: atan2(k, sqrt(a b - k^2)) with a = q1 + d^2, b = q2 + e^2."""
    squares, weights = scales()
    size = np.sqrt(left) * np.sqrt(right)
    covariance, apart = size * c, size * size * ((1.0 - c) * (1.0 + c))
    total = np.zeros(len(c))
    for square, weight in zip(squares.tolist(), weights.tolist(), strict=True):
        # a b - k^2 as a sum of positive terms, so that nothing cancels as c goes to 1.
        rest = np.multiply.outer(squares, left + square)
        rest += apart + square * right
        np.sqrt(rest, out=rest)
        terms = 1.0 / rest if slope else np.arctan2(covariance, rest)
        total += weight * (weights @ terms)
    return (2.0 / math.pi) * total


@cache
def scales() -> tuple[Array, Array]:
    """Squared scales (SCALES,) and their weights."""
    logs = np.linspace(math.log(SMALLEST), math.log(LARGEST), SCALES)
    d = np.exp(logs)
    return d * d, kolmogorov_density(d) * d * (logs[1] - logs[0])


def kolmogorov_density(d: Array) -> Array:
    """The density of the Kolmogorov law, by the one of its two series that converges fast."""
    many = np.arange(1.0, 20.0)[:, None]
    signs = np.where(many % 2.0 == 1.0, 1.0, -1.0)
    far = 8.0 * d * (signs * many**2 * np.exp(-2.0 * (many * d) ** 2)).sum(axis=0)
    odd = (2.0 * many - 1.0) ** 2 * (math.pi**2 / 8.0)
    near = ((2.0 * odd / d**4 - 1.0 / d**2) * np.exp(-odd / d**2)).sum(axis=0)
    return np.asarray(np.where(d < 1.0, math.sqrt(2.0 * math.pi) * near, far))
