"""The models that stand beside the last layer, each scored on the first of the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.progress import Monitor
from fpcheck.readout.distances import standardised
from fpcheck.readout.kernel_ridge import KERNEL_PENALTIES, KernelTrial, kernel_trials
from fpcheck.readout.logistic import log_loss
from fpcheck.readout.logistic_choice import LogisticTrial, logistic_trials
from fpcheck.readout.neighbours import NeighbourTrial, nearest_trials
from fpcheck.readout.problem import Problem, Score, score
from fpcheck.readout.rbf import RbfTrial, rbf_trials
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

COPIES = "the target is the input row itself, which it would copy"

# Columns whose spreads differ by more than this factor are also tried at unit spread.
UNEVEN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A model's scores on the first of the splits, or why there are none.

    values: (J,) scores; for a mean over random networks (D, J). details: of the J splits.
    losses, logistic: log-losses and accuracies of a model that gives probabilities, on the first
    of these splits. tuned: what was chosen within the training rows, in words.
    """

    name: str
    values: Array
    details: tuple[Score, ...] = ()
    losses: tuple[float, ...] = ()
    logistic: tuple[float, ...] = ()
    tuned: str = ""
    skipped: str = ""

    @property
    def known(self) -> bool:
        """Whether there are scores."""
        return self.values.size > 0

    @property
    def by_split(self) -> Array:
        """(J,): the scores, of random networks their mean."""
        return self.values if self.values.ndim == 1 else self.values.mean(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What every model is asked: inputs (n, d) flat, the problem, all splits, and how."""

    inputs: Array
    problem: Problem
    splits: Sequence[Split]
    threads: int
    monitor: Monitor


def without(name: str, why: str) -> Scored:
    """A model that is not there, and why."""
    return Scored(name, np.empty(0), skipped=why)


def scored(name: str, scores: Sequence[Score], **more: object) -> Scored:
    """A model with these scores, one a split."""
    values = np.array([one.value for one in scores])
    return Scored(name, values, tuple(scores), **more)  # type: ignore[arg-type] # fields by name


def predicted(
    name: str, problem: Problem, held_out: Sequence[Array], splits: Sequence[Split], tuned: str = ""
) -> Scored:
    """A model with these predictions (|T|, k) for the held-out rows of the first splits."""
    scores = [
        score(problem, rows, split.test)
        for rows, split in zip(held_out, splits[: len(held_out)], strict=True)
    ]
    return scored(name, scores, tuned=tuned)


def baselines(asked: Asked, costly: int, why_no_kernels: str) -> tuple[Scored, Scored]:
    """Nearest neighbours on all splits, and RBF ridge on the first `costly`, of the input.

    Both see the columns in their own units or, where spreads are uneven, at unit spread, whichever
    serves the neighbours better by leave-one-out on the split's training rows.
    """
    if asked.problem.copies_input:
        return without("neighbours", COPIES), without("rbf", COPIES)
    tables = [asked.inputs]
    if _uneven(asked.inputs):
        tables.append(standardised(asked.inputs))
    try:
        found = [_neighbours(asked, table) for table in tables]
    except MemoryLimitError as error:
        return without("neighbours", error.message), without("rbf", error.message)
    choice = [
        int(np.argmin([trials[place].loo_error for trials in found]))
        for place in range(len(asked.splits))
    ]
    best = [found[table][place] for place, table in enumerate(choice)]
    counts = [one.neighbours for one in best]
    scales = _scales_in_words(choice, tables)
    probabilities = asked.problem.labels is not None
    near = predicted(
        "neighbours",
        asked.problem,
        [one.held_out for one in best],
        asked.splits,
        f"{np.median(counts):.0f} neighbours (median){scales}",
    )
    if probabilities:
        near = with_losses(near, asked, [_smoothed(one) for one in best])
    if why_no_kernels:
        return near, without("rbf", why_no_kernels)
    try:
        return near, _rbf(asked, tables, choice[:costly], scales)
    except MemoryLimitError as error:
        return near, without("rbf", error.message)


def kernel_model(
    name: str, asked: Asked, kernel: Array, costly: int
) -> tuple[Scored, list[KernelTrial]]:
    """Ridge on a kernel (n, n) on the first `costly` splits, and its trials."""
    splits = asked.splits[:costly]
    trials = kernel_trials(
        kernel, asked.problem.targets, splits, threads=asked.threads, monitor=asked.monitor
    )
    tuned = _penalty_in_words([trial.relative_penalty for trial in trials])
    model = predicted(name, asked.problem, [one.held_out for one in trials], splits, tuned)
    return model, trials


def logistic_fits(
    asked: Asked, table: Array, count: int, rng: np.random.Generator
) -> list[LogisticTrial]:
    """Multinomial logistic fits to a table (n, p) on the first `count` splits."""
    labels = asked.problem.labels
    if labels is None or count == 0:
        return []
    return logistic_trials(
        table,
        labels,
        asked.problem.targets.shape[1],
        asked.splits[:count],
        rng,
        threads=asked.threads,
        monitor=asked.monitor,
    )


def with_logistic(model: Scored, asked: Asked, fits: Sequence[LogisticTrial]) -> Scored:
    """The model with the log-losses and accuracies of its logistic fits."""
    if not model.known:
        return model
    return with_losses(model, asked, [fit.held_out for fit in fits], accuracies=True)


def with_losses(
    model: Scored, asked: Asked, shares: Sequence[Array], *, accuracies: bool = False
) -> Scored:
    """The model with the log-losses of these probabilities of the first splits' held-out rows."""
    labels = asked.problem.labels
    if labels is None:
        return model
    pairs = list(zip(shares, asked.splits[: len(shares)], strict=True))
    losses = tuple(log_loss(rows, labels[split.test]) for rows, split in pairs)
    right = tuple(
        float(np.mean(rows.argmax(axis=1) == labels[split.test])) for rows, split in pairs
    )
    return Scored(
        model.name, model.values, model.details, losses, right if accuracies else (), model.tuned
    )


def _smoothed(trial: NeighbourTrial) -> Array:
    """(|T|, k): the probabilities of the classes by one more neighbour of each (Laplace's rule).

    The bare shares would call what the few neighbours do not show impossible: with one neighbour
    every row that is missed would cost 36 nats.
    """
    count, classes = trial.neighbours, trial.held_out.shape[1]
    smoothed: Array = (count * trial.held_out + 1.0) / (count + classes)
    return smoothed


def _neighbours(asked: Asked, table: Array) -> list[NeighbourTrial]:
    return nearest_trials(
        table, asked.problem, asked.splits, threads=asked.threads, monitor=asked.monitor
    )


def _rbf(asked: Asked, tables: Sequence[Array], choice: Sequence[int], scales: str) -> Scored:
    fits: dict[int, RbfTrial] = {}
    for index in sorted(set(choice)):
        mine = [place for place, table in enumerate(choice) if table == index]
        trials = rbf_trials(
            tables[index],
            asked.problem.targets,
            [asked.splits[place] for place in mine],
            threads=asked.threads,
            monitor=asked.monitor,
        )
        fits.update(zip(mine, trials, strict=True))
    found = [fits[place] for place in range(len(choice))]
    widths = float(np.median([one.relative_bandwidth for one in found]))
    tuned = (
        f"bandwidth {widths:g} of the median distance, "
        f"{_penalty_in_words([one.fit.relative_penalty for one in found])}{scales}"
    )
    held_out = [one.fit.held_out for one in found]
    return predicted("rbf", asked.problem, held_out, asked.splits, tuned)


def _uneven(table: Array) -> bool:
    spreads = (table / (float(np.abs(table).max(initial=0.0)) or 1.0)).std(axis=0)
    spreads = spreads[spreads > 0.0]
    return len(spreads) > 1 and float(spreads.max()) > UNEVEN * float(spreads.min())


def _scales_in_words(choice: Sequence[int], tables: Sequence[Array]) -> str:
    if len(tables) == 1:
        return ""
    share = float(np.mean(np.asarray(choice) == 1))
    return f"; columns at unit spread in {share:.0%} of the splits"


def _penalty_in_words(relative: Sequence[float]) -> str:
    penalty = float(np.median(relative))
    ends = {KERNEL_PENALTIES[0]: ", the least tried", KERNEL_PENALTIES[-1]: ", the largest tried"}
    return f"penalty {penalty:.0e} of the mean eigenvalue (median{ends.get(penalty, '')})"
