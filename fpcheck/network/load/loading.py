"""From a path to a subject: the one entrance to all formats and to specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError, UsageError
from fpcheck.core.memory import require_memory
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import ActivationFunction, parse_activation
from fpcheck.network.load.binding import bind
from fpcheck.network.load.chain import infer_chain
from fpcheck.network.load.files import ModelFile, digest, open_model, shown
from fpcheck.network.load.registry import SPEC_SUFFIX, format_of
from fpcheck.network.load.state_dict import StateDict, choose
from fpcheck.network.load.stored import bytes_needed
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import Layout
from fpcheck.network.subject import Subject

if TYPE_CHECKING:
    from fpcheck.network.spec import Spec

Tensors = dict[str, NDArray[np.generic]]
LAYOUTS: dict[str, Layout] = {"out_in": "out_in", "in_out": "in_out"}


def load(
    path: str | Path,
    *,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    seed: int = 0,
) -> Subject:
    """The subject in the file at `path`: a weights file, or a spec whose laws draw the weights.

    Args:
        path: .npz, .safetensors, .pt or .pth; or .toml, a spec.
        spec: the skeleton for a weights file.
        activation: of the hidden layers, such as `tanh` or `crelu(1.04, 1.17)`.
        output_activation: of the last layer, which is linear without it.
        key: which of several state dicts in the file.
        layout: `out_in` or `in_out`, how matrices are stored, where their names do not say.
        seed: of the drawn weights.

    Raises:
        ModelFileError: the file cannot be read, or does not fit the spec.
        SpecError: the spec has an error.
        UsageError: flags that exclude each other.
        UnsupportedOperationError: an unknown activation.
        MemoryLimitError: the tensors do not fit into memory.
    """
    path = Path(path)
    activations = {"--activation": activation, "--output-activation": output_activation}
    if path.suffix.lower() == SPEC_SUFFIX:
        flags = {"--spec": spec, **activations, "--key": key, "--layout": layout}
        _exclude("a spec says everything itself", flags)
        return _drawn(path, seed)
    if spec is not None:
        _exclude("the spec names the activations", activations)
    orientation = _layout(layout)
    hidden, last = _function(activation), _function(output_activation)
    if spec is not None:
        from fpcheck.network.spec import read_spec

        # The spec first: its errors need not wait for a large file.
        return _bound(read_spec(spec), _weights(path, key), orientation)
    return _inferred(_weights(path, key), hidden, last, orientation)


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file, read."""

    name: str
    format: str
    sha256: str
    tensors: Tensors
    ordered: bool
    notes: tuple[str, ...]


def _weights(path: Path, key: str | None) -> Weights:
    """The state dict in a weights file, its tensors in memory."""
    with open_model(path) as file, digest(file) as hashed:
        kind = format_of(path)
        contents = kind.contents(file)
        tensors, notes = _read(file, choose(file, contents, key))
        sha256 = hashed.result()
    return Weights(path.name, kind.name, sha256, tensors, contents.ordered, notes)


def _inferred(
    weights: Weights,
    hidden: ActivationFunction | None,
    last: ActivationFunction | None,
    layout: Layout | None,
) -> Subject:
    """The subject of a weights file alone: the chain that its names and shapes determine."""
    chain = infer_chain(
        weights.tensors,
        ordered=weights.ordered,
        activation=hidden,
        output_activation=last,
        layout=layout,
    )
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
        notes=(*weights.notes, *chain.notes),
        unused=chain.unused,
    )


def _read(file: ModelFile, chosen: StateDict) -> tuple[Tensors, tuple[str, ...]]:
    """The tensors of a state dict, and notes on those that are left out."""
    usable = {name: tensor for name, tensor in chosen.tensors.items() if not tensor.left_out}
    notes = list(chosen.notes)
    for name, tensor in chosen.tensors.items():
        if tensor.left_out:
            notes.append(f"tensor '{shown(name)}' is left out: {tensor.left_out}")
    if any(tensor.dtype == "bfloat16" for tensor in usable.values()):
        notes.append("bfloat16 tensors are read as float32, exactly")
    if not usable:
        raise file.fault("holds no tensors of real numbers", hint=notes[-1])
    try:
        require_memory(bytes_needed(usable.values()), f"reading {file.name}")
        return {name: tensor.read() for name, tensor in usable.items()}, tuple(notes)
    except MemoryError:
        raise MemoryLimitError(f"{file.name}: its tensors do not fit into memory") from None


def _drawn(path: Path, seed: int) -> Subject:
    """The subject of a spec: weights drawn with its laws."""
    from fpcheck.network.initializers import draw_network
    from fpcheck.network.spec import read_spec

    with open_model(path) as file, digest(file) as hashed:
        spec = read_spec(path)
        sha256 = hashed.result()
    network = draw_network(spec.skeleton, spec.layer_laws, random_stream(seed, "draw"))
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


def _bound(spec: Spec, weights: Weights, layout: Layout | None) -> Subject:
    """The subject of a weights file whose skeleton a spec gives."""
    network, unused = bind(
        weights.name,
        spec.skeleton,
        spec.tensors,
        weights.tensors,
        ordered=weights.ordered,
        layout=layout,
    )
    # What [init] leaves to a default is of no interest: the file has the weights.
    notes = tuple(note for note in spec.notes if "[init]" not in note)
    return Subject(
        name=weights.name,
        format=weights.format,
        sha256=weights.sha256,
        tensors=weights.tensors,
        network=network,
        outline=network.skeleton,
        input_law=spec.input_law,
        preprocessing=spec.preprocessing,
        notes=(*weights.notes, *notes),
        unused=unused,
    )


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
