"""Keras's layer classes, and how each becomes nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fpcheck.network.load.keras import merging, norms, reshaping
from fpcheck.network.load.keras.activations import LAYERS as ACTIVATION_LAYERS
from fpcheck.network.load.keras.activations import apply_named, prelu
from fpcheck.network.load.keras.attention import multi_head_attention
from fpcheck.network.load.keras.builder import Builder, Value, unsupported
from fpcheck.network.load.keras.config import IDENTITY
from fpcheck.network.load.keras.convolutions import (
    convolution,
    dense,
    depthwise,
    separable,
    transposed,
)
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.load.keras.recurrent import RECURRENT

Single: TypeAlias = Callable[[Builder, Call, Value], Value]
Several: TypeAlias = Callable[[Builder, Call, list[Value]], Value]

SINGLE: dict[str, Single] = {
    "Dense": dense,
    "Conv1D": convolution,
    "Conv2D": convolution,
    "Convolution1D": convolution,
    "Convolution2D": convolution,
    "DepthwiseConv1D": depthwise,
    "DepthwiseConv2D": depthwise,
    "SeparableConv1D": separable,
    "SeparableConv2D": separable,
    "Conv1DTranspose": transposed,
    "Conv2DTranspose": transposed,
    "BatchNormalization": norms.batch_norm,
    "LayerNormalization": norms.layer_norm,
    "GroupNormalization": norms.group_norm,
    "RMSNormalization": norms.rms_norm,
    "Normalization": norms.normalization,
    "Rescaling": norms.rescaling,
    "LayerScale": norms.layer_scale,
    "PReLU": prelu,
    "MaxPooling1D": reshaping.pool,
    "MaxPooling2D": reshaping.pool,
    "AveragePooling1D": reshaping.pool,
    "AveragePooling2D": reshaping.pool,
    "GlobalMaxPooling1D": reshaping.global_pool,
    "GlobalMaxPooling2D": reshaping.global_pool,
    "GlobalAveragePooling1D": reshaping.global_pool,
    "GlobalAveragePooling2D": reshaping.global_pool,
    "Flatten": reshaping.flatten,
    "Reshape": reshaping.reshape,
    "Permute": reshaping.permute,
    "RepeatVector": reshaping.repeat_vector,
    "ZeroPadding1D": reshaping.zero_padding,
    "ZeroPadding2D": reshaping.zero_padding,
    "Cropping1D": reshaping.cropping,
    "Cropping2D": reshaping.cropping,
    "UpSampling1D": reshaping.upsampling,
    "UpSampling2D": reshaping.upsampling,
}
SEVERAL: dict[str, Several] = {
    "Add": merging.add,
    "Subtract": merging.subtract,
    "Multiply": merging.multiply,
    "Average": merging.average,
    "Maximum": merging.maximum,
    "Minimum": merging.maximum,
    "Concatenate": merging.concatenate,
    "CustomScaleLayer": merging.scaled_sum,
}


def convert(builder: Builder, call: Call, given: dict[int, Value]) -> Value:
    """The value of a call, its nodes appended. given: the values of earlier calls.

    Raises:
        UnsupportedOperationError: the layer cannot be expressed; it is named.
        ModelFileError: a setting or a tensor is wrong.
        SpecError: shapes do not fit.
    """
    kind = call.config.class_name
    _refuse_code(call)
    if builder.keras2 and call.keywords.get("training") is True:  # Keras 3 can still switch it off
        raise unsupported(call, "it is called in training mode")
    values = [given[place] for place in call.inputs]
    if _is_operation(call):
        return merging.operation(builder, call, values)
    if kind == "MultiHeadAttention":
        return multi_head_attention(builder, call, given)
    if any("mask" in word and item is not None for word, item in call.keywords.items()):
        raise unsupported(call, "a mask that is computed is not supported")
    if kind in SEVERAL:
        return SEVERAL[kind](builder, call, values)
    if len(values) != 1:
        raise unsupported(call, f"it takes {len(values)} inputs, which is not supported")
    (value,) = values
    if kind in IDENTITY:
        return value
    if kind in SINGLE:
        return SINGLE[kind](builder, call, value)
    if kind == "Activation":
        spelled = call.config.values.get("activation")
        return apply_named(builder, call, value, spelled, builder.name(call.path.label))
    if kind in ACTIVATION_LAYERS:
        name = builder.name(call.path.label)
        return ACTIVATION_LAYERS[kind](builder, call, value, call.config, name)
    if kind in RECURRENT:
        raise unsupported(call, "a recurrent layer is a map of its state, not of its input")
    raise unsupported(call, "this layer is not supported")


def _is_operation(call: Call) -> bool:
    """Whether the call is an operation of keras.ops, whose module `.h5` files leave out."""
    if call.module:
        return ".ops." in call.module
    numbers = any(isinstance(item, int | float) for item in call.arguments)
    return numbers or call.config.class_name in merging.OPERATIONS


def _refuse_code(call: Call) -> None:
    if call.config.class_name == "Lambda":
        raise unsupported(call, "it holds Python code, which is never run")
    if call.module and call.module.split(".")[0] != "keras":
        raise unsupported(call, f"it is a class of '{call.module}', which is never imported")
