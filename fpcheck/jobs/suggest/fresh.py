"""A fresh start of a network, layer by layer: weights are drawn when the walk reaches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.operators import prepare
from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, Node, RMSNorm

Array: TypeAlias = NDArray[np.float64]
# The parameters of one layer by name, given the layer and the values that enter it.
Starter: TypeAlias = Callable[[Layer, Array], Mapping[str, Array]]


def fresh_values(
    network: Network,
    inputs: Array,
    start: Starter,
    started: dict[str, NDArray[np.generic]] | None = None,
) -> Iterator[tuple[Node, Array]]:
    """Every node of a freshly started network with its value on the inputs, in order.

    Dense and convolutional layers get what `start` returns (a tensor that several layers share is
    drawn once); norms start as the identity on normalised values, and batch norms take the
    statistics of these inputs, as they do in training; everything else stays as it is.
    inputs: (n, *input shape). started: is filled with what is drawn and set on the way.
    """
    started = {} if started is None else started
    skeleton, shapes = network.skeleton, network.skeleton.shapes
    by_name = {layer.name: layer for layer in layers(skeleton)}
    parameters: dict[str, NDArray[np.generic]] = dict(network.parameters)
    drawn: set[str] = set()
    values: dict[str, Array] = {skeleton.nodes[0].name: np.ascontiguousarray(inputs, np.float64)}
    yield skeleton.nodes[0], values[skeleton.nodes[0].name]
    for node in skeleton.nodes[1:]:
        entering = tuple(values[name] for name in node.inputs)
        layer = by_name.get(node.name)
        if layer is not None and layer.node.weight not in drawn:
            drawn.add(layer.node.weight)
            started |= start(layer, entering[0])
            parameters |= started
        started |= _started_norm(node, entering, parameters)
        parameters |= started
        input_shapes = tuple(shapes[name] for name in node.inputs)
        operator = prepare(node, parameters, input_shapes, shapes[node.name])
        values[node.name] = operator.forward(entering)
        yield node, values[node.name]
        for name in set(node.inputs):
            if skeleton.last_use[name] == node.name:
                del values[name]


def _started_norm(
    node: Node, entering: tuple[Array, ...], parameters: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """A norm's parameters at the start of training."""
    if not isinstance(node, BatchNorm | LayerNorm | RMSNorm | GroupNorm):
        return {}
    started: dict[str, NDArray[np.generic]] = {}
    if node.weight is not None:
        started[node.weight] = np.ones(parameters[node.weight].shape)
    bias = None if isinstance(node, RMSNorm) else node.bias
    if bias is not None:
        started[bias] = np.zeros(parameters[bias].shape)
    if isinstance(node, BatchNorm):
        rows = entering[0]
        over = tuple(axis for axis in range(rows.ndim) if axis != 1)
        started[node.mean] = rows.mean(axis=over)
        started[node.variance] = rows.var(axis=over)
    return started
