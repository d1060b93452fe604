"""The last layer's held-out scores on random networks, and the interval of their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, mean_t
from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order, worker_count
from fpcheck.network.skeleton import Dense
from fpcheck.readout.features import compressed, frozen_features, rescaled
from fpcheck.readout.initial import Initial
from fpcheck.readout.problem import Problem, Score, score
from fpcheck.readout.ridge import RELATIVE_PENALTIES, fit_ridge, working_memory
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

# A decade apart: a finer grid changes scores by far less than the draws do.
PENALTIES = RELATIVE_PENALTIES[::2]


def drawn_scores(
    start: Initial,
    problem: Problem,
    inputs: Array,
    last: Dense,
    splits: Sequence[Split],
    rngs: Sequence[np.random.Generator],
    *,
    threads: int = 0,
    monitor: Monitor,
) -> Array | str:
    """(K, J): of every random network, by its generator, and every split; or why there are none.

    Ridge on the features that enter `last`, as for the network as given. inputs: (n, *input shape).

    Raises:
        MemoryLimitError: a network or its features do not fit into memory.
    """
    drawn = fitted_draws(
        start, problem, inputs, last, splits, rngs, threads=threads, monitor=monitor
    )
    scores = [[one.value for one in each[0]] for each in drawn if each is not None]
    if len(scores) < len(drawn):
        return f"in {len(drawn) - len(scores)} of {len(drawn)} draws the features are not finite"
    table = np.array(scores)
    return table if np.isfinite(table).all() else "some held-out rows have no finite score"


def fitted_draws(
    start: Initial,
    problem: Problem,
    inputs: Array,
    last: Dense,
    splits: Sequence[Split],
    rngs: Sequence[np.random.Generator],
    *,
    seen: NDArray[np.intp] | None = None,
    threads: int = 0,
    monitor: Monitor,
) -> list[tuple[list[Score], Array] | None]:
    """Of every random network its scores in all splits and its features of the rows `seen`.

    None for a network whose features are not finite. seen: no rows where it is left out.

    Raises:
        MemoryLimitError: a network or its features do not fit into memory.
    """
    _require_room(len(inputs), math.prod(start.skeleton.shapes[last.inputs[0]]), len(rngs), threads)
    kept = np.empty(0, np.intp) if seen is None else seen

    def one(rng: np.random.Generator) -> tuple[list[Score], Array] | None:
        features = frozen_features(start.draw(rng), inputs, last, monitor).features
        if not np.isfinite(features).all():
            return None
        return _fitted(features, problem, splits, monitor), features[kept]

    return in_order(one, rngs, threads, monitor, "readout, random networks")


def _fitted(
    features: Array, problem: Problem, splits: Sequence[Split], monitor: Monitor
) -> list[Score]:
    """The held-out score of ridge on features (n, p), finite, in every split."""
    table = compressed(rescaled(features)[0])
    scores = []
    for split in splits:
        monitor.check()
        fit = fit_ridge(table[split.train], problem.targets[split.train], PENALTIES)
        scores.append(score(problem, fit.predict(table[split.test]), split.test))
    return scores


def _require_room(rows: int, width: int, draws: int, threads: int) -> None:
    """Refuse random networks whose features and fits do not fit into memory.

    Raises:
        MemoryLimitError: with both figures.
    """
    busy = worker_count(threads, draws)
    require_memory(
        busy * (24.0 * rows * width + working_memory(rows, min(rows, width))),
        f"the features of {busy} random networks",
    )


def drawn_interval(scores: Array, split: Split) -> Interval:
    """The 95 % interval of the mean of scores (K, J) over K >= 2 draws and J >= 2 splits.

    For other draws and other rows: the corrected resampled variance of the draws' means over the
    splits, which share rows, and the variance of the splits' means over the draws; degrees of
    freedom by Satterthwaite. split: any, for its numbers of rows.
    """
    draws, splits = scores.shape
    if draws < 2 or splits < 2:
        return Interval(-math.inf, math.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # scores of -1e200: without bounds
        rows = float(np.var(scores.mean(axis=0), ddof=1)) * correction(splits, split)
        chance = float(np.var(scores.mean(axis=1), ddof=1)) / draws
    total, mean = rows + chance, float(scores.mean())
    if not total < math.inf:
        return Interval(-math.inf, math.inf)
    if total == 0.0:
        return Interval(mean, mean)
    share = rows / total
    freedom = 1.0 / (share**2 / (splits - 1) + (1.0 - share) ** 2 / (draws - 1))
    return mean_t(mean, math.sqrt(total), freedom)


def correction(splits: int, split: Split) -> float:
    """What the variance over splits is multiplied by for their mean [Nadeau, Bengio 2003]."""
    return 1.0 / splits + len(split.test) / len(split.train)
