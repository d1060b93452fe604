"""The curve of scores over the width: what errors they have, and a law in 1/width through them.

A score is level + split + draw: the splits' part is common to all widths, so that it moves the
limit but not the slope; random features are off their kernel by 1 / sqrt(width), so that what the
draws add has a variance of 1 / width, for which all widths together speak.

The law is limit - slope / (width + offset): slope / width where networks are wide, and slower where
they have fewer units than the target needs, as ridge on random features has it. Without the offset
the limit of networks that are all narrow comes out too low.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95
from fpcheck.readout.curves import DISTANCE, WidthLaw, inverse_width
from fpcheck.readout.drawn import correction
from fpcheck.readout.result import WidthCurve, WidthPoint
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

FEWEST = 4  # widths that a law with three numbers can be held to
RESOLUTION = 0.01  # of the distance: smaller differences of scores are never taken for certain

# Offsets that are tried: down to minus this share of the narrowest width, up to the widest width.
NEGATIVE = 0.5
OFFSETS = 25

CONTRADICTED = 0.01  # the chance of a misfit so large where the law holds


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Scores (K, J) of K draws and J splits at one width; the splits are the same at all widths.

    factor: of the hidden widths. width: units that enter the last layer.
    """

    factor: float
    width: int
    scores: Array


@dataclass(frozen=True, slots=True)
class _Law:
    """s(w) = limit - slope / (w + offset), with 95 % intervals; near: where it is near its limit.

    misfit: mean squared residual in units of its error, about 1 where the law holds.
    """

    limit: float
    limit_low: float
    limit_high: float
    slope: float
    offset: float
    near: float
    near_low: float
    near_high: float
    misfit: float


def width_curve(
    drawn: Sequence[Drawn],
    split: Split,
    *,
    level: Array | None = None,
    nngp: float | None = None,
    distance: float = DISTANCE,
    floor: float = -math.inf,
    least_variance: float = 0.0,
) -> WidthCurve:
    """The curve of scores at growing widths, and its limit.

    Where the law is contradicted by its misfit, the narrowest widths are left out, one by one.

    Args:
        drawn: two widths or more, ascending, each of two draws and two splits or more.
        split: any, for its numbers of rows.
        level: (J',), the scores of factor 1 in more splits, mean over its draws, of which the first
            J are those of `drawn`; the level of all scores is then that of all these splits.
        nngp: ridge on the dual kernel.
        distance: what counts as near the limit.
        floor: the least score there is.
        least_variance: of the level, whatever the splits say.
    """
    widths = np.array([each.width for each in drawn], dtype=np.float64)
    count = drawn[0].scores.shape[1]
    scores = np.array([float(each.scores.mean()) for each in drawn])
    if level is not None:
        scores += float(level.mean()) - float(level[:count].mean())
    least = (RESOLUTION * distance) ** 2, least_variance
    covariance = _covariance(drawn, widths, split, level, *least)
    half = Z95 * np.sqrt(np.diagonal(covariance))
    law, first = _law(widths, scores, covariance, distance)

    def held(value: float) -> float:
        return min(1.0, max(floor, value))

    curve = WidthCurve(
        points=tuple(
            WidthPoint(each.factor, each.width, held(value), held(value - off), held(value + off))
            for each, value, off in zip(drawn, scores.tolist(), half.tolist(), strict=True)
        ),
        limit=None,
        limit_low=None,
        limit_high=None,
        slope=None,
        offset=None,
        near=None,
        near_low=None,
        near_high=None,
        distance=distance,
        misfit=None,
        fitted_from=None,
        nngp=nngp,
        draws=min(len(each.scores) for each in drawn),
        splits=count,
        limit_skipped=law if isinstance(law, str) else "",
    )
    if isinstance(law, str):
        return curve
    return replace(
        curve,
        limit=held(law.limit),
        limit_low=held(law.limit_low),
        limit_high=held(law.limit_high),
        slope=law.slope,
        offset=law.offset,
        near=law.near,
        near_low=law.near_low,
        near_high=law.near_high,
        misfit=law.misfit,
        fitted_from=drawn[first].width,
    )


def _law(
    widths: Array, scores: Array, covariance: Array, distance: float
) -> tuple[_Law, int] | tuple[str, int]:
    """The law and the index of the narrowest width that it is fitted to, or why there is none."""
    if len(widths) < FEWEST:
        return f"{len(widths)} widths; a law and its misfit need {FEWEST}", 0
    from scipy.special import chdtri

    for first in range(len(widths) - FEWEST + 1):
        law = _profiled(widths[first:], scores[first:], covariance[first:, first:], distance)
        if isinstance(law, str):
            return law, first
        free = len(widths) - first - 3
        if law.misfit * free <= float(chdtri(free, CONTRADICTED)):
            return law, first
    from_width = round(float(widths[-FEWEST]))
    return f"from width {from_width} on the scores do not settle to a limit as 1 / width", 0


