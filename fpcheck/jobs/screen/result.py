"""What `fpcheck screen` answers; the field names are the keys of its JSON."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.core.findings import Status
from fpcheck.readout.result import Alignment, Skipped


@dataclass(frozen=True, slots=True)
class Score:
    """A mean held-out score over all splits with its 95 % interval, or why there is none.

    draws: random networks that it is a mean over, 0 where there is no draw; draws_sd: the spread
    of their mean scores.
    """

    score: float | None = None
    low: float | None = None
    high: float | None = None
    draws: int = 0
    draws_sd: float | None = None
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """The score of `model` minus that of `over` on the same held-out rows.

    low, high: an interval that holds together with those of `together` - 1 other differences at
    95 %, or alone where that is 1.
    """

    model: str
    over: str
    gain: float
    low: float
    high: float
    together: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the kernel tells rows apart.

    effective_rank: exp of the entropy of its correlations' eigenvalues, 1 where all rows look
    alike; centred_rank: the same without their mean. off_diagonal_*: the correlations of different
    rows.
    """

    effective_rank: float
    centred_rank: float
    off_diagonal_mean: float
    off_diagonal_sd: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """One skeleton.

    standing: best, behind (its whole interval to the best lies below 0), undecided, or not ranked;
    rank: by score, null where it is not ranked. nngp, ntk: ridge on the dual kernels, the last
    layer alone or all layers trained at infinite width; at_init: the last layer of random networks
    of this width. width_gain: nngp over at_init. alignment, spread: of the NNGP kernel. law: how
    random networks are drawn. skipped: why it is not judged at all, else "".
    """

    name: str
    format: str
    sha256: str
    parameters: int
    layers: int
    rank: int | None
    standing: str
    to_best: Difference | None
    nngp: Score
    ntk: Score
    at_init: Score
    width_gain: Difference | None
    alignment: Alignment | Skipped
    spread: Spread | Skipped
    law: str
    notes: tuple[str, ...]
    skipped: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What stands beside the skeletons: a linear model on the input, and the majority or mean.

    over_linear, over_majority: the best skeleton's gain over them; linear_gain: the linear model's
    over the majority.
    """

    linear: Score
    majority: Score
    over_linear: Difference | None
    over_majority: Difference | None
    linear_gain: Difference | None


@dataclass(frozen=True, slots=True)
class Screening:
    """Several skeletons on one data set, in the order of their scores.

    metric: accuracy or r2. rows: those of the data, used: those that were looked at; test_rows:
    held out in every split. ranked_by: nngp, ntk or at_init; ranked_because: why by that. outcome:
    one leads, undecided, no better than linear, nothing learned, or not judged. recommended: a
    skeleton, "linear", or null. decided_by: the figure that decides.
    """

    data: str
    target: str
    metric: str
    classes: tuple[str, ...]
    rows: int
    used: int
    test_rows: int
    splits: int
    ranked_by: str | None
    ranked_because: str
    outcome: str
    recommended: str | None
    recommendation: str
    decided_by: Difference | None
    baseline: Baseline
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    interval: str
    status: Status = "sampled"
