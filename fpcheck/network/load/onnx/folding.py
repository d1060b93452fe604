"""Operators on constants alone: what computes shapes and prepares weights, done once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np

from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.tensors import FLOATS, TYPES, Tensor
from fpcheck.network.load.onnx.values import (
    ANY_BATCH,
    Arguments,
    Builder,
    Constant,
    Rows,
    UnsupportedError,
    Value,
    axis_of,
    given,
    integer,
    integers,
    listed,
    number,
    scalar,
)

Fold = Callable[[Op, list[Tensor], Builder], Tensor]


def shape_of(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The shape of a value as a constant; its batch axis as the builder's number of rows."""
    value = given(arguments, 0)
    open_rows = isinstance(value, Rows) and builder.batch == ANY_BATCH
    if isinstance(value, Rows):
        full = value.full(builder.batch)
    elif isinstance(value, Constant):
        full = value.array.shape
    else:
        raise UnsupportedError("it has no input")
    if op.type == "Size":
        size = np.array(math.prod(full), dtype=np.int64)
        return [Constant(size, op.label, of_rows=open_rows)]
    start, stop = integer(op, "start", 0), integer(op, "end", len(full))
    sizes = np.array(full[start:stop], dtype=np.int64)
    return [Constant(sizes, op.label, of_rows=open_rows and ANY_BATCH in sizes)]


