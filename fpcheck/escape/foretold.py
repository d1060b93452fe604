"""The optimal escape direction beside the run: what was to be expected, and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.events import ESCAPE_SHARE, Curve, Events
from fpcheck.escape.probe import Run
from fpcheck.escape.problem import Array, Problem
from fpcheck.escape.result import Skipped, StepRecord
from fpcheck.network.training import ADAM

if TYPE_CHECKING:
    from fpcheck.escape.direction import Direction
    from fpcheck.escape.flow import Flow

NEAR_ZERO = 0.02  # of the loss at zero weights
HUGE = 1e100  # entries of the rows beyond: their squares, times as large pulls, overflow
NO_TIME = "Adam's steps are no gradient flow: they have no time to predict by"


def foretell(
    problem: Problem,
    run: Run,
    curve: Curve,
    events: Events,
    records: tuple[StepRecord, ...],
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Mapping[str, object] | Skipped:
    """The section's `direction`: speed and rank profile, predicted and measured escape and norms.

    Norms are given at the recorded steps, None behind the predicted escape, where the first order
    at zero says nothing. Where the run did not escape, the fall that is predicted is a tenth of
    the start's loss. near_zero: the start's loss is that of zero weights, so that it applies.
    """
    from fpcheck.escape.direction import best_direction
    from fpcheck.escape.flow import follow
    from fpcheck.escape.origin import origin

    if not math.isfinite(float(curve.loss[0])):
        return Skipped("the loss of the weights as they are is not finite")
    posed = origin(problem.network, problem.inputs, problem.targets, problem.loss)
    if isinstance(posed, str):
        return Skipped(posed)
    place, weights = posed
    if float(np.abs(place.x).max()) > HUGE:
        return Skipped("the rows are too large: their products overflow")
    if place.depth < 2:
        return Skipped("one layer alone has no saddle at zero")
    monitor.report("escape direction", 0, 0)
    direction, _ = best_direction(place, settings, rng, monitor)
    if not direction.speed > 0.0:
        return Skipped("no direction was found that lowers the loss")
    found = {item.name: getattr(direction, item.name) for item in fields(direction)}
    found |= {"measured_escape": events.escaped_at, "measured_time": None}
    at_zero = _loss_at_zero(problem)
    found["near_zero"] = abs(float(curve.loss[0]) - at_zero) <= NEAR_ZERO * at_zero
    if why := _no_time(run):
        return {**found, "predicted_escape": None, "predicted_norms": None, "reason": why}
    fall = _fall(curve, events)
    flow = follow(place, weights, fall, rng, monitor)
    return {**found, **_timed(direction, flow, fall, run, events, records)}


def _no_time(run: Run) -> str:
    """Why the run has no time to predict by, "" where it has."""
    if run.recipe.optimiser == ADAM:
        return NO_TIME
    return "" if run.parameter_norm[0] > 0.0 else "the weights are all zero"


def _timed(
    direction: Direction,
    flow: Flow | str,
    fall: float,
    run: Run,
    events: Events,
    records: tuple[StepRecord, ...],
) -> dict[str, object]:
    """The prediction's keys, with the measured time beside them; momentum m speeds time up."""
    from fpcheck.escape.prediction import predict

    speed_up = 1.0 / (1.0 - run.recipe.momentum)
    steps = np.array([record.step for record in records], dtype=np.float64)
    times = speed_up * np.array([record.time for record in records])
    factor = run.recipe.rate if run.recipe.norm_adaptive else None
    start_norm = float(run.parameter_norm[0])
    prediction = predict(direction, start_norm, steps, times, fall, flow, factor)
    told = {item.name: getattr(prediction, item.name) for item in fields(prediction)}
    told["predicted_norms"] = _up_to(prediction.predicted_norms, steps, prediction.predicted_escape)
    told["earliest_norms"] = _up_to(prediction.earliest_norms, times, prediction.earliest_time)
    measured = None if events.escaped_time is None else speed_up * events.escaped_time
    return {**told, "fall": fall, "measured_time": measured}


def _loss_at_zero(problem: Problem) -> float:
    """The loss where every output is 0."""
    if problem.classes:
        return math.log(max(problem.classes, 2))
    return float(np.mean(np.square(problem.targets)))


def _up_to(
    norms: tuple[float, ...] | None, places: Array, end: float | None
) -> tuple[float | None, ...] | None:
    """The norms up to `end` and the first behind it, None from there on.

    places, end: in steps, or in time.
    """
    if norms is None or end is None:
        return norms
    last = int(np.searchsorted(places, end))
    return tuple(norm if place <= last else None for place, norm in enumerate(norms))


def _fall(curve: Curve, events: Events) -> float:
    """By how much the loss has fallen where it counts as having escaped."""
    start = float(curve.loss[0])
    if events.escaped_at is None or events.plateau is None:
        return ESCAPE_SHARE * start
    level = float(curve.loss[np.searchsorted(curve.steps, events.plateau["from"])])
    left = float(curve.loss[np.searchsorted(curve.steps, events.escaped_at)])
    return level - left
