"""A moment at many values at once: directly for a few, by a Chebyshev interpolant for many."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.pairs import pair_moment
from fpcheck.theory.quadrature import Array

DIRECT = 24  # different values that are not worth an interpolant
DEGREE = 40
DIGITS = 12


def second_moments(f: ActivationFunction, q: Array) -> Array:
    """E phi(x)^2, x ~ N(0, q), for every q, to about 1e-9."""

    def of_log(u: float) -> float:
        return moments.second_moment(f, math.exp(u))

    if not np.all(q > 0.0):
        at_zero = moments.second_moment(f, 0.0)
        out = np.full(q.shape, at_zero)
        if np.any(q > 0.0):
            out[q > 0.0] = second_moments(f, q[q > 0.0])
        return out
    return _evaluated(of_log, np.log(q))


def correlations(f: ActivationFunction, q: float, c: Array) -> Array:
    """E phi(x) phi(y) / E phi^2 of N(0, q) for every correlation c, to about 1e-9.

    In the angle arccos c, where the moment of a function with kinks is as smooth as any.
    """
    norm = moments.second_moment(f, q)
    if not norm > 0.0:
        return np.ones(c.shape)

    def of_angle(angle: float) -> float:
        return pair_moment(f, q, q, max(-1.0, min(1.0, math.cos(angle)))) / norm

    out = _evaluated(of_angle, np.arccos(np.clip(c, -1.0, 1.0)))
    return np.asarray(np.where(c >= 1.0, 1.0, out))


def _evaluated(function: Callable[[float], float], at: Array) -> Array:
    rounded = np.round(at, DIGITS)
    points, places = np.unique(rounded, return_inverse=True)
    if len(points) <= DIRECT:
        values = np.array([function(x) for x in points.tolist()])
        return np.asarray(values[places.reshape(at.shape)])
    low, high = float(points[0]), float(points[-1])
    nodes = chebyshev.chebpts1(DEGREE)
    sampled = [function(x) for x in (low + 0.5 * (high - low) * (nodes + 1.0)).tolist()]
    fitted = chebyshev.chebfit(nodes, np.array(sampled), DEGREE - 1)
    return np.asarray(chebyshev.chebval(2.0 * (at - low) / (high - low) - 1.0, fitted))
