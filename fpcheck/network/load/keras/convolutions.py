"""Keras's dense and convolutional layers: kernels are (*kernel, in, out), rows channels last."""

from __future__ import annotations

import math

from fpcheck.network.load.keras.activations import apply_named
from fpcheck.network.load.keras.builder import Builder, Value, pick, unsupported
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense

Pads = tuple[tuple[int, int], ...]


def dense(builder: Builder, call: Call, value: Value) -> Value:
    """Dense over the last axis."""
    config, name = call.config, call.path.label
    if config.values.get("quantization_mode") is not None:
        raise unsupported(call, "quantised weights are not supported")
    roles = pick(call, {"kernel": True, "bias": config.flag("use_bias", True)})
    kernel, *bias = (builder.use(tensor) for tensor in builder.find(call, "", roles))
    node = Dense(
        builder.name(name),
        (builder.native(value),),
        config.integer("units"),
        kernel,
        bias[0] if bias else None,
        "in_out",
    )
    return _activated(builder, call, Value(builder.add(node)))


def convolution(builder: Builder, call: Call, value: Value) -> Value:
    """Conv1D and Conv2D."""
    config, rank = call.config, _rank(call)
    roles = pick(call, {"kernel": True, "bias": config.flag("use_bias", True)})
    kernel, *bias = (builder.use(tensor) for tensor in builder.find(call, "", roles))
    channels, groups = config.integer("filters"), config.integer("groups", 1)
    return _convolved(builder, call, value, (channels, groups, rank), kernel, bias)


def depthwise(builder: Builder, call: Call, value: Value) -> Value:
    """DepthwiseConv1D and 2D: every channel has depth_multiplier kernels of its own."""
    config, rank = call.config, _rank(call)
    bias_role = config.flag("use_bias", True)
    # Keras 3 calls it kernel in .h5 files; Keras 2 depthwise_kernel.
    roles = pick(call, {"depthwise_kernel": True, "bias": bias_role})
    kernel, *bias = builder.find(call, "", roles)
    channels, multiplier = _depthwise_kernel(builder, call, value, kernel, rank)
    sizes = (channels * multiplier, channels, rank)
    return _convolved(builder, call, value, sizes, kernel, [builder.use(name) for name in bias])


def separable(builder: Builder, call: Call, value: Value) -> Value:
    """SeparableConv1D and 2D: a depthwise convolution and one of size 1."""
    config, rank = call.config, _rank(call)
    flags = {"depthwise_kernel": True, "pointwise_kernel": True}
    roles = pick(call, {**flags, "bias": config.flag("use_bias", True)})
    first, second, *bias = builder.find(call, "", roles)
    channels, multiplier = _depthwise_kernel(builder, call, value, first, rank)
    inner = _node(builder, call, value, (channels * multiplier, channels, rank), first, [])
    node = Conv(
        builder.name(f"{call.path.label}.pointwise"),
        (inner,),
        config.integer("filters"),
        (1,) * rank,
        builder.use(second),
        builder.use(bias[0]) if bias else None,
        layout="in_out",
    )
    return _activated(builder, call, Value(builder.add(node), not config.channels_first))


def transposed(builder: Builder, call: Call, value: Value) -> Value:
    """Conv1DTranspose and Conv2DTranspose: the gradient of a convolution, as in TensorFlow."""
    config, rank = call.config, _rank(call)
    roles = pick(call, {"kernel": True, "bias": config.flag("use_bias", True)})
    kernel, *bias = (builder.use(tensor) for tensor in builder.find(call, "", roles))
    size = config.sizes("kernel_size", rank)
    stride = config.sizes("strides", rank, 1)
    dilation = config.sizes("dilation_rate", rank, 1)
    same = _padding_word(call) == "same"
    extra = config.values.get("output_padding")
    extras = (None,) * rank if extra is None else config.integers("output_padding") * rank
    pads, ends = [], []
    for k, s, d, more in zip(size, stride, dilation, extras, strict=False):
        before, after = _grown_padding((k - 1) * d + 1, s, more, same=same)
        pads.append((before, max(after, 0)))
        ends.append(max(-after, 0))
    node = ConvTranspose(
        builder.name(call.path.label),
        (_image(builder, call, value),),
        config.integer("filters"),
        size,
        kernel,
        bias[0] if bias else None,
        stride,
        tuple(pads),
        dilation,
        tuple(ends),
        layout="in_out",
    )
    return _activated(builder, call, Value(builder.add(node), not config.channels_first))


