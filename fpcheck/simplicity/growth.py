"""How the bits grow with the rows: a narrow teacher's flatten, noise's keep their pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import mean_t
from fpcheck.simplicity.estimate import Asked, Effort, Estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.result import Growth, GrowthPoint
from fpcheck.simplicity.several import Job, estimate_all, pooled, sure_mean
from fpcheck.simplicity.weighted_line import Line, weighted_line

Array = NDArray[np.float64]
Order = NDArray[np.intp]

SHARES = (0.125, 0.25, 0.5, 0.75)
SUBSETS = 3
SMALLEST = 2  # rows of the smallest size
# From this share of the rows on, sizes count for the exponent; from UPPER on for the parameters.
EXPONENT_FROM, UPPER = 0.25, 0.5
FLAT = 0.9  # an exponent surely below it flattens
LEAST_BITS = 0.5  # of a point whose logarithm is taken


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean bits over the subsets of one size, and its standard error.

    known: whether all are estimates; else `bits` are what the mean is at least. impossible:
    whether p is 0 for one of them.
    """

    rows: int
    bits: float
    error: float
    known: bool
    impossible: bool


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What is known of all rows already: a labelling's bits, their standard error, if known."""

    labelling: Labelling
    bits: float
    error: float
    known: bool
    impossible: bool


def growth(
    asked: Asked,
    true: Whole,
    random: Whole | None,
    rng: np.random.Generator,
    effort: Effort,
    errors: int,
) -> Growth:
    """The bits at several sizes, over random subsets of these training rows.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    n = true.labelling.count
    sizes = sorted({round(share * n) for share in SHARES if round(share * n) >= SMALLEST} - {n})
    wholes = [true] if random is None else [true, random]
    jobs = [
        Job(whole.labelling.subset(index), stream.spawn(1)[0], errors)
        for whole, stream in zip(wholes, rng.spawn(2), strict=False)
        for size in sizes
        for index in subsets(whole.labelling, size, stream)
    ]
    found = estimate_all(asked, jobs, effort, "simplicity: growth over rows")
    per_curve = len(sizes) * SUBSETS
    curves = [
        _curve(sizes, found[start * per_curve :][:per_curve], whole)
        for start, whole in enumerate(wholes)
    ]
    exponent = exponent_of(curves[0])
    parameters, reason = parameters_of(curves[0], exponent)
    return Growth(
        points=_points(*curves),
        exponent=exponent.slope if isinstance(exponent, Line) else None,
        exponent_low=exponent.low if isinstance(exponent, Line) else None,
        exponent_high=exponent.high if isinstance(exponent, Line) else None,
        parameters=parameters.slope if parameters else None,
        parameters_low=max(0.0, parameters.low) if parameters else None,
        parameters_high=parameters.high if parameters else None,
        parameters_status="sampled" if parameters else None,
        reason=exponent if isinstance(exponent, str) else reason,
    )


def subsets(labelling: Labelling, size: int, rng: np.random.Generator) -> list[Order]:
    """SUBSETS random choices of `size` rows with the classes' shares, disjoint if there is room."""
    order = _spread(labelling, rng)
    if SUBSETS * size <= labelling.count:
        return [order[k * size : (k + 1) * size] for k in range(SUBSETS)]
    return [order[:size], *(_spread(labelling, rng)[:size] for _ in range(SUBSETS - 1))]


def _spread(labelling: Labelling, rng: np.random.Generator) -> Order:
    """A random order of the rows in which every stretch has about each class's share."""
    count = labelling.count
    if labelling.labels is None:
        return rng.permutation(count)
    place = np.empty(count)
    for label in np.unique(labelling.labels):
        members = rng.permutation(np.flatnonzero(labelling.labels == label))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    order: Order = np.lexsort((rng.random(count), place))
    return order


