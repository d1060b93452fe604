"""sigma_w^2 and sigma_b^2 of every layer: from the laws that drew it, or from its own entries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.network.initializers import Law, second_moment
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, fan_in


@dataclass(frozen=True, slots=True)
class LayerScale:
    """A layer's sigma_w^2 = fan_in x mean square weight, and sigma_b^2 = mean square bias.

    `weights` and `biases` count the entries that they are estimated from, 0 where a law gives
    them and nothing is estimated.
    """

    name: str
    sigma_w2: float
    sigma_b2: float
    weights: int
    biases: int


LayerLaws = Mapping[str, tuple[Law, Law | None]]


def layer_scales(network: Network, laws: LayerLaws | None = None) -> dict[str, LayerScale]:
    """The scale of every layer with weights by name, transposed convolutions among them.

    laws: the laws of weights and biases by layer name; a layer without one is measured. A law
    without a second moment gives an infinite sigma_w^2.
    """
    known = laws or {}
    scales = {
        layer.name: _by_law(layer, *known[layer.name])
        if layer.name in known
        else _measured(layer.node, layer.fan_in, network)
        for layer in layers(network.skeleton)
    }
    for node in network.skeleton.nodes:
        if isinstance(node, ConvTranspose):
            size = fan_in(node, network.skeleton.shapes[node.inputs[0]])
            scales[node.name] = _measured(node, size, network)
    return scales


def relative_error(count: int) -> float:
    """The relative standard error of a mean square of `count` normal entries; 0 for none."""
    return math.sqrt(2.0 / count) if count else 0.0


def _by_law(layer: Layer, weights: Law, biases: Law | None) -> LayerScale:
    w2 = layer.fan_in * second_moment(weights, layer.fan_in, layer.fan_out, layer.units)
    b2 = second_moment(biases, layer.fan_in, layer.fan_out) if biases and layer.node.bias else 0.0
    return LayerScale(layer.name, w2, b2, 0, 0)


def _measured(node: Dense | Conv | ConvTranspose, inputs: int, network: Network) -> LayerScale:
    weight = np.asarray(network.parameters[node.weight], dtype=np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        w2 = inputs * float(np.dot(weight, weight)) / weight.size
        if node.bias is None:
            return LayerScale(node.name, w2, 0.0, weight.size, 0)
        bias = np.asarray(network.parameters[node.bias], dtype=np.float64).ravel()
        b2 = float(np.dot(bias, bias)) / bias.size
    return LayerScale(node.name, w2, b2, weight.size, bias.size)
