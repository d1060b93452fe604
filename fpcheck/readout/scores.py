"""How good predictions are: accuracy of classes, R^2 of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RowLosses:
    """What every held-out row (m,) adds to a score = 1 - sum of losses / sum of spread.

    rows: their indices. losses: 1 for a class missed, 0 for one that is right; of numbers the
    squared error over the outputs. spread: 1; of numbers the squared distance from the mean. one:
    by how much a further row's loss may well differ: 1; of numbers the mean loss.
    """

    rows: NDArray[np.intp]
    losses: Array
    spread: Array
    one: float


def one_hot(labels: Labels, classes: int) -> Array:
    """(n, classes) with 1 in the column of every row's class."""
    return np.eye(classes)[labels]


def accuracy(predicted: NDArray[np.intp], labels: Labels) -> float:
    """The share of rows whose class is predicted."""
    return float(np.mean(predicted == labels))


def balanced_accuracy(predicted: NDArray[np.intp], labels: Labels) -> float:
    """The mean over the classes present of the share of their rows that is predicted."""
    right = np.bincount(labels, weights=predicted == labels)
    counts = np.bincount(labels)
    present = counts > 0
    return float(np.mean(right[present] / counts[present]))


def r_squared(predicted: Array, targets: Array) -> float:
    """1 - sum of squared errors / sum of squares about the mean, both over rows and outputs.

    The mean of the outputs' own R^2 weighted by their variances; NaN if no output varies.
    """
    errors = float(np.sum((targets - predicted) ** 2))
    total = float(np.sum((targets - targets.mean(axis=0)) ** 2))
    return 1.0 - errors / total if total > 0.0 else float("nan")


def class_losses(predicted: NDArray[np.intp], labels: Labels, rows: NDArray[np.intp]) -> RowLosses:
    """Whose accuracy is the score."""
    return RowLosses(rows, (predicted != labels).astype(np.float64), np.ones(len(rows)), 1.0)


def squared_losses(predicted: Array, targets: Array, rows: NDArray[np.intp]) -> RowLosses:
    """Whose R^2 is the score."""
    spread = np.sum((targets - targets.mean(axis=0)) ** 2, axis=1)
    losses = np.sum((targets - predicted) ** 2, axis=1)
    return RowLosses(rows, losses, spread, float(losses.mean()))
