"""Where a score that grows with the rows, or with the width, is heading: laws with intervals.

s(n) = limit - a n^-b is linear in the limit and in a once b is known. So the profile of the squared
misfit over the limit is the lowest of parabolas, one for each b, and the 95 % interval is where it
lies below its minimum by no more than the quantile [Seber, Wild 1989, section 5.4].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fpcheck.readout.profile import Numbers, Profile, profile, whitened

# Exponents that a learning curve may have. Below the first the curve has no end that the rows at
# hand could tell of; above the last it ends at once.
EXPONENTS = (0.1, 4.0)

# What counts as at the limit, in points of the score.
DISTANCE = 0.01

CEILING = 1.0  # the best accuracy and the best R^2


@dataclass(frozen=True, slots=True)
class Asymptote:
    """The limit of s(n) = value - a n^-exponent for many rows, with 95 % intervals.

    gap: value minus the fitted score at the largest size, 0 or more. reached: "yes" where the whole
    interval of the gap is within the stated distance, "no" where it is all beyond, else "unknown".
    largest: that size. exponent: NaN where the scores do not rise. misfit: mean squared residual in
    units of its error, about 1 where the law holds, NaN where no scores are left to say.
    """

    value: float
    low: float
    high: float
    exponent: float
    gap: float
    gap_low: float
    gap_high: float
    reached: Literal["yes", "no", "unknown"]
    largest: float
    misfit: float

    def at(self, size: float) -> float:
        """The law's score at a size."""
        if self.gap == 0.0:
            return self.value
        return self.value - self.gap * math.pow(self.largest / size, self.exponent)


@dataclass(frozen=True, slots=True)
class WidthLaw:
    """s(w) = limit - slope / w, with 95 % intervals.

    width: where |slope| / w is the stated distance; its interval begins at 0 where the score may
    not depend on the width at all. misfit: as in Asymptote.
    """

    limit: float
    limit_low: float
    limit_high: float
    slope: float
    slope_low: float
    slope_high: float
    width: float
    width_low: float
    width_high: float
    misfit: float


def power_law(
    sizes: Numbers,
    scores: Numbers,
    errors: Numbers | None,
    *,
    distance: float = DISTANCE,
    ceiling: float = CEILING,
    exponents: tuple[float, float] = EXPONENTS,
) -> Asymptote | str:
    """The limit that scores at growing sizes are heading for, or why none can be told.

    Args:
        sizes: (r,) numbers of rows, positive.
        scores: (r,), rising with the size but for noise.
        errors: (r,) standard errors, or (r, r) covariances where scores share rows; None where
            unknown: then the scatter about the law says, which takes two sizes more. Errors that
            the scatter contradicts are made larger by it, never smaller.
        distance: how near to the limit counts as reached.
        ceiling: the best score there is.
        exponents: the least and the largest that is allowed.
    """
    points = whitened(sizes, scores, errors)
    if isinstance(points, str):
        return points
    different, least = len(np.unique(points.x)), 4 if points.known else 5
    if different < least:
        return f"{different} sizes; a law with a limit and an exponent needs {least}"
    limit = profile(points, exponents, "limit", ceiling)
    gap = profile(points, exponents, "gap", ceiling)
    return Asymptote(
        value=limit.value,
        low=limit.low,
        high=limit.high,
        exponent=limit.exponent,
        gap=gap.value,
        gap_low=gap.low,
        gap_high=gap.high,
        reached=_reached(gap, distance),
        largest=points.unit,
        misfit=limit.misfit,
    )


def inverse_width(
    widths: Numbers,
    scores: Numbers,
    errors: Numbers | None,
    *,
    distance: float = DISTANCE,
) -> WidthLaw | str:
    """The score's limit in wide networks and the width that is near it, or why none can be told.

    Arguments as in `power_law`; two widths with known errors, or three, are the least.
    """
    points = whitened(widths, scores, errors)
    if isinstance(points, str):
        return points
    different, least = len(np.unique(points.x)), 2 if points.known else 3
    if different < least:
        return f"{different} widths; a law with a limit needs {least}"
    design = points.designs(np.ones(1))[0]
    covariance = np.linalg.inv(design.T @ design)
    solved = covariance @ (design.T @ points.scores)
    left, free = points.scores - design @ solved, len(points.x) - 2
    misfit = float(left @ left) / free if free else math.nan
    half = np.sqrt(points.rise(misfit, free) * np.diagonal(covariance))
    limit, slope = float(solved[0]), float(solved[1]) * points.unit
    low, high = slope - float(half[1]) * points.unit, slope + float(half[1]) * points.unit
    return WidthLaw(
        limit=limit,
        limit_low=limit - float(half[0]),
        limit_high=limit + float(half[0]),
        slope=slope,
        slope_low=low,
        slope_high=high,
        width=abs(slope) / distance,
        width_low=0.0 if low <= 0.0 <= high else min(abs(low), abs(high)) / distance,
        width_high=max(abs(low), abs(high)) / distance,
        misfit=misfit,
    )


def _reached(gap: Profile, distance: float) -> Literal["yes", "no", "unknown"]:
    if gap.high <= distance:
        return "yes"
    return "no" if gap.low > distance else "unknown"
