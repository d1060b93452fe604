"""How the weights' norm grows along one direction of the first order at zero.

theta = c rho with |rho|^2 = L has dc/dt = s c^(L-1), s the direction's speed. [papers: Bantzis,
Simon, Jacot]
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.operators.operator import Array

TINY = 1e-300  # keeps a power of what lies beyond the blow-up from being taken


def norm_at(speed: float, depth: int, start_norm: float, times: Array) -> Array:
    """|theta(t)| along a direction of this speed; inf from the blow-up on.

    |theta|^(2-L) = |theta_0|^(2-L) + (2-L) s L^(1-L/2) t, and growth by e^(s t) for L = 2.
    """
    times = np.asarray(times, dtype=np.float64)
    with np.errstate(over="ignore"):
        if depth == 2:
            grown: Array = start_norm * np.exp(speed * times)
            return grown
        power = 2 - depth
        rate = power * speed * depth ** (1.0 - depth / 2.0)
        left = 1.0 + rate * times / np.float64(start_norm) ** power
        return np.where(left > 0.0, start_norm * np.maximum(left, TINY) ** (1.0 / power), np.inf)


def time_to_norm(speed: float, depth: int, start_norm: float, end_norm: float) -> float:
    """When |theta| has grown from one norm to the other along a direction of this speed."""
    if end_norm <= start_norm:
        return 0.0
    if depth == 2:
        return math.log(end_norm / start_norm) / speed
    power = 2 - depth
    rate = power * speed * float(depth) ** (1.0 - depth / 2.0)
    with np.errstate(over="ignore"):
        return float((np.float64(end_norm) ** power - np.float64(start_norm) ** power) / rate)
