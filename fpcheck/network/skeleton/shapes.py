"""The output shape of every node type, and the sizes of its weights."""

from __future__ import annotations

import math

from fpcheck.core.errors import SpecError
from fpcheck.network.skeleton.nodes import (
    Add,
    Conv,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    Shape,
)


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
