"""The multinomial logistic readout with a ridge penalty and free intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.softmax import Loss, minimise, probabilities

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

# Relative to the coefficients' norm: enough for any comparison of digits that are printed.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """p(class) proportional to exp(x @ coefficients + intercept).

    coefficients: (p, classes), every row adding up to 0; intercept: (classes,), adding up to 0
    over the classes that have rows, -inf for those without. penalty: of the loss that
    `fit_logistic` states. converged: whether the fit is known to its tolerance.
    """

    coefficients: Array
    intercept: Array
    penalty: float
    converged: bool

    def predict_proba(self, features: Array) -> Array:
        """(n, classes) probabilities for features (n, p)."""
        scores = self.coefficients.T @ features.T + self.intercept[:, None]
        return np.ascontiguousarray(probabilities(scores).T)


def fit_logistic(
    features: Array,
    labels: Labels,
    classes: int,
    penalty: float,
    start: LogisticFit | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> LogisticFit:
    """The fit with the least sum of -log p(label) over the rows + penalty/2 |coefficients|^2.

    The penalty is one over scikit-learn's C; with two classes over C/2, whose single vector of
    coefficients is the difference of the two here. A class without rows gets probability 0.

    Args:
        features: (m, p), finite; m >= 1.
        labels: (m,), in range(classes).
        classes: how many there are, with rows or not.
        penalty: above 0, which keeps the coefficients of separable classes finite.
        start: a fit to begin with; the result depends on it no further than `tolerance`.
        tolerance: relative, of the coefficients.

    Raises:
        ValueError: no rows, or a penalty that is not above 0.
    """
    if len(features) == 0 or not penalty > 0.0:
        raise ValueError(f"{len(features)} rows, penalty {penalty:g}")
    present, places = np.unique(labels, return_inverse=True)
    mean = features.mean(axis=0)
    loss = Loss(features - mean, places.astype(np.int64), len(present), penalty)
    first = _first(loss, present, mean, start)
    point, converged = minimise(loss, first, tolerance)
    coefficients = np.zeros((features.shape[1], classes))
    coefficients[:, present] = point[:, :-1].T
    intercept = np.full(classes, -np.inf)
    intercept[present] = point[:, -1] - mean @ coefficients[:, present]
    return LogisticFit(coefficients, intercept, penalty, converged)


def log_loss(shares: Array, labels: Labels) -> float:
    """The mean of -log of the probability (n, classes) that each row's label was given.

    Probabilities below 2.2e-16 count as that, so that one row is no more than 36 nats.
    """
    given = shares[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.clip(given, np.finfo(np.float64).eps, 1.0))))


def _first(loss: Loss, present: NDArray[np.int64], mean: Array, start: LogisticFit | None) -> Array:
    """The point to begin with: the given fit's, else the classes' shares of the rows."""
    counts = np.log(np.bincount(loss.labels, minlength=loss.classes) / len(loss.labels))
    point = np.zeros((loss.classes, len(mean) + 1))
    point[:, -1] = counts
    if start is not None:
        coefficients = start.coefficients[:, present]
        level = start.intercept[present] + mean @ coefficients
        point[:, :-1] = coefficients.T
        point[:, -1] = np.where(np.isfinite(level), level, counts)
    point -= point.mean(axis=0)
    return point
