"""The probe's run: what every step tells, and the weights of as many steps as are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.escape.problem import Array, Problem, accuracy
from fpcheck.network.network import Network
from fpcheck.network.training import Recipe, Step, train
from fpcheck.network.training.packing import Packing

# Bytes of kept weights: 300 steps of 4 x 64 x 64 take 40 MB; beyond, every second step is dropped.
# It hangs on no machine's memory, or the report would.
KEPT_BYTES = 2**28
# Of the larger of the start's loss and a constant's: here the run has diverged beyond return.
HOPELESS = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the steps of a run told; arrays hold a number a step, from step 0.

    loss, accuracy, output_variance are the batch's. accuracy: nan for numbers. output_variance:
    the outputs' variance over rows, mean over outputs. time: the sum of the rates before.
    kept: the parameters by step, every `stride`-th one and the last; each (parameters,), as
    `packing` lays them. outputs_differ: at step 0, from row to row.
    """

    network: Network
    packing: Packing
    recipe: Recipe
    loss: Array
    gradient_norm: Array
    parameter_norm: Array
    output_variance: Array
    accuracy: Array
    rate: Array
    time: Array
    kept: Mapping[int, Array]
    stride: int
    outputs_differ: bool

    @property
    def steps(self) -> int:
        """The number of the last step."""
        return len(self.loss) - 1

    @property
    def full_batch(self) -> bool:
        """Whether every step saw every row."""
        return self.recipe.batch == 0

    def network_at(self, step: int) -> Network:
        """The network before the update number `step`, one of `kept`."""
        parameters = self.packing.views(self.kept[step])
        return Network(self.network.skeleton, {**self.network.parameters, **parameters})


def run_probe(
    problem: Problem,
    recipe: Recipe,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    threads: int = 0,
    words: str = "training probe",
) -> Run:
    """The run of the recipe from the problem's network; it ends early where the loss blows up.

    Raises:
        UnsupportedOperationError: an activation without a derivative.
        MemoryLimitError: the parameters and their moments, or the kept steps, would not fit.
    """
    steps = train(
        problem.network, problem.inputs, problem.targets, recipe, monitor,
        rng=rng, threads=threads, words=words,
    )  # fmt: skip
    scalars: list[tuple[float, ...]] = []
    kept = _Kept(KEPT_BYTES)
    first, last, hopeless = None, None, HOPELESS
    for step in steps:
        if first is None:
            first = step
            hopeless *= max(step.loss, problem.constant_loss)
            every = (recipe.steps + 1) * step.theta.nbytes
            require_memory(min(KEPT_BYTES, every), "keeping the steps of the training probe")
            kept.by_step[0] = step.theta  # also where its loss is not finite
        scalars.append(_scalars(step, problem))
        if not step.finite:
            break
        last = step
        kept.offer(step)
        if step.loss > hopeless:
            break
    assert first is not None
    if last is not None:
        kept.by_step[last.number] = last.theta
    return _run(first, recipe, scalars, kept)


@dataclass(slots=True, eq=False)
class _Kept:
    """The parameters by step, every `stride`-th one, as many as `budget` bytes hold."""

    budget: int
    stride: int = 1
    by_step: dict[int, Array] = field(default_factory=dict)

    def offer(self, step: Step) -> None:
        """Keep the step's parameters if its turn has come; thin out what no longer fits."""
        if step.number % self.stride == 0:
            self.by_step[step.number] = step.theta
        while len(self.by_step) * step.theta.nbytes > self.budget and len(self.by_step) > 2:
            self.stride *= 2
            self.by_step = {
                number: theta for number, theta in self.by_step.items() if number % self.stride == 0
            }


def _run(first: Step, recipe: Recipe, scalars: list[tuple[float, ...]], kept: _Kept) -> Run:
    loss, gradient, norm, variance, right, rate, time = np.array(scalars).T
    return Run(
        network=first.start,
        packing=first.packing,
        recipe=recipe,
        loss=loss,
        gradient_norm=gradient,
        parameter_norm=norm,
        output_variance=variance,
        accuracy=right,
        rate=rate,
        time=time,
        kept=kept.by_step,
        stride=kept.stride,
        outputs_differ=bool((first.outputs != first.outputs[:1]).any()),
    )


def _scalars(step: Step, problem: Problem) -> tuple[float, ...]:
    """Loss, norms, output variance, accuracy, rate and time of a step, in Run's order."""
    with np.errstate(all="ignore"):  # a run that diverges overflows, and its loss says so
        variance = float(np.mean(np.var(step.outputs, axis=0)))
        right = np.nan
        if problem.classes:
            labels = problem.targets if step.rows is None else problem.targets[step.rows]
            right = accuracy(step.outputs, labels.astype(np.int64, copy=False))
        norms = step.gradient_norm, step.parameter_norm
    return step.loss, *norms, variance, right, step.rate, step.time
