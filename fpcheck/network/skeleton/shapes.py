"""The output shape of every node type, and the sizes of its weights."""

from __future__ import annotations

import math

from fpcheck.core.errors import SpecError
from fpcheck.network.skeleton.nodes import (
    Add,
    BlackBox,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    MatMul,
    Multiply,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Shape,
    Slice,
    Softmax,
    Transpose,
)


def output_shape(node: Node, inputs: tuple[Shape, ...]) -> Shape:
    """The output shape of `node` for inputs of the given shapes.

    Raises:
        SpecError: the shapes do not fit the node.
    """
    match node:
        case Input():
            return node.shape
        case Add() | Multiply():
            return _broadcast(node, inputs)
        case MatMul():
            return _multiplied(node, inputs)
        case Concat():
            return _joined(node, inputs)
    if len(inputs) != 1:
        raise SpecError(f"layer '{node.name}' takes one input, got {len(inputs)}")
    return _of_one_input(node, inputs[0])


def _of_one_input(node: Node, shape: Shape) -> Shape:
    match node:
        case Dense():
            return _dense(node, shape)
        case Conv():
            return _windowed(node, shape, node.kernel, node.channels)
        case ConvTranspose():
            return _grown(node, shape)
        case Pool():
            return _windowed(node, shape, node.size, shape[0] if shape else 0)
        case BlackBox():
            return node.shape
        case Flatten():
            return (math.prod(shape),)
        case Reshape():
            return _reshaped(node, shape)
        case Slice():
            return _sliced(node, shape)
        case Transpose():
            return _transposed(node, shape)
        case LayerNorm() | RMSNorm() if node.axes > len(shape):
            raise SpecError(
                f"layer '{node.name}' normalises {node.axes} axes of shape {list(shape)}"
            )
        case GroupNorm() if not shape or node.groups < 1 or shape[0] % node.groups:
            raise SpecError(
                f"layer '{node.name}': {node.groups} groups do not divide shape {list(shape)}"
            )
        case Softmax() if not -len(shape) <= node.axis < len(shape):
            raise SpecError(f"layer '{node.name}': shape {list(shape)} has no axis {node.axis}")
    return shape


def fan_in(node: Dense | Conv | ConvTranspose, input_shape: Shape) -> int:
    """The number of inputs of one unit: channels x kernel / groups for a convolution.

    A transposed convolution of stride s feeds a unit from channels x kernel / (groups s) inputs on
    average; frameworks count it without the stride, and so is it here.
    """
    if isinstance(node, Dense):
        return input_shape[-1]
    return input_shape[0] * math.prod(node.kernel) // node.groups


def fan_out(node: Dense | Conv | ConvTranspose) -> int:
    """The number of units that one input feeds: channels x kernel / groups for a convolution."""
    if isinstance(node, Dense):
        return node.units
    return node.channels * math.prod(node.kernel) // node.groups


