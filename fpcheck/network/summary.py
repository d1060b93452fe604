"""The summary of a subject: what was understood, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.layers import layers
from fpcheck.network.load.naming import read_name
from fpcheck.network.load.stored import Stored
from fpcheck.network.partial import Partial
from fpcheck.network.skeleton import BatchNorm, Shape, Skeleton
from fpcheck.network.subject import Subject

SPEC_HINT = "--spec FILE describes the network"


@dataclass(frozen=True, slots=True)
class SummaryLayer:
    """A layer: its kind (dense, conv1d, conv2d), the shape of its output, its activation; None
    where the file does not say it."""

    name: str
    kind: str
    shape: Shape
    activation: str | None


@dataclass(frozen=True, slots=True)
class SummaryTensor:
    """A tensor of the file: its shape, the type that it has in memory, whether a layer uses it."""

    name: str
    shape: Shape
    dtype: str
    entries: int
    used: bool


@dataclass(frozen=True, slots=True)
class SummaryCell:
    """A recurrent cell, a self-map of its state; `note`: the input that it is held at."""

    name: str
    kind: str
    hidden: int
    input_size: int
    note: str


@dataclass(frozen=True, slots=True)
class Answerable:
    """Whether a question can be asked of the subject; if not, why, and the flag that helps."""

    question: str
    possible: bool
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a subject; shapes are None where there is no network, and so is `self_map`
    unless there are recurrent cells.

    `parameters` counts weights and biases, norms' included, their running statistics not.
    """

    name: str
    format: str
    sha256: str | None
    parameters: int
    input_shape: Shape | None
    output_shape: Shape | None
    self_map: bool | None
    layers: tuple[SummaryLayer, ...]
    tensors: tuple[SummaryTensor, ...]
    questions: tuple[Answerable, ...]
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    cells: tuple[SummaryCell, ...] = ()
    partial: Partial | None = None


def summarise(subject: Subject, self_map: bool | None = None) -> Summary:
    """The summary of `subject`.

    self_map: whether the user insists that it is one or that it is none; None: as shapes say.
    """
    network, outline = subject.network, subject.outline
    if network is not None:
        outline = network.skeleton
    agrees = outline.self_map if outline is not None else None
    if subject.partial is not None:
        agrees = False
    if subject.cells and (network is None or subject.partial is not None):
        agrees = True
    is_map = agrees if self_map is None or not agrees else self_map
    whole = network is not None and subject.partial is None
    used = frozenset(network.parameters) if network is not None and whole else None
    return Summary(
        name=subject.name,
        format=subject.format,
        sha256=subject.sha256 or None,
        parameters=_parameters(subject.tensors, outline, used) + _left_in_file(subject.late),
        input_shape=outline.input_shape if outline is not None else None,
        output_shape=outline.output_shape if outline is not None else None,
        self_map=is_map,
        layers=_layers(outline, known=network is not None),
        tensors=_tensors(subject),
        questions=_questions(subject, agrees, is_map),
        notes=((subject.partial.text,) if subject.partial else ()) + subject.notes,
        unused=subject.unused,
        partial=subject.partial,
        cells=tuple(
            SummaryCell(cell.name, cell.kind, cell.hidden, cell.input_size, cell.note)
            for cell in subject.cells
        ),
    )


def _layers(skeleton: Skeleton | None, *, known: bool) -> tuple[SummaryLayer, ...]:
    """The layers; without a network the activations of all but the last one are not known."""
    if skeleton is None:
        return ()
    found = layers(skeleton)
    return tuple(
        SummaryLayer(
            name=layer.name,
            kind=layer.kind,
            shape=layer.shape,
            activation=layer.activation.label if known or layer is found[-1] else None,
        )
        for layer in found
    )


def _tensors(subject: Subject) -> tuple[SummaryTensor, ...]:
    unused = frozenset(subject.unused)
    held = [
        SummaryTensor(name, tensor.shape, tensor.dtype.name, tensor.size, name not in unused)
        for name, tensor in subject.tensors.items()
    ]
    late = [
        SummaryTensor(name, tensor.shape, tensor.dtype, tensor.entries, used=True)
        for name, tensor in subject.late.items()
    ]
    return (*held, *late)


def _left_in_file(late: Mapping[str, Stored]) -> int:
    """The number of weights and biases among tensors that were not read."""
    return sum(
        tensor.entries
        for name, tensor in late.items()
        if read_name(name).role not in ("mean", "variance", "count")
    )


def _parameters(
    tensors: Mapping[str, NDArray[np.generic]],
    skeleton: Skeleton | None,
    used: frozenset[str] | None,
) -> int:
    """The number of weights and biases: of the network where there is one, else of the file."""
    statistics = {
        name
        for node in (skeleton.nodes if skeleton is not None else ())
        if isinstance(node, BatchNorm)
        for name in (node.mean, node.variance)
    }
    total = 0
    for name, tensor in tensors.items():
        running = name in statistics or read_name(name).role in ("mean", "variance", "count")
        if not running and (used is None or name in used):
            total += tensor.size
    return total


def _questions(
    subject: Subject, agrees: bool | None, is_map: bool | None
) -> tuple[Answerable, ...]:
    weights = Answerable("weights", True, "", "")
    if not subject.tensors and not subject.late:
        weights = Answerable("weights", False, "there are no weights to look at", "")
    if subject.network is None:
        reason, hint = subject.no_network, subject.hint or SPEC_HINT
        asked = {
            name: Answerable(name, False, reason, hint)
            for name in ("signal", "attractors", "readout", "simplicity", "escape")
        }
        if subject.cells:
            asked["attractors"] = _of_self_map("attractors", is_map)
        return (weights, *asked.values())
    if subject.partial is not None:
        reason = subject.partial.skipped
        cells = _of_self_map("attractors", is_map) if subject.cells else None
        return (
            weights,
            Answerable("signal", True, "", ""),
            cells or Answerable("attractors", False, reason, ""),
            Answerable("readout", False, reason, ""),
            Answerable("simplicity", False, reason, ""),
            Answerable("escape", False, reason, ""),
        )
    attractors = _of_self_map("attractors", is_map)
    if not agrees:
        skeleton = subject.network.skeleton
        shapes = f"{list(skeleton.input_shape)} and {list(skeleton.output_shape)}"
        attractors = Answerable(
            "attractors", False, f"input and output have different shapes, {shapes}", ""
        )
    if subject.network.skeleton.black_box:
        reason = "the model is a black box"
        signal, *of_data = (
            Answerable(name, False, reason, "")
            for name in ("signal", "readout", "simplicity", "escape")
        )
        return (weights, signal, attractors, *of_data)
    of_data = [
        Answerable(name, False, "it needs data with targets", "--data FILE, an .npz with X and y")
        for name in ("readout", "simplicity", "escape")
    ]
    return (weights, Answerable("signal", True, "", ""), attractors, *of_data)


def _of_self_map(question: str, is_map: bool | None) -> Answerable:
    """The answer to a question about self-maps where shapes allow it."""
    if is_map:
        return Answerable(question, True, "", "")
    return Answerable(question, False, "it is not taken as a self-map", "leave --no-self-map out")
