"""The trials of all splits as one result: means, intervals, paired differences, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval
from fpcheck.network.skeleton import Dense
from fpcheck.readout.comparison import ORDER, all_pairs, model_score
from fpcheck.readout.features import Table
from fpcheck.readout.models import Scored, scored, without
from fpcheck.readout.parts import Parts
from fpcheck.readout.problem import Problem
from fpcheck.readout.result import Fit, Gain, LearningCurve, ModelScore, Paired, ReadoutResult
from fpcheck.readout.ridge import RELATIVE_PENALTIES
from fpcheck.readout.splits import Split, simultaneous
from fpcheck.readout.trial import Models, Trial
from fpcheck.readout.verdict import Best, Evidence, decide

Array = NDArray[np.float64]
Trials = Sequence[dict[str, Trial]]

SIMPLE = ("linear_on_input", "neighbours", "rbf")


def trial_models(models: Models, trials: Trials) -> dict[str, Scored]:
    """Majority, linear_on_input, trained and last_layer, as the trials scored them."""
    found: dict[str, Scored] = {}
    for name in ("majority", "linear_on_input", "trained", "last_layer"):
        if name in trials[0]:
            found[name] = scored(name, [trial[name].held_out for trial in trials])
    if isinstance(models.linear, str):
        found["linear_on_input"] = without("linear_on_input", models.linear)
    if isinstance(models.own, str):
        found["trained"] = without("trained", models.own)
    return found


def summarised(
    problem: Problem,
    models: Models,
    trials: Trials,
    compared: Mapping[str, Scored],
    parts: Parts,
    *,
    last: Dense,
    split: Split,
    notes: tuple[str, ...],
    trained: bool,
) -> ReadoutResult:
    """The result of the trials.

    compared: every model by name. last: the layer that was fitted again. split: any of the
    trials', for the numbers of rows. trained: whether the layers come from training.
    """
    lines = [model_score(problem, compared[name], split) for name in ORDER]
    by_name = {line.name: line for line in lines}
    pairs = all_pairs([compared[name] for name in ORDER], split)
    last_layer, linear, majority, own = (
        by_name[name] for name in ("last_layer", "linear_on_input", "majority", "trained")
    )
    found = decide(_evidence(pairs, by_name, parts, len(problem.targets), trained=trained))
    counts = (
        ()
        if problem.labels is None
        else np.bincount(problem.labels, minlength=len(problem.classes))
    )
    return ReadoutResult(
        metric=problem.metric,
        task="regression" if problem.labels is None else "classification",
        target=problem.target,
        classes=problem.classes,
        class_sizes=tuple(int(count) for count in counts),
        rows=len(problem.targets),
        test_rows=len(split.test),
        splits=len(trials),
        interval=_interval_text(trials, labelled=problem.labels is not None),
        layer=last.name,
        feature_source=last.inputs[0],
        last_layer=_number(last_layer.score),
        last_layer_low=_number(last_layer.low),
        last_layer_high=_number(last_layer.high),
        linear_on_input=linear.score,
        linear_on_input_low=linear.low,
        linear_on_input_high=linear.high,
        linear_on_input_skipped=linear.skipped,
        linear_rank=models.linear if isinstance(models.linear, int) else None,
        majority=_number(majority.score),
        majority_low=_number(majority.low),
        majority_high=_number(majority.high),
        trained=own.score,
        trained_low=own.low,
        trained_high=own.high,
        trained_skipped=own.skipped,
        balanced_accuracy={line.name: line.balanced for line in lines if line.balanced is not None},
        fits=_fits(models, trials),
        gains=_gains(pairs),
        models=tuple(lines),
        paired=pairs,
        initial=parts.initial,
        infinite_width=parts.infinite_width,
        kernel=parts.kernel,
        alignment=parts.alignment,
        learning_curve=parts.learning_curve,
        width_curve=parts.width_curve,
        stages=parts.stages,
        probes=parts.probes,
        bias_correction=parts.bias_correction,
        duplicates=parts.duplicates,
        verdict=found.verdict,
        verdict_because=found.because,
        decided_by=found.decided_by,
        next_step=found.next_step,
        notes=notes,
    )


def _gains(pairs: Sequence[Paired]) -> tuple[Gain, ...]:
    """The last layer's gains over majority, linear model and the network as it is."""
    over = {pair.over: pair for pair in pairs if pair.model == "last_layer"}
    over |= {
        pair.model: Paired("last_layer", pair.model, -pair.gain, -pair.high, -pair.low, pair.splits)
        for pair in pairs
        if pair.over == "last_layer" and pair.model == "trained"
    }
    return tuple(
        Gain(name, over[name].gain, over[name].low, over[name].high)
        for name in ("majority", "linear_on_input", "trained")
        if name in over
    )


