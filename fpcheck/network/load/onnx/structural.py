"""Operators that only move numbers: reshaping, slicing, joining, padding, resizing."""

from __future__ import annotations

import itertools
import math

import numpy as np

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
    integers,
    listed,
    row_axis,
    scalar,
    word,
)
from fpcheck.network.load.onnx.windows import check_padding
from fpcheck.network.skeleton import Concat, ConvTranspose, Reshape, Slice, Transpose

MOST_PIECES = 256  # of a Gather whose indices are no range


def _rows(arguments: Arguments) -> Rows:
    value = given(arguments, 0)
    if not isinstance(value, Rows):
        raise UnsupportedError("its input is constant")
    return value


def same(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value itself: Identity, Dropout at inference."""
    training = given(arguments, 2)
    if op.type == "Dropout" and isinstance(training, Constant) and scalar(training.array * 1):
        raise UnsupportedError("it is in training mode")
    return [_rows(arguments)]


def cast(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value itself: between kinds of real numbers."""
    like = given(arguments, 1)  # CastLike casts to this one's type
    whole = isinstance(like, Constant) and like.array.dtype.kind != "f"
    if whole or (op.type == "Cast" and integer(op, "to", 1) not in (1, 10, 11, 16)):
        raise UnsupportedError("it rounds its input to whole numbers")
    return [_rows(arguments)]


def reshape(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The entries in another constant shape, rows kept apart."""
    value = _rows(arguments)
    target = constant(given(arguments, 1), "its shape").array
    if target.ndim != 1 or target.size > 32 or target.dtype.kind not in "iu":
        raise UnsupportedError("its shape is no short list of whole numbers")
    full = value.full(builder.batch)
    sizes = [int(size) for size in target]
    if not integer(op, "allowzero", 0):
        sizes = [full[i] if size == 0 and i < len(full) else size for i, size in enumerate(sizes)]
    entries = math.prod(full)
    known = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or known == 0 or entries % known:
        raise UnsupportedError(f"it cannot give {list(value.shape)} the shape {sizes}")
    return [reshaped(op, value, [entries // known if n == -1 else n for n in sizes], builder)]


def reshaped(op: Op, value: Rows, sizes: list[int], builder: Builder) -> Rows:
    """The value in the full shape `sizes`, in which one axis has to be the batch."""
    if math.prod(sizes) != math.prod(value.full(builder.batch)):
        raise UnsupportedError(f"it cannot give {list(value.shape)} the shape {sizes}")
    before = math.prod(value.shape[: value.batch])
    for place, size in enumerate(sizes):
        if size == builder.batch and math.prod(sizes[:place]) == before:
            # Of several axes of size 1 the first fits as well as any.
            shape = (*sizes[:place], *sizes[place + 1 :])
            if shape == value.shape:
                return Rows(value.node, value.shape, place)
            return builder.add(Reshape(builder.name(op.label), (value.node,), shape), place)
    raise UnsupportedError("it mixes the rows of a batch")


def flatten(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """All axes behind the batch axis in one."""
    value = _rows(arguments)
    full = value.full(builder.batch)
    axis = integer(op, "axis", 1)
    axis = axis if axis == value.rank else axis_of(axis, value.rank)
    sizes = [math.prod(full[:axis]), math.prod(full[axis:])]
    return [reshaped(op, value, sizes, builder)]


def squeeze(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value without axes of size 1."""
    value = _rows(arguments)
    stated = listed(op, arguments, 1, "axes")
    full = value.full(builder.batch)
    if stated is None:
        axes = {axis for axis, size in enumerate(full) if size == 1 and axis != value.batch}
    else:
        axes = {axis_of(axis, value.rank) for axis in stated}
    if any(full[axis] != 1 for axis in axes):
        raise UnsupportedError("it drops axes that are not of size 1")
    sizes = [size for axis, size in enumerate(full) if axis not in axes]
    return [reshaped(op, value, sizes, builder)]


def unsqueeze(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value with new axes of size 1."""
    value = _rows(arguments)
    stated = listed(op, arguments, 1, "axes") or ()
    rank = value.rank + len(stated)
    new = {axis_of(axis, rank) for axis in stated}
    left = iter(range(value.rank))
    origin = [None if axis in new else next(left, None) for axis in range(rank)]
    batch = origin.index(value.batch)
    full = value.full(builder.batch)
    shape = tuple(
        1 if old is None else full[old] for axis, old in enumerate(origin) if axis != batch
    )
    return [builder.add(Reshape(builder.name(op.label), (value.node,), shape), batch)]


def transpose(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The axes in another order; the batch axis goes with them."""
    value = _rows(arguments)
    order = integers(op, "perm") or tuple(range(value.rank))[::-1]
    if sorted(order) != list(range(value.rank)):
        raise UnsupportedError(f"{list(order)} is no order of {value.rank} axes")
    batch = order.index(value.batch)
    own = tuple(axis - (axis > value.batch) for axis in order if axis != value.batch)
    if own == tuple(range(len(own))):
        return [Rows(value.node, value.shape, batch)]
    return [builder.add(Transpose(builder.name(op.label), (value.node,), own), batch)]


def slice_(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Ranges along axes, forwards."""
    value = _rows(arguments)
    starts, stops = listed(op, arguments, 1, "starts"), listed(op, arguments, 2, "ends")
    if starts is None or stops is None:
        raise UnsupportedError("its bounds are not stated")
    axes = listed(op, arguments, 3, "axes") or tuple(range(len(starts)))
    steps = listed(op, arguments, 4, "steps") or (1,) * len(starts)
    full = value.full(builder.batch)
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        place = axis_of(axis, value.rank)
        if step < 1:
            raise UnsupportedError("it goes backwards")
        low, high, _ = slice(start, stop, step).indices(full[place])
        if (low, high, step) == (0, full[place], 1):
            continue
        value = _cut(op, value, row_axis(axis, value), (low, high, step), builder)
    return [value]


def _cut(op: Op, value: Rows, axis: int, bounds: tuple[int, int, int], builder: Builder) -> Rows:
    low, high, step = bounds
    if high <= low:
        raise UnsupportedError("it leaves nothing")
    node = Slice(builder.name(op.label), (value.node,), axis, low, high, step)
    return builder.add(node, value.batch)


def split(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Consecutive parts along an axis."""
    value = _rows(arguments)
    axis = row_axis(integer(op, "axis", 0), value)
    size = value.shape[axis]
    sizes = listed(op, arguments, 1, "split")
    if sizes is None:
        count = len(op.outputs)
        each = math.ceil(size / count)
        sizes = tuple(min(each, size - place) for place in range(0, each * count, each))
    if min(sizes) < 1 or sum(sizes) != size or len(sizes) < len(op.outputs):
        raise UnsupportedError(f"its parts {list(sizes)} do not make up {size}")
    ends = itertools.accumulate(sizes)
    return [
        _cut(op, value, axis, (end - n, end, 1), builder)
        for n, end in zip(sizes, ends, strict=True)
    ]


def gather(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Entries along an axis by constant indices."""
    if isinstance(given(arguments, 0), Constant):
        raise UnsupportedError("it looks its input up in a table: an embedding")
    value = _rows(arguments)
    indices = constant(given(arguments, 1), "its index").array
    axis = row_axis(integer(op, "axis", 0), value)
    size = value.shape[axis]
    flat = [int(index) for index in indices.reshape(-1)[: MOST_PIECES + 1]]
    if indices.ndim > 1 or indices.size > MOST_PIECES or indices.dtype.kind not in "iu":
        raise UnsupportedError("its indices are no short list of whole numbers")
    if not flat or not all(-size <= index < size for index in flat):
        raise UnsupportedError(f"its indices lie outside of axis {axis}, which has {size}")
    places = [index % size for index in flat]
    step = places[1] - places[0] if len(places) > 1 else 1
    stop = places[-1] + 1
    if step > 0 and places == list(range(places[0], stop, step)):
        taken = _cut(op, value, axis, (places[0], stop, step), builder)
    else:
        parts = [_cut(op, value, axis, (place, place + 1, 1), builder) for place in places]
        node = Concat(builder.name(op.label), tuple(part.node for part in parts), axis)
        taken = builder.add(node, value.batch)
    if indices.ndim:
        return [taken]
    shape = (*taken.shape[:axis], *taken.shape[axis + 1 :])
    batch = value.batch - (axis < value.batch)
    return [builder.add(Reshape(builder.name(f"{op.label}.entry"), (taken.node,), shape), batch)]


def pad(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Zeros around the spatial axes, kept for the convolution or pooling that follows."""
    value = _rows(arguments)
    mode = word(op, "mode", "constant")
    pads = listed(op, arguments, 1, "pads") or integers(op, "paddings")
    fill = given(arguments, 2)
    filled = scalar(constant(fill, "its fill").array) if fill is not None else 0.0
    if op.attributes.get("value"):
        filled = None
    if pads is None or value.padding:
        raise UnsupportedError("its pads are not stated")
    axes = listed(op, arguments, 3, "axes")
    if axes is not None:
        whole = [0] * (2 * value.rank)
        for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
            place = axis_of(axis, value.rank)
            whole[place], whole[place + value.rank] = low, high
        pads = tuple(whole)
    if len(pads) != 2 * value.rank:
        raise UnsupportedError(f"its pads {list(pads)} do not fit {list(value.shape)}")
    if not any(pads):
        return [value]
    pairs = tuple(zip(pads[: value.rank], pads[value.rank :], strict=True))
    spatial = pairs[2:]
    if mode != "constant" or filled != 0.0:
        raise UnsupportedError(f"it pads by mode '{mode}'" if mode != "constant" else "its fill")
    if value.batch or any(map(any, pairs[:2])) or min(pads) < 0 or not 1 <= len(spatial) <= 2:
        raise UnsupportedError("it pads other than spatial axes, or cuts them")
    check_padding(value, spatial)
    sizes = tuple(n + sum(pair) for n, pair in zip(value.shape[1:], spatial, strict=True))
    return [Rows(value.node, (value.shape[0], *sizes), 0, spatial)]


def expand(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The value itself, where the shape that it is expanded to is its own."""
    value = _rows(arguments)
    target = [int(n) for n in constant(given(arguments, 1), "its shape").array.reshape(-1)[:32]]
    full = value.full(builder.batch)
    if len(target) > len(full):
        raise UnsupportedError("it repeats its input")
    behind = full[len(full) - len(target) :]
    if any(want not in (1, have) for have, want in zip(behind, target, strict=True)):
        raise UnsupportedError("it repeats its input")
    return [value]


def resize(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Nearest-neighbour growth by whole factors: a transposed convolution with ones."""
    value = _rows(arguments)
    if value.batch or len(value.shape) not in (2, 3) or word(op, "mode", "nearest") != "nearest":
        raise UnsupportedError(f"it resizes by mode '{word(op, 'mode', 'nearest')}'")
    place = 1 if op.type == "Upsample" or len(op.inputs) == 2 else 2
    scales, sizes = given(arguments, place), given(arguments, 3)
    axes = integers(op, "axes")
    if axes not in (None, tuple(range(value.rank))):
        raise UnsupportedError(f"it states the axes {list(axes or ())}")
    if word(op, "keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("its sizes are not the ones that it states")
    if isinstance(sizes, Constant) and sizes.array.size == value.rank:
        full = value.full(builder.batch)
        factors = [int(n) / have for n, have in zip(sizes.array, full, strict=True)]
    elif isinstance(scales, Constant) and scales.array.size == value.rank:
        factors = [float(factor) for factor in scales.array]
    else:
        raise UnsupportedError("its scales are not constant")
    whole = tuple(round(factor) for factor in factors)
    if any(a != b or b < 1 for a, b in zip(factors, whole, strict=True)) or whole[:2] != (1, 1):
        raise UnsupportedError(f"its scales are {[round(factor, 4) for factor in factors]}")
    mapping = word(op, "coordinate_transformation_mode", "half_pixel")
    rounding = word(op, "nearest_mode", "round_prefer_floor")
    # Where every entry is repeated the same number of times.
    repeats = (mapping == "asymmetric" and rounding == "floor") or (
        mapping in ("half_pixel", "pytorch_half_pixel")
        and rounding in ("round_prefer_floor", "round_prefer_ceil")
    )
    if op.type == "Resize" and builder.opset > 10 and not repeats:
        raise UnsupportedError(f"it maps coordinates by '{mapping}' and '{rounding}'")
    channels, kernel = value.shape[0], whole[2:]
    builder.fold(channels * math.prod(kernel))
    ones = Constant(np.ones((channels, 1, *kernel)), f"{op.label}.ones")
    name = builder.parameter(ones)
    node = ConvTranspose(
        builder.name(op.label), (value.node,), channels, kernel, name, None, kernel, groups=channels
    )
    return [builder.add(node)]
