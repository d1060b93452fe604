"""The figures of one skeleton: what its kernels and its random networks give on the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.progress import Monitor
from fpcheck.jobs.screen.entrants import Entrant
from fpcheck.jobs.screen.result import Spread
from fpcheck.readout.alignment import alignment
from fpcheck.readout.baselines import constant_prediction
from fpcheck.readout.features import compressed as in_coordinates
from fpcheck.readout.features import frozen_features, rescaled
from fpcheck.readout.initial import Initial, NotPossible, initial
from fpcheck.readout.kernel_ridge import KERNEL_PENALTIES, kernel_trials
from fpcheck.readout.problem import Problem, score
from fpcheck.readout.result import Alignment, Skipped
from fpcheck.readout.ridge import fit_ridge
from fpcheck.readout.splits import Split
from fpcheck.theory.dual_kernel import DualKernel, dual_kernel, kernel_spread
from fpcheck.theory.recursion_state import NotKnown

Array = NDArray[np.float64]

# Features with more columns (and rows) are fitted through their kernel, one inverse a penalty for
# all splits, in place of one decomposition a split: 20 splits of 1000 rows of 1024 features take
# 0.6 s of one core so, 2.4 s else; of fewer there is little to gain.
KERNEL_FROM = 600
FINER = 10.0 ** np.arange(-6.0, 4.25, 0.5)  # penalties half a decade apart, as ridge on a table has
COPIES = (
    "the target is the input row itself; an infinite width has no bottleneck, so it would copy it"
)
NOT_VARYING = "the targets of some held-out rows do not vary, so they have no R^2"
NTK_LEFT_OUT = "left out, as --no-ntk asks"


@dataclass(frozen=True, slots=True)
class Course:
    """What every skeleton is put through: the problem, its splits, and how."""

    problem: Problem
    splits: Sequence[Split]
    draws: int
    ntk: bool
    threads: int
    monitor: Monitor


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Scores (J,) over the splits, of random networks (D, J); or why there are none.

    nngp, ntk: ridge on the dual kernels; at_init: on the features of random networks.
    """

    nngp: Array | str
    ntk: Array | str
    at_init: Array | str
    alignment: Alignment | Skipped
    spread: Spread | Skipped
    law: str

    def by(self, name: str) -> Array | str:
        """The scores of nngp, ntk or at_init."""
        found: Array | str = getattr(self, name)
        return found


def figures(entrant: Entrant, course: Course, rngs: Sequence[np.random.Generator]) -> Figures:
    """The figures of one skeleton. rngs: one a random network.

    Raises:
        ValueError: the entrant cannot be judged.
    """
    network, data, last = entrant.network, entrant.data, entrant.last
    if network is None or data is None or last is None:
        raise ValueError(f"{entrant.name} cannot be judged")
    start = initial(network, entrant.subject.layer_laws)
    if isinstance(start, NotPossible):
        return _nothing(start.reason)
    course.monitor.report(f"{entrant.name}: infinite width", 0, 0)
    kernels, no_ntk = _kernels(start, data.inputs, last.inputs[0], course)
    course.monitor.report(f"{entrant.name}: random networks", 0, 0)
    at_init = _at_init(entrant, start, course, rngs)
    if isinstance(kernels, str):
        without = Skipped(kernels)
        return Figures(kernels, kernels, at_init, without, without, start.law)
    nngp = kernels.nngp
    # Of the output, up to its own sigma_w^2 and bias, which a free intercept and a relative
    # penalty do not see: the last layer's own weights give K, the others Theta.
    ntk = no_ntk if kernels.ntk is None else _kernel_scores(nngp + kernels.ntk, course)
    return Figures(
        nngp=_kernel_scores(nngp, course),
        ntk=ntk,
        at_init=at_init,
        alignment=alignment(nngp, course.problem.targets, name="nngp"),
        spread=_spread(nngp),
        law=start.law,
    )


def table_scores(values: Array, course: Course) -> Array | str:
    """(J,): of ridge on a table (n, p), finite, in every split."""
    centred, _ = rescaled(values)
    if min(centred.shape) > KERNEL_FROM:
        return _kernel_scores(centred @ centred.T, course, FINER)
    rows, targets = in_coordinates(centred), course.problem.targets
    found = []
    for split in course.splits:
        course.monitor.check()
        predicted = fit_ridge(rows[split.train], targets[split.train]).predict(rows[split.test])
        found.append(score(course.problem, predicted, split.test).value)
    return _finite(np.array(found))


def constant_scores(course: Course) -> Array | str:
    """(J,): of the majority class, or of the mean."""
    targets = course.problem.targets
    return _finite(
        np.array(
            [
                score(
                    course.problem,
                    constant_prediction(targets[split.train], len(split.test)),
                    split.test,
                ).value
                for split in course.splits
            ]
        )
    )


def _kernels(
    start: Initial, rows: Array, node: str, course: Course
) -> tuple[DualKernel | str, str]:
    """The dual kernels of what enters the last layer, and why there is no tangent one, or ""."""
    if course.problem.copies_input:
        return COPIES, COPIES

    def asked(ntk: bool) -> DualKernel | NotKnown:
        return dual_kernel(
            start.skeleton,
            start.scales,
            rows,
            node=node,
            ntk=ntk,
            parameters=start.constants,
            threads=course.threads,
            monitor=course.monitor,
        )

    why = NTK_LEFT_OUT
    try:
        if course.ntk:
            both = asked(True)
            if isinstance(both, DualKernel):
                return both, ""
            why = both.reason
        found = asked(False)
    except MemoryLimitError as error:
        return error.message, error.message
    return (found, why) if isinstance(found, DualKernel) else (found.reason, found.reason)


def _kernel_scores(
    kernel: Array, course: Course, penalties: Array = KERNEL_PENALTIES
) -> Array | str:
    """(J,): of ridge on a kernel (n, n) in every split."""
    try:
        trials = kernel_trials(
            kernel,
            course.problem.targets,
            course.splits,
            penalties,
            threads=course.threads,
            monitor=course.monitor,
        )
    except MemoryLimitError as error:
        return error.message
    pairs = zip(trials, course.splits, strict=True)
    values = [score(course.problem, one.held_out, split.test).value for one, split in pairs]
    return _finite(np.array(values))


def _at_init(
    entrant: Entrant, start: Initial, course: Course, rngs: Sequence[np.random.Generator]
) -> Array | str:
    """(D, J): of ridge on the features of every random network in every split."""
    data, last = entrant.data, entrant.last
    assert data is not None
    assert last is not None
    found = []
    try:
        for rng in rngs:
            course.monitor.check()
            features = frozen_features(start.draw(rng), data.inputs, last, course.monitor).features
            if not np.isfinite(features).all():
                return f"the values that enter '{last.name}' are not finite in a random network"
            scores = table_scores(features, course)
            if isinstance(scores, str):
                return scores
            found.append(scores)
    except MemoryLimitError as error:
        return error.message
    return np.array(found)


def _spread(kernel: Array) -> Spread | Skipped:
    found = kernel_spread(kernel)
    if isinstance(found, NotKnown):
        return Skipped(found.reason)
    return Spread(
        effective_rank=found.effective_rank,
        centred_rank=found.centred_rank,
        off_diagonal_mean=found.off_diagonal_mean,
        off_diagonal_sd=found.off_diagonal_sd,
    )


def _finite(scores: Array) -> Array | str:
    return scores if np.isfinite(scores).all() else NOT_VARYING


def _nothing(why: str) -> Figures:
    return Figures(why, why, why, Skipped(why), Skipped(why), "")
