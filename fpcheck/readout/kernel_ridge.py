"""Kernel ridge with a free intercept over all splits at once, from one inverse a penalty.

With G the bordered inverse of all rows (see bordered), the held-out residuals of the rows T, when
all the others are trained on, are (G_TT)^-1 (G y)_T, and the training rows' own inverse is the
Schur complement G_SS - G_ST (G_TT)^-1 G_TS. So the fit of every split, and its exact leave-one-out
error within its training rows, cost factorisations of the size of its held-out rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order, worker_count
from fpcheck.readout.bordered import bordered_inverse, centred_kernel
from fpcheck.readout.kernel_curve import kernel_curve, least, spread_rows
from fpcheck.readout.schur import Look, look
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

# Penalties relative to the mean eigenvalue of the centred kernel of all rows, a decade apart, from
# what only just steadies rounding to what leaves little but the mean.
KERNEL_PENALTIES = 10.0 ** np.arange(-6.0, 4.5, 1.0)

# Training rows whose leave-one-out curve, over the whole grid, says where the search begins; with
# no more than these the curve is the answer.
START_ROWS = 200

# The share of the leave-one-out error that a step has to take off for the search to go on behind
# it, once degrees of freedom exceed half the rows: there the error is flat over decades.
WORTH = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class KernelTrial:
    """Kernel ridge fitted to the training rows of one split.

    held_out: (|T|, k) and fitted: (|S|, k), the predictions for the held-out and the training rows
    in the split's order. penalty: the lambda of |y - f|^2 + lambda |f|_K^2; relative_penalty: over
    the mean eigenvalue of all rows' centred kernel. loo_error: mean squared leave-one-out error
    over the training rows and outputs. degrees_of_freedom: trace of the hat matrix with the
    intercept's 1. at_edge: the penalty is the grid's first or last. looked: how many penalties of
    the grid the search looked at.
    """

    held_out: Array
    fitted: Array
    penalty: float
    relative_penalty: float
    loo_error: float
    degrees_of_freedom: float
    at_edge: bool
    looked: int


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What all splits share: the centred kernel (n, n), targets (n, k) and the grid (g,)."""

    centred: Array
    targets: Array
    mean_eigenvalue: float
    relative: Array
    threads: int
    monitor: Monitor

    @property
    def penalties(self) -> Array:
        """(g,), in the kernel's units."""
        return self.mean_eigenvalue * self.relative


def kernel_trials(
    kernel: Array,
    targets: Array,
    splits: Sequence[Split],
    relative_penalties: Array = KERNEL_PENALTIES,
    *,
    threads: int = 0,
    monitor: Monitor | None = None,
    start_rows: int = START_ROWS,
) -> list[KernelTrial]:
    """The kernel ridge fit of every split, its penalty chosen within the split's training rows.

    The penalty has the least exact leave-one-out error of all that were looked at, the largest of
    equal ones. The search begins where the curves of `start_rows` training rows of each split most
    often have their minimum, and goes on, where most splits ask for it first, until both neighbours
    of every split's best penalty were looked at: any other lies behind one that is worse. Where the
    fit all but interpolates, the search also ends with a step that makes the error smaller by less
    than a thousandth. Splits with no more than `start_rows` training rows look at the whole grid.

    Args:
        kernel: (n, n), symmetric and positive semidefinite to rounding, finite.
        targets: (n, k), finite.
        splits: disjoint training and held-out rows, together all rows; one training row or more.
        relative_penalties: (g,) positive, ascending; see KERNEL_PENALTIES.
        threads: 0 takes one a core; no number depends on it.
        monitor: hears of every penalty, and stops the work.
        start_rows: see above.

    Raises:
        ValueError: a split without training rows, or a kernel that is not finite.
        MemoryLimitError: the work does not fit into memory.
    """
    if any(len(split.train) == 0 for split in splits):
        raise ValueError("a split without training rows")
    monitor = monitor or Monitor()
    require_memory(working_memory(len(kernel), splits, threads), "kernel ridge")
    centred, mean_eigenvalue = centred_kernel(kernel)
    if not np.isfinite(mean_eigenvalue):
        raise ValueError("a kernel that is not finite")
    if not mean_eigenvalue > 0.0:
        return [_mean_only(targets, split, len(relative_penalties)) for split in splits]
    job = _Job(centred, targets, mean_eigenvalue, relative_penalties, threads, monitor)
    few = [split for split in splits if len(split.train) <= start_rows]
    many = [split for split in splits if len(split.train) > start_rows]
    exact = iter(in_order(lambda split: _directly(job, split), few, threads, monitor))
    sought = iter(_search(job, many, start_rows))
    return [next(exact) if len(split.train) <= start_rows else next(sought) for split in splits]


