"""A skeleton with hidden layers of other widths."""

from __future__ import annotations

from dataclasses import replace

from fpcheck.core.errors import SpecError
from fpcheck.network.skeleton import BlackBox, Conv, ConvTranspose, Dense, Node, Skeleton, Slice


def widened(skeleton: Skeleton, last: Dense, factor: float) -> Skeleton:
    """The skeleton with hidden units and channels times `factor`, at least one each.

    last: the dense layer whose units are the outputs; it keeps their number.

    Raises:
        SpecError: the new widths do not chain, or a node fixes the old ones.
    """
    if last.inputs[0] == skeleton.nodes[0].name:
        raise SpecError("the network has no hidden layer to widen")
    fixed = next((n for n in skeleton.nodes if isinstance(n, Slice | BlackBox)), None)
    if fixed is not None:
        kind = type(fixed).__name__.lower()
        raise SpecError(f"'{fixed.name}' ({kind}) fixes the width of what enters it")
    nodes: list[Node] = []
    try:
        for node in skeleton.nodes:
            kept = node.name == last.name
            nodes.append(node if kept else _resized(node, nodes, skeleton, factor))
        found = Skeleton(tuple(nodes))
    except SpecError as error:
        raise SpecError(f"at {factor:g} times the width, {error.message}") from None
    if found.output_shape != skeleton.output_shape:
        raise SpecError("the width of its output follows that of a hidden layer")
    return found


def _resized(node: Node, before: list[Node], skeleton: Skeleton, factor: float) -> Node:
    if isinstance(node, Dense):
        return replace(node, units=max(1, round(node.units * factor)))
    if not isinstance(node, Conv | ConvTranspose):
        return node
    inputs = skeleton.shapes[node.inputs[0]][0]
    if node.groups > 1 and node.groups == inputs:  # every channel by itself, as many as there are
        found = Skeleton(tuple(before)).shapes[node.inputs[0]][0]
        return replace(node, groups=found, channels=found * (node.channels // inputs))
    return replace(node, channels=max(1, round(node.channels * factor)))
