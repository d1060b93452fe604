"""The comparison that decides: every model's mean score, and every difference on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, wilson
from fpcheck.readout.drawn import drawn_interval
from fpcheck.readout.models import Scored
from fpcheck.readout.problem import Problem, Score
from fpcheck.readout.resolution import no_finer, resolution
from fpcheck.readout.result import ModelScore, Paired
from fpcheck.readout.scores import RowLosses
from fpcheck.readout.splits import Split, resampled_interval

Array = NDArray[np.float64]

ORDER = (
    "majority",
    "linear_on_input",
    "neighbours",
    "rbf",
    "last_layer_at_init",
    "infinite_nngp",
    "infinite_ntk",
    "trained",
    "last_layer",
    "last_2_layers",
    "last_3_layers",
)


def mean_interval(values: Array, split: Split) -> Interval:
    """The 95 % interval of the mean of scores (J,) over splits, or (D, J) over draws and splits."""
    if values.ndim == 2 and len(values) > 1:
        return drawn_interval(values, split)
    by_split = values if values.ndim == 1 else values[0]
    return resampled_interval(by_split, len(split.train), len(split.test))


def score_interval(
    problem: Problem, values: Array, split: Split, details: Sequence[Score] = ()
) -> Interval:
    """The interval of a mean score, kept to the values that a score can take.

    An accuracy's is never narrower than Wilson's for as many rows as there are: twenty splits
    without an error would otherwise claim certainty. An R^2's is never narrower than the
    `resolution` of the rows in its details, where they are given.
    """
    interval = mean_interval(values, split)
    if problem.labels is None:
        interval = no_finer(interval, float(values.mean()), resolution(_by_row(details)))
    low, high = interval.low, min(1.0, interval.high)
    if problem.labels is not None:
        rows = len(problem.labels)
        share = wilson(round(float(values.mean()) * rows), rows)
        low, high = max(0.0, min(low, share.low)), max(high, share.high)
    return Interval(low, high)


def model_score(problem: Problem, model: Scored, split: Split) -> ModelScore:
    """A model's line in the report."""
    if not model.known:
        return ModelScore(model.name, skipped=model.skipped)
    interval = score_interval(problem, model.values, split, model.details)
    losses = np.array(model.losses)
    loss = mean_interval(losses, split) if len(losses) else None
    draws = len(model.values) if model.values.ndim == 2 else 0
    return ModelScore(
        name=model.name,
        score=float(model.values.mean()),
        low=interval.low,
        high=interval.high,
        balanced=_mean([one.balanced for one in model.details]),
        log_loss=float(losses.mean()) if loss else None,
        log_loss_low=max(0.0, loss.low) if loss else None,
        log_loss_high=loss.high if loss else None,
        log_loss_splits=len(losses),
        logistic=float(np.mean(model.logistic)) if model.logistic else None,
        rmse=_mean([one.rmse for one in model.details]),
        splits=len(model.by_split),
        draws=draws,
        draws_sd=float(np.std(model.values.mean(axis=1), ddof=1)) if draws > 1 else None,
        tuned=model.tuned,
    )


def paired(model: Scored, over: Scored, split: Split) -> Paired:
    """The gain of `model` over `over` on the splits that both were scored on.

    Its interval is never narrower than the `resolution` of the held-out rows.
    """
    left, right = model.values, over.values
    count = min(len(model.by_split), len(over.by_split))
    difference = left[..., :count] - right[..., :count]
    if left.ndim == 2 and right.ndim == 1:
        difference = left[:, :count] - right[None, :count]
    gain = float(difference.mean())
    interval = no_finer(mean_interval(difference, split), gain, _row_floor(model, over, count))
    return Paired(model.name, over.name, gain, interval.low, interval.high, count)


def all_pairs(models: Sequence[Scored], split: Split) -> tuple[Paired, ...]:
    """Every model over every one before it, in the report's order."""
    known = [model for model in models if model.known]
    return tuple(paired(later, earlier, split) for earlier, later in combinations(known, 2))


def _row_floor(model: Scored, over: Scored, count: int) -> float:
    """The resolution of a gain on the first `count` splits, over all pairs of random networks."""
    left, right = _by_draw(model, count), _by_draw(over, count)
    draws = max(len(left), len(right))
    if not left or not right or {len(left), len(right)} - {1, draws}:
        return 0.0
    ours = [one for number in range(draws) for one in left[number % len(left)]]
    theirs = [one for number in range(draws) for one in right[number % len(right)]]
    return resolution(ours, theirs)


def _by_draw(model: Scored, count: int) -> list[list[RowLosses]]:
    """What the rows add in the first splits, one list a random network; [] where it is not kept."""
    every = _by_row(model.details)
    splits = len(model.by_split)
    if len(every) != model.values.size:
        return []
    return [every[begin : begin + count] for begin in range(0, len(every), splits)]


def _by_row(details: Sequence[Score]) -> list[RowLosses]:
    return [one.by_row for one in details if one.by_row is not None]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
