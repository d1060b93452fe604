"""Arithmetic on values: with a constant a Scale, of two values a sum or product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.tensors import Tensor
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Constant,
    Rows,
    UnsupportedError,
    Value,
    constant,
    given,
    scalar_beside,
)
from fpcheck.network.skeleton import Add, Conv, ConvTranspose, Dense, Multiply, Reshape, Scale

POWERS = (1.0, 2.0, 3.0, 4.0)


def add(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The sum of two values or more, or a constant shift."""
    shown = [value for value in arguments if isinstance(value, Rows)]
    fixed = [value for value in arguments if isinstance(value, Constant)]
    if len(shown) > 1:
        aligned, batch = _aligned(op, shown, builder)
        total = builder.add(Add(builder.name(op.label), aligned), batch)
    else:
        total = shown[0]
    for term in fixed:
        total = _biased(op, total, term, builder) or scaled(op, total, None, term, builder)
    return [total]


def subtract(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The difference of two values, one of which may be constant."""
    left, right = given(arguments, 0), given(arguments, 1)
    if isinstance(right, Constant) and isinstance(left, Rows):
        negative = replace(right, array=np.asarray(np.negative(right.array)))
        return [scaled(op, left, None, negative, builder)]
    if not isinstance(right, Rows):
        raise UnsupportedError("it has no input")
    minus = Constant(np.array(-1.0), f"{op.label}.minus")
    if isinstance(left, Constant):
        return [scaled(op, right, minus, left, builder)]
    negated = scaled(op, right, minus, None, builder)
    return add(op, (left, negated), builder)


def multiply(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The product of two values, or with a constant factor."""
    left, right = given(arguments, 0), given(arguments, 1)
    if isinstance(left, Rows) and isinstance(right, Rows):
        aligned, batch = _aligned(op, [left, right], builder)
        return [builder.add(Multiply(builder.name(op.label), aligned), batch)]
    value, factor = (left, right) if isinstance(left, Rows) else (right, left)
    if not isinstance(value, Rows):
        raise UnsupportedError("it has no input")
    return [scaled(op, value, constant(factor, "its factor"), None, builder)]


def divide(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The quotient by a constant."""
    value, divisor = given(arguments, 0), given(arguments, 1)
    if not isinstance(value, Rows) or not isinstance(divisor, Constant):
        raise UnsupportedError("it divides by a value that is not constant")
    with np.errstate(all="ignore"):
        # In double: the reciprocal of a float32 is not one.
        inverse = np.asarray(1.0 / divisor.array.astype(np.float64))
    if not np.isfinite(inverse).all():
        raise UnsupportedError("it divides by zero")
    return [scaled(op, value, replace(divisor, array=inverse), None, builder)]


def negate(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value with the other sign."""
    minus = Constant(np.array(-1.0), f"{op.label}.minus")
    return multiply(op, (given(arguments, 0), minus), builder)


def power(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """A small whole power, as a product."""
    value, known = given(arguments, 0), constant(given(arguments, 1), "its exponent")
    if not isinstance(value, Rows) or (exponent := scalar_beside(known, value)) not in POWERS:
        raise UnsupportedError("its exponent is not 1, 2, 3 or 4")
    if exponent == 1.0:
        return [value]
    node = Multiply(builder.name(op.label), (value.node,) * int(exponent or 0))
    return [builder.add(node, value.batch)]


def scaled(
    op: Op, value: Rows, factor: Constant | None, shift: Constant | None, builder: Builder
) -> Rows:
    """value * factor + shift."""
    names: list[str | None] = [None, None]
    for place, known in enumerate((factor, shift)):
        if known is not None:
            names[place] = builder.parameter(known, _of_row(known.array, value, builder))
    node = Scale(builder.name(op.label), (value.node,), names[0], names[1])
    return builder.add(node, value.batch)


def _of_row(array: Tensor, value: Rows, builder: Builder) -> Tensor:
    """A constant that broadcasts to a value, as it broadcasts to a row of it."""
    if array.dtype.kind not in "fiu":
        raise UnsupportedError("its constant holds no numbers")
    shape = array.shape
    if len(shape) > value.rank:
        if set(shape[: len(shape) - value.rank]) - {1} or value.batch:
            raise UnsupportedError(f"its constant {list(shape)} adds axes to its input")
        raise UnsupportedError("its constant adds axes to its input")
    missing = value.rank - len(shape)
    if value.batch >= missing:
        place = value.batch - missing
        if shape[place] != 1:
            raise UnsupportedError("its constant differs between the rows of a batch")
        array = array.reshape(shape[:place] + shape[place + 1 :])
    behind = value.shape[len(value.shape) - array.ndim :]
    if any(have not in (1, want) for have, want in zip(array.shape, behind, strict=True)):
        raise UnsupportedError(
            f"its constant {list(shape)} does not broadcast to rows of {list(value.shape)}"
        )
    return array


def _biased(op: Op, value: Rows, term: Constant, builder: Builder) -> Rows | None:
    """The layer before with `term` as its bias; None where it is not one."""
    node = builder.nodes.get(value.node)
    if not isinstance(node, Dense | Conv | ConvTranspose) or node.bias is not None:
        return None
    if builder.feeds(value.node) or term.array.dtype.kind != "f":
        return None
    units = node.units if isinstance(node, Dense) else node.channels
    array, axis = term.array, -1 if isinstance(node, Dense) else -len(value.shape)
    sizes = array.shape
    if len(sizes) < -axis or sizes[axis] != units or array.size != units or len(sizes) > value.rank:
        return None
    name = builder.parameter(term, array.reshape(units))
    builder.nodes[node.name] = replace(node, bias=name)
    return value


def _aligned(op: Op, values: list[Rows], builder: Builder) -> tuple[tuple[str, ...], int]:
    """The nodes of values that broadcast against one another, with equal ranks."""
    rank = max(value.rank for value in values)
    places = {value.batch + rank - value.rank for value in values}
    if len(places) != 1:
        raise UnsupportedError("its inputs have their batch axes at different places")
    (batch,) = places
    names = []
    for value in values:
        missing = rank - value.rank
        if not missing:
            names.append(value.node)
            continue
        shape = (1,) * missing + value.shape
        names.append(
            builder.add(Reshape(builder.name(f"{op.label}.in"), (value.node,), shape)).node
        )
    return tuple(names), batch
