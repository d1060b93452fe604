"""Dual activations that have a closed form, by compiled passes over blocks of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from fpcheck.kernels.duals import closed_pairs, closed_slope_pairs
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.quadrature import Array


def closed_moments(
    f: ActivationFunction, left: Array, right: Array, c: Array, *, slope: bool
) -> tuple[Array, Array | None]:
    """E phi(x) phi(y) and, if `slope`, E phi'(x) phi'(y), at correlations c (m, k)."""
    moment = np.empty(c.shape)
    closed_pairs(f.opcode, left, right, c, f.p0, moment)
    if not slope:
        return moment, None
    slopes = np.empty(c.shape)
    closed_slope_pairs(f.opcode, left, right, c, f.p0, slopes)
    return moment, slopes


def closed_own_moments(f: ActivationFunction, q: Array) -> Array:
    """E phi, E phi^2 and E phi'^2 at every variance, (m, 3); a step has no slope: NaN."""
    return np.stack(np.broadcast_arrays(*_OWN[f.name](q, f.p0)), axis=1)


def _leaky(q: Array, a: float) -> tuple[Array | float, ...]:
    gain = 0.5 * (1.0 + a * a)
    return (1.0 - a) * np.sqrt(q / (2.0 * math.pi)), gain * q, gain


def _step(q: Array, a: float) -> tuple[Array | float, ...]:
    half = np.where(q > 0.0, 0.5, 0.0)
    return half, half, math.nan


def _erf(q: Array, a: float) -> tuple[Array | float, ...]:
    root = np.sqrt(1.0 + 4.0 * q)
    return 0.0, 2.0 / math.pi * np.arctan(2.0 * q / root), 4.0 / math.pi / root


def _sin(q: Array, a: float) -> tuple[Array | float, ...]:
    return 0.0, -0.5 * np.expm1(-2.0 * q), 0.5 * (1.0 + np.exp(-2.0 * q))


def _gelu(q: Array, a: float) -> tuple[Array | float, ...]:
    one, root = 1.0 + q, np.sqrt(1.0 + 2.0 * q)
    share = q / one  # in place of q, where its powers would overflow
    turn = 0.25 + np.arctan(q / root) / (2.0 * math.pi)
    second = q * (turn + share / (math.pi * root))
    return (
        q / np.sqrt(2.0 * math.pi * one),
        second,
        turn + share * (3.0 + 5.0 * q) / (2.0 * math.pi * root * (1.0 + 2.0 * q)),
    )


_OWN: Mapping[str, Callable[[Array, float], tuple[Array | float, ...]]] = {
    "identity": lambda q, a: (0.0, q, 1.0),
    "relu": _leaky,
    "leaky_relu": _leaky,
    "step": _step,
    "erf": _erf,
    "sin": _sin,
    "gelu": _gelu,
}
