"""The family of maps f_g: the same network with all its weights multiplied by g, biases kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.network.network import Network
from fpcheck.network.program import Program, forward, jacobian
from fpcheck.network.skeleton import (
    Conv,
    ConvTranspose,
    Dense,
    Input,
    Multiply,
    Node,
    Reshape,
    Scale,
    Shape,
    Skeleton,
    Slice,
)

STATE, GAIN = "continuation: state", "continuation: gain"


@dataclass(frozen=True, slots=True)
class Family:
    """The maps f_g for all g, as one program of the row (x, g).

    program: (x, g), (n + 1,) -> f_g(x), (n,); layers: how many layers' weights g multiplies.
    """

    program: Program
    layers: int

    @property
    def size(self) -> int:
        """n, the number of entries of a state."""
        return self.program.output_size

    def images(self, rows: Array) -> Array:
        """f_g(x) for every row (x, g). (k, n + 1) -> (k, n)."""
        return forward(self.program, rows).reshape(len(rows), -1)

    def jacobian(self, row: Array) -> Array:
        """[df/dx, df/dg] at (x, g). (n + 1,) -> (n, n + 1)."""
        return jacobian(self.program, row)


def scaled_family(network: Network) -> Family | str:
    """The family of a self-map; or why it has none, in words.

    Every product of a dense or convolutional layer is multiplied by g before its bias is added, so
    at g = 1 it is the network itself. Norms and constant factors are no weights here. The gain
    is an input of the program like the state, so that df/dg comes from the same derivatives.
    """
    skeleton = network.skeleton
    if skeleton.black_box:
        return "the network is a black box: its weights are not known"
    if not differentiable(network.program):
        return "an activation has no useful derivative, so no curve can be followed"
    builder = _Builder(network)
    for node in skeleton.nodes[1:]:
        builder.add(node)
    if not builder.layers:
        return "no layer has weights that could be scaled"
    scaled = Network(Skeleton(tuple(builder.nodes)), builder.parameters)
    return Family(scaled.program, builder.layers)


class _Builder:
    """The nodes and parameters of the scaled network while they are put together."""

    def __init__(self, network: Network) -> None:
        first = network.skeleton.nodes[0]
        self.shapes = network.skeleton.shapes
        self.parameters: dict[str, NDArray[np.generic]] = dict(network.parameters)
        self.layers = 0
        shape, size = network.skeleton.input_shape, network.program.input_size
        self.nodes: list[Node] = [
            Input(STATE, (size + 1,)),
            Slice(f"{first.name}: flat", (STATE,), 0, 0, size),
            Reshape(first.name, (f"{first.name}: flat",), shape),
            Slice(GAIN, (STATE,), 0, size, size + 1),
        ]
        self.gains = {1: GAIN}

    def add(self, node: Node) -> None:
        """Put `node` behind the others; where it has weights, with its product times the gain."""
        if not isinstance(node, Dense | Conv | ConvTranspose):
            self.nodes.append(node)
            return
        self.layers += 1
        shape = self.shapes[node.name]
        product, gain = f"{node.name}: product", self._gain(len(shape))
        self.nodes.append(replace(node, name=product, bias=None))
        if node.bias is None:
            self.nodes.append(Multiply(node.name, (product, gain)))
            return
        shift = f"{node.name}: shift"
        self.parameters[shift] = self.parameters[node.bias].reshape(_bias_shape(node, shape))
        self.nodes.append(Multiply(f"{node.name}: scaled", (product, gain)))
        self.nodes.append(Scale(node.name, (f"{node.name}: scaled",), None, shift))

    def _gain(self, rank: int) -> str:
        """The node that holds g with `rank` axes of size 1."""
        if rank not in self.gains:
            self.gains[rank] = f"{GAIN} {rank}"
            self.nodes.append(Reshape(self.gains[rank], (GAIN,), (1,) * rank))
        return self.gains[rank]


def _bias_shape(node: Dense | Conv | ConvTranspose, shape: Shape) -> Shape:
    """The shape in which a bias broadcasts to the layer's output: along its units or channels."""
    return shape[-1:] if isinstance(node, Dense) else (shape[0], *(1,) * (len(shape) - 1))
