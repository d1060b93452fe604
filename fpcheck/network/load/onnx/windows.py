"""Windows: pads and auto_pad, pooling, global pooling."""

from __future__ import annotations

import math
from typing import Literal

from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Rows,
    UnsupportedError,
    Value,
    given,
    integer,
    integers,
    rows,
    word,
)
from fpcheck.network.skeleton import Pool, Shape

Pairs = tuple[tuple[int, int], ...]


def paddings(
    op: Op, x: Rows, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Pairs:
    """The (before, after) pairs that `pads` or `auto_pad` mean."""
    mode = word(op, "auto_pad", "NOTSET") or "NOTSET"
    if mode == "VALID":
        return ((0, 0),) * len(kernel)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = []
        for n, k, s, d in zip(x.shape[1:], kernel, stride, dilation, strict=True):
            total = (math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n
            if total < -1 and "Pool" in op.type:  # runtimes differ on where the windows lie then
                raise UnsupportedError("its windows leave out entries at both ends")
            total = max(0, total)
            half = total // 2
            pairs.append((half, total - half) if mode == "SAME_UPPER" else (total - half, half))
        return tuple(pairs)
    if mode != "NOTSET":
        raise UnsupportedError(f"its auto_pad is '{mode}'")
    flat = integers(op, "pads") or (0,) * (2 * len(kernel))
    if len(flat) != 2 * len(kernel) or min(flat) < 0:
        raise UnsupportedError(f"its pads are {list(flat)}")
    return tuple(zip(flat[: len(kernel)], flat[len(kernel) :], strict=True))


def check_padding(x: Rows, pairs: Pairs) -> None:
    """Refuse padding that is out of proportion to what is padded: nobody accounts for its memory.

    Raises:
        UnsupportedError: as `check_growth`.
    """
    channels, *lengths = x.shape
    check_growth(x.shape, (channels, *(n + sum(p) for n, p in zip(lengths, pairs, strict=True))))


def check_growth(shape: Shape, grown: Shape) -> None:
    """Refuse work on an array `grown` that is out of proportion to the `shape` that it is for.

    Raises:
        UnsupportedError: it has more than 16 times the entries, and more than a million.
    """
    if math.prod(grown) > 2**20 + 16 * math.prod(shape):
        raise UnsupportedError("its padding is out of proportion to its input")


def max_pool(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Max pooling."""
    return [_pool(op, arguments, builder, "max")]


def average_pool(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Mean pooling."""
    return [_pool(op, arguments, builder, "mean")]


def _pool(op: Op, arguments: Arguments, builder: Builder, kind: Literal["max", "mean"]) -> Rows:
    x = rows(given(arguments, 0))
    size = integers(op, "kernel_shape") or ()
    if not size or len(size) != len(x.shape) - 1 or min(size) < 1 or len(size) > 2:
        raise UnsupportedError(f"its windows {list(size)} do not fit {list(x.shape)}")
    ones = (1,) * len(size)
    stride = integers(op, "strides") or ones
    if len(stride) != len(size) or min(stride) < 1:
        raise UnsupportedError(f"its strides are {list(stride)}")
    if (integers(op, "dilations") or ones) != ones:
        raise UnsupportedError("its windows are dilated")
    if integer(op, "storage_order", 0):
        raise UnsupportedError("its storage_order is not 0")
    counted = bool(integer(op, "count_include_pad", 0))
    padding = paddings(op, x, size, stride, ones)
    if x.padding:
        # Zeros that a Pad put there count in a mean; for a maximum they are no -inf.
        if kind == "max" or (any(map(any, padding)) and not counted):
            raise UnsupportedError("its input is padded with zeros")
        counted = True
    if integer(op, "ceil_mode", 0):
        grown = _ceiled(x.shape[1:], size, stride, padding)
        if grown != padding and kind == "mean" and counted:
            raise UnsupportedError("it counts padding under ceil_mode")
        padding = grown
    if x.padding:
        padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(padding, x.padding, strict=True))
    check_padding(Rows(x.node, builder.shapes[x.node]), padding)
    if any(max(pair) >= k for pair, k in zip(padding, size, strict=True)) and kind == "max":
        raise UnsupportedError("its padding is as wide as its windows")
    node = Pool(builder.name(op.label), (x.node,), kind, size, stride, padding, counted)
    return builder.add(node)


def _ceiled(
    lengths: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...], padding: Pairs
) -> Pairs:
    """The padding that makes room for the last, incomplete window of ceil_mode."""
    pairs = []
    for n, k, s, (before, after) in zip(lengths, size, stride, padding, strict=True):
        count = math.ceil((n + before + after - k) / s) + 1
        if (count - 1) * s >= n + before:  # a window has to start inside the input
            count -= 1
        pairs.append((before, max(after, (count - 1) * s + k - n - before)))
    return tuple(pairs)


def global_max_pool(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The largest value of every channel."""
    return [_global(op, arguments, builder, "max")]


def global_average_pool(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The mean of every channel."""
    return [_global(op, arguments, builder, "mean")]


def _global(op: Op, arguments: Arguments, builder: Builder, kind: Literal["max", "mean"]) -> Rows:
    x = rows(given(arguments, 0))
    if len(x.shape) not in (2, 3):
        raise UnsupportedError(f"it pools shape {list(x.shape)}")
    return builder.add(Pool(builder.name(op.label), (x.node,), kind, x.shape[1:]))
