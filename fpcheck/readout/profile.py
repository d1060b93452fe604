"""The profile of a curve's squared misfit over its limit, or over what is still to be gained.

s(x) = limit - gap x^-b, with x the size over the largest. For a given b it is linear, so that the
least misfit at a given limit (or gap) is a parabola in it; the profile is the lowest of them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95

Array = NDArray[np.float64]
Numbers = Sequence[float] | Array

GRID = 200  # exponents that are looked at, and at every one of
ZOOMS = 4  # closer looks at the best

# No score is certain: errors below this share of the largest are taken as that.
LEAST_ERROR = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Scores (r,) at sizes x (r,) in units of `unit`, the largest; in units of their errors.

    whitener: (r, r), L^-1 for covariances L L'. known: whether the errors are, or all equal 1.
    """

    x: Array
    unit: float
    scores: Array
    whitener: Array
    known: bool

    def designs(self, exponents: Array) -> Array:
        """(g, r, 2): what limit and gap are multiplied by, in units of the errors, by exponent."""
        powers = self.x ** -exponents[:, None]
        return self.whitener @ np.stack([np.ones_like(powers), -powers], axis=2)

    def rise(self, misfit: float, free: int) -> float:
        """The squared misfit that an end of the 95 % interval adds to the least one.

        misfit: the least one over `free`, its degrees of freedom. Known errors are made larger
        where the scatter contradicts them, never smaller; unknown ones are the scatter.
        """
        if self.known:
            return Z95 * Z95 * max(1.0, misfit if free > 0 else 1.0)
        if free < 1:
            return math.inf
        from scipy.special import stdtrit

        return float(stdtrit(free, 0.975)) ** 2 * misfit


@dataclass(frozen=True, slots=True)
class Profile:
    """The best value of the limit or of the gap, its 95 % interval, and the law's exponent.

    exponent: NaN where the scores do not rise. misfit: least squared one over its degrees of
    freedom, NaN without any.
    """

    value: float
    low: float
    high: float
    exponent: float
    misfit: float


@dataclass(frozen=True, slots=True, eq=False)
class _Parabolas:
    """base + (v - centre)^2 / variance for v in [low, high], one for each exponent; all (g,)."""

    exponents: Array
    base: Array
    centre: Array
    variance: Array
    low: Array
    high: Array

    def least(self) -> tuple[float, float, float]:
        """The smallest misfit, where it is, and its exponent."""
        at = np.clip(self.centre, self.low, self.high)
        misfit = self.base + np.square(at - self.centre) / self.variance
        misfit = np.where(self.low <= self.high, misfit, np.inf)
        best = int(np.argmin(misfit))
        return float(misfit[best]), float(at[best]), float(self.exponents[best])

    def below(self, level: float) -> tuple[float, float]:
        """The least and the largest v where a misfit is at most `level`."""
        half = np.sqrt(self.variance * np.maximum(level - self.base, 0.0))
        low = np.maximum(self.centre - half, self.low)
        high = np.minimum(self.centre + half, self.high)
        some = (self.base <= level) & (low <= high)
        if not some.any():
            return math.inf, -math.inf
        return float(low[some].min()), float(high[some].max())


