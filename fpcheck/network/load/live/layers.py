"""PyTorch's layers with weights, its norms and windows, as functions with its own signatures."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.network.load.live.emitter import Emitter, Handler, Traced, real, rows_of
from fpcheck.network.load.onnx.values import Constant, Rows, UnsupportedError
from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, RMSNorm

Sizes = int | Sequence[int]
AUTO_PAD = {"same": "SAME_UPPER", "valid": "VALID"}


def linear(e: Emitter, x: Traced, weight: Traced, bias: Traced = None) -> Rows:
    """x W^T + b over the last axis."""
    matrix = e.value(weight)
    if not isinstance(matrix, Constant):
        raise UnsupportedError("its matrix depends on the input")
    turned = Constant(matrix.array.T, matrix.name, transposed=True)
    product = e.emit("MatMul", x, turned)
    return product if bias is None else e.emit("Add", product, bias, suffix=".bias")


def convolution(
    e: Emitter,
    x: Traced,
    weight: Traced,
    bias: Traced = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Rows:
    """A convolution in one or two dimensions."""
    n = weight.dim() - 2
    return e.emit(
        "Conv",
        rows_of(x),
        weight,
        bias,
        strides=_each(stride, n),
        dilations=_each(dilation, n),
        group=int(groups),
        auto_pad=AUTO_PAD[padding] if isinstance(padding, str) else "NOTSET",
        pads=(0,) * (2 * n) if isinstance(padding, str) else _each(padding, n) * 2,
    )


def transposed_convolution(
    e: Emitter,
    x: Traced,
    weight: Traced,
    bias: Traced = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Rows:
    """A transposed convolution in one or two dimensions."""
    n = weight.dim() - 2
    return e.emit(
        "ConvTranspose",
        rows_of(x),
        weight,
        bias,
        strides=_each(stride, n),
        dilations=_each(dilation, n),
        pads=_each(padding, n) * 2,
        output_padding=_each(output_padding, n),
        group=int(groups),
    )


def max_pool(
    e: Emitter,
    x: Traced,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Rows:
    """Max pooling."""
    if return_indices:
        raise UnsupportedError("it returns indices")
    value = rows_of(x)
    n = value.rank - 2
    return e.emit(
        "MaxPool",
        value,
        kernel_shape=_each(kernel_size, n),
        strides=_strides(stride, kernel_size, n),
        pads=_each(padding, n) * 2,
        dilations=_each(dilation, n),
        ceil_mode=int(ceil_mode),
    )


def mean_pool(
    e: Emitter,
    x: Traced,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Rows:
    """Mean pooling."""
    if divisor_override is not None:
        raise UnsupportedError("it overrides the divisor")
    value = rows_of(x)
    n = value.rank - 2
    return e.emit(
        "AveragePool",
        value,
        kernel_shape=_each(kernel_size, n),
        strides=_strides(stride, kernel_size, n),
        pads=_each(padding, n) * 2,
        ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad),
    )


def adaptive_pool(kind: str, dimensions: int) -> Handler:
    """Pooling to a stated size, where it divides the size that there is."""

    def handler(e: Emitter, x: Traced, output_size: Traced, return_indices: bool = False) -> Rows:
        value = rows_of(x)
        if return_indices or value.rank != dimensions + 2:
            raise UnsupportedError(f"it pools shape {list(value.shape)}, or returns indices")
        stated = output_size if isinstance(output_size, Sequence) else (output_size,) * dimensions
        sizes = value.shape[1:]
        wanted = tuple(n if w is None else int(w) for n, w in zip(sizes, stated, strict=True))
        if any(w < 1 or n % w for n, w in zip(sizes, wanted, strict=True)):
            raise UnsupportedError(f"{list(wanted)} does not divide {list(sizes)}")
        window = tuple(n // w for n, w in zip(sizes, wanted, strict=True))
        return e.emit(kind, value, kernel_shape=window, strides=window)

    return handler


def batch_norm(
    e: Emitter,
    x: Traced,
    running_mean: Traced,
    running_var: Traced,
    weight: Traced = None,
    bias: Traced = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Rows:
    """Batch normalisation by its running statistics."""
    value = rows_of(x)
    mean, variance = e.parameter(running_mean), e.parameter(running_var)
    if training or mean is None or variance is None:
        raise UnsupportedError("it normalises by the rows of a batch")
    names = (e.parameter(weight), e.parameter(bias))
    return e.add(BatchNorm(e.name(), (value.node,), mean, variance, *names, float(eps)), value)


def layer_norm(
    e: Emitter,
    x: Traced,
    normalized_shape: Sizes,
    weight: Traced = None,
    bias: Traced = None,
    eps: float = 1e-5,
) -> Rows:
    """Layer normalisation over the last axes."""
    value, axes = _trailing(x, normalized_shape)
    names = (e.parameter(weight), e.parameter(bias))
    return e.add(LayerNorm(e.name(), (value.node,), *names, float(eps), axes), value)


def rms_norm(
    e: Emitter,
    x: Traced,
    normalized_shape: Sizes,
    weight: Traced = None,
    eps: float | None = None,
) -> Rows:
    """Root-mean-square normalisation over the last axes; by default epsilon is that of the type in
    which PyTorch computes, float64 or else float32."""
    value, axes = _trailing(x, normalized_shape)
    double = str(getattr(weight, "dtype", "")) == "torch.float64"
    epsilon = (FLOAT64_EPSILON if double else FLOAT32_EPSILON) if eps is None else float(eps)
    node = RMSNorm(e.name(), (value.node,), e.parameter(weight), epsilon, axes)
    return e.add(node, value)


FLOAT32_EPSILON, FLOAT64_EPSILON = 2.0**-23, 2.0**-52


def group_norm(
    e: Emitter,
    x: Traced,
    num_groups: int,
    weight: Traced = None,
    bias: Traced = None,
    eps: float = 1e-5,
) -> Rows:
    """Normalisation over groups of channels."""
    value = rows_of(x)
    names = (e.parameter(weight), e.parameter(bias))
    return e.add(GroupNorm(e.name(), (value.node,), int(num_groups), *names, float(eps)), value)


def instance_norm(
    e: Emitter,
    x: Traced,
    running_mean: Traced = None,
    running_var: Traced = None,
    weight: Traced = None,
    bias: Traced = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Rows:
    """Every channel by itself, or by running statistics where they are kept."""
    value = rows_of(x)
    if not use_input_stats:
        return batch_norm(e, value, running_mean, running_var, weight, bias, eps=eps)
    return group_norm(e, value, value.shape[0], weight, bias, eps)


def dropout(e: Emitter, x: Traced, p: float = 0.5, training: bool = True, *_: object) -> Traced:
    """The value itself outside of training."""
    if training and real(p, "its probability") > 0:
        raise UnsupportedError("it drops at random in evaluation mode too")
    return x


def stochastic_depth(e: Emitter, x: Traced, p: float, mode: str, training: bool = True) -> Traced:
    """torchvision's dropping of whole branches: nothing at inference."""
    return dropout(e, x, p, training)


