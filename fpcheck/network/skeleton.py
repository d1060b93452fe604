"""The skeleton: a network's typed nodes in topological order, their shapes inferred and checked.

A computation skeleton is a directed acyclic graph [Daniely, Frostig, Singer 2016, section 2]; ours
has one input and one output. Shapes are of one row, without the batch axis; images and sequences
are channels first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from fpcheck.core.errors import SpecError
from fpcheck.network.activations import ActivationFunction

Shape: TypeAlias = tuple[int, ...]
Layout: TypeAlias = Literal["out_in", "in_out"]


@dataclass(frozen=True, slots=True)
class Input:
    """The network's input, of the given shape."""

    name: str
    shape: Shape
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dense:
    """y = W x + b over the last axis. `weight`, `bias`: names in Network.parameters.

    `layout` is how the stored matrix lies: (out, in) or (in, out).
    """

    name: str
    inputs: tuple[str, ...]
    units: int
    weight: str
    bias: str | None = None
    layout: Layout = "out_in"


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution in one or two dimensions (cross-correlation, as every framework has it).

    `kernel`, `stride`, `dilation` have one entry a dimension, `padding` one (before, after) pair.
    `layout` out_in: (out, in / groups, *kernel); in_out: (*kernel, in / groups, out).
    """

    name: str
    inputs: tuple[str, ...]
    channels: int
    kernel: tuple[int, ...]
    weight: str
    bias: str | None = None
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    layout: Layout = "out_in"

    def __post_init__(self) -> None:
        ones = (1,) * len(self.kernel)
        object.__setattr__(self, "stride", self.stride or ones)
        object.__setattr__(self, "dilation", self.dilation or ones)
        object.__setattr__(self, "padding", self.padding or ((0, 0),) * len(self.kernel))


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function, elementwise."""

    name: str
    inputs: tuple[str, ...]
    function: ActivationFunction


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation at inference: a fixed affine map of every channel.

    y = (x - mean) / sqrt(variance + epsilon) * weight + bias, over the first axis of a row.
    """

    name: str
    inputs: tuple[str, ...]
    mean: str
    variance: str
    weight: str | None = None
    bias: str | None = None
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation over the last `axes` axes of a row (0: all of them)."""

    name: str
    inputs: tuple[str, ...]
    weight: str | None = None
    bias: str | None = None
    epsilon: float = 1e-5
    axes: int = 0


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of its inputs, which have one shape."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Max or mean pooling over windows. Padding counts as -inf for max and as 0 for mean."""

    name: str
    inputs: tuple[str, ...]
    kind: Literal["max", "mean"]
    size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.size)
        object.__setattr__(self, "padding", self.padding or ((0, 0),) * len(self.size))


@dataclass(frozen=True, slots=True)
class Flatten:
    """All axes of a row in one, in C order."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """A row's entries in another shape, in C order; one entry may be -1."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape


Node: TypeAlias = (
    Input | Dense | Conv | Activation | BatchNorm | LayerNorm | Add | Pool | Flatten | Reshape
)


@dataclass(frozen=True)
class Skeleton:
    """A network's graph: its nodes in topological order, the first one the input, the last one
    the output.

    Raises:
        SpecError: a node names an input that does not stand before it, or shapes do not chain.
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise SpecError("a skeleton starts with its input")
        if len({node.name for node in self.nodes}) != len(self.nodes):
            raise SpecError("two nodes of the skeleton have one name")
        _ = self.shapes

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Every node's output shape by name, without the batch axis."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in shapes]
            if missing:
                raise SpecError(
                    f"layer '{node.name}' takes its input from '{missing[0]}', "
                    "which does not stand before it"
                )
            shapes[node.name] = output_shape(node, tuple(shapes[name] for name in node.inputs))
        return shapes

    @property
    def input_shape(self) -> Shape:
        """The shape of one input row."""
        return self.shapes[self.nodes[0].name]

    @property
    def output_shape(self) -> Shape:
        """The shape of one output row."""
        return self.shapes[self.nodes[-1].name]

    @property
    def self_map(self) -> bool:
        """Whether input and output shapes agree, so that the network can be fed to itself."""
        return self.input_shape == self.output_shape

    @cached_property
    def last_use(self) -> dict[str, str]:
        """For every node that feeds another, the name of the last one that it feeds."""
        return {name: node.name for node in self.nodes for name in node.inputs}

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that take `name` as an input."""
        return tuple(node for node in self.nodes if name in node.inputs)