def whitened(sizes: Numbers, scores: Numbers, errors: Numbers | None) -> Points | str:
    """The points of a law, or why there are none. errors: (r,), (r, r) covariances, or None."""
    x, y = np.asarray(sizes, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    given = None if errors is None else np.asarray(errors, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return "not all sizes and scores are finite"
    if len(x) == 0 or not x.min() > 0.0:
        return "no sizes, or one that is not above 0"
    whitener = np.eye(len(x))
    known = given is not None and bool(np.isfinite(given).all()) and float(given.max()) > 0.0
    if given is not None and known:
        if given.ndim == 1:
            given = np.diag(np.square(np.maximum(given, LEAST_ERROR * given.max())))
        floor = LEAST_ERROR * LEAST_ERROR * float(np.diagonal(given).max())
        given = given + np.diag(np.maximum(0.0, floor - np.diagonal(given)))
        try:
            whitener = np.linalg.inv(np.linalg.cholesky(given))
        except np.linalg.LinAlgError:
            return "the covariances of the scores are not positive definite"
    unit = float(x.max())
    return Points(x / unit, unit, whitener @ y, whitener, known)


def profile(
    points: Points, exponents: tuple[float, float], over: Literal["limit", "gap"], ceiling: float
) -> Profile:
    """The profile over the limit or the gap, with gap >= 0 and limit <= ceiling."""
    parabolas = _over_limit if over == "limit" else _over_gap
    grid = np.geomspace(*exponents, GRID)
    pieces = parabolas(points, grid, ceiling)
    found = min(piece.least() for piece in pieces)
    step = math.log(exponents[1] / exponents[0]) / (GRID - 1)
    for _ in range(ZOOMS):
        if not math.isfinite(found[2]):
            break
        near = found[2] * np.exp(np.linspace(-step, step, 21))
        near = np.clip(near, *exponents)
        closer = parabolas(points, near, ceiling)
        pieces = (*pieces, *closer)
        found = min(found, *(piece.least() for piece in closer))
        step /= 10.0
    least, value, exponent = found
    free = len(points.x) - 3
    misfit = least / free if free > 0 else math.nan
    level = least + points.rise(misfit, free)
    bounds = [piece.below(level) for piece in pieces]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return Profile(value, min(low, value), max(high, value), exponent, misfit)


def _fits(points: Points, grid: Array) -> tuple[Array, Array, Array]:
    """For every exponent: limit and gap (g, 2), their covariances (g, 2, 2), the misfits (g,)."""
    design = points.designs(grid)
    covariance = np.asarray(np.linalg.inv(design.transpose(0, 2, 1) @ design), dtype=np.float64)
    solved = np.einsum("gij,gkj,k->gi", covariance, design, points.scores, optimize=True)
    left = points.scores - np.einsum("gkj,gj->gk", design, solved)
    return solved, covariance, np.square(left).sum(axis=1)


def _over_limit(points: Points, grid: Array, ceiling: float) -> tuple[_Parabolas, ...]:
    """The misfit over the limit: of laws with a gap above 0, and of the one without a gap."""
    solved, covariance, misfit = _fits(points, grid)
    limit, gap = solved.T
    turn = covariance[:, 0, 1] / covariance[:, 0, 0]  # the best gap's slope in the limit
    low = limit - gap / turn  # where that gap is 0; it grows with the limit
    curve = _Parabolas(grid, misfit, limit, covariance[:, 0, 0], low, np.full_like(grid, ceiling))
    ones = points.whitener.sum(axis=1)
    variance = 1.0 / float(ones @ ones)
    mean = variance * float(ones @ points.scores)
    left = points.scores - mean * ones
    flat = _Parabolas(
        *(np.array([v]) for v in (math.nan, left @ left, mean, variance, -math.inf, ceiling))
    )
    return curve, flat


def _over_gap(points: Points, grid: Array, ceiling: float) -> tuple[_Parabolas, ...]:
    """The misfit over the gap: of laws with a limit below the ceiling, and with it at that."""
    solved, covariance, misfit = _fits(points, grid)
    limit, gap = solved.T
    turn = covariance[:, 0, 1] / covariance[:, 1, 1]  # the best limit's slope in the gap
    high = gap + (ceiling - limit) / turn
    zero = np.zeros_like(grid)
    curve = _Parabolas(grid, misfit, gap, covariance[:, 1, 1], zero, high)
    if not math.isfinite(ceiling):
        return (curve,)
    ones = points.whitener.sum(axis=1)
    powers = points.designs(grid)[:, :, 1]
    rest = points.scores - ceiling * ones
    variance = 1.0 / np.square(powers).sum(axis=1)
    centre = variance * (powers @ rest)
    left = rest - centre[:, None] * powers
    topped = _Parabolas(
        grid, np.square(left).sum(axis=1), centre, variance, zero, np.full_like(grid, math.inf)
    )
    return curve, topped
