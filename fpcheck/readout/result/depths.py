"""From where the network pays: the last layers trained on, and probes of every layer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """The last `count` dense layers trained on from the weights as they are.

    name: last_layer, last_2_layers or last_3_layers. fit: how; the last layer alone is ridge or
    multinomial logistic, whichever scores better, so that no later stage gains by the loss alone.
    layers: those that are trained. gain: over the stage before it, on the same held-out rows and
    splits; over_last: over the last layer alone, as the first stage has it. steps: mean number of
    steps of the fit.
    """

    name: str
    count: int
    fit: str
    layers: tuple[str, ...]
    parameters: int
    score: float
    low: float
    high: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    over_last: float | None
    over_last_low: float | None
    over_last_high: float | None
    steps: float
    splits: int


@dataclass(frozen=True, slots=True)
class Stages:
    """The staged protocol: the last layer, then the last two and three.

    start: the weights it begins with, in words. pays_from: the least count whose gain over the
    last layer alone lies above `margin` with its whole interval, widened to hold for all stages;
    null where none does. stopped: why there are no more stages.
    """

    stages: tuple[Stage, ...]
    start: str
    pays_from: int | None
    margin: float
    stopped: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A linear readout of one node's values. coordinates: what they were compressed to.

    depth: layers with weights above the input.
    """

    node: str
    depth: int
    width: int
    coordinates: int
    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Probes:
    """The score by depth on the same splits, and the best layer's gain over the last one's."""

    probes: tuple[Probe, ...]
    best: str
    last: str
    gain: float
    gain_low: float
    gain_high: float
    splits: int
    rows: int
