"""The models' scores on the same splits, and their paired differences."""

from __future__ import annotations

from dataclasses import dataclass


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
class ModelScore:
    """One model's held-out scores over the first `splits` of the splits.

    name: majority, linear_on_input, neighbours, rbf, last_layer_at_init, infinite_nngp,
    infinite_ntk, trained, last_layer, last_2_layers or last_3_layers. score: mean accuracy or R^2,
    low, high its 95 % interval; balanced: mean balanced accuracy. log_loss: nats a row, of models
    that give probabilities, over the first log_loss_splits; of ridge models it is that of a
    multinomial logistic fit to the same features, whose accuracy is `logistic`. rmse: in the
    target's units. draws: random networks that the score is
    a mean over, 0 where there is no draw; draws_sd: the spread of their mean scores. tuned: what
    was chosen within the training rows, in words. skipped: why there is no score, else "".
    """

    name: str
    score: float | None = None
    low: float | None = None
    high: float | None = None
    balanced: float | None = None
    log_loss: float | None = None
    log_loss_low: float | None = None
    log_loss_high: float | None = None
    log_loss_splits: int = 0
    logistic: float | None = None
    rmse: float | None = None
    splits: int = 0
    draws: int = 0
    draws_sd: float | None = None
    tuned: str = ""
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Paired:
    """The score of `model` minus that of `over` on the same held-out rows, with its 95 % interval.

    splits: how many both were scored on. An interval without bounds is null with `_status` beside.
    """

    model: str
    over: str
    gain: float
    low: float
    high: float
    splits: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that occur more than once.

    rows: those that equal an earlier one in all entries. held_out: the mean share of held-out rows
    whose equal was trained on. contradicting: groups of equal rows with unequal targets.
    """

    rows: int
    held_out: float
    contradicting: int
