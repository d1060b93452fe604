"""Where an unsupported operator stopped the reading of a graph, and what lies before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partial:
    """The operator that stopped a graph; the subject's network is the part before it.

    Args:
        operator: its type as the file names it, such as `TopK`.
        node: its name in the graph.
        place: its position among the graph's nodes, from 1.
        nodes: the number of the graph's nodes.
        parameter_share: the share of the network's parameters that lie before it.
        node_share: the share of the graph's nodes that lie before it.
        reason: what about it is not supported.
    """

    operator: str
    node: str
    place: int
    nodes: int
    parameter_share: float
    node_share: float
    reason: str = ""

    @property
    def text(self) -> str:
        """One line for notes and headers."""
        name = f" '{self.node}'" if self.node else ""
        why = f": {self.reason}" if self.reason else ""
        return (
            f"partial: operator {self.operator}{name} (node {self.place} of {self.nodes}) is not "
            f"supported{why}; analyzed is what lies before it, {self.parameter_share:.1%} of the "
            f"parameters and {self.node_share:.1%} of the nodes"
        )

    @property
    def skipped(self) -> str:
        """Why questions about the whole network are not asked."""
        return (
            f"the network is known only up to operator {self.operator} (node {self.place} of "
            f"{self.nodes})"
        )
