"""What functions that become linear at infinity differ from their asymptotes by.

With L(x) = s max(x, 0) the asymptote, E phi^2 = s^2 q / 2 + E (phi^2 - L^2): derivatives with
respect to q beyond the first come from the remainder alone, and at large q it must be taken
without the asymptote, or nothing is left of its digits.
"""

from __future__ import annotations

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.activations.formulas import GELU_TANH_CUBIC, GELU_TANH_SCALE, sigmoid
from fpcheck.theory.quadrature import Array

LINEAR_AT_INFINITY = frozenset(("elu", "selu", "silu", "softplus", "gelu_tanh"))


def slope_product_remainder(f: ActivationFunction, x: Array) -> Array:
    """phi phi' - L L', with its relative accuracy far out. f: one of LINEAR_AT_INFINITY."""
    if f.name in ("elu", "selu"):  # right of 0 they are their asymptotes
        left = np.minimum(x, 0.0)
        return np.where(x < 0.0, f.phi(left) * f.derivative(left), 0.0)
    distance, slope = _remainder(f.name, np.abs(x))
    # The remainder is even, so its slope is odd; phi' = L' + slope.
    positive = x > 0.0
    return np.where(positive, distance + slope * (x + distance), -distance * slope)


def _remainder(name: str, x: Array) -> tuple[Array, Array]:
    """phi - L and its slope at x >= 0."""
    if name == "softplus":
        return np.log1p(np.exp(-x)), -sigmoid(-x)
    v, rate = x, np.ones_like(x)
    if name == "gelu_tanh":
        v = 2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x)
        rate = 2.0 * GELU_TANH_SCALE * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x)
    below = sigmoid(-v)
    return -x * below, -below + x * below * sigmoid(v) * rate
