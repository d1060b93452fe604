"""What infinite width gives: ridge on the dual kernels, on the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.network.skeleton import Dense
from fpcheck.readout.comparison import paired, score_interval
from fpcheck.readout.initial import Initial
from fpcheck.readout.kernel_ridge import KernelTrial
from fpcheck.readout.models import Asked, Scored, kernel_model, without
from fpcheck.readout.result import InfiniteModel, InfiniteWidth, Skipped
from fpcheck.theory.dual_kernel import DualKernel, dual_kernel
from fpcheck.theory.recursion_state import NotKnown

Array = NDArray[np.float64]

NNGP, NTK = "infinite_nngp", "infinite_ntk"

# Rows above which a kernel model is left out: one takes about SECONDS_A_CUBE n^3 seconds of one
# core, 20 s at 5000 rows and minutes at 10 000.
KERNEL_ROWS = 5000
SECONDS_A_CUBE = 1.6e-10

# Seconds of one core, by its own estimate, that a dual kernel may take: convolutions with pooling
# need every pair of positions.
LONGEST_KERNEL = 60.0

NO_BOTTLENECK = (
    "the target is the input row itself; an infinite width has no bottleneck, so it would copy it"
)


@dataclass(frozen=True, slots=True, eq=False)
class Infinite:
    """The dual kernels (n, n) of what enters the last layer, and the models on them.

    nngp, ntk: None where there is none; ntk is that of the output, all layers trained.
    """

    nngp: Array | None
    ntk: Array | None
    models: tuple[Scored, Scored]
    trials: tuple[Sequence[KernelTrial], Sequence[KernelTrial]]


def no_kernels(rows: int) -> str:
    """Why kernel models of so many rows are left out, "" where they are not."""
    if rows <= KERNEL_ROWS:
        return ""
    seconds = SECONDS_A_CUBE * float(rows) ** 3
    return (
        f"kernel ridge on {rows} rows would take about {seconds:.0f} s of one core for every "
        f"kernel; it is done for {KERNEL_ROWS} rows at most"
    )


def infinite_models(
    asked: Asked, start: Initial, rows: Array, last: Dense, costly: int
) -> Infinite:
    """Ridge on NNGP and NTK on the first `costly` splits, or why not. rows: (n, *input shape)."""
    why = NO_BOTTLENECK if asked.problem.copies_input else no_kernels(len(rows))
    if why:
        return _none(why, why)
    try:
        found = limit_kernels(start, rows, last, asked)
        if isinstance(found, NotKnown):
            return _none(found.reason, found.reason)
        kernel, no_ntk = found
        nngp, ntk = kernel.nngp, None
        one = kernel_model(NNGP, asked, nngp, costly)
        other: tuple[Scored, list[KernelTrial]] = without(NTK, no_ntk), []
        if kernel.ntk is not None:
            # Of the output, up to its own sigma_w^2 and bias, which a free intercept and a
            # relative penalty do not see: the last layer's own weights give K, the others Theta.
            ntk = nngp + kernel.ntk
            other = kernel_model(NTK, asked, ntk, costly)
    except MemoryLimitError as error:
        return _none(error.message, error.message)
    return Infinite(nngp, ntk, (one[0], other[0]), (one[1], other[1]))


def limit_kernels(
    start: Initial, rows: Array, last: Dense, asked: Asked, *, ntk: bool = True
) -> tuple[DualKernel, str] | NotKnown:
    """The dual kernel of what enters the last layer, and why it has no tangent kernel, or "".

    Raises:
        MemoryLimitError: the kernels do not fit into memory.
    """

    def asked_for(tangent: bool) -> DualKernel | NotKnown:
        return dual_kernel(
            start.skeleton,
            start.scales,
            rows,
            node=last.inputs[0],
            ntk=tangent,
            parameters=start.constants,
            longest=LONGEST_KERNEL,
            threads=asked.threads,
            monitor=asked.monitor,
        )

    found = asked_for(ntk)
    if not isinstance(found, NotKnown):
        return found, ""
    alone = asked_for(False) if ntk else found
    return alone if isinstance(alone, NotKnown) else (alone, found.reason)


def infinite_part(
    asked: Asked, found: Infinite, at_init: Scored, start: Initial, last: Dense
) -> InfiniteWidth | Skipped:
    """The part of the report."""
    if not any(model.known for model in found.models):
        return Skipped(found.models[0].skipped)
    parts = [
        _model(asked, model, trials, at_init)
        for model, trials in zip(found.models, found.trials, strict=True)
    ]
    return InfiniteWidth(nngp=parts[0], ntk=parts[1], node=last.inputs[0], scales=start.law)


def _model(
    asked: Asked, model: Scored, trials: Sequence[KernelTrial], at_init: Scored
) -> InfiniteModel | Skipped:
    if not model.known:
        return Skipped(model.skipped)
    split = asked.splits[0]
    interval = score_interval(asked.problem, model.values, split, model.details)
    over = paired(model, at_init, split) if at_init.known else None
    return InfiniteModel(
        score=float(model.values.mean()),
        low=interval.low,
        high=interval.high,
        gain=over.gain if over else None,
        gain_low=over.low if over else None,
        gain_high=over.high if over else None,
        relative_penalty=float(np.median([trial.relative_penalty for trial in trials])),
        penalty_at_edge=any(trial.at_edge for trial in trials),
        degrees_of_freedom=float(np.mean([trial.degrees_of_freedom for trial in trials])),
        splits=len(trials),
    )


def _none(nngp: str, ntk: str) -> Infinite:
    return Infinite(None, None, (without(NNGP, nngp), without(NTK, ntk)), ((), ()))
