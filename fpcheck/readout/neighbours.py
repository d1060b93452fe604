"""The k nearest neighbours, k chosen within the training rows of every split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order
from fpcheck.readout.distances import Rows2, from_a_row, nearest_rows
from fpcheck.readout.problem import Problem
from fpcheck.readout.splits import Rows, Split

Array = NDArray[np.float64]

NEIGHBOURS = (1, 3, 5, 9, 15, 25, 41)

# Neighbours that are found for all splits at once, over those that a split would need if its
# training rows lay evenly among them. Rows for which they do not suffice are looked at again.
SPARE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourTrial:
    """Nearest neighbours among the training rows of one split.

    held_out: (|T|, k), the mean of the neighbours' targets: of classes their shares, whose first
    largest is the prediction. neighbours: how many. loo_error: over the training rows, the share
    of classes missed, or the mean squared error of numbers. at_edge: the most that were tried.
    """

    held_out: Array
    neighbours: int
    loo_error: float
    at_edge: bool


def nearest_trials(
    rows: Array,
    problem: Problem,
    splits: Sequence[Split],
    counts: Sequence[int] = NEIGHBOURS,
    *,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> list[NeighbourTrial]:
    """The neighbours' mean for every split, how many by exact leave-one-out on its training rows.

    Of equal errors the most neighbours win. Euclidean distance in the rows' own units.

    Args:
        rows: (n, d), finite.
        problem: its targets, and its labels where there are classes.
        splits: with one training row or more each.
        counts: ascending numbers of neighbours to choose among; those that the training rows
            cannot give are left out.
        threads: 0 takes one a core; no number depends on it.
        monitor: stops the work.

    Raises:
        ValueError: a split without training rows.
        MemoryLimitError: the work does not fit into memory.
    """
    fewest = min((len(split.train) for split in splits), default=1)
    if fewest == 0:
        raise ValueError("a split without training rows")
    monitor = monitor or Monitor()
    moved, _ = from_a_row(rows)
    everyone = np.arange(len(rows))
    wanted = math.ceil(SPARE * counts[-1] * len(rows) / fewest) + 16
    wanted = min(wanted, len(rows) - 1)
    near = nearest_rows(moved, everyone, everyone, wanted, threads, monitor)

    def one(split: Split) -> NeighbourTrial:
        count = min(counts[-1], max(1, len(split.train) - 1))
        among = _among(near, moved, split.train, count, monitor)
        return _trial(among, problem, split, counts)

    return in_order(one, splits, threads, monitor)


def _among(near: Rows2, moved: Array, train: Rows, count: int, monitor: Monitor) -> Rows2:
    """(n, count): the nearest training rows of every row, -1 where there are fewer."""
    if len(train) == 1:  # near to all others, and to itself nobody is
        return np.where(np.arange(len(near)) == train[0], -1, train[0])[:, None]
    trained = np.zeros(len(near), dtype=bool)
    trained[train] = True
    usable = trained[near]
    rank = np.cumsum(usable, axis=1)
    enough = rank[:, -1] >= count
    out = np.empty((len(near), count), dtype=np.intp)
    out[enough] = near[enough][(usable & (rank <= count))[enough]].reshape(-1, count)
    short = np.flatnonzero(~enough)
    out[short] = nearest_rows(moved, short, train, count, 1, monitor)
    return out


def _trial(near: Rows2, problem: Problem, split: Split, counts: Sequence[int]) -> NeighbourTrial:
    """near: (n, most), as `_among` gives it."""
    most = near.shape[1]
    tried = [count for count in counts if count <= most] or [most]
    if len(split.train) == 1:
        best, error = 1, math.nan
    else:
        errors = _loo_errors(near[split.train], problem, split.train, tried)
        error = min(errors)
        best = max(count for count, one in zip(tried, errors, strict=True) if one == error)
    held_out = _mean_targets(near[split.test, :best], problem.targets)
    return NeighbourTrial(held_out, best, error, best == tried[-1] and len(tried) > 1)


def _loo_errors(near: Rows2, problem: Problem, rows: Rows, counts: Sequence[int]) -> list[float]:
    errors = []
    total = np.zeros((len(near), problem.targets.shape[1]))
    for place in range(counts[-1]):
        total += problem.targets[near[:, place]]
        if place + 1 in counts:
            if problem.labels is None:
                left = total / (place + 1.0) - problem.targets[rows]
                errors.append(float(np.mean(np.square(left))))
            else:
                errors.append(float(np.mean(total.argmax(axis=1) != problem.labels[rows])))
    return errors


def _mean_targets(near: Rows2, targets: Array) -> Array:
    total = np.zeros((len(near), targets.shape[1]))
    for place in range(near.shape[1]):
        total += targets[near[:, place]]
    total /= near.shape[1]
    return total
