"""The layers of a skeleton as people count them: a linear map and the activation behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    GroupNorm,
    LayerNorm,
    RMSNorm,
    Scale,
    Shape,
    Skeleton,
    fan_in,
    fan_out,
)

LINEAR = activation("identity")
Behind = tuple[str, ActivationFunction, str]  # pre-activation, function, post-activation


@dataclass(frozen=True, slots=True)
class Layer:
    """A Dense or Conv node and what follows it up to its activation.

    `preactivation` names the node whose value enters the activation function (the node itself,
    or the norms, scalings and sums behind it); `postactivation` the node that holds its result,
    which is the same one where the layer is linear.
    """

    name: str
    kind: str  # dense, conv1d, conv2d
    node: Dense | Conv
    input_shape: Shape
    shape: Shape
    fan_in: int
    fan_out: int
    activation: ActivationFunction
    preactivation: str
    postactivation: str

    @property
    def units(self) -> int:
        """The rows of its weight matrix: units, or channels of a convolution."""
        return self.shape[-1] if self.kind == "dense" else self.shape[0]


@lru_cache(maxsize=8)
def layers(skeleton: Skeleton) -> tuple[Layer, ...]:
    """The layers of the skeleton in topological order."""
    behind = _behind(skeleton)
    return tuple(
        _layer(skeleton, node, behind[node.name])
        for node in skeleton.nodes
        if isinstance(node, Dense | Conv)
    )


def weight_matrix(node: Dense | Conv, tensor: NDArray[np.generic]) -> NDArray[np.float64]:
    """The weights of `node` as a float64 matrix (units, fan_in).

    tensor: as stored, in the node's layout.
    """
    matrix = np.asarray(tensor, dtype=np.float64)
    if node.layout == "in_out":
        matrix = np.moveaxis(matrix, -1, 0)
        if matrix.ndim > 2:  # (out, *kernel, in) -> (out, in, *kernel)
            matrix = np.moveaxis(matrix, -1, 1)
    return np.ascontiguousarray(matrix.reshape(matrix.shape[0], -1))


def _layer(skeleton: Skeleton, node: Dense | Conv, behind: Behind) -> Layer:
    (source,) = node.inputs
    input_shape = skeleton.shapes[source]
    before, function, after = behind
    kind = "dense" if isinstance(node, Dense) else f"conv{len(node.kernel)}d"
    return Layer(
        name=node.name,
        kind=kind,
        node=node,
        input_shape=input_shape,
        shape=skeleton.shapes[node.name],
        fan_in=fan_in(node, input_shape),
        fan_out=fan_out(node),
        activation=function,
        preactivation=before,
        postactivation=after,
    )


def _behind(skeleton: Skeleton) -> dict[str, Behind]:
    """What stands behind each node, by name; from the last one on, so that each is met once."""
    found: dict[str, Behind] = {}
    for node in reversed(skeleton.nodes):
        consumers = skeleton.consumers(node.name)
        found[node.name] = (node.name, LINEAR, node.name)
        if len(consumers) == 1:
            (after,) = consumers
            if isinstance(after, Activation):
                found[node.name] = (node.name, after.function, after.name)
            elif isinstance(after, BatchNorm | LayerNorm | RMSNorm | GroupNorm | Scale | Add):
                found[node.name] = found[after.name]
    return found