def _each(value: Sizes, dimensions: int) -> tuple[int, ...]:
    """One number a dimension."""
    if isinstance(value, Sequence):
        sizes = tuple(int(n) for n in value)
        return sizes * dimensions if len(sizes) == 1 else sizes
    return (int(value),) * dimensions


def _strides(stride: Sizes | None, kernel: Sizes, dimensions: int) -> tuple[int, ...]:
    """The strides; without any, windows lie side by side."""
    empty = stride is None or (isinstance(stride, Sequence) and not stride)
    return _each(kernel if empty or stride is None else stride, dimensions)


def _trailing(x: Traced, shape: Sizes) -> tuple[Rows, int]:
    """(rows, the number of last axes that `shape` names)."""
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    # The batch may be any axis before those.
    value = x if isinstance(x, Rows) and 0 < x.batch < x.rank - len(sizes) else rows_of(x)
    if value.shape[len(value.shape) - len(sizes) :] != sizes:
        raise UnsupportedError(f"it normalises {list(sizes)} of {list(value.shape)}")
    return value, len(sizes)


LAYERS: dict[str, Handler] = {
    "linear": linear,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv_transpose1d": transposed_convolution,
    "conv_transpose2d": transposed_convolution,
    "max_pool1d": max_pool,
    "max_pool2d": max_pool,
    "avg_pool1d": mean_pool,
    "avg_pool2d": mean_pool,
    "adaptive_avg_pool1d": adaptive_pool("AveragePool", 1),
    "adaptive_avg_pool2d": adaptive_pool("AveragePool", 2),
    "adaptive_max_pool1d": adaptive_pool("MaxPool", 1),
    "adaptive_max_pool2d": adaptive_pool("MaxPool", 2),
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "dropout": dropout,
    "dropout1d": dropout,
    "dropout2d": dropout,
    "alpha_dropout": dropout,
    "stochastic_depth": stochastic_depth,
    "feature_alpha_dropout": dropout,
}
