"""A second run by Adam where the first one stands still: is it a plateau, or is there no way out?

Adam's steps do not shrink with the gradient, so that it leaves a plateau on which gradient descent
waits for thousands of steps, and does not leave where no gradient tells the rows apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.events import curve_of, find_events
from fpcheck.escape.probe import run_probe
from fpcheck.escape.problem import Problem
from fpcheck.escape.rate import ADAM_RATE
from fpcheck.escape.record import record_run
from fpcheck.escape.result import SecondRun, Skipped
from fpcheck.escape.trainability import Trainability, judge_trainability
from fpcheck.network.training import ADAM, Recipe


def second_run(
    problem: Problem,
    recipe: Recipe,
    found: Trainability,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    dead: bool,
) -> SecondRun | Skipped:
    """What Adam makes of a start at which the run of `recipe` did not; or why it was not asked."""
    if found.answer != "does not start":
        return Skipped("the first run tells")
    if dead:
        return Skipped("nothing can be learnt at the start, by any steps")
    if recipe.optimiser == ADAM:
        return Skipped("the first run is Adam's")
    adam = replace(recipe, optimiser=ADAM, rate=ADAM_RATE, momentum=0.0, norm_adaptive=False)
    for_batches, for_records = rng.spawn(2)
    run = run_probe(
        problem, adam, for_batches, monitor, threads=settings.threads, words="a second run, by Adam"
    )
    records = (
        () if run.full_batch else record_run(run, problem, for_records, settings.threads, monitor)
    )
    curve = curve_of(run, records)
    events = find_events(curve, problem.constant_loss, settings.probe_steps)
    told = judge_trainability(curve, events, problem, dead=False, silent="")
    return SecondRun(
        optimiser="adam",
        learning_rate=ADAM_RATE,
        answer=told.answer,
        reason=told.reason,
        fall=told.fall,
        escaped_at=events.escaped_at,
        steps=run.steps,
    )


def waits(second: SecondRun | Skipped) -> bool:
    """Whether Adam starts where the first run stood still."""
    return isinstance(second, SecondRun) and second.answer == "trains"


def with_second(found: Trainability, second: SecondRun | Skipped) -> Trainability:
    """The first run's answer, left open where Adam starts from the same weights."""
    if not isinstance(second, SecondRun) or second.answer != "trains":
        return found
    reason = f"{found.reason}; by Adam it falls by {second.fall:.1%} in as many"
    return replace(found, answer="cannot tell", reason=reason)
