"""Keras's pooling, reshaping, padding and repeating layers."""

from __future__ import annotations

from typing import Any, Literal

from fpcheck.network.load.keras.builder import Builder, Value, unsupported
from fpcheck.network.load.keras.convolutions import window_padding
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import Concat, Flatten, Pool, Reshape, Slice, Transpose

MAX_REPEATS = 64


def pool(builder: Builder, call: Call, value: Value) -> Value:
    """Max and average pooling; an average leaves padding out."""
    config, rank = call.config, 1 if "1D" in call.config.class_name else 2
    source = _image(builder, call, value, rank)
    size = config.sizes("pool_size", rank, 2)
    stride = size if config.values.get("strides") is None else config.sizes("strides", rank)
    padding = window_padding(call, builder.shapes[source][1:], size, stride)
    name, kind = builder.name(call.path.label), _kind(call)
    node = Pool(name, (source,), kind, size, stride, padding, count_padding=False)
    return Value(builder.add(node), not config.channels_first)


def global_pool(builder: Builder, call: Call, value: Value) -> Value:
    """Global max and average pooling, with or without axes of 1."""
    config, rank = call.config, 1 if "1D" in call.config.class_name else 2
    source = _image(builder, call, value, rank)
    channels, *lengths = builder.shapes[source]
    name = call.path.label
    whole = builder.add(Pool(builder.name(f"{name}.pool"), (source,), _kind(call), tuple(lengths)))
    if config.flag("keepdims", False):
        return Value(whole, not config.channels_first)
    return Value(builder.add(Reshape(builder.name(name), (whole,), (channels,))))


def flatten(builder: Builder, call: Call, value: Value) -> Value:
    """All axes in one, channels last: a channels-first Flatten turns its rows before."""
    source = builder.native(value)
    rank = len(builder.shapes[source])
    if call.config.channels_first and rank > 1:
        name = builder.name(f"{call.path.label}.channels_last")
        source = builder.add(Transpose(name, (source,), (*range(1, rank), 0)))
    return Value(builder.add(Flatten(builder.name(call.path.label), (source,))))


def reshape(builder: Builder, call: Call, value: Value) -> Value:
    """Reshape(target_shape)."""
    shape = call.config.integers("target_shape")
    node = Reshape(builder.name(call.path.label), (builder.native(value),), shape)
    return Value(builder.add(node))


def permute(builder: Builder, call: Call, value: Value) -> Value:
    """Permute(dims), which count from 1."""
    order = tuple(axis - 1 for axis in call.config.integers("dims"))
    node = Transpose(builder.name(call.path.label), (builder.native(value),), order)
    return Value(builder.add(node))


def repeat_vector(builder: Builder, call: Call, value: Value) -> Value:
    """RepeatVector(n): a row becomes n equal rows."""
    count, name = call.config.integer("n"), call.path.label
    if not 1 <= count <= MAX_REPEATS:
        raise unsupported(call, f"{count} repeats are more than the {MAX_REPEATS} supported")
    source = builder.native(value)
    one = builder.add(Reshape(builder.name(f"{name}.row"), (source,), (1, *builder.shapes[source])))
    return Value(builder.add(Concat(builder.name(name), (one,) * count, 0)))


def zero_padding(builder: Builder, call: Call, value: Value) -> Value:
    """ZeroPadding1D and 2D."""
    source, pads = _with_edges(builder, call, value, "padding")
    ones = (1,) * len(pads)
    # A mean over windows of one entry, zeros around: the same rows with zeros at their edges.
    node = Pool(builder.name(call.path.label), (source,), "mean", ones, ones, pads)
    return Value(builder.add(node), not call.config.channels_first)


def cropping(builder: Builder, call: Call, value: Value) -> Value:
    """Cropping1D and 2D."""
    source, edges = _with_edges(builder, call, value, "cropping")
    for axis, (before, after) in enumerate(edges, 1):
        end = builder.shapes[source][axis] - after
        name = builder.name(f"{call.path.label}.{axis}")
        source = builder.add(Slice(name, (source,), axis, before, end))
    return Value(source, not call.config.channels_first)


def upsampling(builder: Builder, call: Call, value: Value) -> Value:
    """UpSampling1D and 2D by repeating entries."""
    config, rank = call.config, 1 if "1D" in call.config.class_name else 2
    if config.word("interpolation", "nearest") != "nearest":
        raise unsupported(
            call, f"interpolation {config.values['interpolation']!r} is not supported"
        )
    source, name = _image(builder, call, value, rank), call.path.label
    factors = config.sizes("size", rank, 2)
    if max(factors) > MAX_REPEATS:
        raise unsupported(call, f"{max(factors)} repeats are more than {MAX_REPEATS}")
    for axis, factor in enumerate(factors, 1):
        shape = builder.shapes[source]
        apart = (*shape[: axis + 1], 1, *shape[axis + 1 :])
        split = builder.add(Reshape(builder.name(f"{name}.split{axis}"), (source,), apart))
        if factor > 1:
            joined = Concat(builder.name(f"{name}.repeat{axis}"), (split,) * factor, axis + 1)
            split = builder.add(joined)
        shape = (*shape[:axis], shape[axis] * factor, *shape[axis + 1 :])
        source = builder.add(Reshape(builder.name(f"{name}.{axis}"), (split,), shape))
    return Value(source, not config.channels_first)


def _with_edges(
    builder: Builder, call: Call, value: Value, key: str
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The node with channels in front, and (before, after) of every other axis."""
    config, rank = call.config, 1 if "1D" in call.config.class_name else 2
    found: Any = config.values.get(key)
    items = found if isinstance(found, list) else [found] * rank
    if rank == 1 and len(items) == 2 and all(type(n) is int for n in items):
        items = [items]
    pairs = [item if isinstance(item, list) else [item, item] for item in items]
    fine = len(pairs) == rank and all(
        len(pair) == 2 and all(type(n) is int and 0 <= n < 2**31 for n in pair) for pair in pairs
    )
    if not fine:
        raise config.fault(key, f"numbers for {rank} axes")
    edges = tuple((int(pair[0]), int(pair[1])) for pair in pairs)
    return _image(builder, call, value, rank), edges


def _image(builder: Builder, call: Call, value: Value, rank: int) -> str:
    shape = builder.shape(value)
    if len(shape) != rank + 1:
        raise unsupported(call, f"it takes rows of {rank + 1} axes, not {list(shape)}")
    return builder.native(value) if call.config.channels_first else builder.moved(value)


def _kind(call: Call) -> Literal["max", "mean"]:
    return "max" if "Max" in call.config.class_name else "mean"
