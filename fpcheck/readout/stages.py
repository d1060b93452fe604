"""The staged protocol: the last layer alone, then the last two and three, from the same weights.

No step at all is among the choices of the training, so that a stage that does not pay ends where
the last layer alone does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense
from fpcheck.readout.comparison import paired, score_interval
from fpcheck.readout.logistic_choice import LogisticTrial
from fpcheck.readout.models import Asked, Scored, predicted, scored, without
from fpcheck.readout.result import Skipped, Stage, Stages
from fpcheck.readout.splits import simultaneous
from fpcheck.readout.tail import Tail, find_tail, present_weights
from fpcheck.readout.tail_fit import TailCase, Weights, affordable_steps, fitted_tails

Array = NDArray[np.float64]

COUNTS = (2, 3)
MARGIN = 0.02  # points of the score from which a stage pays
TRAINED = "gradient steps"  # how the stages behind the first are fitted


@dataclass(frozen=True, slots=True, eq=False)
class StageModels:
    """The models last_2_layers and last_3_layers, and the part of the report."""

    models: tuple[Scored, ...]
    part: Stages | Skipped


def staged(
    asked: Asked,
    network: Network,
    last: Dense,
    values: Mapping[str, Array],
    last_layer: Scored,
    logistic: Sequence[LogisticTrial],
    count: int,
    rng: np.random.Generator,
    start: str,
) -> StageModels:
    """The last layers trained on from the present weights on the first `count` splits.

    Args:
        asked: the problem and the splits.
        network: whose layers they are.
        last: its last dense layer.
        values: what enters each of the tails, (n, d), by node name.
        last_layer: ridge on the frozen features.
        logistic: fits to the same features, where there are classes.
        count: how many splits.
        rng: every split draws its inner rows from a child of its own.
        start: where the weights come from, in words.
    """
    names = [f"last_{number}_layers" for number in COUNTS]
    if asked.problem.labels is not None and len(logistic) < count:
        why = "there is no logistic fit of the last layer to begin with"
        return StageModels(tuple(without(name, why) for name in names), Skipped(why))
    penalties = [fit.relative_penalty for fit in logistic[:count]]
    first = _first_stage(asked, last_layer, logistic, count)
    found: list[Scored] = [first]
    steps = [0.0]
    tails: list[Tail] = []
    stopped = ""
    children = rng.spawn(len(COUNTS))
    for number, child in zip(COUNTS, children, strict=True):
        case = _case(asked, network, last, values, number, penalties, count)
        if isinstance(case, str):
            stopped = case
            break
        fits = fitted_tails(case, count, child)
        held_out = [fit.held_out for fit in fits]
        if not all(np.isfinite(rows).all() for rows in held_out):
            stopped = "the training of its inner layers leaves the range of numbers"
            break
        tails.append(case.tail)
        steps.append(float(np.mean([fit.steps for fit in fits])))
        tuned = f"{steps[-1]:.0f} steps (mean)"
        name = f"last_{number}_layers"
        found.append(predicted(name, asked.problem, held_out, asked.splits[:count], tuned))
    missing = tuple(without(name, stopped) for name in names[len(tails) :])
    if not tails:
        return StageModels(missing, Skipped(stopped))
    stages = _stages(asked, network, last, tails, found, steps)
    pays = next((one.count for one in stages if _least_gain(one, len(tails)) > MARGIN), None)
    part = Stages(tuple(stages), start, pays, MARGIN, stopped)
    return StageModels((*found[1:], *missing), part)


def entering(network: Network, last: Dense) -> list[str]:
    """The nodes whose values the tails see, so that one pass over the rows keeps them."""
    tails = [find_tail(network.skeleton, last, number) for number in COUNTS]
    return [tail.source for tail in tails if isinstance(tail, Tail)]


def _first_stage(
    asked: Asked, last_layer: Scored, logistic: Sequence[LogisticTrial], count: int
) -> Scored:
    """The last layer alone: of ridge and the logistic fit the one with the better mean score."""
    ridge = scored("last_layer", last_layer.details[:count], tuned="ridge")
    if len(logistic) < count:
        return ridge
    splits = asked.splits[:count]
    held_out = [fit.held_out for fit in logistic[:count]]
    other = predicted("last_layer", asked.problem, held_out, splits, "multinomial logistic")
    return other if other.values.mean() > ridge.values.mean() else ridge


def _case(
    asked: Asked,
    network: Network,
    last: Dense,
    values: Mapping[str, Array],
    number: int,
    penalties: Sequence[float],
    count: int,
) -> TailCase | str:
    tail = find_tail(network.skeleton, last, number)
    if isinstance(tail, str):
        return tail
    inputs = values[tail.source]
    inner: Weights = [*present_weights(network, tail)]
    outputs = asked.problem.targets.shape[1]
    fans = [weight.shape for weight, _ in inner]
    shapes = (*((int(a), int(b)) for a, b in fans), (int(fans[-1][1]), outputs))
    large = max(float(np.abs(part).max(initial=0.0)) for pair in inner for part in pair)
    if not max(large, float(np.abs(inputs).max(initial=0.0))) < 1e10:
        return f"the weights or values before '{last.name}' are too large to train on"
    rows = max(len(split.train) for split in asked.splits[:count])
    steps = affordable_steps(shapes, rows, count)
    if isinstance(steps, str):
        return steps
    kind = np.float32
    return TailCase(
        asked=asked,
        tail=tail,
        inner=inner,
        shapes=shapes,
        inputs=inputs.astype(kind),
        targets=asked.problem.targets.astype(kind),
        steps=steps,
        penalties=tuple(penalties),
    )


def _stages(
    asked: Asked,
    network: Network,
    last: Dense,
    tails: Sequence[Tail],
    found: Sequence[Scored],
    steps: Sequence[float],
) -> list[Stage]:
    split = asked.splits[0]
    stages: list[Stage] = []
    outputs = asked.problem.targets.shape[1]
    parameters = [_parameters(network, (last,), outputs)]
    parameters += [_parameters(network, tail.layers, outputs) for tail in tails]
    layers = [(last.name,), *(tuple(node.name for node in tail.layers) for tail in tails)]
    for index, model in enumerate(found):
        interval = score_interval(asked.problem, model.values, split, model.details)
        before = paired(model, found[index - 1], split) if index else None
        over = paired(model, found[0], split) if index else None
        stages.append(
            Stage(
                name=model.name,
                count=index + 1,
                fit=model.tuned if index == 0 else TRAINED,
                layers=layers[index],
                parameters=parameters[index],
                score=float(model.values.mean()),
                low=interval.low,
                high=interval.high,
                gain=before.gain if before else None,
                gain_low=before.low if before else None,
                gain_high=before.high if before else None,
                over_last=over.gain if over else None,
                over_last_low=over.low if over else None,
                over_last_high=over.high if over else None,
                steps=steps[index],
                splits=len(model.values),
            )
        )
    return stages


def _least_gain(stage: Stage, tried: int) -> float:
    """The lower end of the gain on the last layer alone, of an interval for all that were tried."""
    if stage.over_last is None or stage.over_last_low is None or stage.over_last_high is None:
        return 0.0
    interval = Interval(stage.over_last_low, stage.over_last_high)
    return simultaneous(interval, stage.over_last, stage.splits, tried).low


def _parameters(network: Network, layers: Sequence[Dense], outputs: int) -> int:
    """The weights and biases of these layers, the last one with `outputs` units."""
    units = [*(node.units for node in layers[:-1]), outputs]
    fans = [int(np.prod(network.skeleton.shapes[node.inputs[0]])) for node in layers]
    return sum((fan + 1) * unit for fan, unit in zip(fans, units, strict=True))
