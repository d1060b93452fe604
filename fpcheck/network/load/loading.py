"""From a path to a subject: the one entrance to all formats and to specs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fpcheck.core.errors import UsageError
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import ActivationFunction, parse_activation
from fpcheck.network.constant_input import ZEROS, ConstantInput, constant_input
from fpcheck.network.load.binding import bind
from fpcheck.network.load.cells import NO_CHAIN, NO_CHAIN_HINT, FoundCells, find_cells
from fpcheck.network.load.chain import infer_chain
from fpcheck.network.load.files import digest, open_model
from fpcheck.network.load.folder import model_in
from fpcheck.network.load.graph_file import GraphRequest
from fpcheck.network.load.live.target import is_target
from fpcheck.network.load.registry import SPEC_SUFFIX, format_of, stores_graph
from fpcheck.network.load.spec_cell import bound_cell, draw_cell
from fpcheck.network.load.weights_file import Weights, read_weights
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import Dense, Layout, Skeleton
from fpcheck.network.subject import Subject

if TYPE_CHECKING:
    from fpcheck.network.spec import RecurrentLayer, Spec

LAYOUTS: dict[str, Layout] = {"out_in": "out_in", "in_out": "in_out"}


def load(
    path: object,
    *,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    seed: int = 0,
    input_choice: str | ConstantInput = ZEROS,
    input_shape: Sequence[int] | None = None,
) -> Subject:
    """The subject in the file at `path`: a weights file, or a spec whose laws draw the weights.

    Args:
        path: .npz, .safetensors, .pt or .pth; or .toml, a spec. Or a live model: a
            torch.nn.Module, a keras.Model, a Network, a function f(x) -> y on batches, or the
            target `package.module:factory`, which is imported.
        spec: the skeleton for a weights file.
        activation: of the hidden layers, such as `tanh` or `crelu(1.04, 1.17)`.
        output_activation: of the last layer, which is linear without it.
        key: which of several state dicts in the file.
        layout: `out_in` or `in_out`, how matrices are stored, where their names do not say.
        seed: of the drawn weights.
        input_choice: the constant input of recurrent cells: `zeros`, a file of one row, or one
            that was read already.
        input_shape: of one row of a live model or a graph that does not tell it.

    Raises:
        ModelFileError: the file cannot be read, or does not fit the spec.
        SpecError: the spec has an error.
        UsageError: flags that exclude each other.
        UnsupportedOperationError: an unknown activation.
        MemoryLimitError: the tensors do not fit into memory.
    """
    held = constant_input(input_choice)
    activations = {"--activation": activation, "--output-activation": output_activation}
    if not isinstance(path, str | os.PathLike) or is_target(path):
        from fpcheck.network.load.live.subject import live_subject

        flags = {"--spec": spec, **activations, "--key": key, "--layout": layout}
        _exclude("a live model says everything itself", flags)
        return live_subject(path, input_shape, held)
    path = model_in(Path(path))
    if spec is not None or not stores_graph(path):
        _exclude("this file's weights alone are read", {"--input-shape": input_shape})
    if path.suffix.lower() == SPEC_SUFFIX:
        flags = {"--spec": spec, **activations, "--key": key, "--layout": layout}
        _exclude("a spec says everything itself", flags)
        return _drawn(path, seed, held)
    if spec is not None:
        _exclude("the spec names the activations", activations)
    elif stores_graph(path):
        _exclude("the file says everything itself", {**activations, "--layout": layout})
        return _graphed(path, GraphRequest(key, held, tuple(input_shape or ()) or None))
    orientation = _layout(layout)
    hidden, last = _function(activation), _function(output_activation)
    if spec is not None:
        from fpcheck.network.spec import read_spec

        # The spec first: its errors need not wait for a large file.
        return _bound(read_spec(spec), read_weights(path, key, whole=True), orientation, held)
    return _inferred(read_weights(path, key, whole=False), hidden, last, orientation, held)


def _graphed(path: Path, request: GraphRequest) -> Subject:
    """The subject of a file that stores its graph."""
    with open_model(path) as file, digest(file) as hashed:
        kind = format_of(path)
        graph = kind.graph_of(file, request)
        sha256 = hashed.result()
    found = graph.network.skeleton.input_shape if graph.network is not None else None
    if request.shape is not None and found not in (None, request.shape):
        raise UsageError(
            f"--input-shape is {list(request.shape)}, the input of {path.name} is {list(found)}",
            hint="leave --input-shape out",
        )
    own = {field.name: getattr(graph, field.name) for field in fields(graph)}
    return Subject(name=path.name, format=kind.name, sha256=sha256, **own)


def _inferred(
    weights: Weights,
    hidden: ActivationFunction | None,
    last: ActivationFunction | None,
    layout: Layout | None,
    held: ConstantInput,
) -> Subject:
    """The subject of a weights file alone: its recurrent cells, or the chain that its names and
    shapes determine."""
    if weights.too_large:
        return _left_in_file(weights)
    found = find_cells(weights.tensors, function=hidden, held=held)
    if found.cells:
        return _recurrent(weights, found)
    chain = infer_chain(
        weights.tensors,
        ordered=weights.ordered,
        activation=hidden,
        output_activation=last,
        layout=layout,
    )
    if chain.skeleton is not None and hidden is not None and last is None:
        _check_deep(chain.skeleton, hidden, weights.name)
    network = None
    if chain.skeleton is not None:
        used = {name for _, name, _ in needed_parameters(chain.skeleton)}
        own = {name: tensor for name, tensor in weights.tensors.items() if name in used}
        network = Network(chain.skeleton, own)
    return Subject(
        name=weights.name,
        format=weights.format,
        sha256=weights.sha256,
        tensors=weights.tensors,
        network=network,
        no_network=chain.reason,
        hint=chain.hint,
        outline=chain.outline,
        notes=(*weights.notes, *found.notes, *chain.notes),
        unused=chain.unused,
    )


def _check_deep(skeleton: Skeleton, hidden: ActivationFunction, name: str) -> None:
    """Raise if there is no hidden layer: its activation would be dropped without a word."""
    if sum(isinstance(node, Dense) for node in skeleton.nodes) == 1:
        raise UsageError(
            f"--activation is of hidden layers, and {name} has one layer, which is the last",
            where="--activation",
            hint=f"--output-activation {repr(hidden.label) if hidden.parameters else hidden.label} "
            "sets it",
        )


def _left_in_file(weights: Weights) -> Subject:
    """The subject of a weights file whose tensors stay in it and are read one by one."""
    return Subject(
        name=weights.name,
        format=weights.format,
        sha256=weights.sha256,
        tensors=weights.tensors,
        network=None,
        no_network=weights.too_large,
        hint="a machine with more memory",
        notes=weights.notes,
        late=weights.late,
    )


def _recurrent(weights: Weights, found: FoundCells) -> Subject:
    """The subject of a weights file with recurrent cells: each is a map of its own."""
    return Subject(
        name=weights.name,
        format=weights.format,
        sha256=weights.sha256,
        tensors=weights.tensors,
        network=None,
        no_network=NO_CHAIN,
        hint=NO_CHAIN_HINT,
        notes=(*weights.notes, *found.notes),
        cells=found.cells,
    )


def _drawn(path: Path, seed: int, held: ConstantInput) -> Subject:
    """The subject of a spec: weights drawn with its laws."""
    from fpcheck.network.initializers import draw_network
    from fpcheck.network.spec import read_spec

    with open_model(path) as file, digest(file) as hashed:
        spec = read_spec(path)
        sha256 = hashed.result()
    rng = random_stream(seed, "draw")
    if spec.cell is not None:
        drawn = Weights(path.name, "spec", sha256, draw_cell(spec.cell, rng), True, spec.notes)
        return _cell_of(spec, spec.cell, drawn, held)
    network = draw_network(spec.skeleton, spec.layer_laws, rng)
    return Subject(
        name=path.name,
        format="spec",
        sha256=sha256,
        tensors=network.parameters,
        network=network,
        outline=network.skeleton,
        input_law=spec.input_law,
        layer_laws=spec.layer_laws,
        preprocessing=spec.preprocessing,
        notes=spec.notes,
    )


def _bound(spec: Spec, weights: Weights, layout: Layout | None, held: ConstantInput) -> Subject:
    """The subject of a weights file whose skeleton a spec gives."""
    # What [init] leaves to a default is of no interest: the file has the weights.
    notes = (*weights.notes, *(note for note in spec.notes if "[init]" not in note))
    if spec.cell is not None:
        return _cell_of(spec, spec.cell, replace(weights, notes=notes), held)
    network, unused = bind(
        weights.name,
        spec.skeleton,
        spec.tensors,
        weights.tensors,
        ordered=weights.ordered,
        layout=layout,
    )
    return Subject(
        name=weights.name,
        format=weights.format,
        sha256=weights.sha256,
        tensors=weights.tensors,
        network=network,
        outline=network.skeleton,
        input_law=spec.input_law,
        preprocessing=spec.preprocessing,
        notes=notes,
        unused=unused,
    )


def _cell_of(spec: Spec, layer: RecurrentLayer, weights: Weights, held: ConstantInput) -> Subject:
    """The subject of a spec with a recurrent layer, its weights drawn or from a file."""
    cell, found = bound_cell(weights.name, weights.tensors, layer, held)
    subject = _recurrent(weights, replace(found, cells=(cell,)))
    return replace(subject, input_law=spec.input_law, preprocessing=spec.preprocessing)


def _exclude(reason: str, flags: Mapping[str, object]) -> None:
    for flag, value in flags.items():
        if value is not None:
            raise UsageError(f"{flag} cannot be given here: {reason}", hint=f"leave {flag} out")


def _function(text: str | None) -> ActivationFunction | None:
    return None if text is None else parse_activation(text)


def _layout(text: str | None) -> Layout | None:
    if text is None:
        return None
    if text not in LAYOUTS:
        raise UsageError(f"unknown layout '{text}'", hint=f"known: {', '.join(LAYOUTS)}")
    return LAYOUTS[text]