def constant_node(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The tensor that a Constant node holds."""
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        value = op.attributes.get(key)
        if value is not None:
            whole = "int" in key
            array = value if isinstance(value, np.ndarray) else _listed(value, whole=whole)
            return [Constant(array, op.outputs[0])]
    raise UnsupportedError("it holds no numbers")


def _listed(value: object, *, whole: bool) -> Tensor:
    return np.array(value, dtype=np.int64 if whole else np.float32)


def fold(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The results of an operator whose inputs are all constant.

    Raises:
        UnsupportedError: it is not computed here.
    """
    if op.type == "Split":
        return _split(op, arguments)
    rule = FOLDS.get(op.type)
    if rule is None:
        raise UnsupportedError("it is not computed on constants")
    present = [value for value in arguments if isinstance(value, Constant)]
    if not present:
        raise UnsupportedError("it has no inputs")
    first = present[0]
    if op.type in ("Identity", "Dropout"):
        return [first]
    if op.type == "Expand" and (rows := _repeated(present)) is not None:
        return [rows]
    shapes = [value.array.shape for value in present]
    if op.type in BROADCAST:
        builder.fold(math.prod(np.broadcast_shapes(*shapes)))
    elif op.type not in VIEWS:
        builder.fold(sum(math.prod(shape) for shape in shapes))
    with np.errstate(all="ignore"):
        array = np.asarray(rule(op, [value.array for value in present], builder))
    swap = op.type == "Transpose" and array.ndim == 2
    of_rows = any(value.of_rows for value in present)
    if op.type in ("Gather", "Slice"):  # the other sizes of a shape say nothing of its rows
        of_rows = of_rows and bool(np.greater_equal(array, ANY_BATCH).any())
    return [Constant(array, first.name, first.transposed != swap, of_rows)]


def _repeated(present: list[Constant]) -> Constant | None:
    """A constant that is repeated for every row, once; None where it is expanded otherwise."""
    data, sizes = present[0], present[-1].array
    if len(present) != 2 or data.of_rows or sizes.ndim != 1 or sizes.size != data.array.ndim:
        return None
    of_rows = [i for i, size in enumerate(sizes) if size == ANY_BATCH and data.array.shape[i] == 1]
    pairs = zip(sizes, data.array.shape, strict=True)
    fits = all(i in of_rows or size in (1, have) for i, (size, have) in enumerate(pairs))
    return data if fits and len(of_rows) == 1 else None


def _split(op: Op, arguments: Arguments) -> list[Value]:
    first = given(arguments, 0)
    if not isinstance(first, Constant):
        raise UnsupportedError("it has no input")
    axis = axis_of(integer(op, "axis", 0), first.array.ndim)
    sizes = listed(op, arguments, 1, "split")
    if sizes is None:
        raise UnsupportedError("its sizes are not stated")
    ends = np.cumsum(sizes)[:-1]
    parts = np.split(first.array, ends, axis=axis)
    return [Constant(part, first.name, of_rows=first.of_rows) for part in parts]


def _gather(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    data, indices = arrays
    if indices.dtype.kind not in "iu":
        raise UnsupportedError("its indices are no whole numbers")
    axis = axis_of(integer(op, "axis", 0), data.ndim)
    builder.fold(indices.size * max(1, data.size // max(1, data.shape[axis])))
    return np.asarray(np.take(data, indices.astype(np.int64), axis=axis))


def _slice(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    data, *rest = arrays
    if rest:
        lists = [tuple(int(v) for v in array.reshape(-1)[:64]) for array in rest]
        starts, stops = lists[0], lists[1]
        axes = lists[2] if len(lists) > 2 else tuple(range(len(starts)))
        steps = lists[3] if len(lists) > 3 else (1,) * len(starts)
    else:
        starts, stops = integers(op, "starts") or (), integers(op, "ends") or ()
        axes, steps = integers(op, "axes") or tuple(range(len(starts))), (1,) * len(starts)
    place = [slice(None)] * data.ndim
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        # A stop before the first entry is written as a very negative number when going backwards.
        last = None if step < 0 and stop < -data.shape[axis] else stop
        place[axis_of(axis, data.ndim)] = slice(start, last, step)
    return np.asarray(data[tuple(place)])


def _concat(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    return np.concatenate(arrays, axis=axis_of(integer(op, "axis", 0), arrays[0].ndim))


def _axes(op: Op, arrays: list[Tensor]) -> tuple[int, ...] | None:
    if len(arrays) > 1:
        return tuple(int(axis) for axis in arrays[1].reshape(-1)[:32])
    return integers(op, "axes")


def _unsqueeze(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    return np.expand_dims(arrays[0], _axes(op, arrays) or ())


def _squeeze(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    return np.squeeze(arrays[0], _axes(op, arrays))


def _reshape(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    data, target = arrays[0], [int(size) for size in arrays[1].reshape(-1)[:32]]
    if not integer(op, "allowzero", 0):
        target = [data.shape[i] if size == 0 else size for i, size in enumerate(target)]
    return data.reshape(target)


def _flatten(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    axis = integer(op, "axis", 1)
    return arrays[0].reshape(math.prod(arrays[0].shape[:axis]), -1)


def _transpose(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    order = integers(op, "perm") or tuple(range(arrays[0].ndim))[::-1]
    return arrays[0].transpose(order)


def _cast(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    kind = integer(op, "to", 1)
    if kind not in TYPES:
        raise UnsupportedError(f"it casts to type {kind}")
    if kind in FLOATS:  # a bfloat16 is held as float32
        kind = 1 if kind == FLOATS[-1] else kind
    return arrays[0].astype(np.dtype(TYPES[kind][0]))


def _filled(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    shape = tuple(int(size) for size in arrays[0].reshape(-1)[:32])
    if any(size < 0 for size in shape):
        raise UnsupportedError("it fills a negative shape")
    builder.fold(math.prod(shape))
    value = op.attributes.get("value")
    fill = value.reshape(-1)[0] if isinstance(value, np.ndarray) and value.size else np.float32(0)
    return np.full(shape, fill)


def _range(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    start, stop, step = (scalar(array) for array in arrays)
    if start is None or stop is None or not step or not math.isfinite(start + stop + step):
        raise UnsupportedError("its bounds are no numbers")
    builder.fold(max(0, math.ceil((stop - start) / step)))
    return np.arange(start, stop, step).astype(arrays[0].dtype)


def _expand(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    target = tuple(int(size) for size in arrays[1].reshape(-1)[:32])
    if any(size < 0 for size in target):
        raise UnsupportedError("it expands to a negative shape")
    shape = np.broadcast_shapes(arrays[0].shape, target)
    builder.fold(math.prod(shape))
    return np.broadcast_to(arrays[0], shape)


def _divide(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    one, other = arrays
    if one.dtype.kind in "iu":  # truncates towards zero
        return np.asarray(np.trunc(np.divide(one, other))).astype(one.dtype)
    return np.asarray(np.divide(one, other))


def _clip(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    data, *bounds = arrays
    given = iter(bounds)
    low, high = (next(given) if name else None for name in (*op.inputs, "", "")[1:3])
    if not bounds:  # before opset 11
        low, high = (
            None if op.attributes.get(word) is None else np.array(number(op, word, 0.0), data.dtype)
            for word in ("min", "max")
        )
    return np.asarray(np.clip(data, low, high))


def _modulo(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    return np.asarray((np.fmod if integer(op, "fmod", 0) else np.mod)(*arrays))


def _extremum(function: np.ufunc) -> Fold:
    return lambda op, arrays, builder: np.asarray(reduce(function, arrays))


def _tile(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
    repeats = [int(n) for n in arrays[1].reshape(-1)[:32]]
    if min(repeats, default=0) < 0:
        raise UnsupportedError("it repeats a negative number of times")
    builder.fold(arrays[0].size * math.prod(repeats))
    return np.tile(arrays[0], repeats)


def _reduced(function: Callable[..., Tensor]) -> Fold:
    def rule(op: Op, arrays: list[Tensor], builder: Builder) -> Tensor:
        keep = bool(integer(op, "keepdims", 1))
        return np.asarray(function(arrays[0], axis=_axes(op, arrays), keepdims=keep))

    return rule


def _plain(function: Callable[..., object]) -> Fold:
    return lambda op, arrays, builder: np.asarray(function(*arrays))


VIEWS = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Slice"})
BROADCAST = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less", "Where",
                       "And", "Or", "Min", "Max", "Mod", "Clip", "GreaterOrEqual",
                       "LessOrEqual"})  # fmt: skip
FOLDS: dict[str, Fold] = {
    "Identity": _plain(np.asarray), "Dropout": _plain(np.asarray), "Gather": _gather,
    "Slice": _slice, "Concat": _concat, "Unsqueeze": _unsqueeze, "Squeeze": _squeeze,
    "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Cast": _cast,
    "ConstantOfShape": _filled, "Range": _range, "Expand": _expand, "Div": _divide,
    "Add": _plain(np.add), "Sub": _plain(np.subtract), "Mul": _plain(np.multiply),
    "Pow": lambda op, arrays, builder: np.power(*arrays).astype(arrays[0].dtype),
    "Sqrt": _plain(np.sqrt), "Neg": _plain(np.negative), "Exp": _plain(np.exp),
    "Log": _plain(np.log), "Abs": _plain(np.abs), "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil), "Reciprocal": _plain(np.reciprocal), "Not": _plain(np.logical_not),
    "Equal": _plain(np.equal), "Greater": _plain(np.greater), "Less": _plain(np.less),
    "Where": _plain(np.where), "And": _plain(np.logical_and), "Or": _plain(np.logical_or),
    "Min": _extremum(np.minimum), "Max": _extremum(np.maximum), "Mod": _modulo, "Clip": _clip,
    "GreaterOrEqual": _plain(np.greater_equal), "LessOrEqual": _plain(np.less_equal),
    "Sign": _plain(np.sign), "Sin": _plain(np.sin), "Cos": _plain(np.cos), "Tile": _tile,
    "ReduceL2": _reduced(lambda x, **how: np.sqrt(np.sum(np.square(x), **how))),
    "ReduceProd": _reduced(np.prod), "ReduceSum": _reduced(np.sum), "ReduceMin": _reduced(np.min),
    "ReduceMax": _reduced(np.max), "ReduceMean": _reduced(np.mean),
}  # fmt: skip
