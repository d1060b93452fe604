"""What the escape question found: the section of the report, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fpcheck.escape.scan import Scan

Answer = Literal["trains", "does not start", "diverges", "cannot tell"]
Stretch = Mapping[str, int]  # {"from": step, "to": step}, both within


@dataclass(frozen=True, slots=True)
class Skipped:
    """The question, or a part of it, cannot be answered: why, and what to pass."""

    skipped: str


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer's weight matrix at a step, and the values behind its activation.

    singular_values: the ten largest. ratio: sigma1 / sigma2. activation_rank: the singular values
    of the values (rows, units) above 1e-3 of the largest, on up to 256 rows.
    """

    name: str
    sigma1: float
    sigma2: float | None
    ratio: float | None
    singular_values: tuple[float, ...]
    stable_rank: float | None
    activation_rank: int


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The run before its update `step`; time: the sum of the learning rates so far."""

    step: int
    loss: float
    accuracy: float | None
    gradient_norm: float
    parameter_norm: float
    output_variance: float
    time: float
    layers: tuple[LayerRecord, ...]


@dataclass(frozen=True, slots=True)
class LowRankLayer:
    """A layer's weights at the escape.

    depth: from 1 at the input. ratio: sigma1 / sigma2 there, start_ratio at step 0. rest: the
    share of sum s_i^2 behind the first. share_of_change: of |W(t) - W(0)|^2, what lies in the
    first singular direction of W(t); change_rest: `rest` of W(t) - W(0). low_rank: one direction
    holds most of the change; dominated: one direction leads the weights themselves, and did not
    at the start.
    """

    name: str
    depth: int
    ratio: float | None
    start_ratio: float | None
    rest: float
    share_of_change: float | None
    change_rest: float | None
    low_rank: bool
    dominated: bool


@dataclass(frozen=True, slots=True)
class SecondRun:
    """What Adam makes of a start at which the first run did not; fields as the section's."""

    optimiser: str
    learning_rate: float
    answer: Answer
    reason: str
    fall: float
    escaped_at: int | None
    steps: int


@dataclass(frozen=True, slots=True)
class Law:
    """sigma1 / sigma2 as depth^exponent and `rest` as depth^rest_exponent, by least squares.

    low, high: 95 % intervals by Student's t over layers. expected: 1/4, and -1/2 for the rest.
    """

    exponent: float
    exponent_low: float
    exponent_high: float
    rest_exponent: float
    rest_exponent_low: float
    rest_exponent_high: float
    layers: int
    expected: float = 0.25
    expected_rest: float = -0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer, what decides it, and what to do next."""

    answer: str
    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class EscapeResult:
    """The section `escape` of the report.

    growth_rate: of log |parameters| per unit of training time in the later half of the plateau.
    norm_growth: |parameters| at the escape over its least before. dead_layer: the first layer
    that gives 0 for every row. constant_loss: of the best answer that is the same for all rows.
    """

    rows: int
    batch: int
    optimiser: str
    learning_rate: float
    learning_rate_rule: str
    loss_name: str
    target: str
    constant_loss: float
    depth: int
    probe_steps: int
    steps: tuple[StepRecord, ...]
    steps_made: int
    start_loss: float
    best_loss: float
    end_loss: float
    trainability: Answer
    trainability_reason: str
    fall: float
    second_run: SecondRun | Skipped
    plateau: Stretch | None
    escaped_at: int | None
    escaped_time: float | None
    growth_rate: float | None
    norm_growth: float | None
    from_zero: bool | None
    next_saddle: Stretch | None
    spike_at: int | None
    diverged_at: int | None
    dead_start: bool
    dead_layer: str
    moved: float
    low_rank: tuple[LowRankLayer, ...]
    low_rank_at: int | None
    low_rank_ratio: float | None
    low_rank_layers: tuple[str, ...]
    law: Law | Skipped
    direction: Mapping[str, object] | Skipped
    scan: Scan | Skipped
    verdict: Verdict
    notes: tuple[str, ...]
