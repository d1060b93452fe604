"""The network of what was translated: the whole of it, or the part before what stopped it."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.network.activations import activation
from fpcheck.network.load.files import shown
from fpcheck.network.load.graph_file import GraphFile
from fpcheck.network.load.onnx.graph import Graph
from fpcheck.network.load.onnx.tensors import Tensor
from fpcheck.network.load.onnx.translate import Translated
from fpcheck.network.load.onnx.values import Builder, Rows, Stopped
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.partial import Partial
from fpcheck.network.skeleton import Activation, Input, Node, Scale, Skeleton

ALONE = "the weights are analyzed; question signal and the others need a network"
LEADS_NOWHERE = "its output is constant, or its batch axis is not the first"


def stored_tensors(graph: Graph) -> dict[str, Tensor]:
    """The weights of the graph by name: real tensors of more than one number, in file order."""
    found = {name: array for name, array in graph.constants.items() if array is not None}
    found |= graph.constant_nodes()
    return {
        name: array for name, array in found.items() if array.dtype.kind == "f" and array.size > 1
    }


def assemble(graph: Graph, builder: Builder, found: Translated, output: str) -> GraphFile:
    """The network up to `output`, or the part of it before an operator that stopped the reading."""
    stored = stored_tensors(graph)
    end = found.values.get(output)
    if isinstance(end, Rows) and not end.batch and not end.padding:
        network = _network(builder, end)
        return GraphFile(
            {**stored, **_named(network)},
            network,
            outline=network.skeleton,
            unused=_unused(graph, output, stored, network),
        )
    ends = found.ends
    if not isinstance(end, Stopped):
        makers = [op for op in graph.ops if output in op.outputs]
        if not makers or not isinstance(end, Rows):
            return GraphFile(stored, no_network=LEADS_NOWHERE, hint=ALONE)
        ends = ((end, Stopped(makers[0], LEADS_NOWHERE)),)
    return _part(graph, builder, ends, stored)


def _part(
    graph: Graph,
    builder: Builder,
    ends: tuple[tuple[Rows, Stopped], ...],
    stored: Mapping[str, Tensor],
) -> GraphFile:
    """Of the values that lead no further, the one with the most of the network before it."""
    best: tuple[int, int] = (0, 0)
    chosen: tuple[Rows, Stopped] | None = None
    for value, stop in ends:
        names = _ancestors(builder, value.node)
        origins = {
            builder.origins[name]
            for node in names
            for name in _parameters(builder.nodes[node])
            if name in builder.origins
        }
        size = sum(stored[name].size for name in origins if name in stored)
        if chosen is None or (size, len(names)) > best:
            best, chosen = (size, len(names)), (value, stop)
    if chosen is None:
        return GraphFile(stored, no_network=LEADS_NOWHERE, hint=ALONE)
    value, stop = chosen
    total = sum(tensor.size for tensor in stored.values())
    partial = Partial(
        operator=shown(stop.op.type),
        node=shown(stop.op.label),
        place=stop.op.place,
        nodes=graph.total,
        parameter_share=best[0] / total if total else 0.0,
        node_share=_before(graph, stop) / graph.total,
        reason=shown(stop.reason, 200),
    )
    if isinstance(builder.nodes[value.node], Input):
        why = f"operator {partial.operator} '{partial.node}' stands first: {partial.reason}"
        return GraphFile(stored, no_network=why, hint=ALONE)
    network = _network(builder, value)
    tensors = {**stored, **_named(network)}
    return GraphFile(tensors, network, outline=network.skeleton, partial=partial)


def _before(graph: Graph, stop: Stopped) -> int:
    """How many of the graph's operators lead to the one that stopped it."""
    behind = frozenset(name for name in stop.op.inputs if name)
    needed: set[str] = set()
    for name in behind:
        needed |= graph.needed(name)
    return sum(bool(needed.intersection(op.outputs)) for op in graph.ops)


def _network(builder: Builder, end: Rows) -> Network:
    """The nodes that lead to `end`, with their parameters."""
    names = _ancestors(builder, end.node)
    nodes = [node for name, node in builder.nodes.items() if name in names]
    if isinstance(nodes[-1], Input):
        nodes.append(Activation("identity", (nodes[-1].name,), activation("identity")))
    used = {name for node in nodes for name in _parameters(node)}
    own = {name: array for name, array in builder.parameters.items() if name in used}
    return Network(Skeleton(tuple(nodes)), own)


def _ancestors(builder: Builder, name: str) -> frozenset[str]:
    """All nodes that `name` depends on, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += builder.nodes[node].inputs
    return frozenset(found)


def _parameters(node: Node) -> tuple[str, ...]:
    """The names of a node's parameters."""
    names = (
        getattr(node, slot, None)
        for slot in ("weight", "bias", "mean", "variance", "factor", "shift")
    )
    return tuple(name for name in names if name)


def _named(network: Network) -> dict[str, Tensor]:
    """The network's parameters but the numbers that only its composition needs."""
    scales = {
        name
        for node in network.skeleton.nodes
        if isinstance(node, Scale)
        for name in (node.factor, node.shift)
    }
    needed = {name for _, name, _ in needed_parameters(network.skeleton)}
    return {
        name: array
        for name, array in network.parameters.items()
        if name in needed or (name in scales and array.size > 1)
    }


def _unused(
    graph: Graph, output: str, stored: Mapping[str, Tensor], network: Network
) -> tuple[str, ...]:
    """The weights that nothing before the output takes."""
    needed = graph.needed(output)
    ops = (op for op in graph.ops if needed.intersection(op.outputs) or op.type in CELLS)
    used = {name for op in ops for name in op.inputs} | set(network.parameters)
    return tuple(name for name in stored if name not in used)


CELLS = frozenset({"RNN", "GRU", "LSTM"})
