"""Training a tail on one split: as many steps as serve rows that it does not train on.

How many steps the inner layers take is chosen within the training rows: on some of them they are
trained, on others the loss says when to stop; then all training rows take as many. No step at all
is among the choices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.workers import in_order
from fpcheck.readout.descent import descend
from fpcheck.readout.logistic import fit_logistic
from fpcheck.readout.logistic_choice import mean_eigenvalue
from fpcheck.readout.models import Asked
from fpcheck.readout.ridge import fit_ridge
from fpcheck.readout.splits import Split, random_split
from fpcheck.readout.tail import Tail, TailLoss, flatten, predict

Array = NDArray[np.float64]
Weights = list[tuple[NDArray[np.floating], NDArray[np.floating]]]

INNER_SHARE = 0.25  # of the rows that choose the number of steps, held out for it
CHOICE_ROWS = 800  # that choose it at most
PATIENCE = 5  # steps in a row without a better inner loss that end the search
MOST_STEPS = 40
FEWEST_STEPS = 8

ROUGH = 1e-3  # of the logistic start, which is only where the training begins
NEVER = 30.0  # the intercept of a class without rows, e^-30 of the others

# Multiplications and additions that a stage may take over all its splits: about a second.
WORK = 4e10
MOST_WORK = 10.0 * WORK  # with the fewest steps; beyond it the stage is left out


@dataclass(frozen=True, slots=True, eq=False)
class TailCase:
    """A tail and what enters it, (n, d) for all rows in the type that is computed in.

    penalties: of the logistic last layer in every split, relative; () where there are no classes.
    """

    asked: Asked
    tail: Tail
    inner: Weights
    shapes: tuple[tuple[int, int], ...]
    inputs: NDArray[np.floating]
    targets: NDArray[np.floating]
    steps: int
    penalties: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FittedTail:
    """One split's held-out outputs (|T|, k) and the number of steps taken."""

    held_out: Array
    steps: int


def affordable_steps(shapes: Sequence[tuple[int, int]], rows: int, count: int) -> int | str:
    """How many steps fit into the work, or why the stage is left out."""
    # Forward, the gradient by the weights, and by the values of all layers but the first.
    products = sum(2 * a * b for a, b in shapes) * 3 - 2 * shapes[0][0] * shapes[0][1]
    choice = min(rows, CHOICE_ROWS)
    work = count * float(products) * (rows + choice)
    steps = int(min(MOST_STEPS, WORK / work))
    if steps >= FEWEST_STEPS:
        return steps
    if FEWEST_STEPS * work > MOST_WORK:
        return (
            f"{len(shapes)} layers of {sum(a * b for a, b in shapes):,} weights on {rows} rows "
            f"would take about {FEWEST_STEPS * work / 4e10:.0f} s"
        )
    return FEWEST_STEPS


def fitted_tails(case: TailCase, count: int, rng: np.random.Generator) -> list[FittedTail]:
    """The tail trained on the training rows of each of the first `count` splits."""
    splits = case.asked.splits[:count]
    penalties = case.penalties or (0.0,) * count
    items = list(zip(splits, rng.spawn(count), penalties, strict=True))
    done = in_order(lambda item: _fit(case, *item), items, case.asked.threads, case.asked.monitor)
    case.asked.monitor.report(f"readout, last {len(case.shapes)} layers", count, count)
    return done


def _fit(case: TailCase, split: Split, rng: np.random.Generator, penalty: float) -> FittedTail:
    """The tail trained on the split's training rows for as many steps as serve inner rows."""
    problem = case.asked.problem
    some = split.train
    if len(some) > CHOICE_ROWS:
        some = np.sort(rng.permutation(some)[:CHOICE_ROWS])
    labels = None if problem.labels is None else problem.labels[some]
    inner = random_split(len(some), INNER_SHARE, rng, labels)
    steps = 0
    if len(inner.test):
        steps = _best_steps(case, some[inner.train], some[inner.test], penalty)
    start, loss = _start(case, split.train, penalty)
    taken = deque(enumerate(_steps(case, loss, start, steps), start=1), maxlen=1)
    number, point = taken[0] if taken else (0, start)
    return FittedTail(_outputs(case, point, split.test), number)


def _best_steps(
    case: TailCase, train: NDArray[np.intp], test: NDArray[np.intp], penalty: float
) -> int:
    """The number of steps with the least loss on the inner held-out rows, 0 among them."""
    start, loss = _start(case, train, penalty)
    judge = replace(loss, inputs=case.inputs[test], targets=case.targets[test])
    best, least = 0, judge.value(start)
    for index, point in enumerate(_steps(case, loss, start, case.steps)):
        value = judge.value(point)
        if value < least:
            best, least = index + 1, value
        if index + 1 - best >= PATIENCE:
            break
    return best


def _steps(
    case: TailCase, loss: TailLoss, start: NDArray[np.floating], most: int
) -> Iterator[NDArray[np.floating]]:
    if most == 0:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        for taken, point in enumerate(descend(loss.value_and_gradient, start)):
            case.asked.monitor.check()
            yield point
            if taken + 1 >= most:
                return


def _start(
    case: TailCase, rows: NDArray[np.intp], relative: float
) -> tuple[NDArray[np.floating], TailLoss]:
    """The present inner weights with the last layer fitted to these rows, and the loss of both."""
    problem = case.asked.problem
    kind = case.inputs.dtype.type
    features = case.inputs[rows].astype(np.float64)
    for index, (weight, bias) in enumerate(case.inner):
        features = features @ weight + bias
        for function in case.tail.activations[index]:
            features = function.phi(features)
    if problem.labels is None:
        ridge = fit_ridge(features, problem.targets[rows])
        last, penalty = (ridge.coefficients, ridge.intercept), ridge.penalty
    else:
        chosen = relative * mean_eigenvalue(features)
        labels, classes = problem.labels[rows], problem.targets.shape[1]
        fit = fit_logistic(features, labels, classes, chosen, tolerance=ROUGH)
        level = np.where(np.isfinite(fit.intercept), fit.intercept, -NEVER)
        last, penalty = (fit.coefficients, level), 0.5 * chosen
    start = flatten([*case.inner, last], kind)
    anchor = start.copy()
    anchor[len(anchor) - last[0].size - last[1].size :] = 0.0
    loss = TailLoss(
        case.tail.activations,
        case.shapes,
        case.inputs[rows],
        case.targets[rows],
        anchor,
        penalty,
        problem.labels is not None,
    )
    return start, loss


def _outputs(case: TailCase, point: NDArray[np.floating], rows: NDArray[np.intp]) -> Array:
    out = predict(case.tail.activations, case.shapes, point, case.inputs[rows])
    return np.asarray(out, dtype=np.float64)
