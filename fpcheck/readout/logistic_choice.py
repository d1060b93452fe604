"""The penalty of the logistic readout, chosen within the training rows of every split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order
from fpcheck.readout.logistic import Labels, LogisticFit, fit_logistic, log_loss
from fpcheck.readout.splits import Split, random_split

Array = NDArray[np.float64]

# Penalties relative to the mean eigenvalue of the centred features' squares, a decade apart.
LOGISTIC_PENALTIES = 10.0 ** np.arange(-5.0, 2.5, 1.0)

INNER_SHARE = 0.25  # of the training rows, held out to choose the penalty
INNER_ROWS = 300  # held-out rows that a choice rests on, over as many inner splits as it takes
MOST_INNER = 5
ROUGH = 1e-2  # the coefficients' tolerance where only losses are compared
WORSE = 2  # smaller penalties in a row that make the loss larger end the search


@dataclass(frozen=True, slots=True, eq=False)
class LogisticTrial:
    """The logistic readout fitted to the training rows of one split.

    held_out: (|T|, classes) and fitted: (|S|, classes), probabilities. relative_penalty: over the
    mean eigenvalue of the training features. at_edge: the penalty is the grid's first or last.
    """

    held_out: Array
    fitted: Array
    log_loss: float
    penalty: float
    relative_penalty: float
    at_edge: bool
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyChoice:
    """The penalty with the least mean log-loss over the inner splits.

    losses: (g,) by penalty of the grid, NaN where the search did not come.
    """

    penalty: float
    relative_penalty: float
    losses: Array


def choose_logistic_penalty(
    features: Array,
    labels: Labels,
    classes: int,
    rng: np.random.Generator,
    relative_penalties: Array = LOGISTIC_PENALTIES,
) -> PenaltyChoice:
    """The penalty for features (m, p) by inner splits of these rows, stratified where they can be.

    From the largest penalty down, each fit begun where the last one ended, until two in a row make
    the mean log-loss larger; of equal ones the largest. Too few rows to hold any out take the
    largest penalty of all.
    """
    unit = mean_eigenvalue(features)
    losses = np.full(len(relative_penalties), np.nan)
    if len(features) < 2:
        top = float(relative_penalties[-1])
        return PenaltyChoice(top * unit, top, losses)
    inner = [
        random_split(len(features), INNER_SHARE, child, labels)
        for child in rng.spawn(inner_splits(len(features)))
    ]
    inner = [split for split in inner if len(split.test)]
    fits: list[LogisticFit | None] = [None] * len(inner)
    best = len(losses) - 1
    for index in reversed(range(len(losses))):
        penalty = float(relative_penalties[index]) * unit
        total = 0.0
        for place, split in enumerate(inner):
            fit = fit_logistic(
                features[split.train],
                labels[split.train],
                classes,
                penalty,
                fits[place],
                tolerance=ROUGH,
            )
            fits[place] = fit
            total += log_loss(fit.predict_proba(features[split.test]), labels[split.test])
        losses[index] = total / max(1, len(inner))
        if losses[index] < losses[best]:
            best = index
        if best - index >= WORSE:
            break
    return PenaltyChoice(
        float(relative_penalties[best]) * unit, float(relative_penalties[best]), losses
    )


def logistic_trials(
    features: Array,
    labels: Labels,
    classes: int,
    splits: Sequence[Split],
    rng: np.random.Generator,
    relative_penalties: Array = LOGISTIC_PENALTIES,
    *,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> list[LogisticTrial]:
    """The logistic readout of every split, its penalty chosen by splits of its training rows.

    Args:
        features: (n, p), finite.
        labels: (n,), in range(classes); a class may be missing from a split's training rows.
        classes: how many there are.
        splits: with one training row or more each.
        rng: every split draws its inner splits from a child of its own.
        relative_penalties: (g,) positive, ascending.
        threads: 0 takes one a core; no number depends on it.
        monitor: stops the work.
    """

    def one(item: tuple[Split, np.random.Generator]) -> LogisticTrial:
        split, child = item
        rows, known = features[split.train], labels[split.train]
        choice = choose_logistic_penalty(rows, known, classes, child, relative_penalties)
        fit = fit_logistic(rows, known, classes, choice.penalty)
        held_out = fit.predict_proba(features[split.test])
        return LogisticTrial(
            held_out=held_out,
            fitted=fit.predict_proba(rows),
            log_loss=log_loss(held_out, labels[split.test]) if len(split.test) else math.nan,
            penalty=choice.penalty,
            relative_penalty=choice.relative_penalty,
            at_edge=choice.relative_penalty in (relative_penalties[0], relative_penalties[-1]),
            converged=fit.converged,
        )

    children = rng.spawn(len(splits))
    items = list(zip(splits, children, strict=True))
    return in_order(one, items, threads, monitor or Monitor())


def mean_eigenvalue(features: Array) -> float:
    """That of the centred features' squares over the directions they can have; 1 if none vary."""
    centred = features - features.mean(axis=0)
    total = float(np.einsum("ij,ij->", centred, centred))
    directions = max(1, min(len(features) - 1, features.shape[1]))
    return total / directions if total > 0.0 else 1.0


def inner_splits(rows: int) -> int:
    """So many that about INNER_ROWS rows are held out in all, within 1 and MOST_INNER."""
    return max(1, min(MOST_INNER, math.ceil(INNER_ROWS / max(1.0, rows * INNER_SHARE))))
