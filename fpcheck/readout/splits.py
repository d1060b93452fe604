"""Random splits into training and held-out rows, and the interval of a mean score over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, mean_t

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The indices of the training rows and of the held-out rows, each in ascending order."""

    train: Rows
    test: Rows


def random_split(
    rows: int, test_share: float, rng: np.random.Generator, labels: NDArray[np.int64] | None = None
) -> Split:
    """A split that holds out round(rows * test_share) rows, at least one.

    With `labels` (rows,) every class gives its share to within one row, and keeps at least one
    row for training.
    """
    count = max(1, round(rows * test_share))
    if labels is None:
        test = rng.permutation(rows)[:count]
    else:
        test = _stratified(labels, count, test_share, rng)
    held_out = np.zeros(rows, dtype=bool)
    held_out[test] = True
    return Split(train=np.flatnonzero(~held_out), test=np.flatnonzero(held_out))


def resampled_interval(scores: NDArray[np.float64], n_train: int, n_test: int) -> Interval:
    """The 95 % interval of the mean of scores (J,) over J random splits.

    The corrected resampled t: splits share training rows, so the variance of the mean is taken as
    (1/J + n_test/n_train) s^2 instead of s^2/J. [Nadeau, Bengio 2003]
    """
    count = len(scores)
    mean = float(np.mean(scores))
    if count < 2:
        return Interval(-math.inf, math.inf)
    with np.errstate(over="ignore"):  # scores of -1e200 leave the interval without bounds
        variance = float(np.var(scores, ddof=1))
    error = math.sqrt((1.0 / count + n_test / n_train) * variance)
    return mean_t(mean, error, count - 1)


def simultaneous(interval: Interval, mean: float, splits: int, comparisons: int) -> Interval:
    """The interval of a mean over `splits` as one that holds for all of `comparisons` at once.

    By Bonferroni: the quantile of Student's t at 1 - 0.025/comparisons in place of that at 0.975.
    """
    if splits < 2 or comparisons < 2:
        return interval
    from scipy.special import stdtrit

    quantiles = stdtrit(splits - 1, 1.0 - 0.025 / comparisons), stdtrit(splits - 1, 0.975)
    stretch = float(quantiles[0] / quantiles[1])
    return Interval(mean - stretch * (mean - interval.low), mean + stretch * (interval.high - mean))


def _stratified(
    labels: NDArray[np.int64], count: int, test_share: float, rng: np.random.Generator
) -> Rows:
    """Rows to hold out: every class's whole share, the rest to the largest remainders."""
    classes, sizes = np.unique(labels, return_counts=True)
    room = sizes - 1  # one row of every class stays for training
    quota = np.minimum(np.floor(sizes * test_share).astype(np.intp), room)
    remainder = sizes * test_share - quota
    ranks = np.argsort(-remainder - 1e-9 * rng.random(len(classes)))  # equal ones in random order
    for index in ranks[room[ranks] > quota[ranks]][: max(0, count - int(quota.sum()))]:
        quota[index] += 1
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:size]
        for label, size in zip(classes, quota, strict=True)
    ]
    return np.concatenate(chosen)
