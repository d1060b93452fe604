"""A spec's skeleton with a file's tensors: by name where names agree, else by order and shape."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.binding_faults import (
    Search,
    ambiguous,
    mismatch,
    no_assignment,
    unknown_layout,
)
from fpcheck.network.load.channels_last import channels_first
from fpcheck.network.load.file_layers import (
    FileLayer,
    Tensors,
    Weighted,
    file_layers,
    fitting,
    in_order,
    layer_kind,
    node_kind,
)
from fpcheck.network.load.naming import Name, Role, natural, read_name, stem
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    Dense,
    LayerNorm,
    Layout,
    Node,
    Shape,
    Skeleton,
)

MOST_STATES = 200_000  # of the search through assignments


def bind(
    file: str,
    skeleton: Skeleton,
    named: Mapping[str, str],
    tensors: Tensors,
    *,
    ordered: bool,
    layout: Layout | None,
) -> tuple[Network, tuple[str, ...]]:
    """The network of `skeleton` with the tensors of a file, and the tensors that it does not use.

    Whether a layer has a bias is what the file says.

    Args:
        file: its name, for messages.
        skeleton: from a spec.
        named: tensors' names by the skeleton's parameter names, where the spec gives them.
        tensors: by name, in the file's order where `ordered`.
        ordered: whether that is the order in which they were saved.
        layout: the orientation of all matrices; None: as their names say.

    Raises:
        ModelFileError: a shape that does not fit, a tensor that is missing, or two assignments
            that fit.
    """
    bound: dict[str, Node] = {}
    open_nodes: list[tuple[Weighted, Shape]] = []
    by_name = {layer.name: layer for layer in file_layers(tensors, frozenset())}
    for node in skeleton.nodes:
        if not isinstance(node, Dense | Conv | BatchNorm | LayerNorm) or not _parameters(node):
            continue
        shape = skeleton.shapes[node.inputs[0]]
        layer = _named_layer(file, node, named, tensors)
        if layer is None and node.name in by_name:
            layer = by_name[node.name]
            layer = layer if layer.kind == node_kind(node) else None
        if layer is None:
            open_nodes.append((node, shape))
            continue
        search = Search(file, ((node, shape),), tensors, layout)
        bound[node.name] = _only(search, fitting(node, shape, layer, tensors, layout), layer)
    taken = frozenset(name for node in bound.values() for name in _parameters(node))
    search = Search(file, open_nodes, tensors, layout)
    bound |= _assign(search, file_layers(tensors, taken), ordered=ordered)
    nodes = tuple(bound.get(node.name, node) for node in skeleton.nodes)
    used = {name for node in nodes for name in _parameters(node)}
    bound_skeleton = Skeleton(nodes)
    own = {name: tensor for name, tensor in tensors.items() if name in used}
    network = Network(bound_skeleton, channels_first(file, bound_skeleton, own))
    return network, tuple(name for name in tensors if name not in used)


def _parameters(node: Node) -> list[str]:
    """The names of a node's parameters, the weight first."""
    if not isinstance(node, Dense | Conv | BatchNorm | LayerNorm):
        return []
    names = [node.weight, node.bias]
    if isinstance(node, BatchNorm):
        names += [node.mean, node.variance]
    return [name for name in names if name is not None]


def _named_layer(
    file: str, node: Weighted, named: Mapping[str, str], tensors: Tensors
) -> FileLayer | None:
    """The layer that the spec's `tensor = "..."` names; None where it names none."""
    main = named.get(node.weight) if node.weight is not None else None
    if main is None:
        return None
    if main not in tensors:
        import difflib

        near = difflib.get_close_matches(main, list(tensors), n=3)
        known = near or list(tensors)[:6]
        raise ModelFileError(
            f"layer '{node.name}' names the tensor '{main}', which {file} does not hold",
            where=file,
            hint=f"{'did you mean' if near else 'it holds'}: {', '.join(known)}",
        )
    own: list[tuple[Role, str | None]] = [("weight", node.weight), ("bias", node.bias)]
    if isinstance(node, BatchNorm):
        own += [("mean", node.mean), ("variance", node.variance)]
    roles: dict[Role, Name] = {}
    for role, parameter in own:
        full = named.get(parameter) if parameter is not None else None
        if full is not None and full in tensors:
            roles[role] = Name(full, node.name, role, read_name(full).layout)
    return FileLayer(node.name, layer_kind(roles, tensors) or node_kind(node), roles)


def _only(search: Search, options: list[Node], layer: FileLayer) -> Node:
    """The one way in which a layer fits its node."""
    (node, shape) = search.nodes[0]
    if not options:
        raise mismatch(search, node, shape, layer)
    if len(options) > 1:
        raise unknown_layout(search.file, node, layer)
    return options[0]


def _assign(search: Search, layers: list[FileLayer], *, ordered: bool) -> dict[str, Node]:
    """The one assignment of the file's layers to the nodes, in order and by shape."""
    if not search.nodes:
        return {}
    orders = [in_order(layers, ordered=ordered)]
    if ordered:
        # Layers saved out of order still have their numbers: both orders then have to agree.
        numbered = sorted(layers, key=lambda layer: natural(layer.name))
        if len({stem(layer.name) for layer in layers}) == 1 and numbered != layers:
            orders.append(in_order(numbered, ordered=True))
    found: list[dict[str, tuple[Node, FileLayer]]] = []
    for groups in orders:
        for assignment in _assignments(search, groups):
            if assignment not in found:
                found.append(assignment)
    if not found:
        raise no_assignment(search, layers)
    if len(found) > 1:
        raise ambiguous(search, found[0], found[1])
    return {name: node for name, (node, _) in found[0].items()}


def _assignments(
    search: Search, groups: list[list[FileLayer]]
) -> list[dict[str, tuple[Node, FileLayer]]]:
    """At most two assignments that keep the order inside every group; layers may be left over."""
    found: list[dict[str, tuple[Node, FileLayer]]] = []
    dead: set[tuple[int, ...]] = set()

    def options(used: tuple[int, ...], depth: int) -> list[tuple[tuple[int, ...], Node, FileLayer]]:
        node, shape = search.nodes[depth]
        steps = []
        for which, group in enumerate(groups):
            if not group or group[0].kind != node_kind(node):
                continue
            for place in range(used[which], len(group)):
                after = (*used[:which], place + 1, *used[which + 1 :])
                layer = group[place]
                for bound in fitting(node, shape, layer, search.tensors, search.layout):
                    steps.append((after, bound, layer))
        return steps

    path: list[tuple[Node, FileLayer]] = []
    start = (0,) * len(groups)
    stack = [(start, iter(options(start, 0)), 0)]
    while stack and len(found) < 2 and len(dead) < MOST_STATES:
        used, steps, before = stack[-1]
        step = next(steps, None)
        if step is None:
            if len(found) == before:
                dead.add((len(path), *used))
            stack.pop()
            if path:
                path.pop()
            continue
        after, bound, layer = step
        if (len(path) + 1, *after) in dead:
            continue
        if len(path) + 1 == len(search.nodes):
            chosen = [*path, (bound, layer)]
            found.append({node.name: (node, own) for node, own in chosen})
            continue
        path.append((bound, layer))
        stack.append((after, iter(options(after, len(path))), len(found)))
    return found
