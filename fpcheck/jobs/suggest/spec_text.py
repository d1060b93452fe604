"""The suggestion as a spec: the whole network with its laws, or the laws alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from fpcheck import __version__
from fpcheck.jobs.suggest.code import commented, number
from fpcheck.jobs.suggest.result import SuggestedLayer
from fpcheck.network.activations import ActivationFunction, parse_activation
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    Skeleton,
)

Fields = tuple[tuple[str, str], ...]  # keys and values of one entry, the values written as TOML


def spec_text(
    model: str,
    skeleton: Skeleton,
    scales: Mapping[str, SuggestedLayer],
    inputs: Fields,
    *,
    orthogonal: bool,
) -> str:
    """A spec that draws the suggested initialisation, as TOML.

    Where a layer has no place in the grammar, only the layers' laws are given, as comments.
    inputs: the keys of [inputs], if a law of inputs is stated.
    """
    head = f"# The initialisation that fpcheck {__version__} suggests for {commented(model)}.\n"
    entries = []
    for node in skeleton.nodes[1:]:
        entry = _entry(node, scales, orthogonal)
        if entry is None:
            return head + _laws_alone(node, scales, orthogonal)
        entries.append((node, entry))
    first = skeleton.nodes[0].name
    shape = list(skeleton.input_shape)
    size = str(shape[0]) if len(shape) == 1 else str(shape)
    lines = [head + "[network]", f"input = {size}"]
    if _is_chain(skeleton):
        lines += ["layers = [", *_chain(entries), "]"]
    else:
        for node, entry in entries:
            named = ["input" if name == first else name for name in node.inputs]
            lines += ["", "[[network.nodes]]", f"name = {_text(node.name)}"]
            lines += [f"{key} = {value}" for key, value in _as_node(entry)]
            lines.append(f"inputs = [{', '.join(map(_text, named))}]")
    if inputs:
        lines += ["", "[inputs]", *(f"{key} = {value}" for key, value in inputs)]
    return "\n".join(lines) + "\n"


def _is_chain(skeleton: Skeleton) -> bool:
    before = zip(skeleton.nodes, skeleton.nodes[1:], strict=False)
    return all(node.inputs == (last.name,) for last, node in before)


def _chain(entries: Sequence[tuple[Node, Fields]]) -> list[str]:
    """One line a layer with its activation; runs of equal ones have one line with `repeat`."""
    merged: list[Fields] = []
    for node, entry in entries:
        has_none = merged and "activation" not in dict(merged[-1])
        if isinstance(node, Activation) and has_none and merged[-1][0][0] != "activation":
            merged[-1] = (*merged[-1], *entry)
        else:
            merged.append(entry)
    lines = []
    for entry, run in groupby(merged):
        count = len(list(run))
        fields = (*entry, ("repeat", str(count))) if count > 1 else entry
        lines.append("  { " + ", ".join(f"{key} = {value}" for key, value in fields) + " },")
    return lines


def _entry(node: Node, scales: Mapping[str, SuggestedLayer], orthogonal: bool) -> Fields | None:
    """The node as an entry of `layers`; None where the grammar has no words for it."""
    match node:
        case Dense():
            return (("dense", str(node.units)), *_laws(scales[node.name], orthogonal))
        case Conv():
            return _convolution(node, scales[node.name], orthogonal)
        case Activation():
            return (("activation", _text(_called(node.function))),)
        case Pool():
            return _pool(node)
        case BatchNorm():
            return (("norm", _text("batch")), ("epsilon", repr(node.epsilon)))
        case LayerNorm():
            axes = (("axes", str(node.axes)),) if node.axes else ()
            return (("norm", _text("layer")), *axes, ("epsilon", repr(node.epsilon)))
        case Flatten():
            return (("flatten", "true"),)
        case Reshape():
            return (("reshape", str(list(node.shape))),)
        case Add():
            return (("add", "true"),)
    return None


def _convolution(node: Conv, layer: SuggestedLayer, orthogonal: bool) -> Fields | None:
    padding = _padding(node.padding)
    if padding is None:
        return None
    return (
        (layer.kind, str(node.channels)),
        ("kernel", str(list(node.kernel))),
        ("stride", str(list(node.stride))),
        ("padding", padding),
        ("dilation", str(list(node.dilation))),
        ("groups", str(node.groups)),
        *_laws(layer, orthogonal),
    )


def _pool(node: Pool) -> Fields | None:
    padding = _padding(node.padding)
    if padding is None or (node.kind == "mean" and not node.count_padding and padding != "0"):
        return None
    sizes = (("size", str(list(node.size))), ("stride", str(list(node.stride))))
    return (("pool", _text(node.kind)), *sizes, ("padding", padding))


def _padding(padding: tuple[tuple[int, int], ...]) -> str | None:
    """The padding as the grammar has it; None where it differs before and behind."""
    if any(before != after for before, after in padding):
        return None
    sizes = [before for before, _ in padding]
    return str(sizes) if any(sizes) else "0"


def _laws(layer: SuggestedLayer, orthogonal: bool) -> Fields:
    if orthogonal:
        weights = f'{{ law = "orthogonal", gain = {number(layer.orthogonal_gain)} }}'
    else:
        sigma2 = number(layer.sigma_w2)
        weights = f'{{ law = "normal", sigma2 = {sigma2}, scale = "1/sqrt(fan_in)" }}'
    biases = '"zeros"'
    if layer.sigma_b2 > 0.0:
        biases = f'{{ law = "normal", sigma2 = {number(layer.sigma_b2)} }}'
    return (("weights", weights), ("biases", biases))


def _as_node(entry: Fields) -> Fields:
    """The entry in the keys of a graph's node."""
    (kind, value), *rest = entry
    own = {
        "dense": "units", "conv1d": "channels", "conv2d": "channels", "pool": "kind",
        "norm": "kind", "reshape": "shape", "activation": "activation",
    }.get(kind)  # fmt: skip
    named = ((own, value),) if own else ()
    return (("op", _text(kind)), *named, *rest)


def _laws_alone(node: Node, scales: Mapping[str, SuggestedLayer], orthogonal: bool) -> str:
    lines = [f"# A spec has no words for '{commented(node.name)}'; these are the layers' laws."]
    for layer in scales.values():
        laws = ", ".join(f"{key} = {value}" for key, value in _laws(layer, orthogonal))
        lines.append(f"# {commented(layer.name)}: {laws}")
    return "\n".join(lines) + "\n"


def _called(function: ActivationFunction) -> str:
    """The function's label, with all the digits of its parameters where the label drops some."""
    if parse_activation(function.label) == function:
        return function.label
    return f"{function.name}({', '.join(map(repr, function.parameters))})"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of TOML's, which escapes DEL as well."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
