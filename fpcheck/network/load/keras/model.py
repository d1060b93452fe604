"""A Keras file as a subject: its network, or the part before what is not supported, its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError, SpecError, UnsupportedOperationError
from fpcheck.core.memory import require_memory
from fpcheck.network.gates import STEEP
from fpcheck.network.load.cells import NO_CHAIN_HINT
from fpcheck.network.load.cells import find_cells as by_name
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.graph_file import GraphFile, GraphRequest
from fpcheck.network.load.keras.builder import Builder, Value
from fpcheck.network.load.keras.config import row_shape
from fpcheck.network.load.keras.container import Container, open_container
from fpcheck.network.load.keras.graph import Call, Graph, flatten, is_model
from fpcheck.network.load.keras.layers import convert
from fpcheck.network.load.keras.recurrent import find_cells
from fpcheck.network.load.keras.weights import in_order, plain_names, same_class
from fpcheck.network.load.stored import Contents, bytes_needed
from fpcheck.network.network import Network
from fpcheck.network.partial import Partial
from fpcheck.network.recurrent import SIGMOID
from fpcheck.network.skeleton import Input, Skeleton

Tensors = dict[str, NDArray[np.generic]]
ASSUMED = (
    "the activations of cells are not in the file: states are taken with tanh and gates with "
    "{gates}, the defaults of the Keras that wrote it"
)
SAVE_HINT = "save the whole model: model.save('name.keras'); or --spec FILE describes it"


def keras_contents(file: ModelFile) -> Contents:
    """The tensors of a Keras file alone, for a spec that describes the network.

    Raises:
        ModelFileError: no Keras file, or a damaged one.
        UnsupportedOperationError: h5py is not installed.
    """
    container = open_container(file)
    names = plain_names(container.stored)
    tree = {names[path]: tensor for path, tensor in container.stored.items()}
    return Contents(in_order(tree), ordered=same_class(tree), notes=container.notes)


def keras_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    """The network of a Keras file.

    Raises:
        ModelFileError: no Keras file, a damaged one, or a configuration that fits no network.
        UnsupportedOperationError: h5py is not installed.
        MemoryLimitError: the tensors do not fit into memory.
    """
    container = open_container(file)
    raw, notes = _read(file, container)
    return build(file, container, raw, request, notes)


@dataclass
class Naming:
    """The tensors by the names that layers give them; `raw`: by path in the file."""

    container: Container
    raw: Tensors
    own: Tensors = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def find(self, call: Call, part: str, roles: tuple[str, ...]) -> tuple[str, ...]:
        """The names of a layer's tensors; the first finding names them `layer/role`.

        Raises:
            ModelFileError: one is missing.
        """
        paths = self.container.weights.find(call.path, part, roles)
        words = (word for word in part.split("/") if word not in ("cell", "cells"))
        inside = "/".join(word.removesuffix("_dense").removesuffix("_layer") for word in words)
        for path, role in zip(paths, roles, strict=True):
            if path not in self.raw:
                raise UnsupportedOperationError(f"tensor '{shown(path)}' is left out")
            if path not in self.names:
                name = "/".join(word for word in (call.path.label, inside, role) if word)
                while name in self.own:
                    name += "'"
                self.names[path] = name
                self.own[name] = self.raw[path]
        return tuple(self.names[path] for path in paths)

    def rest(self, calls: Iterable[Call] = ()) -> Tensors:
        """The tensors that no layer took, named by the layers in `calls` or plainly."""
        left = [path for path in self.raw if path not in self.names]
        plain = plain_names(left)
        for call in calls:
            plain |= self.container.weights.named(call.path)
        return {
            plain[path] if plain[path] not in self.own else path: self.raw[path] for path in left
        }


def build(
    file: ModelFile,
    container: Container,
    raw: Tensors,
    request: GraphRequest,
    notes: tuple[str, ...],
) -> GraphFile:
    """The graph file of a container whose tensors are in memory."""
    naming = Naming(container, raw)
    model = container.config
    if model is None or not is_model(model):
        reason, hint = "the file holds weights and no model's configuration", SAVE_HINT
        if model is not None:
            reason = (
                f"the model is a class of its own, {shown(str(model.get('class_name')))}, "
                "whose code is never imported"
            )
            hint = "--spec FILE describes the network; or export the model to ONNX"
        gate = STEEP if container.hard_gates else SIGMOID
        known = by_name(naming.rest(), held=request.constant, gate=gate)
        if known.cells:
            hint = f"{NO_CHAIN_HINT}; {hint}"
            told = (note for note in known.notes if "--activation" not in note)
            which = "hard_sigmoid" if container.hard_gates else "sigmoid"
            notes = (*notes, *told, ASSUMED.format(gates=which))
        return GraphFile(
            naming.rest(), no_network=reason, hint=hint, notes=notes, cells=known.cells
        )
    graph = flatten(model, file.fault)
    cells, cell_notes = find_cells(
        graph, naming.own, naming.find, request.constant, keras2=container.keras2
    )
    try:
        found = _network(file, graph, naming, container, request)
    except SpecError as error:
        small = "" if request.shape is None else "is --input-shape large enough for the model?"
        raise file.fault(error.message, hint=small) from None
    rest = naming.rest(graph.calls)
    whole = found.network is not None and found.partial is None and not cells
    return GraphFile(
        tensors={**naming.own, **rest},
        network=found.network,
        no_network=found.no_network,
        hint=found.hint,
        outline=found.network.skeleton if found.network else None,
        notes=(*notes, *found.notes, *cell_notes),
        unused=tuple(rest) if whole else (),
        cells=cells,
        partial=found.partial,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The network, or why there is none."""

    network: Network | None
    no_network: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    partial: Partial | None = None


