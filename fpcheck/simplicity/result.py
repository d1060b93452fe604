"""The answer to the simplicity question, part by part; fields are the keys of the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fpcheck.core.plain import as_section


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that was not measured, and why."""

    skipped: str


@dataclass(frozen=True, slots=True)
class ClassRows:
    """A class and how many training rows it has."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two rows of the data that are equal and have different labels."""

    row: int
    other: int


@dataclass(frozen=True, slots=True)
class Asking:
    """What was asked: rows, rule, law of the networks.

    contradictions: pairs of equal rows of the data with different labels; least_errors: how many
    rows they make every function get wrong.
    """

    rows: int
    test_rows: int
    classes: tuple[ClassRows, ...] | None
    rule: str
    outputs: int
    law: str
    parameters: int
    scaled_neurons: bool
    errors_allowed: int
    tolerance: float | None
    notes: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]
    least_errors: int


@dataclass(frozen=True, slots=True)
class LevelBits:
    """A level of the score, and the bits down to it."""

    score: float
    bits: float


@dataclass(frozen=True, slots=True)
class TrueLabels:
    """The bits of the labels as they are; None where p is 0.

    bits_claim: "proved" or "numerical" of what is known without sampling. networks: evaluated;
    accepted: those that fit.
    """

    bits: float | None
    bits_low: float | None
    bits_high: float | None
    bits_per_sample: float | None
    bits_claim: str
    status: str
    method: str
    networks: int
    accepted: int
    repetitions: tuple[float, ...]
    levels: tuple[LevelBits, ...]
    acceptance: float | None
    mixed: bool | None
    mixing: str


@dataclass(frozen=True, slots=True)
class DifferenceBits:
    """Bits of a shuffled labelling minus the true one's, with a 95 % prediction interval.

    low: above 0 where the true labels are clearly simpler than shuffled ones.
    """

    bits: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RandomLabels:
    """The bits of shuffled labels: their mean, each of them, the least that they can be."""

    random_label_bits: float | None
    random_label_bits_low: float | None
    random_label_bits_high: float | None
    random_label_status: str | None
    random_label_floor: float | None
    random_labels: tuple[float, ...]
    random_labels_impossible: int
    difference: DifferenceBits


@dataclass(frozen=True, slots=True)
class MajorityLabels:
    """The bits of all rows labelled as the commonest class, of numbers as their mean."""

    majority_bits: float | None
    majority_bits_low: float | None
    majority_bits_high: float | None
    majority_status: str


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """The bits at one number of rows."""

    rows: int
    bits: float | None
    bits_low: float | None
    bits_high: float | None
    status: str
    random_bits: float | None
    random_bits_low: float | None
    random_bits_high: float | None
    random_status: str | None


@dataclass(frozen=True, slots=True)
class Growth:
    """exponent: d log bits / d log rows; parameters: d bits / d log2 rows, where it flattens."""

    points: tuple[GrowthPoint, ...]
    exponent: float | None
    exponent_low: float | None
    exponent_high: float | None
    parameters: float | None
    parameters_low: float | None
    parameters_high: float | None
    parameters_status: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class VolumeBound:
    """The bound of bound.py; None where the bits have no upper limit."""

    error_bound: float | None
    error_bound_delta: float
    error_bound_vote: float | None
    error_bound_scans: int
    error_bound_reason: str


@dataclass(frozen=True, slots=True)
class AcceptedErrors:
    """Errors on the test rows of networks that fit: of one, and of the majority of them."""

    guess_and_check_error: float | None
    guess_and_check_error_low: float | None
    guess_and_check_error_high: float | None
    vote_error: float | None
    vote_error_low: float | None
    vote_error_high: float | None
    accepted_networks: int
    majority_error: float | None


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """One run: its updates, the training rows wrong behind them, the share of the test rows wrong.

    test_error: None without test rows. multiply_adds: of all passes, a gradient being three.
    """

    steps: int
    train_errors: int
    test_error: float | None
    multiply_adds: float


@dataclass(frozen=True, slots=True)
class Training:
    """The same architecture trained; gain: the sampled networks' error minus the trained ones'."""

    optimiser: str
    seeds: tuple[TrainedRun, ...]
    reached: int
    test_error: float | None
    test_error_low: float | None
    test_error_high: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    multiply_adds: float
    multiply_adds_of_sampling: float


@dataclass(frozen=True, slots=True)
class ErrorsPoint:
    """The bits where so many errors are allowed."""

    errors: int
    bits: float | None
    bits_low: float | None
    bits_high: float | None
    status: str


@dataclass(frozen=True, slots=True)
class ExpensiveRow:
    """A row of the data, its label, and the share of networks that have it wrong."""

    row: int
    label: str
    wrong_share: float


@dataclass(frozen=True, slots=True)
class Noise:
    """The cost of each allowed error, and the rows that cost most."""

    errors_curve: tuple[ErrorsPoint, ...]
    expensive: tuple[ExpensiveRow, ...]
    expensive_at: str


@dataclass(frozen=True, slots=True)
class WidthPoint:
    """The bits of the hidden widths times a factor."""

    factor: float
    hidden: tuple[int, ...]
    parameters: int
    bits: float | None
    bits_low: float | None
    bits_high: float | None
    status: str


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """The bits of another number of hidden layers."""

    layers: int
    hidden: tuple[int, ...]
    parameters: int
    bits: float | None
    bits_low: float | None
    bits_high: float | None
    status: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The bits at other sizes of the network; reasons: why a size is missing."""

    width: tuple[WidthPoint, ...]
    depth: tuple[DepthPoint, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanSlope:
    """Bits per doubling of the width."""

    bits: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a narrow teacher could have given the labels: yes, no, cannot tell."""

    answer: str
    question: str
    reason: str
    figure: str
    next_step: str


@dataclass(frozen=True, slots=True)
class SimplicityResult:
    """All parts. The section of the report has their fields side by side."""

    asking: Asking
    true: TrueLabels
    random: RandomLabels
    majority: MajorityLabels
    growth: Growth | Skipped
    bound: VolumeBound
    accepted: AcceptedErrors
    training: Training | Skipped
    noise: Noise
    scan: Scan | Skipped
    scan_slope: ScanSlope | None
    verdict: Verdict

    def section(self) -> dict[str, Any]:
        """The section of the report."""
        flat = self.asking, self.true, self.random, self.majority, self.bound, self.accepted
        section: dict[str, Any] = {}
        for part in (*flat, self.noise):
            section |= as_section(part)
        nested = {
            "growth": self.growth,
            "training": self.training,
            "scan": self.scan,
            "scan_slope": self.scan_slope,
            "verdict": self.verdict,
        }
        return {**section, **as_section(nested)}


def finite(value: float) -> float | None:
    """The value, None where it is not finite."""
    return value if math.isfinite(value) else None
