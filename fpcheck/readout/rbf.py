"""Ridge on the Gaussian (RBF) kernel, its bandwidth chosen within the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order
from fpcheck.readout.bordered import centred_kernel
from fpcheck.readout.distances import from_a_row, squared_distances
from fpcheck.readout.kernel_curve import kernel_curve, least, spread_rows
from fpcheck.readout.kernel_ridge import (
    KERNEL_PENALTIES,
    START_ROWS,
    KernelTrial,
    kernel_trials,
)
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

# Bandwidths in units of the median distance between two rows. A much wider kernel is linear.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0)

MEDIAN_ROWS = 1000  # between so many rows the median distance is taken


@dataclass(frozen=True, slots=True, eq=False)
class RbfTrial:
    """Ridge on exp(-|x - x'|^2 / (2 bandwidth^2)) for one split.

    relative_bandwidth: over the median distance.
    """

    fit: KernelTrial
    bandwidth: float
    relative_bandwidth: float


def rbf_trials(
    rows: Array,
    targets: Array,
    splits: Sequence[Split],
    bandwidths: Sequence[float] = BANDWIDTHS,
    relative_penalties: Array = KERNEL_PENALTIES,
    *,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> list[RbfTrial]:
    """The RBF ridge fit of every split.

    Its bandwidth has the least leave-one-out error, at that bandwidth's best penalty, on START_ROWS
    of the split's training rows, or on all if they are fewer; of equal ones the widest. Its penalty
    is then that of `kernel_trials`.

    Args:
        rows: (n, d), finite; distances are in their units.
        targets: (n, k), finite.
        splits: as for `kernel_trials`.
        bandwidths: in units of the median distance, ascending.
        relative_penalties: as for `kernel_trials`.
        threads: 0 takes one a core; no number depends on it.
        monitor: stops the work.
    """
    monitor = monitor or Monitor()
    require_memory(32.0 * len(rows) * len(rows), "the RBF kernel")
    moved, unit = from_a_row(rows)
    squares = squared_distances(moved, moved)
    squares.flat[:: len(rows) + 1] = 0.0  # less what rounding left
    median = _median_distance(moved)

    def chosen(split: Split) -> int:
        some = split.train[spread_rows(len(split.train), START_ROWS)]
        within, known = squares[np.ix_(some, some)], targets[some]
        errors = [
            _least_error(gaussian(within, factor * median), known, relative_penalties)
            for factor in bandwidths
        ]
        return least(np.array(errors))

    choices = in_order(chosen, splits, threads, monitor)
    trials: dict[int, KernelTrial] = {}
    for index in sorted(set(choices)):
        mine = [place for place, choice in enumerate(choices) if choice == index]
        fits = kernel_trials(
            gaussian(squares, bandwidths[index] * median),
            targets,
            [splits[place] for place in mine],
            relative_penalties,
            threads=threads,
            monitor=monitor,
        )
        trials.update(zip(mine, fits, strict=True))
    return [
        RbfTrial(trials[place], bandwidths[choice] * median * unit, bandwidths[choice])
        for place, choice in enumerate(choices)
    ]


def gaussian(squares: Array, bandwidth: float) -> Array:
    """exp(-squares / (2 bandwidth^2)); 1 at all distances where the bandwidth is 0."""
    if not bandwidth > 0.0:
        return np.ones_like(squares)
    out = squares * (-0.5 / bandwidth / bandwidth)
    return np.exp(out, out=out)


def _least_error(kernel: Array, targets: Array, relative_penalties: Array) -> float:
    centred, mean_eigenvalue = centred_kernel(kernel)
    if not mean_eigenvalue > 0.0:
        return float("inf")
    errors = kernel_curve(centred, targets).loo_errors(mean_eigenvalue * relative_penalties)
    return float(errors[least(errors)])


def _median_distance(moved: Array) -> float:
    """The median distance between different rows of those that differ; 0 where none do."""
    some = moved[spread_rows(len(moved), MEDIAN_ROWS)]
    squares = squared_distances(some, some)[np.triu_indices(len(some), 1)]
    rounding = 64 * np.finfo(np.float64).eps * float(np.square(some).sum(axis=1).max(initial=0.0))
    apart = squares[squares > rounding]
    return float(np.sqrt(np.median(apart))) if len(apart) else 0.0
