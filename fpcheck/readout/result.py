"""What the readout question answers; the field names are the keys of the JSON report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.findings import Status


@dataclass(frozen=True, slots=True)
class Skipped:
    """The question cannot be answered: why, and what to pass."""

    skipped: str


@dataclass(frozen=True, slots=True)
class Fit:
    """One ridge fit: `model` is last_layer or linear_on_input.

    score_train: on the rows it was fitted to, mean over the splits. penalty: the median over the
    splits, in units of squared features; relative_penalty: over the mean eigenvalue of the centred
    features; penalty_at_edge: it is the first or last of the grid. degrees_of_freedom: mean trace
    of the hat matrix. condition, rank, effective_rank: of all rows' centred features; condition is
    null ("inf") where they depend linearly on each other.
    """

    model: str
    features: int
    score_train: float
    penalty: float
    relative_penalty: float
    penalty_at_edge: bool
    degrees_of_freedom: float
    condition: float
    rank: int
    effective_rank: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The last layer's score minus that of `over`, on the same held-out rows.

    over: majority, linear_on_input or trained. low, high: the 95 % interval of the paired
    differences.
    """

    over: str
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReadoutResult:
    """Held-out scores of the last layer fitted again, beside simpler models and the network itself.

    metric: accuracy (share of rows) or r2. Scores are means over `splits` random splits, _low and
    _high their 95 % intervals; None is "not measured", and `<key>_skipped` says why. majority is
    the mean predictor where the target is numbers. layer: the dense layer that is fitted again;
    feature_source: the node whose values it sees. linear_rank: the width that the linear model is
    held to where its target is its own input. balanced_accuracy: the mean over the classes of
    their accuracies, by model.
    """

    metric: str
    task: str
    target: str
    classes: tuple[str, ...]
    rows: int
    test_rows: int
    splits: int
    interval: str
    layer: str
    feature_source: str
    last_layer: float
    last_layer_low: float
    last_layer_high: float
    linear_on_input: float | None
    linear_on_input_low: float | None
    linear_on_input_high: float | None
    linear_on_input_skipped: str
    linear_rank: int | None
    majority: float
    majority_low: float
    majority_high: float
    trained: float | None
    trained_low: float | None
    trained_high: float | None
    trained_skipped: str
    infinite_width: Mapping[str, str]
    balanced_accuracy: Mapping[str, float]
    fits: tuple[Fit, ...]
    gains: tuple[Gain, ...]
    verdict: str
    verdict_because: str
    notes: tuple[str, ...]
    status: Status = "sampled"
