"""The comparison that decides: every model's mean score, and every difference on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, wilson
from fpcheck.readout.drawn import drawn_interval
from fpcheck.readout.models import Scored
from fpcheck.readout.problem import Problem
from fpcheck.readout.result import ModelScore, Paired
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


def score_interval(problem: Problem, values: Array, split: Split) -> Interval:
    """The interval of a mean score, kept to the values that a score can take.

    An accuracy's is never narrower than Wilson's for as many rows as there are: twenty splits
    without an error would otherwise claim certainty.
    """
    interval = mean_interval(values, split)
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
    interval = score_interval(problem, model.values, split)
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
    """The gain of `model` over `over` on the splits that both were scored on."""
    left, right = model.values, over.values
    count = min(len(model.by_split), len(over.by_split))
    difference = left[..., :count] - right[..., :count]
    if left.ndim == 2 and right.ndim == 1:
        difference = left[:, :count] - right[None, :count]
    interval = mean_interval(difference, split)
    gain = float(difference.mean())
    return Paired(model.name, over.name, gain, interval.low, interval.high, count)


def all_pairs(models: Sequence[Scored], split: Split) -> tuple[Paired, ...]:
    """Every model over every one before it, in the report's order."""
    known = [model for model in models if model.known]
    return tuple(paired(later, earlier, split) for earlier, later in combinations(known, 2))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
