"""One layer's entry as a node of the skeleton, and the tensors that it names in a file."""

from __future__ import annotations

import re
from typing import Literal, cast

from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    Shape,
)
from fpcheck.network.spec.entries import (
    Entry,
    choice,
    flag,
    pads,
    positive,
    sizes,
    text,
    whole,
)

LATER_NORMS = ("rms", "group")

# How the name of a bias follows from its weight's, by the habit that the weight's name shows.
_BIAS_NAMES = (
    (re.compile(r"(^|[./])weight$"), r"\1bias"),
    (re.compile(r"(^|[./])kernel(:0)?$"), r"\1bias\2"),
    (re.compile(r"(^|[./])W$"), r"\1b"),
    (re.compile(r"(^|[./])W(\d+)$"), r"\1b\2"),
    (re.compile(r"coefs_\.?(\d+)$"), r"intercepts_\1"),
)


def layer_node(entry: Entry, name: str, source: str, shape: Shape, biased: bool) -> Node:
    """The node of `entry`, called `name`, behind the node `source` of the given shape.

    biased: whether a dense or convolutional layer has a bias.

    Raises:
        SpecError: a value of the wrong type, or a padding that the window does not allow.
    """
    inputs = (source,)
    bias = f"{name}.bias" if biased else None
    if entry.kind == "dense":
        return Dense(name, inputs, whole(entry, "dense"), f"{name}.weight", bias)
    if entry.kind in ("conv1d", "conv2d"):
        return _conv(entry, name, inputs, shape, bias)
    if entry.kind == "pool":
        return _pool(entry, name, inputs, shape)
    if entry.kind == "norm":
        return _norm(entry, name, inputs)
    if entry.kind == "reshape":
        return Reshape(name, inputs, _target(entry))
    if not flag(entry, "flatten", True):
        raise entry.wrong("flatten", "true; without it leave the entry out")
    return Flatten(name, inputs)


def file_names(entry: Entry, node: Node) -> dict[str, str]:
    """The tensors' names in a file by the parameters' names, as far as the entry gives them.

    The bias of a named weight is derived by the weight's habit: `x.weight` and `x.bias`.
    """
    names: dict[str, str] = {}
    weight = text(entry, "tensor")
    bias = text(entry, "bias_tensor")
    if isinstance(node, Dense | Conv | BatchNorm | LayerNorm):
        for own, given, key in (
            (node.weight, weight, "tensor"),
            (node.bias, bias or _bias_of(weight), "bias_tensor"),
        ):
            if own is None and key in entry.table:
                what = "weight" if key == "tensor" else "bias"
                raise entry.error(key, f"'{key}' names a tensor, but the layer has no {what}")
            if own is not None and given is not None:
                names[own] = given
    if isinstance(node, BatchNorm):
        stem = re.sub(r"weight$", "", weight) if weight and weight.endswith("weight") else None
        for own, key, habit in (
            (node.mean, "mean_tensor", "running_mean"),
            (node.variance, "variance_tensor", "running_var"),
        ):
            given = text(entry, key) or (stem + habit if stem is not None else None)
            if given is not None:
                names[own] = given
    return names


def _bias_of(weight: str | None) -> str | None:
    for pattern, replacement in _BIAS_NAMES:
        if weight is not None and pattern.search(weight):
            return pattern.sub(replacement, weight)
    return None


def _conv(entry: Entry, name: str, inputs: tuple[str, ...], shape: Shape, bias: str | None) -> Conv:
    dimensions = int(entry.kind[4])
    kernel = sizes(entry, "kernel", dimensions, None)
    stride = sizes(entry, "stride", dimensions, 1)
    dilation = sizes(entry, "dilation", dimensions, 1)
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    return Conv(
        name,
        inputs,
        whole(entry, entry.kind),
        kernel,
        f"{name}.weight",
        bias,
        stride=stride,
        padding=_padding(entry, reach, stride, shape),
        dilation=dilation,
        groups=whole(entry, "groups", 1),
    )


def _pool(entry: Entry, name: str, inputs: tuple[str, ...], shape: Shape) -> Pool:
    kind = cast(Literal["max", "mean"], choice(entry, "pool", ("max", "mean")))
    if len(shape) < 2:
        raise entry.error(
            "",
            f"layer '{name}' pools [channels, length, ...], got {list(shape)}",
            f"put {{ reshape = [1, {shape[0]}] }} before it" if shape else "",
        )
    dimensions = len(shape) - 1
    size = sizes(entry, "size", dimensions, None)
    stride = sizes(entry, "stride", dimensions, None) if "stride" in entry.table else size
    padding = _padding(entry, size, stride, shape)
    if any(2 * max(pair) > window for pair, window in zip(padding, size, strict=True)):
        # A window that saw padding alone would give -inf or 0 whatever the input is.
        raise entry.error("padding", "the padding of a pool is at most half its size")
    return Pool(name, inputs, kind, size, stride, padding)


def _norm(entry: Entry, name: str, inputs: tuple[str, ...]) -> BatchNorm | LayerNorm:
    kind = choice(entry, "norm", ("batch", "layer"), LATER_NORMS)
    epsilon = positive(entry, "epsilon", 1e-5)
    affine = flag(entry, "affine", True)
    weight, bias = (f"{name}.weight", f"{name}.bias") if affine else (None, None)
    if kind == "layer":
        for key in ("mean_tensor", "variance_tensor"):
            if key in entry.table:
                raise entry.error(key, f"a layer norm has no '{key}'", 'norm = "batch" has')
        axes = whole(entry, "axes", 0, least=0)
        return LayerNorm(name, inputs, weight, bias, epsilon, axes)
    if "axes" in entry.table:
        raise entry.error("axes", "a batch norm has no 'axes'", 'norm = "layer" has')
    return BatchNorm(name, inputs, f"{name}.mean", f"{name}.variance", weight, bias, epsilon)


def _target(entry: Entry) -> Shape:
    value = entry.table.get("reshape")
    if value is None:
        raise entry.error("", f"reshape needs '{entry.key('reshape')}'", "such as shape = [4, -1]")
    if isinstance(value, list) and value and all(type(n) is int and n != 0 for n in value):
        return tuple(value)
    raise entry.wrong("reshape", "a list of sizes, one of which may be -1")


def _padding(
    entry: Entry, reach: tuple[int, ...], stride: tuple[int, ...], shape: Shape
) -> tuple[tuple[int, int], ...]:
    """The (before, after) pairs; reach: the entries that a window spans, dilation counted.

    "same" gives ceil(length / stride) places; an odd total has its extra entry behind, which is
    what PyTorch (stride 1) and Keras do.
    """
    dimensions = len(reach)
    given = pads(entry, dimensions)
    if not isinstance(given, str):
        return given
    if given == "valid" or len(shape) != dimensions + 1:  # a shape that does not fit fails later
        return ((0, 0),) * dimensions
    pairs = []
    for length, span, step in zip(shape[1:], reach, stride, strict=True):
        total = max((-(-length // step) - 1) * step + span - length, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)
