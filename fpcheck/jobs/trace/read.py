"""One checkpoint after the other, read as one architecture: the first readable one's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError, ModelFileError
from fpcheck.core.wording import counted
from fpcheck.network.layers import layers
from fpcheck.network.load import load
from fpcheck.network.load.folder import INDEX
from fpcheck.network.load.registry import stores_graph
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.subject import Subject
from fpcheck.weights.tensors import Place, matrix_of, places

Array = NDArray[np.float64]

HASH_BLOCK = 2**20
OTHER_HINT = "trace the files of one architecture; --spec names it where shapes do not"


@dataclass(frozen=True, slots=True)
class Reading:
    """The flags under which every checkpoint is read."""

    spec: str | Path | None = None
    activation: str | None = None
    output_activation: str | None = None
    key: str | None = None
    layout: str | None = None


@dataclass(frozen=True, slots=True)
class LayerShape:
    """A weight matrix: its layer's name, (units, fan_in), the activation behind it if known."""

    name: str
    shape: tuple[int, ...]
    activation: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One checkpoint in memory.

    network: None where the file and the flags do not determine it. matrices: the weights
    (units, fan_in) in the layers' order; tensors: the names of them in the file. vector: all
    parameters, the matrices first. nonfinite: the first tensor with a NaN or Inf entry, else "".
    """

    name: str
    step: int | None
    subject: Subject
    network: Network | None
    layers: tuple[LayerShape, ...]
    tensors: tuple[str, ...]
    matrices: tuple[Array, ...]
    vector: Array
    nonfinite: str


def read_checkpoint(
    path: Path, name: str, step: int | None, flags: Reading, seed: int
) -> Checkpoint:
    """The checkpoint in the file at `path`; a file that stores its graph needs no activations.

    Raises:
        FpcheckError: it cannot be read, or holds no weight matrix.
    """
    told = flags.spec is None and stores_graph(path)
    subject = load(
        path,
        spec=flags.spec,
        activation=None if told else flags.activation,
        output_activation=None if told else flags.output_activation,
        key=flags.key,
        layout=None if told else flags.layout,
        seed=seed,
    )
    if subject.late:
        raise ModelFileError(
            f"{path.name}: its tensors do not fit into memory together", where=path.name,
            hint="fpcheck analyze reads them one by one",
        )  # fmt: skip
    network = subject.network
    if subject.partial is not None or (network is not None and network.skeleton.black_box):
        network = None
    found = _matrices(subject, network)
    if not found:
        raise ModelFileError(f"{path.name} holds no weight matrix", where=path.name)
    functions = {} if network is None else _functions(network)
    shapes = tuple(
        LayerShape(place.layer or place.name, matrix.shape, functions.get(place.name))
        for place, matrix in found
    )
    names = tuple(place.name for place, _ in found)
    matrices = tuple(matrix for _, matrix in found)
    return Checkpoint(
        name, step, subject, network, shapes, names, matrices,
        _vector(subject, network, names, matrices), _nonfinite(subject),
    )  # fmt: skip


def without_network(one: Checkpoint) -> str:
    """Why the weights of a checkpoint are all that can be traced, and what gives the rest."""
    if one.subject.cells:
        return (
            "recurrent cells are not run here: their weights are traced; "
            "fpcheck analyze measures the attractors of each"
        )
    return f"{one.subject.no_network or 'no network can be built'}: {one.subject.hint}"


def other_architecture(one: Checkpoint, first: Checkpoint) -> str:
    """How `one` differs from the run's architecture, "" where it does not.

    Names count for nothing, for formats have their own.
    """
    if first.network is not None and one.network is None and one.subject.no_network:
        return f"no network can be built: {one.subject.no_network}"
    if why := _other_shapes(one, first):
        return why
    for layer, wanted in zip(one.layers, first.layers, strict=True):
        if layer.activation != wanted.activation:
            return (
                f"behind layer '{layer.name}' is {layer.activation}, "
                f"in {first.name} {wanted.activation}"
            )
    if len(one.vector) == len(first.vector):
        return ""
    return f"it has {len(one.vector)} parameters, {first.name} has {len(first.vector)}"


def fault(
    error: FpcheckError, path: Path, flags: Reading, seed: int, first: Checkpoint | None
) -> tuple[str, str]:
    """Why a checkpoint cannot be read under the flags, with a hint.

    The flags are for the run's network: where the weights alone are those of another one, that is
    the reason.
    """
    if first is not None and flags.activation is not None:
        bare = replace(flags, spec=None, activation=None, output_activation=None)
        try:
            why = _other_shapes(read_checkpoint(path, path.name, None, bare, seed), first)
        except FpcheckError:
            why = ""
        if why:
            return why, OTHER_HINT
    return error.message, error.hint


def _other_shapes(one: Checkpoint, first: Checkpoint) -> str:
    """How the weight matrices differ in number or shape, "" where they do not."""
    if len(one.layers) != len(first.layers):
        count = counted(len(one.layers), "layer")
        return f"it has {count} with weights, {first.name} has {len(first.layers)}"
    for layer, wanted in zip(one.layers, first.layers, strict=True):
        if layer.shape != wanted.shape:
            return (
                f"layer '{layer.name}' is {list(layer.shape)}, in {first.name} {list(wanted.shape)}"
            )
    return ""


def file_hash(path: Path) -> str:
    """The SHA-256 of the file; "" where it cannot be read, or is the index of several."""
    if path.name.lower().endswith(INDEX):
        return ""
    hashed = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while block := handle.read(HASH_BLOCK):
                hashed.update(block)
    except OSError:
        return ""
    return hashed.hexdigest()


def _matrices(subject: Subject, network: Network | None) -> list[tuple[Place, Array]]:
    found = []
    for place in places(subject.tensors, network):
        if network is not None and place.node is None:
            continue  # what no layer uses is no part of the run
        matrix = matrix_of(place, subject.tensors[place.name])
        if matrix is not None:
            found.append((place, matrix))
    return found


def _functions(network: Network) -> dict[str, str]:
    """The activation behind every layer, by the name of its weight."""
    return {one.node.weight: one.activation.label for one in layers(network.skeleton)}


def _vector(
    subject: Subject, network: Network | None, names: tuple[str, ...], matrices: tuple[Array, ...]
) -> Array:
    if network is None:
        others = [place.name for place in places(subject.tensors, None) if place.name not in names]
    else:
        needed = dict.fromkeys(name for _, name, _ in needed_parameters(network.skeleton))
        others = [name for name in needed if name not in names]
    tensors = subject.tensors if network is None else network.parameters
    flat = [np.asarray(tensors[name], np.float64).ravel() for name in others]
    return np.concatenate([*(matrix.ravel() for matrix in matrices), *flat])


def _nonfinite(subject: Subject) -> str:
    for name, tensor in subject.tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            return name
    return ""
