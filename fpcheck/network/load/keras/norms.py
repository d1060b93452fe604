"""Keras's normalisations and fixed scalings, at inference."""

from __future__ import annotations

import numpy as np

from fpcheck.network.load.keras.builder import Builder, Value, pick, unsupported
from fpcheck.network.load.keras.config import LayerConfig
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, RMSNorm, Scale, Transpose


def batch_norm(builder: Builder, call: Call, value: Value) -> Value:
    """BatchNormalization over one axis of Keras's row."""
    config, name = call.config, call.path.label
    flags = {"gamma": config.flag("scale", True), "beta": config.flag("center", True)}
    roles = pick(call, {**flags, "moving_mean": True, "moving_variance": True})
    named = dict(zip(roles, map(builder.use, builder.find(call, "", roles)), strict=True))
    (axis,) = _places(builder, config, value, "axis")
    rank = len(builder.shape(value))
    front, order = _to_front(builder, call, value, axis)
    node = BatchNorm(
        builder.name(name),
        (front,),
        named["moving_mean"],
        named["moving_variance"],
        named.get("gamma"),
        named.get("beta"),
        config.number("epsilon", 1e-3),
    )
    return _back(builder, call, builder.add(node), order, moved=axis == rank - 1 and rank > 1)


def group_norm(builder: Builder, call: Call, value: Value) -> Value:
    """GroupNormalization over one axis of Keras's row; -1 groups: one channel each."""
    config, name = call.config, call.path.label
    roles = pick(call, {"gamma": config.flag("scale", True), "beta": config.flag("center", True)})
    named = dict(zip(roles, map(builder.use, builder.find(call, "", roles)), strict=True))
    (axis,) = _places(builder, config, value, "axis")
    shape = builder.shape(value)
    front, order = _to_front(builder, call, value, axis)
    groups = config.integer("groups", 32)
    node = GroupNorm(
        builder.name(name),
        (front,),
        shape[axis] if groups == -1 else groups,
        named.get("gamma"),
        named.get("beta"),
        config.number("epsilon", 1e-3),
    )
    moved = axis == len(shape) - 1 and len(shape) > 1
    return _back(builder, call, builder.add(node), order, moved=moved)


def layer_norm(builder: Builder, call: Call, value: Value) -> Value:
    """LayerNormalization over the last axes of Keras's row."""
    config = call.config
    if config.values.get("rms_scaling"):
        raise unsupported(call, "rms_scaling is not supported")
    roles = pick(call, {"gamma": config.flag("scale", True), "beta": config.flag("center", True)})
    named = dict(zip(roles, map(builder.use, builder.find(call, "", roles)), strict=True))
    axes = _last_axes(builder, call, value)
    node = LayerNorm(
        builder.name(call.path.label),
        (builder.native(value),),
        named.get("gamma"),
        named.get("beta"),
        config.number("epsilon", 1e-3),
        axes,
    )
    return Value(builder.add(node))


def rms_norm(builder: Builder, call: Call, value: Value) -> Value:
    """RMSNormalization over the last axes of Keras's row."""
    (scale,) = builder.find(call, "", ("scale",))
    axes = _last_axes(builder, call, value)
    node = RMSNorm(
        builder.name(call.path.label),
        (builder.native(value),),
        builder.use(scale),
        call.config.number("epsilon", 1e-6),
        axes,
    )
    return Value(builder.add(node))


def normalization(builder: Builder, call: Call, value: Value) -> Value:
    """Normalization: (x - mean) / max(sqrt(variance), 1e-7) with the data's fixed statistics."""
    config, name = call.config, call.path.label
    if config.flag("invert", False):
        raise unsupported(call, "an inverted Normalization is not supported")
    if config.values.get("mean") is not None:
        given = [config.values.get(key) for key in ("mean", "variance")]
        if not all(_numbers(item) for item in given):
            raise unsupported(call, "its mean and variance are not plain numbers")
        mean, variance = (np.asarray(item, dtype=np.float64).ravel() for item in given)
    else:
        found = builder.find(call, "", ("mean", "variance"))
        mean, variance = (np.asarray(builder.tensors[t], dtype=np.float64).ravel() for t in found)
    axes = _places(builder, config, value, "axis") if config.values.get("axis") is not None else ()
    shape = builder.shape(value)
    if axes not in ((), (len(shape) - 1,)) or mean.shape != variance.shape:
        raise unsupported(call, "only a Normalization over the last axis is supported")
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    factor = builder.constant(f"{name}.factor", 1.0 / deviation)
    shift = builder.constant(f"{name}.shift", -mean / deviation)
    node = Scale(builder.name(name), (builder.native(value),), factor, shift)
    return Value(builder.add(node))


def rescaling(builder: Builder, call: Call, value: Value) -> Value:
    """Rescaling: x * scale + offset, both numbers."""
    factor, shift = call.config.number("scale", 1.0), call.config.number("offset", 0.0)
    return Value(builder.scaled(call.path.label, value.node, factor, shift), value.moved)


def layer_scale(builder: Builder, call: Call, value: Value) -> Value:
    """LayerScale of keras.applications: x * gamma over the last axis."""
    (gamma,) = builder.find(call, "", ("variable",))
    node = Scale(builder.name(call.path.label), (builder.native(value),), builder.use(gamma))
    return Value(builder.add(node))


def _numbers(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(isinstance(n, int | float) and not isinstance(n, bool) for n in items)


def _places(builder: Builder, config: LayerConfig, value: Value, key: str) -> tuple[int, ...]:
    """The axes of a row that a setting names, counted with the batch axis where positive."""
    rank = len(builder.shape(value))
    axes = config.integers(key) if config.values.get(key) is not None else (-1,)
    places = tuple(axis - 1 if axis > 0 else axis + rank for axis in axes)
    if 0 in axes or not all(0 <= place < rank for place in places):
        raise config.fault(key, f"axes of a row of {rank} axes")
    return tuple(sorted(set(places)))


def _last_axes(builder: Builder, call: Call, value: Value) -> int:
    """The number of last axes that a norm covers."""
    places = _places(builder, call.config, value, "axis")
    rank = len(builder.shape(value))
    if places != tuple(range(rank - len(places), rank)):
        raise unsupported(call, "it normalises axes that are not the last ones")
    return len(places)


def _to_front(
    builder: Builder, call: Call, value: Value, axis: int
) -> tuple[str, tuple[int, ...] | None]:
    """The node with `axis` of Keras's row in front, and the order that brings it back if it had to
    be brought there by itself."""
    rank = len(builder.shape(value))
    if axis == rank - 1:
        return builder.moved(value), None
    source = builder.native(value)
    if axis == 0:
        return source, None
    order = (axis, *(i for i in range(rank) if i != axis))
    name = builder.name(f"{call.path.label}.front")
    back = tuple(order.index(i) for i in range(rank))
    return builder.add(Transpose(name, (source,), order)), back


def _back(
    builder: Builder, call: Call, node: str, order: tuple[int, ...] | None, *, moved: bool
) -> Value:
    if order is None:
        return Value(node, moved)
    name = builder.name(f"{call.path.label}.back")
    return Value(builder.add(Transpose(name, (node,), order)))
