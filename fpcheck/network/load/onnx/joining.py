"""Concat: values joined along an axis of a row, constants among them, such as a class token."""

from __future__ import annotations

import numpy as np

from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Constant,
    Rows,
    UnsupportedError,
    Value,
    integer,
    row_axis,
)
from fpcheck.network.skeleton import Concat, Scale, Slice

MOST_COPIES = 256  # of one entry, which make room for a constant


def concat(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Values joined along an axis of a row."""
    values = [value for value in arguments if isinstance(value, Rows)]
    first = values[0]
    if len({(value.batch, value.rank) for value in values}) != 1:
        raise UnsupportedError("its inputs have their batch axes at different places")
    axis = row_axis(integer(op, "axis", 0), first)
    names = []
    for value in arguments:
        if isinstance(value, Rows):
            names.append(value.node)
        elif isinstance(value, Constant):
            names.append(_in_every_row(op, value, first, axis, builder))
        else:
            raise UnsupportedError("one of its inputs is left out")
    return [builder.add(Concat(builder.name(op.label), tuple(names), axis), first.batch)]


def _in_every_row(op: Op, known: Constant, beside: Rows, axis: int, builder: Builder) -> str:
    """The node of a constant that every row holds: 0 times entries of `beside`, plus it."""
    shape = known.array.shape
    if known.array.dtype.kind != "f" or len(shape) != beside.rank:
        raise UnsupportedError(f"it joins values with a constant {list(shape)}")
    if shape[beside.batch] != 1:
        raise UnsupportedError("its constant differs between the rows of a batch")
    own = shape[: beside.batch] + shape[beside.batch + 1 :]
    count = own[axis]
    if own != (*beside.shape[:axis], count, *beside.shape[axis + 1 :]):
        raise UnsupportedError(f"its constant {list(shape)} does not fit {list(beside.shape)}")
    if not 1 <= count <= MOST_COPIES:
        raise UnsupportedError(f"it joins values with {count} constant entries")
    node = builder.add(Slice(builder.name(f"{op.label}.entry"), (beside.node,), axis, 0, 1)).node
    if count > 1:
        copies = Concat(builder.name(f"{op.label}.entries"), (node,) * count, axis)
        node = builder.add(copies).node
    nothing = builder.parameter(Constant(np.zeros(1), f"{op.label}.nothing"))
    shift = builder.parameter(known, known.array.reshape(own))
    return builder.add(Scale(builder.name(f"{op.label}.constant"), (node,), nothing, shift)).node
