"""Graphs inside operators (If, Loop, Scan): what they hold, never what they would do."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.onnx.nodes import Op, initializers, op_of
from fpcheck.network.load.onnx.tensors import Tensor, TensorReader, text_of

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


@dataclass
class Inner:
    """The operators and constants inside subgraphs, under names that say where they are.

    `captured`: the values of the graph around them that they use.
    """

    ops: list[Op] = field(default_factory=list)
    constants: dict[str, Tensor | None] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)


def look_inside(
    file: ModelFile,
    node: NodeProto,
    label: str,
    reader: TensorReader,
    inner: Inner,
    scope: ChainMap[str, str] | None = None,
) -> None:
    """Add what the subgraphs of `node` hold to `inner`.

    scope: the names of the subgraphs around, as `inner` calls them. The parser bounds the depth.
    """
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == attribute.GRAPH else list(attribute.graphs)
        for place, graph in enumerate(graphs):
            suffix = f".{place}" if place else ""
            prefix = f"{label}/{text_of(attribute.name)}{suffix}/"
            _graph(file, graph, prefix, reader, inner, scope or ChainMap())


def _graph(
    file: ModelFile,
    graph: GraphProto,
    prefix: str,
    reader: TensorReader,
    inner: Inner,
    scope: ChainMap[str, str],
) -> None:
    constants = initializers(file, graph, reader)
    defined = {name for node in graph.node for name in map(text_of, node.output)}
    defined.update(text_of(value.name) for value in graph.input)
    own = scope.new_child({name: prefix + name for name in (*defined, *constants) if name})
    inner.constants.update({prefix + name: array for name, array in constants.items()})
    for place, node in enumerate(graph.node, 1):
        op = op_of(file, node, place, reader)
        inner.captured.update(name for name in op.inputs if name and name not in own)
        look_inside(file, node, prefix + op.label, reader, inner, own)
        inner.ops.append(
            replace(
                op,
                name=prefix + op.name if op.name else "",
                inputs=tuple(own.get(name, name) for name in op.inputs),
                outputs=tuple(own.get(name, name) for name in op.outputs),
            )
        )
    outputs = (text_of(value.name) for value in graph.output)
    inner.captured.update(name for name in outputs if name and name not in own)
