"""Drawing: a tensor from its law, a network from its skeleton and laws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import SpecError
from fpcheck.core.memory import require_memory
from fpcheck.network.initializers.families import FAMILIES
from fpcheck.network.initializers.law import Law, amplitude
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    Dense,
    LayerNorm,
    Shape,
    Skeleton,
    fan_in,
    fan_out,
    stored_shape,
)

Array = NDArray[np.float64]

# A float64, and two passing copies of the largest tensor, which may be nearly all of the network.
BYTES_PER_ENTRY = 24


def draw_law(
    law: Law, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator
) -> Array:
    """A tensor of the given shape drawn from `law`, float64, in (out, in, *kernel) order.

    fan_in, fan_out: of the layer, also for its biases.

    Raises:
        SpecError: an orthogonal law for a vector.
    """
    if law.name == "orthogonal" and len(shape) < 2:
        raise SpecError("law 'orthogonal' draws matrices, not biases", hint='biases = "zeros"')
    return amplitude(law, fan_in, fan_out) * FAMILIES[law.name].draw(law.parameters, shape, rng)


def draw_weight(
    law: Law, node: Dense | Conv, input_shape: Shape, rng: np.random.Generator
) -> Array:
    """The weight tensor of one layer drawn from `law`, float64, in the node's own layout."""
    shape = stored_shape(replace(node, layout="out_in"), input_shape)
    weight = draw_law(law, shape, fan_in(node, input_shape), fan_out(node), rng)
    if node.layout == "in_out":  # (out, in, *kernel) -> (*kernel, in, out)
        weight = np.ascontiguousarray(np.moveaxis(weight, (1, 0), (-2, -1)))
    return weight


def draw_network(
    skeleton: Skeleton,
    layer_laws: Mapping[str, tuple[Law, Law | None]],
    rng: np.random.Generator,
) -> Network:
    """The network with weights and biases drawn layer by layer in the skeleton's order.

    layer_laws: (law of weights, law of biases or None for zeros) by the layer's name. Norms
    start as the identity on normalised values: weight and variance 1, bias and mean 0. A
    parameter that several layers share is drawn once, for the first of them.

    Raises:
        SpecError: a layer has no law.
        MemoryLimitError: the weights would not fit into memory.
    """
    entries = sum(math.prod(shape) for _, _, shape in needed_parameters(skeleton))
    require_memory(BYTES_PER_ENTRY * entries, f"drawing {entries:,} parameters")
    parameters: dict[str, Array] = {}
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv):
            if node.name not in layer_laws:
                raise SpecError(f"layer '{node.name}' has no law to draw its weights from")
            drawn = _draw_layer(node, skeleton.shapes[node.inputs[0]], *layer_laws[node.name], rng)
        elif isinstance(node, BatchNorm | LayerNorm):
            drawn = _start_norm(node, skeleton.shapes[node.inputs[0]])
        else:
            continue
        for name, tensor in drawn.items():
            parameters.setdefault(name, tensor)
    return Network(skeleton, parameters)


def _draw_layer(
    node: Dense | Conv,
    input_shape: Shape,
    weights: Law,
    biases: Law | None,
    rng: np.random.Generator,
) -> dict[str, Array]:
    drawn = {node.weight: draw_weight(weights, node, input_shape, rng)}
    if node.bias is not None:
        units = node.units if isinstance(node, Dense) else node.channels
        law = biases or Law("zeros")
        drawn[node.bias] = draw_law(law, (units,), fan_in(node, input_shape), fan_out(node), rng)
    return drawn


def _start_norm(node: BatchNorm | LayerNorm, shape: Shape) -> dict[str, Array]:
    if isinstance(node, BatchNorm):
        size: Shape = shape[:1]
        drawn = {node.mean: np.zeros(size), node.variance: np.ones(size)}
    else:
        size = shape[len(shape) - node.axes :] if node.axes else shape
        drawn = {}
    if node.weight is not None:
        drawn[node.weight] = np.ones(size)
    if node.bias is not None:
        drawn[node.bias] = np.zeros(size)
    return drawn
