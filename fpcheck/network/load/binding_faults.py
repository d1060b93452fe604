"""Why a file's tensors do not fit a spec: the errors of binding, each with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.chain_order import LAYOUT_HINT
from fpcheck.network.load.file_layers import FileLayer, Tensors, Weighted, fitting, node_kind
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    Dense,
    LayerNorm,
    Layout,
    Node,
    Shape,
    stored_shape,
)


@dataclass(frozen=True)
class Search:
    """What is looked for: nodes with their input shapes, and the tensors to look among."""

    file: str
    nodes: Sequence[tuple[Weighted, Shape]]
    tensors: Tensors
    layout: Layout | None


def no_assignment(search: Search, layers: list[FileLayer]) -> ModelFileError:
    """Why nothing fits: the first node that the next layer of its kind does not fit."""
    queues: dict[str, list[FileLayer]] = {}
    for layer in layers:
        queues.setdefault(layer.kind, []).append(layer)
    counts = {kind: len(queue) for kind, queue in queues.items()}
    for node, shape in search.nodes:
        kind = node_kind(node)
        queue = queues.get(kind, [])
        if not queue:
            needed = sum(node_kind(other) == kind for other, _ in search.nodes)
            return ModelFileError(
                f"layer '{node.name}' finds no tensors: the spec needs {needed} of kind {kind}, "
                f"the file has {counts.get(kind, 0)}",
                where=search.file,
                hint='name them in the spec, tensor = "name in the file", or shorten the spec',
            )
        layer = queue.pop(0)
        if not fitting(node, shape, layer, search.tensors, search.layout):
            return mismatch(search, node, shape, layer)
    return ModelFileError(
        f"the tensors of {search.file} do not fit the spec in any order",
        where=search.file,
        hint='name them in the spec: tensor = "name in the file"',
    )


def mismatch(search: Search, node: Weighted, shape: Shape, layer: FileLayer) -> ModelFileError:
    """The error of a layer whose tensors have other shapes than its node needs."""
    found = search.tensors[layer.main].shape
    where = f"{search.file}, array {layer.main}"
    if isinstance(node, BatchNorm | LayerNorm):
        expected = (
            shape[:1]
            if isinstance(node, BatchNorm)
            else shape[len(shape) - (node.axes or len(shape)) :]
        )
        return ModelFileError(
            f"layer '{node.name}': '{layer.main}' is {found}, expected {expected}", where=where
        )
    known = search.layout or layer.roles["weight"].layout or "out_in"
    expected = stored_shape(_with_layout(node, known), shape)
    other: Layout = "in_out" if known == "out_in" else "out_in"
    if found == expected:
        bias = layer.roles["bias"].full
        return ModelFileError(
            f"layer '{node.name}': bias is {search.tensors[bias].shape}, "
            f"expected ({expected[0 if known == 'out_in' else -1]},)",
            where=f"{search.file}, array {bias}",
            hint=f"is the weight stored transposed? --layout {other}",
        )
    hint = "check the layer's sizes in the spec"
    if found == stored_shape(_with_layout(node, other), shape):
        hint = f"is the weight stored transposed? --layout {other}"
    return ModelFileError(
        f"layer '{node.name}': weight is {found}, expected {expected}", where=where, hint=hint
    )


def _with_layout(node: Dense | Conv, layout: Layout) -> Dense | Conv:
    return replace(node, layout=layout)


def unknown_layout(file: str, node: Node, layer: FileLayer) -> ModelFileError:
    """The error of a matrix that fits in both orientations."""
    return ModelFileError(
        f"layer '{node.name}': '{layer.main}' fits as (out, in) and as (in, out), and its name "
        "does not say which",
        where=f"{file}, array {layer.main}",
        hint=LAYOUT_HINT,
    )


def ambiguous(
    search: Search,
    first: Mapping[str, tuple[Node, FileLayer]],
    second: Mapping[str, tuple[Node, FileLayer]],
) -> ModelFileError:
    """The error of two assignments that both fit, naming the first difference."""
    for name, (node, layer) in first.items():
        other_node, other = second[name]
        if layer != other:
            return ModelFileError(
                f"layer '{name}' fits '{layer.main}' and '{other.main}', and no order decides",
                where=search.file,
                hint=f'say which in the spec: tensor = "{layer.main}"',
            )
        if node != other_node:
            return unknown_layout(search.file, node, layer)
    raise AssertionError("two equal assignments")
