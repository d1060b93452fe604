"""Where weights have no variance: the length map of stable laws in place of the variance map.

A sum of n symmetric alpha-stable weights times x_j is stable with the scale that the alpha-th
powers |x_j|^alpha add up to; so q_l, the alpha-th power of a pre-activation's scale (the variance
at alpha = 2), follows q_1 = sigma_w^alpha mean |x|^alpha + sigma_b^alpha and
q_l = sigma_w^alpha E |phi(q_{l-1}^(1/alpha) z)|^alpha + sigma_b^alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.initializers import Law, amplitude
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.signal.result import LengthLayer, LengthMap
from fpcheck.signal.stack import PLAIN
from fpcheck.theory.heavy_tails import stable_fixed_points, stable_length_map

Array: TypeAlias = NDArray[np.float64]
Scales: TypeAlias = tuple[float, float, float]  # alpha, sigma_w, sigma_b
Laws: TypeAlias = Mapping[str, tuple[Law, Law | None]]


def length_map(network: Network, inputs: Array, laws: Laws | None) -> LengthMap | None:
    """The length map of a plain chain whose layers have stable weights of one index below 2.

    None where there is none: other laws, unbounded activations between the layers, sums or norms.
    inputs: (n, *input shape).
    """
    stack = layers(network.skeleton)
    if not laws or not stack or not all(isinstance(n, PLAIN) for n in network.skeleton.nodes):
        return None
    scales = [_scales(layer, *laws[layer.name]) for layer in stack if layer.name in laws]
    known = [scale for scale in scales if scale is not None]
    if len(known) < len(stack) or len({alpha for alpha, _, _ in known}) > 1:
        return None
    alpha = known[0][0]
    try:
        return _followed(stack, known, alpha, float(np.mean(np.abs(inputs) ** alpha)))
    except (ValueError, UnsupportedOperationError):  # an activation that is not bounded, or sin
        return None


def _followed(
    stack: tuple[Layer, ...],
    scales: list[tuple[float, float, float]],
    alpha: float,
    entering: float,
) -> LengthMap:
    rows, q = [], 0.0
    for i, (layer, (_, sigma_w, sigma_b)) in enumerate(zip(stack, scales, strict=True)):
        if i == 0:
            q = sigma_w**alpha * entering + sigma_b**alpha
        else:
            q = stable_length_map(stack[i - 1].activation, alpha, sigma_w, sigma_b, q)
        rows.append(LengthLayer(layer.name, sigma_w, sigma_b, q))
    inner = {
        (before.activation, *scale[1:])
        for before, scale in zip(stack[:-1], scales[1:], strict=True)
    }
    points: tuple[float, ...] = ()
    if len(inner) == 1:
        ((function, sigma_w, sigma_b),) = inner
        points = stable_fixed_points(function, alpha, sigma_w, sigma_b)
    return LengthMap(alpha, tuple(rows), points)


def _scales(layer: Layer, weights: Law, biases: Law | None) -> Scales | None:
    """(alpha, sigma_w, sigma_b): weights of scale sigma_w (0.5 / fan_in)^(1/alpha), stable biases.

    None where the weights are not stable with alpha < 2, or the biases not of the same index.
    """
    of_weights = _stable(weights)
    if of_weights is None or of_weights[0] >= 2.0:
        return None
    alpha, sigma = of_weights
    factor = amplitude(weights, layer.fan_in, layer.fan_out)
    sigma_w = factor * sigma * layer.fan_in ** (1.0 / alpha)
    if biases is None or biases.name == "zeros" or layer.node.bias is None:
        return alpha, sigma_w, 0.0
    of_biases = _stable(biases)
    if of_biases is None or not math.isclose(of_biases[0], alpha):
        return None
    return alpha, sigma_w, amplitude(biases, layer.fan_in, layer.fan_out) * of_biases[1]


def _stable(law: Law) -> tuple[float, float] | None:
    """(alpha, sigma) of sigma z, E exp(itz) = exp(-|t|^alpha / 2); None for other laws."""
    if law.name == "alpha_stable":
        return law.parameters["alpha"], law.parameters["sigma"]
    if law.name == "cauchy":  # exp(-|t|): twice the scale
        return 1.0, 2.0 * law.parameters["gamma"]
    return None
