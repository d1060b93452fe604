"""The record of a run: at which steps it is looked at, and what is seen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order
from fpcheck.escape.probe import Run
from fpcheck.escape.problem import Array, Problem, accuracy
from fpcheck.escape.result import LayerRecord, StepRecord
from fpcheck.escape.spectra import leading_values, numerical_rank
from fpcheck.network.layers import Layer, layers, weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.program import forward, trace
from fpcheck.network.training import loss_and_gradient

EVERY_STEP = 20  # up to this one all are recorded
EVENLY = 100  # so many behind it,
BY_LOSS = 40  # and so many where the loss has changed by equal shares of all its change
RANK_ROWS = 256  # on which the values' rank is taken
RANK_TOLERANCE = 1e-3  # of the largest singular value


@dataclass(frozen=True, slots=True, eq=False)
class Recorder:
    """What is needed to record a step of a run."""

    run: Run
    problem: Problem
    sample: Array  # the rows on which the values' rank is taken
    layers: tuple[Layer, ...]


def record_run(
    run: Run,
    problem: Problem,
    rng: np.random.Generator,
    threads: int,
    monitor: Monitor,
    dated: Sequence[int] = (),
) -> tuple[StepRecord, ...]:
    """The records of the steps that `schedule` chooses, and of the `dated` ones.

    In full batch a step's own numbers; for mini-batches loss, accuracy, gradient and output
    variance are taken again, on all rows.
    """
    rows = problem.inputs
    if len(rows) > RANK_ROWS:
        rows = rows[np.sort(rng.choice(len(rows), RANK_ROWS, replace=False))]
    recorder = Recorder(run, problem, rows, layers(run.network.skeleton))

    def record(step: int) -> StepRecord:
        return _record(recorder, step)

    return tuple(in_order(record, schedule(run, dated), threads, monitor, "records of the probe"))


def schedule(run: Run, dated: Sequence[int] = ()) -> list[int]:
    """The steps that are recorded, in order: those of `run.kept` nearest to the wanted ones."""
    kept = np.array(sorted(run.kept))
    if not len(kept):
        return []
    last = int(kept[-1])
    wanted = [*range(min(EVERY_STEP, last) + 1), *np.linspace(0, last, EVENLY + 1), *dated]
    if run.full_batch and last > EVERY_STEP:
        change = np.abs(np.diff(np.log(np.maximum(run.loss[: last + 1], 1e-300))))
        way = np.concatenate([[0.0], np.cumsum(change)])
        wanted += list(np.searchsorted(way, np.linspace(0.0, way[-1], BY_LOSS + 1)))
    places = np.searchsorted(kept, np.rint(wanted)).clip(0, len(kept) - 1)
    return [int(step) for step in kept[np.unique(places)]]


def _record(recorder: Recorder, step: int) -> StepRecord:
    run, problem = recorder.run, recorder.problem
    network = run.network_at(step)
    loss, gradient_norm = float(run.loss[step]), float(run.gradient_norm[step])
    variance, right = float(run.output_variance[step]), float(run.accuracy[step])
    if not run.full_batch:
        loss, gradient_norm, variance, right = _on_all_rows(network, problem)
    return StepRecord(
        step=step,
        loss=loss,
        accuracy=right if problem.classes else None,
        gradient_norm=gradient_norm,
        parameter_norm=float(run.parameter_norm[step]),
        output_variance=variance,
        time=float(run.time[step]),
        layers=_layer_records(recorder, network),
    )


def _layer_records(recorder: Recorder, network: Network) -> tuple[LayerRecord, ...]:
    with np.errstate(all="ignore"):
        values = trace(network.program, recorder.sample)
    found = []
    for layer in recorder.layers:
        matrix = weight_matrix(layer.node, network.parameters[layer.node.weight])
        top = leading_values(matrix)
        with np.errstate(all="ignore"):
            relative = float(np.linalg.norm(matrix / top[0])) if top[0] > 0.0 else None
        rank = numerical_rank(
            values[layer.postactivation].reshape(len(recorder.sample), -1), RANK_TOLERANCE
        )
        found.append(
            LayerRecord(
                name=layer.name,
                sigma1=float(top[0]),
                sigma2=float(top[1]) if len(top) > 1 else None,
                ratio=float(top[0] / top[1]) if len(top) > 1 and top[1] > 0.0 else None,
                singular_values=tuple(float(value) for value in top),
                stable_rank=None if relative is None else relative**2,
                activation_rank=rank,
            )
        )
    return tuple(found)


def _on_all_rows(network: Network, problem: Problem) -> tuple[float, float, float, float]:
    """Loss, gradient norm, output variance and accuracy of the network on all rows."""
    with np.errstate(all="ignore"):
        loss, slopes = loss_and_gradient(
            network, problem.inputs, problem.targets, problem.loss, threads=1
        )
        outputs = forward(network.program, problem.inputs).reshape(len(problem.inputs), -1)
        variance = float(np.mean(np.var(outputs, axis=0)))
    norm = float(np.sqrt(sum(float(np.sum(slope * slope)) for slope in slopes.values())))
    right = np.nan
    if problem.classes:
        right = accuracy(outputs, problem.targets.astype(np.int64))
    return loss, norm, variance, right