def _network(
    file: ModelFile, graph: Graph, naming: Naming, container: Container, request: GraphRequest
) -> Found:
    output, notes = _output(file, graph, request.key)
    wanted = _ancestors(graph, output)
    calls = {place: call for place, call in enumerate(graph.calls) if place in wanted}
    starts = [place for place, call in calls.items() if call.config.class_name == "InputLayer"]
    if len(starts) != 1:
        return Found(None, f"the model takes {len(starts)} inputs, fpcheck takes one", SAVE_ONE)
    shape = row_shape(calls[starts[0]].config.values)
    if request.shape is not None:
        shape = _filled(file, shape, request.shape)
    embedded = _embedding(calls, starts[0])
    if shape is None or None in shape:
        told = "not stated" if shape is None else f"open, {[n or 'None' for n in shape]}"
        return Found(None, f"the shape of the model's input is {told}", SAVE_FIXED)
    builder = Builder(naming.own, naming.find, container.keras2)
    row = tuple(n for n in shape if n is not None)
    values: dict[int, Value] = {}
    if embedded is not None:
        width = calls[embedded].config.integer("output_dim")
        notes = (*notes, f"the network starts behind the embedding '{calls[embedded].path.label}'")
        row = (*row, width)
        naming.find(calls[embedded], "", ("embeddings",))
        values[embedded] = Value(_start(builder, calls[embedded], row))
    else:
        values[starts[0]] = Value(_start(builder, calls[starts[0]], row))
    steps = [place for place in calls if place != starts[0]]
    for number, place in enumerate(steps, 1):
        if place in values:
            continue
        call = calls[place]
        try:
            values[place] = convert(builder, call, values)
        except UnsupportedOperationError as error:
            return _stopped(builder, naming, call, values, (number, len(steps)), error, notes)
    network = _finished(builder, builder.native(values[output]))
    if len(network.skeleton.nodes) < 2:
        return Found(None, "no layer of the model computes anything", SAVE_HINT, notes)
    return Found(network, notes=notes)


SAVE_ONE = "save a model of one input; the others as constants"
SAVE_FIXED = "--input-shape gives it, such as 224,224,3 for rows with the channels last"


def _filled(
    file: ModelFile, stated: tuple[int | None, ...] | None, given: tuple[int, ...]
) -> tuple[int | None, ...]:
    """The user's shape of a row, held against what the file states."""
    fits = stated is None or (
        len(stated) == len(given)
        and all(n in (None, m) for n, m in zip(stated, given, strict=True))
    )
    if not fits:
        raise file.fault(f"its input is {list(stated or ())}, --input-shape {list(given)}")
    return given


