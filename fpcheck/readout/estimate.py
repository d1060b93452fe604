"""The trials of all splits as one result: means, intervals, paired differences, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import wilson
from fpcheck.network.skeleton import Dense
from fpcheck.readout.features import Table
from fpcheck.readout.problem import Problem
from fpcheck.readout.result import Fit, Gain, ReadoutResult
from fpcheck.readout.ridge import RELATIVE_PENALTIES
from fpcheck.readout.splits import Split, resampled_interval
from fpcheck.readout.trial import Models, Trial
from fpcheck.readout.verdict import judge_scores

Array = NDArray[np.float64]
Trials = Sequence[dict[str, Trial]]

INFINITE_WIDTH = {"skipped": "ridge on the dual kernel is not part of this version"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score and its 95 % interval; all None where there is no such model."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


def summarised(
    problem: Problem,
    models: Models,
    trials: Trials,
    *,
    last: Dense,
    split: Split,
    notes: tuple[str, ...],
) -> ReadoutResult:
    """The result of the trials.

    last: the layer that was fitted again. split: any of the trials', for the numbers of rows.
    """
    last_layer, linear, majority, own = (
        _estimate(problem, trials, model, split)
        for model in ("last_layer", "linear_on_input", "majority", "trained")
    )
    gains = _gains(trials, split)
    by_name = {gain.over: gain for gain in gains}
    verdict, because = judge_scores(by_name["majority"], by_name.get("linear_on_input"))
    return ReadoutResult(
        metric=problem.metric,
        task="regression" if problem.labels is None else "classification",
        target=problem.target,
        classes=problem.classes,
        rows=len(problem.targets),
        test_rows=len(split.test),
        splits=len(trials),
        interval=_interval_text(problem, trials),
        layer=last.name,
        feature_source=last.inputs[0],
        last_layer=_number(last_layer.mean),
        last_layer_low=_number(last_layer.low),
        last_layer_high=_number(last_layer.high),
        linear_on_input=linear.mean,
        linear_on_input_low=linear.low,
        linear_on_input_high=linear.high,
        linear_on_input_skipped=models.linear if isinstance(models.linear, str) else "",
        linear_rank=models.linear if isinstance(models.linear, int) else None,
        majority=_number(majority.mean),
        majority_low=_number(majority.low),
        majority_high=_number(majority.high),
        trained=own.mean,
        trained_low=own.low,
        trained_high=own.high,
        trained_skipped=models.own if isinstance(models.own, str) else "",
        infinite_width=INFINITE_WIDTH,
        balanced_accuracy=_balanced(trials),
        fits=_fits(models, trials),
        gains=gains,
        verdict=verdict,
        verdict_because=because,
        notes=notes,
    )


def _held_out(trials: Trials, model: str) -> Array:
    return np.array([trial[model].held_out.value for trial in trials])


def _estimate(problem: Problem, trials: Trials, model: str, split: Split) -> Estimate:
    """The mean score of `model` and its interval, kept to the values that a score can take.

    An accuracy's interval is never narrower than Wilson's for as many rows as there are: twenty
    splits without an error would otherwise claim certainty.
    """
    if model not in trials[0]:
        return Estimate()
    scores = _held_out(trials, model)
    mean = float(scores.mean())
    interval = resampled_interval(scores, len(split.train), len(split.test))
    low, high = interval.low, min(1.0, interval.high)
    if problem.labels is not None:
        rows = len(problem.labels)
        share = wilson(round(mean * rows), rows)
        low, high = max(0.0, min(low, share.low)), max(high, share.high)
    return Estimate(mean, low, high)


def _gains(trials: Trials, split: Split) -> tuple[Gain, ...]:
    gains = []
    for model in ("majority", "linear_on_input", "trained"):
        if model in trials[0]:
            gain = _held_out(trials, "last_layer") - _held_out(trials, model)
            interval = resampled_interval(gain, len(split.train), len(split.test))
            gains.append(Gain(model, float(gain.mean()), interval.low, interval.high))
    return tuple(gains)


def _fits(models: Models, trials: Trials) -> tuple[Fit, ...]:
    tables = {"last_layer": models.last_layer, "linear_on_input": models.linear}
    return tuple(
        _fit(name, table, [trial[name] for trial in trials])
        for name, table in tables.items()
        if isinstance(table, Table)
    )


def _fit(model: str, table: Table, trials: Sequence[Trial]) -> Fit:
    relative = float(np.median([trial.relative_penalty for trial in trials]))
    train = [trial.train.value for trial in trials if trial.train is not None]
    return Fit(
        model=model,
        features=table.width,
        score_train=float(np.mean(train)),
        penalty=float(np.median([trial.penalty for trial in trials])),
        relative_penalty=relative,
        penalty_at_edge=not RELATIVE_PENALTIES[0] < relative < RELATIVE_PENALTIES[-1],
        degrees_of_freedom=float(np.mean([trial.degrees_of_freedom for trial in trials])),
        condition=table.spectrum.condition,
        rank=table.spectrum.rank,
        effective_rank=table.spectrum.effective_rank,
    )


def _balanced(trials: Trials) -> dict[str, float]:
    """The mean balanced accuracy of every model, empty where there are no classes."""
    scores: dict[str, float] = {}
    for model in trials[0]:
        values = [trial[model].held_out.balanced for trial in trials]
        known = [value for value in values if value is not None]
        if known:
            scores[model] = float(np.mean(known))
    return scores


def _interval_text(problem: Problem, trials: Trials) -> str:
    wider = ", at least Wilson's for all rows" if problem.labels is not None else ""
    return f"95 %, corrected resampled t over {len(trials)} random splits{wider}"


def _number(value: float | None) -> float:
    """A score that is always there."""
    return float("nan") if value is None else value
