"""Operators with weights: Gemm, MatMul, Conv, ConvTranspose."""

from __future__ import annotations

import numpy as np

from fpcheck.network.load.naming import read_name
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
    integer,
    integers,
    number,
    rows,
)
from fpcheck.network.load.onnx.windows import check_growth, check_padding, paddings
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, Layout, MatMul, Transpose


def layer_name(op: Op, weight: Constant, builder: Builder) -> str:
    """What a layer is called: as its weights are, where their name says so, else as its node."""
    named = read_name(weight.name)
    known = named.role == "weight" and named.layer and named.layer != weight.name
    return builder.name(named.layer if known else op.label)


def gemm(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """alpha A B + beta C with a constant matrix B."""
    x = rows(given(arguments, 0))
    weight = constant(given(arguments, 1), "its matrix B")
    if integer(op, "transA", 0):
        raise UnsupportedError("it transposes its input")
    if len(x.shape) != 1 or weight.array.ndim != 2:
        raise UnsupportedError("its input or its matrix has no two axes")
    swapped = bool(integer(op, "transB", 0))
    bias = given(arguments, 2)
    alpha, beta = number(op, "alpha", 1.0), number(op, "beta", 1.0)
    if alpha != 1.0:
        weight = Constant(_times(weight, alpha), weight.name, weight.transposed)
    units = weight.array.shape[0 if swapped else 1]
    shift = None
    if bias is not None:
        known = constant(bias, "its bias C")
        array = known.array if beta == 1.0 else _times(known, beta)
        shift = _bias(Constant(array, known.name), units)
    return [_dense(op, x, weight, builder, shift, out_in=swapped)]


def matmul(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The product of two values, or of a value and a constant matrix on either side."""
    left, right = given(arguments, 0), given(arguments, 1)
    if isinstance(left, Rows) and isinstance(right, Rows):
        left, right = rows(left), rows(right)
        return [builder.add(MatMul(builder.name(op.label), (left.node, right.node)))]
    if isinstance(left, Rows):
        weight = _matrix(constant(right, "its matrix"), left)
        if left.batch == left.rank - 1:
            raise UnsupportedError("it multiplies along the batch axis")
        return [_dense(op, left, weight, builder, None, out_in=False)]
    x = rows(right)
    weight = _matrix(constant(left, "its matrix"), x)
    rank = len(x.shape)
    if rank < 2:
        raise UnsupportedError("it multiplies along the batch axis")
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = builder.add(Transpose(builder.name(f"{op.label}.in"), (x.node,), order))
    product = _dense(op, turned, weight, builder, None, out_in=True)
    return [builder.add(Transpose(builder.name(f"{op.label}.out"), (product.node,), order))]


def conv(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """A convolution in one or two dimensions with constant weights."""
    x, weight, kernel = _windowed(op, arguments)
    channels = weight.array.shape[0]
    bias = _convolution_bias(arguments, channels)
    stride, dilation = _per_axis(op, "strides", kernel), _per_axis(op, "dilations", kernel)
    padding = paddings(op, x, kernel, stride, dilation)
    if x.padding:
        padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(padding, x.padding, strict=True))
    check_padding(Rows(x.node, builder.shapes[x.node]), padding)
    node = Conv(
        name=layer_name(op, weight, builder),
        inputs=(x.node,),
        channels=channels,
        kernel=kernel,
        weight=builder.parameter(weight),
        bias=None if bias is None else builder.parameter(bias),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=integer(op, "group", 1),
    )
    out = builder.add(node)
    expected = (channels, builder.shapes[x.node][0] // node.groups, *kernel)
    _check_weight(weight, expected)
    return [out]


def conv_transpose(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """A transposed convolution in one or two dimensions with constant weights."""
    x, weight, kernel = _windowed(op, arguments)
    if x.padding:
        raise UnsupportedError("its input is padded")
    groups = integer(op, "group", 1)
    channels = weight.array.shape[1] * groups
    bias = _convolution_bias(arguments, channels)
    stride, dilation = _per_axis(op, "strides", kernel), _per_axis(op, "dilations", kernel)
    extra = integers(op, "output_padding") or (0,) * len(kernel)
    if len(extra) != len(kernel) or min(extra) < 0:
        raise UnsupportedError(f"its output_padding is {list(extra)}")
    padding, extra = _fitted(op, x, kernel, stride, dilation, extra)
    node = ConvTranspose(
        name=layer_name(op, weight, builder),
        inputs=(x.node,),
        channels=channels,
        kernel=kernel,
        weight=builder.parameter(weight),
        bias=None if bias is None else builder.parameter(bias),
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=extra,
        groups=groups,
    )
    out = builder.add(node)
    _check_weight(weight, (x.shape[0], weight.array.shape[1], *kernel))
    uncut = (n + sum(pair) for n, pair in zip(out.shape[1:], padding, strict=True))
    check_growth(out.shape, (channels, *uncut))
    return [out]


def _fitted(
    op: Op,
    x: Rows,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    extra: tuple[int, ...],
) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What a transposed convolution cuts off and what it adds at the end, from pads and
    output_padding, auto_pad or output_shape."""
    wanted = integers(op, "output_shape")
    mode = str(op.attributes.get("auto_pad", "NOTSET"))
    if wanted is None and mode not in ("SAME_UPPER", "SAME_LOWER"):
        return paddings(op, x, kernel, stride, dilation), extra
    sizes = wanted or tuple(n * s for n, s in zip(x.shape[1:], stride, strict=True))
    pairs, added = [], []
    for n, s, k, d, e, size in zip(
        x.shape[1:], stride, kernel, dilation, extra, sizes, strict=True
    ):
        over = (n - 1) * s + e + (k - 1) * d + 1 - size
        if wanted and over <= -s:
            raise UnsupportedError(f"its output_shape {list(wanted)} is not that of its input")
        total = max(0, over)
        half = total // 2
        pairs.append((half, total - half) if mode == "SAME_UPPER" else (total - half, half))
        added.append(e + max(0, -over) if wanted else e)
    return tuple(pairs), tuple(added)


def _dense(
    op: Op, x: Rows, weight: Constant, builder: Builder, bias: Constant | None, *, out_in: bool
) -> Rows:
    """A Dense node; a matrix that the graph transposes is kept as the file stores it."""
    if weight.transposed:
        weight, out_in = Constant(weight.array.T, weight.name), not out_in
    rank = weight.array.shape
    if weight.array.dtype.kind != "f":
        raise UnsupportedError("its matrix holds no real numbers")
    if rank[1 if out_in else 0] != x.shape[-1]:
        raise UnsupportedError(f"its matrix {list(rank)} does not fit {list(x.shape)}")
    layout: Layout = "out_in" if out_in else "in_out"
    node = Dense(
        name=layer_name(op, weight, builder),
        inputs=(x.node,),
        units=rank[0 if out_in else 1],
        weight=builder.parameter(weight),
        bias=None if bias is None else builder.parameter(bias),
        layout=layout,
    )
    return builder.add(node, x.batch)


def _matrix(weight: Constant, value: Rows) -> Constant:
    """The constant that multiplies `value` as a matrix; leading axes of size 1 are dropped."""
    array = weight.array
    if array.ndim > value.rank:
        raise UnsupportedError(f"its constant factor {list(array.shape)} adds axes to its input")
    if array.ndim > 2 and set(array.shape[:-2]) == {1}:
        return Constant(array.reshape(array.shape[-2:]), weight.name)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise UnsupportedError(f"its constant factor has the shape {list(array.shape)}")
    return weight


def _bias(bias: Constant, units: int) -> Constant:
    """A bias of one number a unit."""
    array = bias.array
    if array.dtype.kind != "f":
        raise UnsupportedError("its bias holds no real numbers")
    if array.size == 1:
        return Constant(np.full(units, array.reshape(-1)[0]), bias.name)
    if array.size != units or array.shape[-1] != units:
        raise UnsupportedError(f"its bias {list(array.shape)} is not one number for each unit")
    return Constant(array.reshape(units), bias.name)


def _times(known: Constant, factor: float) -> Tensor:
    return np.asarray(np.multiply(known.array, factor)).astype(known.array.dtype)


def _windowed(op: Op, arguments: Arguments) -> tuple[Rows, Constant, tuple[int, ...]]:
    x = rows(given(arguments, 0))
    weight = constant(given(arguments, 1), "its weight")
    dimensions = len(x.shape) - 1
    if dimensions not in (1, 2):
        raise UnsupportedError(f"it has {dimensions} spatial dimensions; 1 and 2 are supported")
    kernel = weight.array.shape[2:]
    if (
        weight.array.ndim != dimensions + 2
        or 0 in weight.array.shape
        or (weight.array.dtype.kind != "f")
    ):
        raise UnsupportedError(f"its weight {list(weight.array.shape)} does not fit its input")
    if (integers(op, "kernel_shape") or kernel) != kernel:
        raise UnsupportedError(f"its weight {list(weight.array.shape)} is not of its kernel_shape")
    if integer(op, "group", 1) < 1:
        raise UnsupportedError("it has no groups")
    return x, weight, kernel


def _check_weight(weight: Constant, expected: tuple[int, ...]) -> None:
    if weight.array.shape != expected:
        raise UnsupportedError(
            f"its weight is {list(weight.array.shape)}, its input needs {list(expected)}"
        )


def _convolution_bias(arguments: Arguments, channels: int) -> Constant | None:
    value = given(arguments, 2)
    return None if value is None else _bias(constant(value, "its bias"), channels)


def _per_axis(op: Op, name: str, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """An attribute with one positive number a dimension, ones where it is left out."""
    values = integers(op, name) or (1,) * len(kernel)
    if len(values) != len(kernel) or min(values) < 1:
        raise UnsupportedError(f"its {name} are {list(values)}")
    return values
