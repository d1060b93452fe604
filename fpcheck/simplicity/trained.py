"""The same architecture trained on the same rows, from the same law: is sampling as good?"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError
from fpcheck.core.intervals import Interval, mean_t, wilson
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.training import (
    ADAM,
    CROSS_ENTROPY,
    MEAN_SQUARED_ERROR,
    Recipe,
    Step,
)
from fpcheck.network.training import train as descend
from fpcheck.network.training.cost import GRADIENT_PASSES
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import cost
from fpcheck.simplicity.result import TrainedRun
from fpcheck.simplicity.violations import violations

Array = NDArray[np.float64]

# Adam fits teachers, shuffled labels and digits from uniform and from standard starts in 10 to 350
# steps, mostly 25 to 100; at 0.03 some networks of four hidden layers never get there, at 0.001
# most take three to ten times as long, and some on digits from 0 to 16 never get there.
RATE = 0.01
MOST_STEPS = 2000
# Up to so many training rows all of them make a step; beyond, so many of them at a time.
FULL_BATCH = 256
# Multiply-adds of one run at most, some 1 s: wide networks on many rows get fewer steps.
MOST_WORK = 2.0**34


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The runs from independent starts.

    reached: how many fit. test_error, low, high: the mean error of a trained network on new rows
    with its 95 % interval, over starts and rows; multiply_adds: the mean of a run. test_wrong:
    (seeds, test rows), whether each run has each row wrong; it and the error are None without test
    rows.
    """

    optimiser: str
    seeds: tuple[TrainedRun, ...]
    reached: int
    test_error: float | None
    test_error_low: float | None
    test_error_high: float | None
    multiply_adds: float
    test_wrong: NDArray[np.bool_] | None


def train_same(
    prior: Prior,
    train: Labelling,
    test: Labelling | None,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    seeds: int = 5,
) -> Trained | str:
    """Runs of Adam from `seeds` draws of the prior until the training rows are right; or why not.

    The loss is the cross-entropy of classes and the squared error of numbers. A run ends where at
    most settings.label_errors rows are wrong, or after as many steps as are affordable. Random
    scales of neurons are part of the weights that it starts from.
    """
    starts = prior.parameters(prior.draw(rng, seeds))
    streams = rng.spawn(seeds)
    recipe = _recipe(prior, train)

    def run(number: int) -> _Run:
        start, allowed = prior.network(starts[number]), settings.label_errors
        return _run(start, train, recipe, allowed, streams[number], monitor)

    try:
        done = in_order(run, range(seeds), settings.threads, monitor, "simplicity: training")
    except FpcheckError as error:
        return error.message
    return _summary(done, prior, test, recipe, settings.label_errors)


def _summary(
    done: list[_Run], prior: Prior, test: Labelling | None, recipe: Recipe, allowed: int
) -> Trained:
    passes = cost(prior, 1)
    wrong = None if test is None else np.array([_wrong(each.network, test) for each in done])
    runs = tuple(
        TrainedRun(
            steps=each.steps,
            train_errors=each.errors,
            test_error=None if wrong is None else float(wrong[number].mean()),
            multiply_adds=passes * each.passes,
        )
        for number, each in enumerate(done)
    )
    interval = None if wrong is None else error_interval(wrong)
    return Trained(
        optimiser=_words(recipe),
        seeds=runs,
        reached=sum(each.errors <= allowed for each in done),
        test_error=None if wrong is None else float(wrong.mean()),
        test_error_low=None if interval is None else interval.low,
        test_error_high=None if interval is None else interval.high,
        multiply_adds=float(np.mean([each.multiply_adds for each in runs])),
        test_wrong=wrong,
    )


def error_interval(wrong: NDArray[np.bool_] | Array) -> Interval:
    """The 95 % interval of the mean error over runs and rows. wrong: (runs, rows).

    Wilson's for the rows, whose mean answers vary no more than one network's do, and Student's t
    for the runs, put together around the mean. [Zou, Donner 2008]
    """
    runs, rows = wrong.shape
    mean = float(wrong.mean())
    by_rows = wilson(mean * rows, rows)
    spread = float(wrong.mean(axis=1).std(ddof=1)) if runs > 1 else 0.0
    by_runs = mean_t(mean, spread / math.sqrt(runs), runs - 1)
    return Interval(
        max(0.0, mean - math.hypot(mean - by_rows.low, mean - by_runs.low)),
        min(1.0, mean + math.hypot(by_rows.high - mean, by_runs.high - mean)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Where a run ended. passes: rows that went through the network, a gradient counted thrice."""

    network: Network
    steps: int
    errors: int
    passes: int


def _run(
    start: Network,
    train: Labelling,
    recipe: Recipe,
    allowed: int,
    rng: np.random.Generator,
    monitor: Monitor,
) -> _Run:
    rows, passes = train.count, 0
    targets: NDArray[np.generic] = _targets(train)
    a_pass = -(-rows // recipe.batch) if recipe.batch else 1
    steps = descend(start, train.rows, targets, recipe, monitor, rng=rng, threads=1, words="")
    with contextlib.closing(steps):
        for step in steps:
            passes += GRADIENT_PASSES * len(step.outputs)
            last = step.number == recipe.steps or not step.finite
            if step.number % a_pass and not last:
                continue
            if step.rows is not None:
                passes += rows
            errors = _errors(step, train)
            if errors <= allowed or last:
                break
    return _Run(step.network, step.number, errors, passes)


def _errors(step: Step, train: Labelling) -> int:
    """How many training rows are wrong at the step, whatever its batch."""
    if step.rows is not None:
        return int(_wrong(step.network, train).sum())
    return int((~_right(step.outputs, train)).sum())


def _wrong(network: Network, labelling: Labelling) -> NDArray[np.bool_]:
    """(rows,): which rows the network has wrong; a network that is not finite, all of them."""
    with np.errstate(all="ignore"):
        out = forward(network.program, labelling.rows)
    return ~_right(out.reshape(labelling.count, -1), labelling)


def _right(outputs: Array, labelling: Labelling) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = violations(outputs[None], labelling)[0] == 0.0
    return right


def _targets(labelling: Labelling) -> NDArray[np.generic]:
    if labelling.targets is not None:
        return labelling.targets
    assert labelling.labels is not None  # a labelling has the one or the other
    return labelling.labels


def _recipe(prior: Prior, train: Labelling) -> Recipe:
    batch = train.count if train.count <= FULL_BATCH else FULL_BATCH
    affordable = int(MOST_WORK / (GRADIENT_PASSES * cost(prior, batch)))
    return Recipe(
        loss=MEAN_SQUARED_ERROR if train.labels is None else CROSS_ENTROPY,
        optimiser=ADAM,
        rate=RATE,
        steps=max(1, min(MOST_STEPS, affordable)),
        batch=0 if batch == train.count else batch,
    )


def _words(recipe: Recipe) -> str:
    rows = f"{recipe.batch} rows" if recipe.batch else "all rows"
    return f"Adam, rate {recipe.rate:g}, {rows} a step, at most {recipe.steps} steps"
