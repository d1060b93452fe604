"""What is asked: which rows, which law of networks, and what has to be said about both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.simplicity.affordable import affordable_rows
from fpcheck.simplicity.labelling import Labelling, contradictions, least_errors
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.posing import Posed, pose
from fpcheck.simplicity.prior import make_prior
from fpcheck.simplicity.result import Asking, ClassRows, Contradiction
from fpcheck.theory.layer_scales import LayerLaws

ROWS_STREAM = 0


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Training and test rows, where they stand in the data, and the law of the networks."""

    train: Labelling
    test: Labelling | None
    numbers: NDArray[np.intp]
    prior: Prior
    notes: tuple[str, ...]


def state_problem(
    network: Network, data: Data, settings: Settings, laws: LayerLaws | None
) -> Problem | str:
    """What is asked of the data, or why nothing can be.

    Raises:
        UsageError: no law is called settings.label_law.
    """
    outputs = math.prod(network.skeleton.output_shape)
    if data.task == "classification" and data.rows < 2 * len(data.classes):
        return (
            f"{data.name} has {data.rows} rows of {len(data.classes)} classes; two of each at least"
        )
    posed = _pose(data, settings, outputs)
    if isinstance(posed, str):
        return posed
    prior = make_prior(network.skeleton, laws, settings, posed.train, tensors=network.parameters)
    if isinstance(prior, str):
        return prior
    notes = (*data.notes, *posed.notes, *prior.notes)
    rows = affordable_rows(prior, posed.train, settings)
    if not settings.label_rows and rows < posed.train.count:
        notes += (
            f"{rows} training rows, as many as are affordable for so large a network; "
            "--label-rows asks for more",
        )
        fewer = _pose(data, replace(settings, label_rows=rows), outputs)
        if isinstance(fewer, str):
            return fewer
        posed = fewer
    return Problem(posed.train, posed.test, posed.order[: posed.train.count], prior, notes)


def _pose(data: Data, settings: Settings, outputs: int) -> Posed | str:
    rng = random_stream(settings.seed, "simplicity", ROWS_STREAM)
    return pose(data, settings, rng, outputs=outputs)


def asking(problem: Problem, settings: Settings) -> Asking:
    """What was asked, for the report."""
    train, numbers = problem.train, problem.numbers
    counts = train.class_counts
    classes = None
    if counts is not None:
        named = zip(train.classes, counts.tolist(), strict=True)
        classes = tuple(ClassRows(name, int(count)) for name, count in named)
    pairs = tuple(
        Contradiction(int(numbers[first]), int(numbers[other]))
        for first, other in contradictions(train)
    )
    return Asking(
        rows=train.count,
        test_rows=0 if problem.test is None else problem.test.count,
        classes=classes,
        rule=train.rule,
        outputs=problem.prior.outputs,
        law=problem.prior.law,
        parameters=problem.prior.drawn,
        scaled_neurons=settings.scaled_neurons,
        errors_allowed=settings.label_errors,
        tolerance=train.tolerance if train.rule == "band" else None,
        notes=problem.notes,
        contradictions=pairs,
        least_errors=least_errors(train),
    )
