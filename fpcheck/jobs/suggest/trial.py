"""Two trial starts of a network on inputs: the suggested one, and LSUV's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.jobs.suggest.choice import Choice, Chooser
from fpcheck.jobs.suggest.fresh import Array, fresh_values
from fpcheck.network.initializers import Law, draw_weight
from fpcheck.network.layers import Layer
from fpcheck.network.network import Network
from fpcheck.network.operators import prepare

ORTHOGONAL = Law("orthogonal", {"gain": 1.0})
# [Mishkin, Matas 2016]: scaled until the standard deviation is within 0.1 of 1, ten times at most.
# Without biases a pre-activation is linear in the weights: one scaling is exact.
LSUV_STD = 1.0


def suggested_start(
    network: Network, inputs: Array, chooser: Chooser, rng: np.random.Generator
) -> tuple[dict[str, Choice], dict[str, float], Network]:
    """Every layer's scales and the q that one draw with them has, by layer name; and that draw.

    Fills `chooser`. inputs: (n, *input shape).
    """
    started: dict[str, NDArray[np.generic]] = {}
    choices: dict[str, Choice] = {}
    measured: dict[str, float] = {}

    def start(layer: Layer, entering: Array) -> Mapping[str, Array]:
        choice = chooser.choose(layer, entering)
        choices[layer.name] = choice
        law = Law("normal", {"sigma2": choice.sigma_w2}, "1/sqrt(fan_in)")
        drawn = {layer.node.weight: draw_weight(law, layer.node, layer.input_shape, rng)}
        if layer.node.bias is not None:
            drawn[layer.node.bias] = rng.normal(0.0, math.sqrt(choice.sigma_b2), layer.units)
        return drawn

    for node, value in fresh_values(network, inputs, start, started):
        chooser.follow(node, value)
        if node.name in choices:
            measured[node.name] = float(np.mean(value * value))
    return choices, measured, Network(network.skeleton, {**network.parameters, **started})


def lsuv_scales(network: Network, inputs: Array, rng: np.random.Generator) -> dict[str, float]:
    """The sigma_w^2 of every layer that LSUV finds on the inputs, by the layer's name.

    Orthonormal weights, no biases, each layer scaled in turn to unit variance of its
    pre-activation; nan where nothing enters a layer.
    """
    found: dict[str, float] = {}

    def start(layer: Layer, entering: Array) -> Mapping[str, Array]:
        weight = draw_weight(ORTHOGONAL, layer.node, layer.input_shape, rng)
        own = {layer.node.weight: weight}
        if layer.node.bias is not None:
            own[layer.node.bias] = np.zeros(layer.units)
        std = _std_behind(layer, entering, own)
        if not 0.0 < std < math.inf:
            found[layer.name] = math.nan
            return own
        own[layer.node.weight] = weight = weight * (LSUV_STD / std)
        found[layer.name] = layer.fan_in * float(np.mean(weight * weight))
        return own

    for _ in fresh_values(network, inputs, start):
        pass
    return found


def _std_behind(layer: Layer, entering: Array, own: Mapping[str, Array]) -> float:
    operator = prepare(layer.node, own, (layer.input_shape,), layer.shape)
    with np.errstate(all="ignore"):
        return float(operator.forward((entering,)).std())
