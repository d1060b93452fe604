"""Normalisation: batch, layer, instance, group, root mean square; and means over axes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from fpcheck.network.load.onnx.elementwise import scaled
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Constant,
    Rows,
    UnsupportedError,
    Value,
    axis_of,
    constant,
    given,
    integer,
    listed,
    number,
    row_axis,
    rows,
)
from fpcheck.network.skeleton import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    Pool,
    Reshape,
    RMSNorm,
    Transpose,
)


def batch_norm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Batch normalisation at inference."""
    x = rows(given(arguments, 0))
    # Before opset 14 a norm that gives its statistics too is in training mode.
    if integer(op, "training_mode", 0) or (builder.opset < 14 and any(op.outputs[1:])):
        raise UnsupportedError("it is in training mode")
    names = ("its scale", "its bias", "its mean", "its variance")
    fixed = [constant(given(arguments, i), what) for i, what in enumerate(names, 1)]
    for known, what in zip(fixed, names, strict=True):
        _check(known, what, x.shape[:1])
    weight, bias, mean, variance = (builder.parameter(known) for known in fixed)
    epsilon = number(op, "epsilon", 1e-5)
    name = builder.name(op.label)
    return [builder.add(BatchNorm(name, (x.node,), mean, variance, weight, bias, epsilon))]


def layer_norm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Layer normalisation over the last axes."""
    x = _any_rows(arguments)
    axes = _trailing(op, x)
    weight = _over_axes(given(arguments, 1), x, axes, builder)
    bias = _over_axes(given(arguments, 2), x, axes, builder)
    epsilon = number(op, "epsilon", 1e-5)
    node = LayerNorm(builder.name(op.label), (x.node,), weight, bias, epsilon, axes)
    return [builder.add(node, x.batch)]


def rms_norm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Root-mean-square normalisation over the last axes."""
    x = _any_rows(arguments)
    axes = _trailing(op, x)
    weight = _over_axes(given(arguments, 1), x, axes, builder)
    node = RMSNorm(builder.name(op.label), (x.node,), weight, number(op, "epsilon", 1e-5), axes)
    return [builder.add(node, x.batch)]


def instance_norm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Every channel by itself: group normalisation with one channel a group."""
    x = rows(given(arguments, 0))
    return [_groups(op, x, x.shape[0] if x.shape else 0, arguments, builder)]


def group_norm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Groups of channels; its weights are of groups before opset 21, of channels since."""
    x = rows(given(arguments, 0))
    return [_groups(op, x, integer(op, "num_groups", 0), arguments, builder)]


def _groups(op: Op, x: Rows, groups: int, arguments: Arguments, builder: Builder) -> Rows:
    if not x.shape or groups < 1 or x.shape[0] % groups:
        raise UnsupportedError(f"{groups} groups do not divide {list(x.shape)}")
    names = []
    for place, what in ((1, "its scale"), (2, "its bias")):
        known = constant(given(arguments, place), what)
        each = x.shape[0] // groups
        array = known.array
        if array.shape == (groups,) and groups != x.shape[0]:
            array = np.repeat(array, each)
        _check(Constant(array, known.name), what, x.shape[:1])
        names.append(builder.parameter(known, array))
    epsilon = number(op, "epsilon", 1e-5)
    name = builder.name(op.label)
    return builder.add(GroupNorm(name, (x.node,), groups, names[0], names[1], epsilon))


def reduce_mean(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The mean over axes of a row."""
    return [reduced(op, arguments, builder, "mean")[0]]


def reduce_max(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The largest value over axes of a row."""
    return [reduced(op, arguments, builder, "max")[0]]


def reduce_sum(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The sum over axes of a row: the mean times the number of entries."""
    mean, count = reduced(op, arguments, builder, "mean")
    factor = Constant(np.array(float(count)), f"{op.label}.count")
    return [scaled(op, mean, factor, None, builder)]


def reduced(
    op: Op, arguments: Arguments, builder: Builder, kind: Literal["mean", "max"]
) -> tuple[Rows, int]:
    """A reduction over axes of a row as one pooling, and how many entries it takes together."""
    x = rows(given(arguments, 0))
    stated = listed(op, arguments, 1, "axes")
    if not stated:  # all axes, unless it says that it then does nothing
        if integer(op, "noop_with_empty_axes", 0):
            return x, 1
        raise UnsupportedError("it works across the rows of a batch")
    axes = sorted({row_axis(axis, x) for axis in stated})
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    order = (*kept, *axes)
    value = x
    if order != tuple(range(len(x.shape))):
        value = builder.add(Transpose(builder.name(f"{op.label}.moved"), (value.node,), order))
    count = math.prod(x.shape[axis] for axis in axes)
    flat = (math.prod(x.shape[axis] for axis in kept), count)
    if value.shape != flat:
        value = builder.add(Reshape(builder.name(f"{op.label}.flat"), (value.node,), flat))
    value = builder.add(Pool(builder.name(op.label), (value.node,), kind, (count,)))
    if integer(op, "keepdims", 1):
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    else:
        shape = tuple(x.shape[axis] for axis in kept)
    if shape != value.shape:
        value = builder.add(Reshape(builder.name(f"{op.label}.shaped"), (value.node,), shape))
    return value, count


def _any_rows(arguments: Arguments) -> Rows:
    value = given(arguments, 0)
    if not isinstance(value, Rows):
        raise UnsupportedError("its input is constant")
    return value


def _trailing(op: Op, x: Rows) -> int:
    """The number of last axes that a norm works on, which the batch axis is not among."""
    axis = axis_of(integer(op, "axis", -1), x.rank)
    if x.batch >= axis:
        raise UnsupportedError("it works across the rows of a batch")
    return x.rank - axis


def _over_axes(value: Value | None, x: Rows, axes: int, builder: Builder) -> str | None:
    """The parameter that scales or shifts the normalised axes."""
    if value is None:
        return None
    known = constant(value, "its scale or bias")
    want = x.shape[len(x.shape) - axes :]
    if known.array.dtype.kind != "f":
        raise UnsupportedError("its scale holds no real numbers")
    try:
        array = np.broadcast_to(known.array, want)
    except ValueError:
        raise UnsupportedError(
            f"its scale {list(known.array.shape)} does not fit {list(want)}"
        ) from None
    return builder.parameter(known, known.array if known.array.shape == want else array)


def _check(known: Constant, what: str, expected: tuple[int, ...]) -> None:
    if known.array.shape != expected or known.array.dtype.kind != "f":
        raise UnsupportedError(f"{what} is {list(known.array.shape)}, expected {list(expected)}")
