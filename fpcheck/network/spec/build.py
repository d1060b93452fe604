"""The skeleton of a spec: layers in a list, or nodes with names and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpcheck.core.errors import SpecError
from fpcheck.network.initializers import Law
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Conv,
    Dense,
    Input,
    Node,
    Shape,
    output_shape,
)
from fpcheck.network.spec.entries import Entry, function, read_entry, read_node, text, whole
from fpcheck.network.spec.laws import biases_law, weights_law
from fpcheck.network.spec.nodes import file_names, layer_node
from fpcheck.network.spec.recurrent import RECURRENT, misplaced
from fpcheck.network.spec.source import Path, Source, nearest

INPUT = "input"
MOST_NODES = 100_000  # a larger `repeat` is a typing error, and would only fill the memory
AUTO_NAMES = {"conv1d": "conv", "conv2d": "conv"}  # dense1, conv1, pool1, ...


@dataclass
class Draft:
    """The skeleton under construction; the functions of this file add to it."""

    source: Source
    weights: Law  # of layers that name none
    biases: Law | None
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)  # where each node stands in the text
    laws: dict[str, tuple[Law, Law | None]] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def add_input(draft: Draft, shape: Shape) -> str:
    """The name of the input node, now in the draft."""
    draft.nodes.append(Input(INPUT, shape))
    draft.shapes[INPUT] = shape
    draft.places[INPUT] = ("network", "input")
    return INPUT


def add_list(draft: Draft, path: Path, value: object, behind: str, turn: tuple[int, ...]) -> str:
    """The name of the last node of the list of layers at `path`, which are now in the draft.

    turn: which repetition this is, of every enclosing `repeat`; named layers carry it.

    Raises:
        SpecError: with the line.
    """
    if not isinstance(value, list) or not value:
        raise draft.source.error(path, f"'{path[-1]}' is a list of layers", "[ { dense = 48 } ]")
    for index, item in enumerate(value):
        entry = read_entry(draft.source, (*path, index), item)
        times = whole(entry, "repeat", 1)
        for number in range(times):
            own_turn = (*turn, number + 1) if times > 1 else turn
            behind = _add_entry(draft, entry, behind, own_turn)
    return behind


def add_graph(draft: Draft, value: object) -> None:
    """Put the nodes of [[network.nodes]] into the draft; the last one is the output.

    Raises:
        SpecError: with the line; also where a node's value is never used.
    """
    path: Path = ("network", "nodes")
    if not isinstance(value, list) or not value:
        raise draft.source.error(path, "'nodes' is a list of tables, [[network.nodes]]")
    ends = {INPUT: INPUT}  # the node that holds a name's value: its activation, where it has one
    used: set[str] = set()
    before = INPUT
    for index, item in enumerate(value):
        entry = read_node(draft.source, (*path, index), item)
        name = str(entry.table["name"])
        inputs = _inputs(entry, ends, before)
        used.update(inputs)
        _claim(draft, name, entry.path)
        ends[name] = _add_layer(draft, entry, name, tuple(ends[key] for key in inputs), ())
        before = name
    for name in ends:
        if name not in used and name != before:
            place: Path = (*draft.places[name], "name")
            raise draft.source.error(
                place, f"nothing uses node '{name}'", "the last node is the network's output"
            )


def _inputs(entry: Entry, ends: Mapping[str, str], before: str) -> list[str]:
    value = entry.table.get("inputs", [before])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise entry.wrong("inputs", 'a list of names, such as ["input"]')
    for name in names:
        if name not in ends:
            fact = f"node '{entry.table['name']}' takes its input from '{name}'"
            raise entry.error(
                "inputs", f"{fact}, which does not stand before it", nearest(name, ends)
            )
    if entry.kind != "add" and len(names) != 1:
        raise entry.error(
            "inputs",
            f"{entry.kind} takes one input, got {len(names)}",
            'a node with op = "add" sums several',
        )
    return names


def _add_entry(draft: Draft, entry: Entry, behind: str, turn: tuple[int, ...]) -> str:
    if entry.kind in RECURRENT:
        raise misplaced(entry)
    given = text(entry, "name")
    if given is None:
        name = _free_name(draft, AUTO_NAMES.get(entry.kind, entry.kind))
    else:
        name = given + ".".join(str(number) for number in turn)
    _claim(draft, name, entry.path)
    if entry.kind != "residual":
        return _add_layer(draft, entry, name, (behind,), turn)
    inner = add_list(draft, (*entry.path, "residual"), entry.table["residual"], behind, turn)
    if draft.shapes[inner] != draft.shapes[behind]:
        raise entry.error(
            "residual",
            f"the layers of residual '{name}' turn {list(draft.shapes[behind])} into "
            f"{list(draft.shapes[inner])}, which cannot be added to their input",
            'keep channels and sizes: padding = "same", and the last layer as wide as the first',
        )
    _put(draft, entry, Add(name, (inner, behind)))
    return _activate(draft, entry, name)


def _add_layer(
    draft: Draft, entry: Entry, name: str, inputs: tuple[str, ...], turn: tuple[int, ...]
) -> str:
    """The name of the node that holds the layer's value: itself, or its activation."""
    if entry.kind == "activation":
        return _activate(draft, entry, name, inputs[0])
    if entry.kind == "add":
        _put(draft, entry, Add(name, inputs))
        return _activate(draft, entry, name)
    laws = _laws(draft, entry)
    node = layer_node(entry, name, inputs[0], draft.shapes[inputs[0]], laws[1] is not None)
    _put(draft, entry, node)
    if isinstance(node, Dense | Conv):
        draft.laws[name] = laws
        _note_axes(draft, node)
    _name_tensors(draft, entry, node, turn)
    return _activate(draft, entry, name)


