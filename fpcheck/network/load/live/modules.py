"""PyTorch's modules as calls of its functions."""

from __future__ import annotations

from collections.abc import Callable

from fpcheck.network.load.live import activations as act
from fpcheck.network.load.live import layers
from fpcheck.network.load.live import structure as move
from fpcheck.network.load.live.emitter import Emitter, Traced
from fpcheck.network.load.onnx.values import UnsupportedError

Module = Callable[[Emitter, Traced, Traced], Traced]  # (emitter, the module, its input)


def _convolution(e: Emitter, m: Traced, x: Traced) -> Traced:
    if m.padding_mode != "zeros":
        raise UnsupportedError(f"it pads by mode '{m.padding_mode}'")
    return layers.convolution(e, x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)


def _transposed_convolution(e: Emitter, m: Traced, x: Traced) -> Traced:
    return layers.transposed_convolution(
        e, x, m.weight, m.bias, m.stride, m.padding, m.output_padding, m.groups, m.dilation
    )


def _batch_norm(e: Emitter, m: Traced, x: Traced) -> Traced:
    return layers.batch_norm(
        e, x, m.running_mean, m.running_var, m.weight, m.bias, training=m.training, eps=m.eps
    )


def _instance_norm(e: Emitter, m: Traced, x: Traced) -> Traced:
    live = m.training or not m.track_running_stats
    return layers.instance_norm(
        e, x, m.running_mean, m.running_var, m.weight, m.bias, use_input_stats=live, eps=m.eps
    )


def _max_pool(e: Emitter, m: Traced, x: Traced) -> Traced:
    return layers.max_pool(
        e, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    )


def _mean_pool(e: Emitter, m: Traced, x: Traced) -> Traced:
    divisor = getattr(m, "divisor_override", None)
    return layers.mean_pool(
        e, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, divisor
    )


def _adaptive(kind: str, dimensions: int) -> Module:
    pool = layers.adaptive_pool(kind, dimensions)
    return lambda e, m, x: pool(e, x, m.output_size, getattr(m, "return_indices", False))


def _plain(name: str) -> Module:
    function = act.ACTIVATIONS[name]
    return lambda e, m, x: function(e, x)


MODULES: dict[str, Module] = {
    "Identity": lambda e, m, x: x,
    "Dropout": lambda e, m, x: layers.dropout(e, x, m.p, m.training),
    "Dropout1d": lambda e, m, x: layers.dropout(e, x, m.p, m.training),
    "Dropout2d": lambda e, m, x: layers.dropout(e, x, m.p, m.training),
    "AlphaDropout": lambda e, m, x: layers.dropout(e, x, m.p, m.training),
    "Linear": lambda e, m, x: layers.linear(e, x, m.weight, m.bias),
    "NonDynamicallyQuantizableLinear": lambda e, m, x: layers.linear(e, x, m.weight, m.bias),
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "ConvTranspose1d": _transposed_convolution,
    "ConvTranspose2d": _transposed_convolution,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "SyncBatchNorm": _batch_norm,
    "InstanceNorm1d": _instance_norm,
    "InstanceNorm2d": _instance_norm,
    "LayerNorm": lambda e, m, x: layers.layer_norm(
        e, x, m.normalized_shape, m.weight, m.bias, m.eps
    ),
    "RMSNorm": lambda e, m, x: layers.rms_norm(e, x, m.normalized_shape, m.weight, m.eps),
    "GroupNorm": lambda e, m, x: layers.group_norm(e, x, m.num_groups, m.weight, m.bias, m.eps),
    "MaxPool1d": _max_pool,
    "MaxPool2d": _max_pool,
    "AvgPool1d": _mean_pool,
    "AvgPool2d": _mean_pool,
    "AdaptiveAvgPool1d": _adaptive("AveragePool", 1),
    "AdaptiveAvgPool2d": _adaptive("AveragePool", 2),
    "AdaptiveMaxPool1d": _adaptive("MaxPool", 1),
    "AdaptiveMaxPool2d": _adaptive("MaxPool", 2),
    "ZeroPad1d": lambda e, m, x: move.padded(e, x, m.padding),
    "ZeroPad2d": lambda e, m, x: move.padded(e, x, m.padding),
    "Flatten": lambda e, m, x: move.flattened(e, x, m.start_dim, m.end_dim),
    "Unflatten": lambda e, m, x: move.unflattened(e, x, m.dim, m.unflattened_size),
    "ReLU": _plain("relu"),
    "ReLU6": _plain("relu6"),
    "Tanh": _plain("tanh"),
    "Sigmoid": _plain("sigmoid"),
    "SELU": _plain("selu"),
    "SiLU": _plain("silu"),
    "Mish": _plain("mish"),
    "Softsign": _plain("softsign"),
    "LogSigmoid": _plain("logsigmoid"),
    "Hardswish": _plain("hardswish"),
    "Hardsigmoid": _plain("hardsigmoid"),
    "Tanhshrink": _plain("tanhshrink"),
    "LeakyReLU": lambda e, m, x: act.leaky_relu(e, x, m.negative_slope),
    "RReLU": lambda e, m, x: act.rrelu(e, x, m.lower, m.upper, m.training),
    "ELU": lambda e, m, x: act.elu(e, x, m.alpha),
    "CELU": lambda e, m, x: act.celu(e, x, m.alpha),
    "GELU": lambda e, m, x: act.gelu(e, x, m.approximate),
    "PReLU": lambda e, m, x: act.prelu(e, x, m.weight),
    "Softplus": lambda e, m, x: act.softplus(e, x, m.beta, m.threshold),
    "Softshrink": lambda e, m, x: act.softshrink(e, x, m.lambd),
    "Hardtanh": lambda e, m, x: act.hardtanh(e, x, m.min_val, m.max_val),
    "Threshold": lambda e, m, x: act.threshold(e, x, m.threshold, m.value),
    "GLU": lambda e, m, x: act.glu(e, x, m.dim),
    "Softmax": lambda e, m, x: act.softmax(e, x, m.dim),
    "Softmax2d": lambda e, m, x: act.softmax(e, x, 1),
}
