"""The summary of a subject: what was understood, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.layers import layers
from fpcheck.network.load.naming import read_name
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
class Answerable:
    """Whether a question can be asked of the subject; if not, why, and the flag that helps."""

    question: str
    possible: bool
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a subject; shapes and `self_map` are None where there is no network.

    `parameters` counts weights and biases, norms' included, their running statistics not.
    """

    name: str
    format: str
    sha256: str
    parameters: int
    input_shape: Shape | None
    output_shape: Shape | None
    self_map: bool | None
    layers: tuple[SummaryLayer, ...]
    tensors: tuple[SummaryTensor, ...]
    questions: tuple[Answerable, ...]
    notes: tuple[str, ...]
    unused: tuple[str, ...]


def summarise(subject: Subject, self_map: bool | None = None) -> Summary:
    """The summary of `subject`.

    self_map: whether the user insists that it is one or that it is none; None: as shapes say.
    """
    network, outline = subject.network, subject.outline
    if network is not None:
        outline = network.skeleton
    agrees = outline.self_map if outline is not None else None
    is_map = agrees if self_map is None or not agrees else self_map
    used = frozenset(network.parameters) if network is not None else None
    return Summary(
        name=subject.name,
        format=subject.format,
        sha256=subject.sha256,
        parameters=_parameters(subject.tensors, outline, used),
        input_shape=outline.input_shape if outline is not None else None,
        output_shape=outline.output_shape if outline is not None else None,
        self_map=is_map,
        layers=_layers(outline, known=network is not None),
        tensors=_tensors(subject.tensors, frozenset(subject.unused)),
        questions=_questions(subject, agrees, is_map),
        notes=subject.notes,
        unused=subject.unused,
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


def _tensors(
    tensors: Mapping[str, NDArray[np.generic]], unused: frozenset[str]
) -> tuple[SummaryTensor, ...]:
    return tuple(
        SummaryTensor(name, tensor.shape, tensor.dtype.name, tensor.size, name not in unused)
        for name, tensor in tensors.items()
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
    if subject.network is None:
        reason, hint = subject.no_network, subject.hint or SPEC_HINT
        return (
            weights,
            *(
                Answerable(name, False, reason, hint)
                for name in ("signal", "attractors", "readout")
            ),
        )
    attractors = Answerable("attractors", True, "", "")
    if not agrees:
        skeleton = subject.network.skeleton
        shapes = f"{list(skeleton.input_shape)} and {list(skeleton.output_shape)}"
        attractors = Answerable(
            "attractors", False, f"input and output have different shapes, {shapes}", ""
        )
    elif not is_map:
        attractors = Answerable(
            "attractors", False, "it is not taken as a self-map", "leave --no-self-map out"
        )
    readout = Answerable(
        "readout", False, "it needs data with targets", "--data FILE, an .npz with X and y"
    )
    return (weights, Answerable("signal", True, "", ""), attractors, readout)