def _profiled(widths: Array, scores: Array, covariance: Array, distance: float) -> _Law | str:
    """The law at the best offset; the intervals are over all offsets [Seber, Wild 1989, 5.4]."""
    narrowest, widest = float(widths[0]), float(widths[-1])
    below = np.linspace(-NEGATIVE * narrowest, 0.0, OFFSETS // 4)
    offsets = np.append(below, np.geomspace(narrowest / 8.0, widest, OFFSETS))
    laws = _at_offsets(offsets, widths, scores, covariance, distance)
    if isinstance(laws, str):
        return laws
    best = int(np.argmin([law.misfit for law in laws]))
    around = offsets[max(0, best - 1)], offsets[min(best + 1, len(offsets) - 1)]
    near = np.linspace(*around, OFFSETS)
    closer = _at_offsets(near, widths, scores, covariance, distance)
    if isinstance(closer, str):
        return closer
    return _over_offsets(np.append(offsets, near), [*laws, *closer], len(widths) - 2, distance)


def _at_offsets(
    offsets: Array, widths: Array, scores: Array, covariance: Array, distance: float
) -> list[WidthLaw] | str:
    laws: list[WidthLaw] = []
    for offset in offsets.tolist():
        law = inverse_width(widths + offset, scores, covariance, distance=distance)
        if isinstance(law, str):
            return law
        laws.append(law)
    return laws


def _over_offsets(offsets: Array, laws: Sequence[WidthLaw], free: int, distance: float) -> _Law:
    """The law at the best of these offsets. free: degrees of freedom of the law at one of them."""
    misfits = np.array([law.misfit for law in laws]) * free
    best = int(np.argmin(misfits))
    least = float(misfits[best])
    scatter = max(1.0, least / (free - 1))
    slack = np.maximum(0.0, Z95 * Z95 * scatter - (misfits - least))
    # The halves of intervals at a given offset are Z95 sqrt(max(1, misfit)) standard errors.
    shares = np.sqrt(slack) / (Z95 * np.sqrt(np.maximum(1.0, misfits / free)))
    limits: list[float] = []
    nears: list[float] = []
    for law, offset, share in zip(laws, offsets.tolist(), shares.tolist(), strict=True):
        if share > 0.0:
            half = share * (law.limit_high - law.limit)
            limits += [law.limit - half, law.limit + half]
            ends = [law.slope + side * share * (law.slope_high - law.slope) for side in (-1, 1)]
            least_slope = 0.0 if ends[0] <= 0.0 <= ends[1] else min(map(abs, ends))
            nears += [_near(each, offset, distance) for each in (least_slope, *map(abs, ends))]
    law, offset = laws[best], float(offsets[best])
    return _Law(
        limit=law.limit,
        limit_low=min(limits),
        limit_high=max(limits),
        slope=law.slope,
        offset=offset,
        near=_near(abs(law.slope), offset, distance),
        near_low=min(nears),
        near_high=max(nears),
        misfit=least / (free - 1),
    )


def _near(slope: float, offset: float, distance: float) -> float:
    """The width from which slope / (width + offset) is within the distance; 0: at any."""
    reach = slope / distance
    return max(0.0, reach - offset) if reach > -offset else 0.0


def _covariance(
    drawn: Sequence[Drawn],
    widths: Array,
    split: Split,
    level: Array | None,
    least_own: float,
    least_shared: float,
) -> Array:
    """(r, r) of the scores' errors, so that 1.96 of them are a 95 % interval by Student's t.

    The splits' part comes from all the splits there are.
    """
    means = np.array([each.scores.mean(axis=0) for each in drawn])  # (r, J)
    count = means.shape[1]
    common = widths @ means / widths.sum()  # the widest say best what a split does to all
    left = means - means.mean(axis=1)[:, None] - (common - common.mean())
    apart = float(np.sum(widths[:, None] * np.square(left)))
    apart /= (len(drawn) - 1) * (count - 1)
    spread = sum(
        each.width * float(np.var(each.scores.mean(axis=1), ddof=1)) * (len(each.scores) - 1)
        for each in drawn
    )
    free = sum(len(each.scores) - 1 for each in drawn)
    draws = np.array([len(each.scores) for each in drawn])
    own = (spread / free / draws + apart * correction(count, split)) / widths
    own *= _student(min(free, (len(drawn) - 1) * (count - 1)))
    splits = common if level is None else level
    shared = float(np.var(splits, ddof=1)) * correction(len(splits), split)
    shared = max(shared * _student(len(splits) - 1), least_shared)
    covariance: Array = np.diag(np.maximum(own, least_own)) + shared
    return covariance


def _student(freedom: int) -> float:
    """The square of Student's 97.5 % quantile over the normal one's."""
    from scipy.special import stdtrit

    return (float(stdtrit(freedom, 0.975)) / Z95) ** 2