def window_padding(
    call: Call, lengths: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]
) -> Pads:
    """(before, after) of every axis: none, what TensorFlow's `same` adds, or all in front."""
    word = _padding_word(call)
    if word == "valid":
        return ((0, 0),) * len(sizes)
    if word == "causal":
        return tuple((size - 1, 0) for size in sizes)
    pads = []
    for length, size, stride in zip(lengths, sizes, strides, strict=True):
        total = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def _grown_padding(size: int, stride: int, extra: int | None, *, same: bool) -> tuple[int, int]:
    """What a transposed convolution cuts off (before, after); negative: entries added.

    size: of the dilated kernel. TensorFlow cuts half of max(size - stride, 0) in front.
    """
    if not same:
        return 0, -(max(stride - size, 0) if extra is None else extra)
    padded = size + stride - 2 if extra is None else size + size % 2 - 2 + extra
    left = min(math.ceil(padded / 2), size - 1)
    return size - 1 - left, size - 1 - (padded - left)


def _padding_word(call: Call) -> str:
    word = call.config.word("padding", "valid")
    if word not in ("valid", "same", "causal"):
        raise call.config.fault("padding", "valid, same or causal")
    return word


def _rank(call: Call) -> int:
    return 1 if "1D" in call.config.class_name else 2


def _image(builder: Builder, call: Call, value: Value) -> str:
    """The node that holds the channels in front."""
    rank = _rank(call)
    shape = builder.shape(value)
    if len(shape) != rank + 1:
        raise unsupported(call, f"it takes rows of {rank + 1} axes, not {list(shape)}")
    return builder.native(value) if call.config.channels_first else builder.moved(value)


def _depthwise_kernel(
    builder: Builder, call: Call, value: Value, kernel: str, rank: int
) -> tuple[int, int]:
    """(channels, multiplier); the kernel (*k, in, multiplier) becomes (*k, 1, in * multiplier)."""
    channels = builder.shapes[_image(builder, call, value)][0]
    multiplier = call.config.integer("depth_multiplier", 1)
    stored = builder.tensors[kernel].shape
    size = call.config.sizes("kernel_size", rank)
    joined = (*size, 1, channels * multiplier)
    if stored not in ((*size, channels, multiplier), joined):
        raise unsupported(call, f"its kernel is {list(stored)}, not {list(size)} x {channels}")
    builder.reshaped(kernel, joined)
    return channels, multiplier


def _convolved(
    builder: Builder,
    call: Call,
    value: Value,
    sizes: tuple[int, int, int],
    kernel: str,
    bias: list[str],
) -> Value:
    """A convolution of (channels, groups, dimensions) and its activation."""
    node = _node(builder, call, value, sizes, kernel, bias)
    return _activated(builder, call, Value(node, not call.config.channels_first))


def _node(
    builder: Builder,
    call: Call,
    value: Value,
    sizes: tuple[int, int, int],
    kernel: str,
    bias: list[str],
) -> str:
    config, (channels, groups, rank) = call.config, sizes
    source = _image(builder, call, value)
    size = config.sizes("kernel_size", rank)
    stride = config.sizes("strides", rank, 1)
    dilation = config.sizes("dilation_rate", rank, 1)
    spread = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    padding = window_padding(call, builder.shapes[source][1:], spread, stride)
    return builder.add(
        Conv(
            builder.name(call.path.label),
            (source,),
            channels,
            size,
            kernel,
            bias[0] if bias else None,
            stride,
            padding,
            dilation,
            groups,
            "in_out",
        )
    )


def _activated(builder: Builder, call: Call, value: Value) -> Value:
    spelled = call.config.values.get("activation")
    return apply_named(builder, call, value, spelled, f"{call.path.label}.activation")
