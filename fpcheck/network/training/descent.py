"""A run of training, step by step: whoever iterates decides what to look at, and when to stop."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import worker_count
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.training.cost import BLOCK_BYTES, blocks
from fpcheck.network.training.gradients import (
    Rows,
    Task,
    evaluate,
    pose,
    waiting_blocks,
    workers,
)
from fpcheck.network.training.optimisers import Recipe, degree, optimiser, step_rate
from fpcheck.network.training.packing import Packing

REPORTS = 50  # of progress, over a whole run
# Vectors of the parameters' length that a run holds: the parameters and their gradient, before and
# after, two moments, two of scratch; the blocks' own beside them.
VECTORS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Where a run stands before its update `number` (from 0); valid for ever.

    loss, slope: at the parameters `theta`, on `rows` (None: all of them); outputs: (rows, k), for
    the cross-entropy the logits; rate: of the update that comes now; time: the sum of the rates
    before. theta, slope: (parameters,), as `packing` lays them.
    """

    number: int
    loss: float
    rate: float
    time: float
    outputs: Array
    rows: Rows | None
    theta: Array
    slope: Array
    packing: Packing
    start: Network

    @property
    def parameters(self) -> dict[str, Array]:
        """The trained parameters by name, in their stored layout; not to be written."""
        return self.packing.views(self.theta)

    @property
    def gradient(self) -> dict[str, Array]:
        """The loss's gradient by the parameter's name; not to be written."""
        return self.packing.views(self.slope)

    @property
    def gradient_norm(self) -> float:
        """|gradient| over all trained parameters."""
        return float(np.linalg.norm(self.slope))

    @property
    def parameter_norm(self) -> float:
        """|theta| over all trained parameters."""
        return float(np.linalg.norm(self.theta))

    @property
    def finite(self) -> bool:
        """Whether loss and gradient are finite; where they are not, the run ends."""
        return math.isfinite(self.loss) and bool(np.isfinite(self.slope).all())

    @property
    def network(self) -> Network:
        """The network as it stands here."""
        return Network(self.start.skeleton, {**self.start.parameters, **self.parameters})


def train(
    network: Network,
    inputs: Array,
    targets: NDArray[np.generic],
    recipe: Recipe,
    monitor: Monitor | None = None,
    *,
    rng: np.random.Generator | None = None,
    names: tuple[str, ...] | None = None,
    threads: int = 0,
    words: str = "training",
) -> Generator[Step, None, None]:
    """The run's steps 0 to recipe.steps, the last one without an update behind it.

    inputs: (n, *input shape). targets: numbers (n, *output shape) for the mean squared error, a
    class index a row for the cross-entropy, which takes the logits: a softmax at the network's
    end, or a sigmoid of one output, is cut off. rng: for mini-batches. names: of the parameters to
    be trained, `trained_names` for None. words: what the monitor is told; "" for nothing.
    The run ends early behind a step that is not finite.

    Raises:
        DataError: rows or targets do not fit the network.
        UnsupportedOperationError: nothing to train, or an activation without a derivative.
        MemoryLimitError: the parameters and their moments would not fit.
        ValueError: mini-batches without `rng`.
    """
    if recipe.batch and rng is None:
        raise ValueError("mini-batches need a random generator")
    task = pose(
        network, inputs, targets, recipe.loss, names=names, threads=threads, monitor=monitor
    )
    rows = min(recipe.batch or len(inputs), len(inputs))
    count = worker_count(threads, len(blocks(task.block_rows, rows)))
    vectors = VECTORS + waiting_blocks(count)
    needed = 8.0 * task.packing.size * vectors + BLOCK_BYTES * count
    require_memory(needed, f"training {task.packing.size:,} parameters")
    return _steps(task, recipe, _batches(len(inputs), rows, rng), rows, words)


def _steps(
    task: Task, recipe: Recipe, batches: Iterator[Rows | None], rows: int, words: str
) -> Generator[Step, None, None]:
    update, depth = optimiser(recipe), degree(task.network.skeleton)
    theta, time = task.packing.packed(task.network.parameters), 0.0
    every = max(1, recipe.steps // REPORTS)
    with workers(task, rows) as pool:
        for number, batch in zip(range(recipe.steps + 1), batches, strict=False):
            found = evaluate(task, theta, batch, pool)
            with np.errstate(all="ignore"):  # what overflows shows in the next step's loss
                rate = step_rate(recipe, theta, depth)
            step = Step(
                number,
                found.loss,
                rate,
                time,
                found.outputs,
                batch,
                theta,
                found.gradient,
                task.packing,
                task.network,
            )
            if words and number % every == 0:
                task.monitor.report(f"{words}: loss {found.loss:.4g}", number, recipe.steps)
            yield step
            if not step.finite:
                return
            with np.errstate(all="ignore"):
                theta, time = update(theta, found.gradient, rate), time + rate


def _batches(rows: int, size: int, rng: np.random.Generator | None) -> Iterator[Rows | None]:
    """The rows of every step, endlessly: None for all, else a shuffled pass after the other."""
    if rng is None or size >= rows:
        yield from itertools.repeat(None)
        return
    while True:
        order = rng.permutation(rows)
        for start in range(0, rows, size):
            yield order[start : start + size]
