"""One split of the rows: every model fitted to the training rows and scored on the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.baselines import constant_prediction, principal_reconstruction
from fpcheck.readout.features import Table
from fpcheck.readout.problem import Problem, Score, score
from fpcheck.readout.ridge import fit_ridge
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What the models of a trial see, row by row, or in words why there is no such model.

    last_layer: the features. linear: the inputs; or, for the reconstruction of the input, the
    width that a linear model is held to. own: the network's predictions (n, k).
    """

    last_layer: Table
    linear: Table | int | str
    own: Array | str


@dataclass(frozen=True, slots=True)
class Trial:
    """A model's scores in one split, and its ridge figures where it is a ridge fit."""

    held_out: Score
    train: Score | None = None
    penalty: float = 0.0
    relative_penalty: float = 0.0
    degrees_of_freedom: float = 0.0


def run_trial(problem: Problem, models: Models, split: Split) -> dict[str, Trial]:
    """The trial of every model by name: last_layer, majority, linear_on_input and trained."""
    targets = problem.targets[split.train]
    mean = constant_prediction(targets, len(split.test))
    trials = {
        "last_layer": _ridge(problem, models.last_layer, split),
        "majority": Trial(score(problem, mean, split.test)),
    }
    if isinstance(models.linear, Table):
        trials["linear_on_input"] = _ridge(problem, models.linear, split)
    elif isinstance(models.linear, int):
        trials["linear_on_input"] = _components(problem, models.linear, split)
    if not isinstance(models.own, str):
        trials["trained"] = Trial(score(problem, models.own[split.test], split.test))
    return trials


def _ridge(problem: Problem, table: Table, split: Split) -> Trial:
    train = table.rows[split.train]
    fit = fit_ridge(train, problem.targets[split.train])
    return Trial(
        held_out=score(problem, fit.predict(table.rows[split.test]), split.test),
        train=score(problem, fit.predict(train), split.train),
        penalty=fit.penalty * table.unit * table.unit,
        relative_penalty=fit.relative_penalty,
        degrees_of_freedom=fit.degrees_of_freedom,
    )


def _components(problem: Problem, rank: int, split: Split) -> Trial:
    rows = problem.targets
    train, test = principal_reconstruction(rows[split.train], rows[split.test], rank)
    return Trial(
        held_out=score(problem, test, split.test), train=score(problem, train, split.train)
    )