def _start(builder: Builder, call: Call, shape: tuple[int, ...]) -> str:
    return builder.add(Input(builder.name(call.path.label), shape))


def _output(file: ModelFile, graph: Graph, key: str | None) -> tuple[int, tuple[str, ...]]:
    """The call whose value is analysed, and a note where there are several."""
    names = [graph.calls[place].path.label for place in graph.outputs]
    if key is not None:
        if key not in names:
            known = ", ".join(shown(name, 40) for name in names[:8])
            raise file.fault(f"it has no output '{shown(key)}'", hint=f"--key takes: {known}")
        return graph.outputs[names.index(key)], ()
    if len(names) > 1:
        note = f"of {len(names)} outputs '{shown(names[0])}' is analyzed; --key takes another"
        return graph.outputs[0], (note,)
    return graph.outputs[0], ()


def _ancestors(graph: Graph, output: int) -> set[int]:
    """The calls that `output` depends on, itself included."""
    wanted, queue = {output}, [output]
    while queue:
        for place in graph.calls[queue.pop()].inputs:
            if place not in wanted:
                wanted.add(place)
                queue.append(place)
    return wanted


def _embedding(calls: Mapping[int, Call], start: int) -> int | None:
    """The embedding that alone takes the model's input, if there is one."""
    takers = [place for place, call in calls.items() if start in call.inputs]
    if len(takers) != 1 or calls[takers[0]].config.class_name != "Embedding":
        return None
    return takers[0]


def _stopped(
    builder: Builder,
    naming: Naming,
    call: Call,
    values: Mapping[int, Value],
    place: tuple[int, int],
    error: UnsupportedOperationError,
    notes: tuple[str, ...],
) -> Found:
    """The part of the network before `call`, which is not supported."""
    (number, total), reason = place, error.message.partition(": ")[2] or error.message
    sources = [values[item] for item in call.inputs if item in values]
    last = builder.native(sources[0]) if sources else builder.nodes[0].name
    network = _finished(builder, last)
    if len(network.skeleton.nodes) < 2:
        hint = error.hint or "--spec FILE describes the network"
        return Found(None, error.message, hint, notes)
    every = sum(tensor.size for tensor in naming.raw.values())
    before = sum(network.parameters[name].size for name in network.parameters)
    partial = Partial(
        operator=call.config.class_name,
        node=call.path.label,
        place=number,
        nodes=total,
        parameter_share=min(1.0, before / every) if every else 0.0,
        node_share=(number - 1) / total,
        reason=reason,
    )
    return Found(network, notes=notes, partial=partial)


def _finished(builder: Builder, last: str) -> Network:
    """The network whose output is the node `last`, without what does not lead to it."""
    by_name = {node.name: node for node in builder.nodes}
    wanted, queue = {last, builder.nodes[0].name}, [last]
    while queue:
        for name in by_name[queue.pop()].inputs:
            if name not in wanted:
                wanted.add(name)
                queue.append(name)
    nodes = tuple(node for node in builder.nodes if node.name in wanted)
    skeleton = Skeleton(nodes)
    keys = ("weight", "bias", "mean", "variance", "factor", "shift")
    used = {getattr(node, key, None) for node in nodes for key in keys}
    return Network(skeleton, {name: t for name, t in builder.parameters.items() if name in used})


def _read(file: ModelFile, container: Container) -> tuple[Tensors, tuple[str, ...]]:
    """The tensors by path, and notes on those that are left out."""
    usable = {path: tensor for path, tensor in container.stored.items() if not tensor.left_out}
    notes = list(container.notes)
    for path, tensor in container.stored.items():
        if tensor.left_out:
            notes.append(f"tensor '{shown(path)}' is left out: {tensor.left_out}")
    if any(tensor.dtype == "bfloat16" for tensor in usable.values()):
        notes.append("bfloat16 tensors are read as float32, exactly")
    try:
        require_memory(bytes_needed(usable.values()), f"reading {file.name}")
        return {path: tensor.read() for path, tensor in usable.items()}, tuple(notes)
    except MemoryError:
        raise MemoryLimitError(f"{file.name}: its tensors do not fit into memory") from None
