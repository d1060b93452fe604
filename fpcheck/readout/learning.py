"""The learning curve: the last layer fitted to ever more of every split's training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95
from fpcheck.core.workers import in_order
from fpcheck.readout.comparison import score_interval
from fpcheck.readout.curves import DISTANCE, power_law
from fpcheck.readout.models import Asked
from fpcheck.readout.problem import score
from fpcheck.readout.result import LearningCurve, LearningPoint, Skipped
from fpcheck.readout.ridge import RELATIVE_PENALTIES, fit_ridge
from fpcheck.readout.splits import Rows, Split

Array = NDArray[np.float64]

SIZES = 6
SPAN = 16.0  # the most training rows over the fewest
LEAST_ROWS = 10
ROWS_A_CLASS = 2
SPLITS = 10  # the first ones

# A decade apart: a finer grid changes scores by far less than their intervals are wide.
PENALTIES = RELATIVE_PENALTIES[::2]


def learning_curve(
    asked: Asked, table: Array, known: Array, rng: np.random.Generator, name: str = "last_layer"
) -> LearningCurve | Skipped:
    """The held-out score of ridge on the first rows of a random order of the training rows.

    Classes keep their shares in every prefix of the order. The penalty is chosen anew at every
    size by leave-one-out within the rows that are trained on.

    Args:
        asked: the problem and the splits, of which the first SPLITS are used.
        table: (n, p), the features.
        known: (J,) scores with all training rows, of all splits.
        rng: every split draws its order from a child of its own.
        name: the model's, for the report.
    """
    splits = asked.splits[:SPLITS]
    sizes = curve_sizes(min(len(split.train) for split in splits), asked)
    if len(sizes) < 2:
        return Skipped(f"{sizes[0]} training rows are too few for a learning curve")

    def one(item: tuple[Split, np.random.Generator]) -> list[float]:
        split, child = item
        order = _order(split.train, asked, child)
        scores = []
        for size in sizes[:-1]:
            rows = order[:size]
            fit = fit_ridge(table[rows], asked.problem.targets[rows], PENALTIES)
            scores.append(score(asked.problem, fit.predict(table[split.test]), split.test).value)
        return scores

    items = list(zip(splits, rng.spawn(len(splits)), strict=True))
    fewer = np.array(in_order(one, items, asked.threads, asked.monitor))
    values = np.column_stack([fewer, known[: len(splits)]])  # (J, sizes)
    return _fitted(asked, sizes, values, name)


def curve_sizes(most: int, asked: Asked) -> tuple[int, ...]:
    """Up to SIZES numbers of training rows, evenly spaced in their logarithm, `most` the last."""
    classes = 0 if asked.problem.labels is None else asked.problem.targets.shape[1]
    fewest = max(LEAST_ROWS, ROWS_A_CLASS * classes, round(most / SPAN))
    if fewest >= most:
        return (most,)
    grid = np.geomspace(fewest, most, SIZES).round().astype(int)
    return tuple(np.unique(grid).tolist())


def _order(train: Rows, asked: Asked, rng: np.random.Generator) -> Rows:
    """A random order of the training rows, in which every prefix has all classes' shares."""
    shuffled = rng.permutation(train)
    if asked.problem.labels is None:
        return shuffled
    labels = asked.problem.labels[shuffled]
    place = np.empty(len(shuffled))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        place[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    ordered: Rows = shuffled[np.argsort(place, kind="stable")]
    return ordered


def _fitted(
    asked: Asked, sizes: Sequence[int], values: Array, name: str
) -> LearningCurve | Skipped:
    split = asked.splits[0]
    points = []
    for size, scores in zip(sizes, values.T, strict=True):
        interval = score_interval(asked.problem, scores, split)
        points.append(LearningPoint(size, float(scores.mean()), interval.low, interval.high))
    law = power_law(
        np.array(sizes, dtype=np.float64), values.mean(axis=0), _covariance(values, split)
    )
    found = None if isinstance(law, str) else law
    return LearningCurve(
        model=name,
        splits=len(values),
        points=tuple(points),
        asymptote=found.value if found else None,
        asymptote_low=found.low if found else None,
        asymptote_high=found.high if found else None,
        exponent=found.exponent if found else None,
        gap=found.gap if found else None,
        gap_low=found.gap_low if found else None,
        gap_high=found.gap_high if found else None,
        distance=DISTANCE,
        reached=found.reached if found else "unknown",
        misfit=found.misfit if found else None,
        asymptote_skipped=law if isinstance(law, str) else "",
    )


def _covariance(values: Array, split: Split) -> Array:
    """(r, r): of the mean scores (J, r) at r sizes, which share their splits.

    The corrected resampled variance [Nadeau, Bengio 2003], with Student's quantile over the normal
    one that the law's interval takes. Of few splits the correlations are drawn towards none.
    """
    from scipy.special import stdtrit

    count, sizes = values.shape
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    shrink = sizes / (count + sizes)
    covariance = (1.0 - shrink) * covariance + shrink * np.diag(np.diagonal(covariance))
    stretch = float(stdtrit(count - 1, 0.975)) / Z95
    scaled: Array = covariance * (stretch**2 * (1.0 / count + len(split.test) / len(split.train)))
    return scaled
