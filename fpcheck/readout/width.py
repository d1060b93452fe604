"""The last layer's score at initialisation over the width, and the limit it is heading for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95, wilson
from fpcheck.core.memory import fits
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import worker_count
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, Skeleton, fan_in
from fpcheck.readout.curves import DISTANCE
from fpcheck.readout.drawn import PENALTIES, drawn_scores
from fpcheck.readout.initial import Initial, NotPossible, initial
from fpcheck.readout.problem import Problem
from fpcheck.readout.result import Skipped, WidthCurve
from fpcheck.readout.ridge import working_memory
from fpcheck.readout.splits import Split
from fpcheck.readout.width_fit import FEWEST, Drawn, width_curve
from fpcheck.theory.layer_scales import LayerLaws

Array = NDArray[np.float64]

# In the order in which they are taken until there are COUNT: those about the present width, then
# others in place of what is too narrow or too costly.
FACTORS = (1.0, 2.0, 0.5, 4.0, 0.25, 0.125, 8.0, 0.0625, 16.0, 0.03125)
COUNT = 5
NARROWEST = 4  # units: of fewer, one more changes everything

# Splits and draws a width. The splits' part is common to all widths, and the draws scatter little
# in wide networks: 16 fits at 64 x 4 units on 2000 rows take 0.3 s.
SPLITS = 4
DRAWS = 4

# Multiplications and additions of one width, about two seconds.
MOST_WORK = 6e10
DRAWING = 400.0  # of one normal number


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """What is drawn at one width. width: units that enter the last layer."""

    factor: float
    width: int
    start: Initial


def score_by_width(
    network: Network,
    laws: LayerLaws | None,
    problem: Problem,
    inputs: Array,
    last: Dense,
    splits: Sequence[Split],
    rng: np.random.Generator,
    *,
    present: Array | None = None,
    nngp: float | None = None,
    draws: int = DRAWS,
    distance: float = DISTANCE,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> WidthCurve | Skipped:
    """The last layer's scores on random networks of 1/4 to 4 times the width, and their limit.

    Args:
        network: whose skeleton is made wider and narrower.
        laws: as `initial` takes them.
        inputs: (n, *input shape).
        last: the layer that is fitted.
        splits: two or more, of which the first SPLITS are used.
        rng: every width and draw has a child of its own (`Generator.spawn`).
        present: (K, J) scores of K >= 2 draws at the present width, in all J splits; None: drawn
            here. With them the level of the curve is that of all splits.
        nngp: the score of ridge on the dual kernel, to stand beside the limit.
        draws: a width, at least two and at most DRAWS.
        distance: what counts as near the limit, in points of the score.
    """
    monitor = monitor or Monitor()
    count, draws = min(SPLITS, len(splits)), max(2, min(draws, DRAWS))
    if count < 2:
        return Skipped("one split; the scores of several widths need two to be compared")
    chosen = _chosen(
        network,
        laws,
        problem,
        inputs,
        last,
        splits[0],
        fits_a_width=count * draws,
        known=present is not None,
        threads=threads,
    )
    if isinstance(chosen, str):
        return Skipped(chosen)
    rngs = dict(zip(FACTORS, rng.spawn(len(FACTORS)), strict=True))
    found: list[Drawn] = []
    for place, each in enumerate(chosen):
        if each.factor == 1.0 and present is not None:
            found.append(Drawn(each.factor, each.width, present[:, :count]))
            continue
        scores = drawn_scores(
            each.start,
            problem,
            inputs,
            last,
            splits[:count],
            rngs[each.factor].spawn(draws),
            threads=threads,
            monitor=monitor,
        )
        if isinstance(scores, str):
            return Skipped(f"at {each.factor:g} times the width, {scores}")
        found.append(Drawn(each.factor, each.width, scores))
        monitor.report("readout, widths", place + 1, len(chosen))
    accuracies = problem.labels is not None
    return width_curve(
        found,
        splits[0],
        level=None if present is None else present.mean(axis=0),
        nngp=nngp,
        distance=distance,
        floor=0.0 if accuracies else -math.inf,
        least_variance=_wilson_variance(found, len(inputs)) if accuracies else 0.0,
    )


def _chosen(
    network: Network,
    laws: LayerLaws | None,
    problem: Problem,
    inputs: Array,
    last: Dense,
    split: Split,
    *,
    fits_a_width: int,
    known: bool,
    threads: int,
) -> list[_Candidate] | str:
    """The widths to draw, ascending, or why there are too few of them.

    known: the scores at the present width are there.
    """
    kept: list[_Candidate] = []
    reason = ""
    for factor in FACTORS:
        start = initial(network, laws, width_factor=factor)
        if isinstance(start, NotPossible):
            reason = reason or start.reason
            continue
        width = math.prod(start.skeleton.shapes[last.inputs[0]])
        if width < NARROWEST or width in [each.width for each in kept]:
            continue
        work = _work(start.skeleton, problem, len(inputs), width, split) * fits_a_width
        possible = work <= MOST_WORK and _fits(start.skeleton, len(inputs), width, threads)
        if not possible and not (known and factor == 1.0):
            reason = reason or f"networks of {width} units would take too long or too much memory"
            continue
        kept.append(_Candidate(factor, width, start))
        if len(kept) == COUNT:
            break
    if len(kept) < FEWEST:
        return reason or f"{len(kept)} different widths, {FEWEST} are needed"
    return sorted(kept, key=lambda each: each.width)


def _work(skeleton: Skeleton, problem: Problem, rows: int, width: int, split: Split) -> float:
    """Multiplications and additions of one fit, its share of the draw included."""
    drawn = 0.0
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv | ConvTranspose):
            each = fan_in(node, skeleton.shapes[node.inputs[0]])
            drawn += 2.0 * rows * each * math.prod(skeleton.shapes[node.name])
    drawn += DRAWING * sum(math.prod(shape) for _, _, shape in needed_parameters(skeleton))
    train, side = len(split.train), min(len(split.train), width)
    outputs = int(problem.targets.shape[1]) + 1
    fit = 2.0 * train * side * (width + side + len(PENALTIES) * outputs)
    return drawn / SPLITS + fit + 10.0 * side * side * side


def _fits(skeleton: Skeleton, rows: int, width: int, threads: int) -> bool:
    """Whether the draws that are in work at a time fit into memory."""
    entries = sum(math.prod(shape) for _, _, shape in needed_parameters(skeleton))
    one = 24.0 * entries + 24.0 * rows * width + working_memory(rows, min(rows, width))
    return fits(worker_count(threads, DRAWS) * one)


def _wilson_variance(found: Sequence[Drawn], rows: int) -> float:
    """The variance that an accuracy of so many rows has at least, by Wilson's interval."""
    best = max(float(each.scores.mean()) for each in found)
    interval = wilson(round(best * rows), rows)
    return (0.5 * (interval.high - interval.low) / Z95) ** 2