def _evidence(
    pairs: Sequence[Paired],
    lines: Mapping[str, ModelScore],
    parts: Parts,
    rows: int,
    *,
    trained: bool,
) -> Evidence:
    by_pair = {(pair.model, pair.over): pair for pair in pairs}
    simple = [name for name in SIMPLE if ("last_layer", name) in by_pair]
    best = min(simple, key=lambda name: by_pair["last_layer", name].gain, default=None)
    stages = [
        Paired(stage.name, "last_layer", stage.over_last, stage.over_last_low, stage.over_last_high,
               stage.splits)
        for stage in getattr(parts.stages, "stages", ())
        if stage.over_last is not None
    ]  # fmt: skip
    infinite = [
        gain
        for name in ("infinite_nngp", "infinite_ntk")
        if (gain := _over_last(by_pair, name)) is not None
    ]
    curve = parts.learning_curve
    return Evidence(
        over_majority=by_pair["last_layer", "majority"],
        over_linear=by_pair.get(("last_layer", "linear_on_input")),
        over_best=_best(by_pair["last_layer", best], len(simple)) if best else None,
        best_over_majority=by_pair.get((best, "majority")) if best else None,
        stage=_surest(by_pair, stages),
        widest_stage=max(stages, key=lambda one: one.high, default=None),
        infinite=_surest(by_pair, infinite),
        curve=curve if isinstance(curve, LearningCurve) else None,
        rows=rows,
        trained=trained,
    )


def _over_last(by_pair: Mapping[tuple[str, str], Paired], name: str) -> Paired | None:
    """The gain of `name`, which stands before the last layer in the order, over the last layer."""
    pair = by_pair.get(("last_layer", name))
    if pair is None:
        return None
    return Paired(name, "last_layer", -pair.gain, -pair.high, -pair.low, pair.splits)


def _surest(by_pair: Mapping[tuple[str, str], Paired], tried: Sequence[Paired]) -> Best | None:
    """Of the gains of models above the majority the one whose interval begins highest.

    The interval is that of the best of all that were tried.
    """
    gains = [_best(gain, len(tried)) for gain in tried if _beats_majority(by_pair, gain)]
    return max(gains, key=lambda one: (one.low, one.gain), default=None)


def _beats_majority(by_pair: Mapping[tuple[str, str], Paired], gain: Paired) -> bool:
    over = by_pair.get((gain.model, "majority"))
    return over is not None and over.low > 0.0


def _best(gain: Paired, tried: int) -> Best:
    """The gain as that of the best of so many."""
    interval = simultaneous(Interval(gain.low, gain.high), gain.gain, gain.splits, tried)
    return Best(gain.model, gain.over, gain.gain, interval.low, interval.high, tried)


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


def _interval_text(trials: Trials, *, labelled: bool) -> str:
    wider = "at least Wilson's for all rows, and differences at least" if labelled else "at least"
    return (
        f"95 %, corrected resampled t over {len(trials)} random splits, {wider} what the held-out "
        "rows can tell"
    )


def _number(value: float | None) -> float:
    """A score that is always there."""
    return float("nan") if value is None else value