def stored_shape(node: Dense | Conv | ConvTranspose, input_shape: Shape) -> Shape:
    """The shape of the weight tensor of `node` as its layout stores it."""
    if isinstance(node, Dense):
        shape = (node.units, input_shape[-1])
        return shape if node.layout == "out_in" else shape[::-1]
    if isinstance(node, ConvTranspose):
        if node.layout == "out_in":
            return (input_shape[0], node.channels // node.groups, *node.kernel)
        return (*node.kernel, node.channels, input_shape[0])
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


def _broadcast(node: Add | Multiply, inputs: tuple[Shape, ...]) -> Shape:
    verb = "add" if isinstance(node, Add) else "multiply"
    if len(inputs) < 2:
        raise SpecError(f"layer '{node.name}' {verb}s two inputs or more, got {len(inputs)}")
    axes = list(zip(*inputs, strict=False))
    agree = all(len(set(sizes) - {1}) <= 1 for sizes in axes)
    if not agree or len({len(shape) for shape in inputs}) != 1:
        sizes = " and ".join(str(list(shape)) for shape in inputs)
        raise SpecError(f"layer '{node.name}' cannot {verb} shapes {sizes}")
    return tuple(max(sizes) for sizes in axes)


def _multiplied(node: MatMul, inputs: tuple[Shape, ...]) -> Shape:
    if len(inputs) != 2:
        raise SpecError(f"layer '{node.name}' multiplies two inputs, got {len(inputs)}")
    left, right = inputs
    fits = len(left) == len(right) >= 2 and left[:-2] == right[:-2] and left[-1] == right[-2]
    if not fits:
        raise SpecError(
            f"layer '{node.name}' cannot multiply matrices {list(left)} and {list(right)}"
        )
    return (*left[:-1], right[-1])


def _joined(node: Concat, inputs: tuple[Shape, ...]) -> Shape:
    ranks = {len(shape) for shape in inputs}
    axis = node.axis
    if len(ranks) != 1 or not 0 <= axis < min(ranks):
        raise SpecError(f"layer '{node.name}' cannot join {len(inputs)} inputs along axis {axis}")
    if len({shape[:axis] + shape[axis + 1 :] for shape in inputs}) != 1:
        sizes = " and ".join(str(list(shape)) for shape in inputs)
        raise SpecError(f"layer '{node.name}' cannot join shapes {sizes} along axis {axis}")
    first = inputs[0]
    return (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])


def _sliced(node: Slice, shape: Shape) -> Shape:
    if not 0 <= node.axis < len(shape) or node.step < 1:
        raise SpecError(f"layer '{node.name}' cannot slice axis {node.axis} of {list(shape)}")
    count = len(range(shape[node.axis])[node.start : node.stop : node.step])
    if count < 1 or node.start < 0 or node.stop > shape[node.axis]:
        raise SpecError(
            f"layer '{node.name}': {node.start}:{node.stop} lies outside axis {node.axis} "
            f"of {list(shape)}"
        )
    return (*shape[: node.axis], count, *shape[node.axis + 1 :])


def _transposed(node: Transpose, shape: Shape) -> Shape:
    if sorted(node.order) != list(range(len(shape))):
        raise SpecError(f"layer '{node.name}': {list(node.order)} does not order {list(shape)}")
    return tuple(shape[axis] for axis in node.order)


def _reshaped(node: Reshape, shape: Shape) -> Shape:
    size = math.prod(shape)
    known = math.prod(n for n in node.shape if n != -1)
    target = tuple(size // known if n == -1 and known else n for n in node.shape)
    if node.shape.count(-1) > 1 or math.prod(target) != size or min(target, default=1) < 1:
        raise SpecError(f"layer '{node.name}' cannot reshape {list(shape)} to {list(node.shape)}")
    return target


def _windowed(node: Conv | Pool, shape: Shape, window: tuple[int, ...], channels: int) -> Shape:
    _check_channels(node, shape, len(window))
    dilation = node.dilation if isinstance(node, Conv) else (1,) * len(window)
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


def _grown(node: ConvTranspose, shape: Shape) -> Shape:
    _check_channels(node, shape, len(node.kernel))
    sizes = tuple(
        (length - 1) * s - sum(pad) + (k - 1) * d + 1 + extra
        for length, pad, k, d, s, extra in zip(
            shape[1:],
            node.padding,
            node.kernel,
            node.dilation,
            node.stride,
            node.output_padding,
            strict=True,
        )
    )
    if min(sizes) < 1:
        raise SpecError(f"layer '{node.name}': its padding leaves nothing of {list(shape[1:])}")
    return (node.channels, *sizes)


def _check_channels(node: Conv | ConvTranspose | Pool, shape: Shape, dimensions: int) -> None:
    names = ["length"] if dimensions == 1 else ["height", "width"]
    if len(shape) != dimensions + 1:
        raise SpecError(
            f"layer '{node.name}' works on [channels, {', '.join(names)}], got {list(shape)}"
        )
    if isinstance(node, Pool):
        return
    if node.groups < 1 or shape[0] % node.groups or node.channels % node.groups:
        raise SpecError(
            f"layer '{node.name}': {node.groups} groups do not divide "
            f"{shape[0]} channels in and {node.channels} out"
        )