def _activate(draft: Draft, entry: Entry, name: str, source: str = "") -> str:
    """The name of the entry's activation node; behind `name`, or called `name` behind `source`."""
    phi = function(entry)
    if phi is None:
        if source:
            raise entry.error("", "activation needs 'activation'", 'such as activation = "tanh"')
        return name
    if source:
        _put(draft, entry, Activation(name, (source,), phi))
        return name
    own = f"{name}.activation"
    _claim(draft, own, entry.path)
    _put(draft, entry, Activation(own, (name,), phi))
    return own


def _put(draft: Draft, entry: Entry, node: Node) -> None:
    if len(draft.nodes) >= MOST_NODES:
        raise entry.error("repeat", f"the network has more than {MOST_NODES} nodes")
    shapes = tuple(draft.shapes[name] for name in node.inputs)
    try:
        shape = output_shape(node, shapes)
    except SpecError as error:
        hint = error.hint
        if entry.kind in ("conv1d", "conv2d") and len(shapes[0]) == 1:
            ones = "1, " * int(entry.kind[4])
            hint = hint or f"put {{ reshape = [{ones}{shapes[0][0]}] }} before it"
        raise entry.error("", error.message, hint) from None
    draft.nodes.append(node)
    draft.shapes[node.name] = shape


def _laws(draft: Draft, entry: Entry) -> tuple[Law, Law | None]:
    weights, biases = draft.weights, draft.biases
    if "weights" in entry.table:
        weights = weights_law(entry.source, (*entry.path, "weights"), entry.table["weights"])
    if "biases" in entry.table:
        biases = biases_law(entry.source, (*entry.path, "biases"), entry.table["biases"])
    return weights, biases


def _name_tensors(draft: Draft, entry: Entry, node: Node, turn: tuple[int, ...]) -> None:
    names = file_names(entry, node)
    if not names:
        return
    if turn:
        raise entry.error(
            "tensor", "one tensor is named for several layers", "write repeated layers out"
        )
    draft.tensors.update(names)


def _note_axes(draft: Draft, node: Dense | Conv) -> None:
    shape = draft.shapes[node.inputs[0]]
    if isinstance(node, Dense) and len(shape) > 1:
        draft.notes.append(
            f"layer '{node.name}' works on the last axis of {list(shape)}; "
            "{ flatten = true } before it would connect all entries"
        )


def _claim(draft: Draft, name: str, path: Path) -> None:
    taken = draft.places.get(name)
    if taken is not None:
        line = draft.source.line(taken)
        raise draft.source.error(
            (*path, "name"), f"the name '{name}' is taken by the layer in line {line}"
        )
    draft.places[name] = path


def _free_name(draft: Draft, stem: str) -> str:
    while True:
        draft.counts[stem] = draft.counts.get(stem, 0) + 1
        name = f"{stem}{draft.counts[stem]}"
        if name not in draft.places:
            return name
