"""How good predictions are: accuracy of classes, R^2 of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


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
