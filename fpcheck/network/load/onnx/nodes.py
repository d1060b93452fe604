"""The operators of an ONNX graph as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.onnx.tensors import Tensor, TensorReader, text_of

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto

Attribute: TypeAlias = (
    "int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Tensor | None"
)


@dataclass(frozen=True)
class Op:
    """A node of the graph. `place` is its position in the file, from 1; "" stands for an input
    that is left out. `captures`: the values that graphs inside it use."""

    type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    place: int
    captures: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a layer made of it is called."""
        first = next((name for name in self.outputs if name), "")
        return self.name or first or f"{self.type}_{self.place}"


def initializers(
    file: ModelFile, graph: GraphProto, reader: TensorReader
) -> dict[str, Tensor | None]:
    """The graph's initialisers by name; None for types without real numbers.

    Raises:
        ModelFileError: broken tensors, or two of one name.
    """
    if len(graph.sparse_initializer):
        raise file.fault("holds sparse initialisers, which are not read")
    found: dict[str, Tensor | None] = {}
    for tensor in graph.initializer:
        name = text_of(tensor.name)
        if name in found:
            raise file.fault(f"two initialisers are called '{shown(name)}'")
        found[name] = reader.array(tensor, name)
    return found


def op_of(file: ModelFile, node: NodeProto, place: int, reader: TensorReader) -> Op:
    """The operator that a node of the file is.

    Raises:
        ModelFileError: broken tensors, or two attributes of one name.
    """
    attributes: dict[str, Attribute] = {}
    inputs, outputs = tuple(map(text_of, node.input)), tuple(map(text_of, node.output))
    own = text_of(node.name)
    for attribute in node.attribute:
        name = text_of(attribute.name)
        if name in attributes:
            raise file.fault(f"node '{shown(own)}' has two attributes '{shown(name)}'")
        # A constant is called as other tools call it: as the value that the node gives.
        attributes[name] = _attribute(attribute, outputs[0] if outputs else own, reader)
    kind, domain = text_of(node.op_type), text_of(node.domain)
    return Op(kind, domain, own, inputs, outputs, attributes, place)


def _attribute(attribute: AttributeProto, owner: str, reader: TensorReader) -> Attribute:
    """The value of an attribute; None for graphs and types, which nothing here reads."""
    kind = attribute.type
    if kind == attribute.INT:
        return int(attribute.i)
    if kind == attribute.FLOAT:
        return float(attribute.f)
    if kind == attribute.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == attribute.INTS:
        return tuple(attribute.ints)
    if kind == attribute.FLOATS:
        return tuple(attribute.floats)
    if kind == attribute.STRINGS:
        return tuple(word.decode("utf-8", "replace") for word in attribute.strings)
    if kind == attribute.TENSOR:
        return reader.array(attribute.t, owner)
    return None
