"""The graph: nodes in topological order, their shapes inferred and checked when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fpcheck.core.errors import SpecError
from fpcheck.network.skeleton.nodes import BlackBox, Input, Node, Shape
from fpcheck.network.skeleton.shapes import output_shape


@dataclass(frozen=True)
class Skeleton:
    """A network's graph: its nodes in topological order, the first one the input, the last one
    the output.

    Raises:
        SpecError: a node names an input that does not stand before it, or shapes do not chain.
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise SpecError("a skeleton starts with its input")
        if len({node.name for node in self.nodes}) != len(self.nodes):
            raise SpecError("two nodes of the skeleton have one name")
        _ = self.shapes

    def __hash__(self) -> int:
        """By the nodes' names alone, which equal skeletons share: long ones are looked up fast."""
        return hash(tuple(node.name for node in self.nodes))

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Every node's output shape by name, without the batch axis."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in shapes]
            if missing:
                raise SpecError(
                    f"layer '{node.name}' takes its input from '{missing[0]}', "
                    "which does not stand before it"
                )
            shapes[node.name] = output_shape(node, tuple(shapes[name] for name in node.inputs))
        return shapes

    @property
    def input_shape(self) -> Shape:
        """The shape of one input row."""
        return self.shapes[self.nodes[0].name]

    @property
    def output_shape(self) -> Shape:
        """The shape of one output row."""
        return self.shapes[self.nodes[-1].name]

    @property
    def self_map(self) -> bool:
        """Whether input and output shapes agree, so that the network can be fed to itself."""
        return self.input_shape == self.output_shape

    @property
    def black_box(self) -> bool:
        """Whether a node is a function whose inside is not known."""
        return any(isinstance(node, BlackBox) for node in self.nodes)

    @cached_property
    def last_use(self) -> dict[str, str]:
        """For every node that feeds another, the name of the last one that it feeds."""
        return {name: node.name for node in self.nodes for name in node.inputs}

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that take `name` as an input."""
        return self._consumers.get(name, ())

    @cached_property
    def _consumers(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that take each node's output; one table, for a file may have 10^5 layers."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}