def _curve(sizes: list[int], found: Sequence[Estimate], whole: Whole) -> list[Mean]:
    """The means of every size and the bits of all rows.

    The subsets' relative spread, which holds the error of each estimate, is taken from all sizes
    together: three values alone tell too little.
    """
    n = whole.labelling.count
    alike = [found[start : start + SUBSETS] for start in range(0, len(found), SUBSETS)]
    known = [all(each.known for each in some) for some in alike]
    bits = pooled(found).bits.reshape(len(sizes), SUBSETS)
    means = bits.mean(axis=1).tolist()
    usable = [
        number
        for number, rows in enumerate(sizes)
        if rows >= EXPONENT_FROM * n and known[number] and means[number] > 0.0
    ]
    relative = bits[usable].std(axis=1, ddof=1) / bits[usable].mean(axis=1)
    pooled_spread = math.sqrt(float(np.mean(relative**2))) if usable else 0.0
    curve = []
    for number, rows in enumerate(sizes):
        mean = means[number] if known[number] else sure_mean(alike[number])
        own = float(bits[number].std(ddof=1))
        spread = pooled_spread * mean if number in usable else own
        never = any(each.impossible for each in alike[number])
        curve.append(Mean(rows, mean, spread / math.sqrt(SUBSETS), known[number], never))
    return [*curve, Mean(n, whole.bits, whole.error, whole.known, whole.impossible)]


def exponent_of(curve: list[Mean]) -> Line | str:
    """The slope of log bits against log rows over the upper sizes; or why there is none."""
    n = curve[-1].rows
    upper = [mean for mean in curve if mean.rows >= EXPONENT_FROM * n]
    if any(mean.impossible for mean in upper):
        return "no network has the labels of some sizes right"
    if len(upper) < 3:
        return f"{n} rows are too few to tell how the bits grow"
    if not all(mean.known for mean in upper):
        return "the bits of some sizes are only bounded from below"
    if min(mean.bits for mean in upper) < LEAST_BITS:
        return f"the bits are below {LEAST_BITS:g}: almost all networks have the labels right"
    bits = np.array([mean.bits for mean in upper])
    errors = np.array([mean.error for mean in upper])
    rows = np.array([mean.rows for mean in upper], dtype=float)
    return weighted_line(np.log(rows), np.log(bits), errors / bits, _freedom(len(upper)))


def parameters_of(curve: list[Mean], exponent: Line | str) -> tuple[Line | None, str]:
    """The slope of bits against log2 rows, where the growth flattens; or why there is none.

    p of a teacher with d free parameters falls as rows^-d: doubling the rows halves the room of
    each. [Buzaglo et al. 2024: the bits count the teacher's parameters, not the student's]
    """
    if isinstance(exponent, str):
        return None, exponent
    if exponent.high >= FLAT:
        shown = f"{exponent.slope:.2f} (95 % {exponent.low:.2f} to {exponent.high:.2f})"
        return None, f"the bits grow as rows^{shown}: that they flatten is not shown"
    upper = [mean for mean in curve if mean.rows >= UPPER * curve[-1].rows]
    rows = np.array([mean.rows for mean in upper], dtype=float)
    bits = np.array([mean.bits for mean in upper])
    errors = np.array([mean.error for mean in upper])
    return weighted_line(np.log2(rows), bits, errors, _freedom(len(upper))), ""


def _freedom(points: int) -> float:
    """Degrees of freedom of the pooled spread: of all sizes but the whole, which is one."""
    return (points - 1) * (SUBSETS - 1)


def _points(true: list[Mean], random: list[Mean] | None = None) -> tuple[GrowthPoint, ...]:
    """The curve's points as the report has them."""
    return tuple(
        _point(mean, random[number] if random else None, len(true))
        for number, mean in enumerate(true)
    )


def _point(mean: Mean, other: Mean | None, points: int) -> GrowthPoint:
    bits, low, high, status = _in_report(mean, points)
    random = _in_report(other, points) if other else (None, None, None, None)
    return GrowthPoint(mean.rows, bits, low, high, status, *random)


def _in_report(mean: Mean, points: int) -> tuple[float | None, float | None, float | None, str]:
    """Bits, their 95 % interval without the ends that are not known, and their status."""
    if mean.impossible:
        return None, None, None, "exact"
    found = mean_t(mean.bits, mean.error, _freedom(points))
    low = max(0.0, found.low)
    if not mean.known:
        return mean.bits, mean.bits, None, "lower bound"
    return mean.bits, low, found.high, "sampled"