def output_shape(node: Node, inputs: tuple[Shape, ...]) -> Shape:
    """The output shape of `node` for inputs of the given shapes.

    Raises:
        SpecError: the shapes do not fit the node.
    """
    if isinstance(node, Input):
        return node.shape
    if isinstance(node, Add):
        return _added(node, inputs)
    if len(inputs) != 1:
        raise SpecError(f"layer '{node.name}' takes one input, got {len(inputs)}")
    (shape,) = inputs
    if isinstance(node, Dense):
        return _dense(node, shape)
    if isinstance(node, Conv):
        return _windowed(node, shape, node.kernel, node.channels)
    if isinstance(node, Pool):
        return _windowed(node, shape, node.size, shape[0] if shape else 0)
    if isinstance(node, Flatten):
        return (math.prod(shape),)
    if isinstance(node, Reshape):
        return _reshaped(node, shape)
    if isinstance(node, LayerNorm) and node.axes > len(shape):
        raise SpecError(f"layer '{node.name}' normalises {node.axes} axes of shape {list(shape)}")
    return shape


def fan_in(node: Dense | Conv, input_shape: Shape) -> int:
    """The number of inputs of one unit: channels x kernel / groups for a convolution."""
    if isinstance(node, Dense):
        return input_shape[-1]
    return input_shape[0] * math.prod(node.kernel) // node.groups


def fan_out(node: Dense | Conv) -> int:
    """The number of units that one input feeds: channels x kernel / groups for a convolution."""
    if isinstance(node, Dense):
        return node.units
    return node.channels * math.prod(node.kernel) // node.groups


def stored_shape(node: Dense | Conv, input_shape: Shape) -> Shape:
    """The shape of the weight tensor of `node` as its layout stores it."""
    if isinstance(node, Dense):
        shape = (node.units, input_shape[-1])
        return shape if node.layout == "out_in" else shape[::-1]
    inner = input_shape[0] // node.groups
    if node.layout == "out_in":
        return (node.channels, inner, *node.kernel)
    return (*node.kernel, inner, node.channels)


def _dense(node: Dense, shape: Shape) -> Shape:
    if not shape:
        raise SpecError(f"layer '{node.name}' needs an axis to multiply, got a scalar")
    if node.units < 1:
        raise SpecError(f"layer '{node.name}' needs at least one unit")
    return (*shape[:-1], node.units)


def _added(node: Add, inputs: tuple[Shape, ...]) -> Shape:
    if len(inputs) < 2:
        raise SpecError(f"layer '{node.name}' adds two inputs or more, got {len(inputs)}")
    if len(set(inputs)) != 1:
        sizes = " and ".join(str(list(shape)) for shape in inputs)
        raise SpecError(f"layer '{node.name}' cannot add shapes {sizes}")
    return inputs[0]


def _reshaped(node: Reshape, shape: Shape) -> Shape:
    size = math.prod(shape)
    known = math.prod(n for n in node.shape if n != -1)
    target = tuple(size // known if n == -1 and known else n for n in node.shape)
    if node.shape.count(-1) > 1 or math.prod(target) != size or min(target, default=1) < 1:
        raise SpecError(f"layer '{node.name}' cannot reshape {list(shape)} to {list(node.shape)}")
    return target


def _windowed(node: Conv | Pool, shape: Shape, window: tuple[int, ...], channels: int) -> Shape:
    dimensions = len(window)
    if len(shape) != dimensions + 1:
        raise SpecError(
            f"layer '{node.name}' works on [channels, {', '.join(['length'] * dimensions)}], "
            f"got {list(shape)}"
        )
    dilation = node.dilation if isinstance(node, Conv) else (1,) * dimensions
    if isinstance(node, Conv) and (shape[0] % node.groups or node.channels % node.groups):
        raise SpecError(
            f"layer '{node.name}': {node.groups} groups do not divide "
            f"{shape[0]} channels in and {node.channels} out"
        )
    sizes = tuple(
        (length + sum(pad) - (k - 1) * d - 1) // s + 1
        for length, pad, k, d, s in zip(
            shape[1:], node.padding, window, dilation, node.stride, strict=True
        )
    )
    if min(sizes) < 1:
        raise SpecError(
            f"layer '{node.name}': a window of {list(window)} does not fit into {list(shape[1:])}"
        )
    return (channels, *sizes)