def working_memory(rows: int, splits: Sequence[Split], threads: int) -> float:
    """Bytes that the trials take beside the kernel and what they return."""
    held_out = max((len(split.test) for split in splits), default=0)
    blocks = worker_count(threads, len(splits)) * 2.0 * held_out * rows
    return 8.0 * (4.0 * rows * rows + blocks)


def _directly(job: _Job, split: Split) -> KernelTrial:
    """The trial from the eigendecomposition of the training rows' kernel."""
    train, test = split.train, split.test
    within = job.centred[np.ix_(train, train)]
    curve = kernel_curve(within, job.targets[train])
    errors = curve.loo_errors(job.penalties)
    best = least(errors)
    penalty = float(job.penalties[best])
    weights = curve.weights(penalty)
    intercept = curve.mean - (within @ weights).mean(axis=0)
    return KernelTrial(
        held_out=job.centred[np.ix_(test, train)] @ weights + intercept,
        fitted=job.targets[train] - penalty * weights,
        penalty=penalty,
        relative_penalty=float(job.relative[best]),
        loo_error=float(errors[best]),
        degrees_of_freedom=curve.degrees_of_freedom(penalty),
        at_edge=best in (0, len(errors) - 1),
        looked=len(errors),
    )


def _search(job: _Job, splits: Sequence[Split], start_rows: int) -> list[KernelTrial]:
    """The trials from inverses of all rows' kernel, penalty by penalty.

    Every penalty that one split asks for is looked at for all, since its inverse serves them all.
    """

    def start(split: Split) -> int:
        some = split.train[spread_rows(len(split.train), start_rows)]
        curve = kernel_curve(job.centred[np.ix_(some, some)], job.targets[some])
        return least(curve.loo_errors(job.penalties))

    if not splits:
        return []
    room = np.empty((2, *job.centred.shape))
    best: list[Look | None] = [None] * len(splits)
    looked: set[int] = set()
    asked = in_order(start, splits, job.threads, job.monitor)
    grid = range(len(job.relative))
    while asked:
        index = max(asked, key=lambda i: (asked.count(i), i))
        best = _look_at(job, splits, index, best, room)
        looked.add(index)
        asked = [near for found in best for near in _asked(found, looked, grid)]
        job.monitor.report("readout, kernel ridge", len(looked), 0)
    return [
        _mean_only(job.targets, split, len(looked))
        if found is None
        else _trial(job, split, found, len(looked))
        for split, found in zip(splits, best, strict=True)
    ]


def _asked(found: Look | None, looked: set[int], grid: range) -> set[int]:
    """Where a split has to look on: the unseen neighbours of its best penalty, if worth it.

    Without any, because the kernel was not positive definite at those penalties: the next larger.
    """
    if found is None:
        return {max(looked) + 1}.intersection(grid)
    unseen = {found.index - 1, found.index + 1}.intersection(grid) - looked
    interpolates = found.degrees_of_freedom > 0.5 * len(found.weights)
    return unseen if found.gain > WORTH or not interpolates else set()


def _look_at(
    job: _Job, splits: Sequence[Split], index: int, best: list[Look | None], room: Array
) -> list[Look | None]:
    """The best look of every split after a look at this penalty as well.

    room: as for `bordered_inverse`.
    """
    job.monitor.check()
    penalty = float(job.penalties[index])
    inverse = bordered_inverse(job.centred, penalty, job.mean_eigenvalue, room)
    if inverse is None:
        return best
    weights = inverse @ job.targets

    def better(pair: tuple[Split, Look | None]) -> Look | None:
        split, before = pair
        return look(inverse, weights, split, penalty, index, before)

    return in_order(better, list(zip(splits, best, strict=True)), job.threads, job.monitor)


def _trial(job: _Job, split: Split, found: Look, looked: int) -> KernelTrial:
    penalty = float(job.penalties[found.index])
    return KernelTrial(
        held_out=job.targets[split.test] - found.residuals,
        fitted=job.targets[split.train] - penalty * found.weights,
        penalty=penalty,
        relative_penalty=float(job.relative[found.index]),
        loo_error=found.loo_error,
        degrees_of_freedom=found.degrees_of_freedom,
        at_edge=found.index in (0, len(job.relative) - 1),
        looked=looked,
    )


def _mean_only(targets: Array, split: Split, looked: int) -> KernelTrial:
    """The trial of a kernel in which nothing varies: the mean of the training rows."""
    train = targets[split.train]
    mean, rows = train.mean(axis=0), len(train)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = float(np.mean(np.square((train - mean) * np.divide(rows, rows - 1.0))))
    return KernelTrial(
        held_out=np.tile(mean, (len(split.test), 1)),
        fitted=np.tile(mean, (rows, 1)),
        penalty=0.0,
        relative_penalty=float("inf"),
        loo_error=error,
        degrees_of_freedom=1.0,
        at_edge=False,
        looked=looked,
    )
