"""E phi(x) phi(y) at one variance q for many correlations c: what a recursion over layers needs.

Smooth functions by their Hermite series where it has converged, and beyond, near |c| = 1, by
interpolation in the angle arccos c of integrals in polar coordinates; piecewise-linear ones by
integrals over their bends. All agree with `pairs` to 1e-13 of E phi^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments, pairs, piecewise_linear
from fpcheck.theory.bends import BendIntegral, bend_integral, condition
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.hermite import SIZES, hermite_coefficients
from fpcheck.theory.quadrature import Array

CONVERGED = 1e-14  # of E phi^2, E phi'^2: what the rest of a series may amount to
WELL_CONDITIONED = 2000.0  # magnification of rounding up to which bends are integrated
INTERPOLATED = (17, 33)  # Chebyshev points near c = 1
NONE: Array = np.empty(0)
INTERPOLATED_Q = 16.0  # beyond it the function's own scale is seen in the angle: too many points


@dataclass(frozen=True, slots=True, eq=False)
class PairCurve:
    """c -> E phi(x) phi(y) and its slope E phi'(x) phi'(y), x, y ~ N(0, q) with correlation c.

    `squares`: a_n^2 of the Hermite series at the `orders` n that count, which holds up to |c| =
    `series_end`; empty where there is a closed form, or `bends`. `reused`: whether a table near
    c = 1 pays for its making.
    """

    function: ActivationFunction
    q: float
    orders: Array
    squares: Array
    series_end: float
    bends: BendIntegral | None
    reused: bool = True

    def __call__(self, c: float) -> float:
        """E phi(x) phi(y)."""
        if abs(c) <= self.series_end:
            return float(self.squares @ np.power(c, self.orders))
        if self.bends is not None:
            return self.bends.pair(c)
        return self._beyond(c, slope=False)

    def slope(self, c: float) -> float:
        """E phi'(x) phi'(y), which is d E phi(x) phi(y) / d cov(x, y)."""
        if abs(c) <= self.series_end:
            # The order 0 has the factor 0, whatever power stands beside it.
            powers = np.power(c, np.maximum(self.orders - 1.0, 0.0))
            return float((self.orders * self.squares) @ powers) / self.q
        if self.bends is not None:
            return self.bends.pair_slope(c)
        return self._beyond(c, slope=True)

    def _beyond(self, c: float, *, slope: bool) -> float:
        """Where the series has not converged, or there is none."""
        f, q = self.function, self.q
        if self.reused and self.squares.size and c > 0.0 and q <= INTERPOLATED_Q:
            angle = math.atan2(math.sqrt((1.0 - c) * (1.0 + c)), c)
            table = _interpolant(f, q, self.series_end, slope)
            if table is not None:
                return _chebyshev_sum(2.0 * angle / table[0] - 1.0, table[1])
        return (pairs.pair_slope_moment if slope else pairs.pair_moment)(f, q, q, c)


@lru_cache(maxsize=1024)
def pair_curve(f: ActivationFunction, q: float, *, reused: bool = True) -> PairCurve:
    """The curve of `f` at variance q >= 0. A step's has no slope.

    reused: whether it will be asked for dozens of correlations, not for one or two.
    """
    curve = _curve(f, q)
    return curve if reused else replace(curve, reused=False)


def _curve(f: ActivationFunction, q: float) -> PairCurve:
    p = piecewise_linear.pieces(f)
    if closed_forms(f) is not None or q == 0.0:
        return PairCurve(f, q, NONE, NONE, -1.0, None)
    if p is None:
        short = _series(f, q, SIZES[0])
        return short if short.series_end == 1.0 else _series(f, q, SIZES[1])
    magnified = condition(p, q, moments.second_moment(f, q), moments.slope_moment(f, q))
    bends = bend_integral(p, q, moments.mean(f, q)) if magnified <= WELL_CONDITIONED else None
    return PairCurve(f, q, NONE, NONE, -1.0, bends)


@lru_cache(maxsize=1024)
def _series(f: ActivationFunction, q: float, n: int) -> PairCurve:
    squares = hermite_coefficients(f, q, n) ** 2
    end = _series_end(squares, q, moments.second_moment(f, q), moments.slope_moment(f, q))
    orders = _counting(squares)
    return PairCurve(f, q, orders.astype(np.float64), squares[orders], end, None)


def _series_end(squares: Array, q: float, second: float, slope: float) -> float:
    """|c| up to which the coefficients left out amount to at most CONVERGED."""
    n = len(squares)
    rest = abs(1.0 - float(squares.sum()) / second)
    slope_rest = abs(1.0 - float(np.arange(n) @ squares) / (q * slope))
    # 10: the sums themselves are known to a few roundings only.
    ends = [
        1.0 if left <= 10.0 * CONVERGED else (CONVERGED / left) ** (1.0 / n)
        for left in (rest, slope_rest)
    ]
    return min(ends)


def _counting(squares: Array) -> NDArray[np.int64]:
    """The orders whose coefficients count: not the last ones, nor every other one if odd."""
    n = np.arange(len(squares))
    terms = (n + 1) * squares
    return np.flatnonzero(terms > 1e-3 * CONVERGED / len(squares) * float(terms.sum()))


@lru_cache(maxsize=256)
def _interpolant(
    f: ActivationFunction, q: float, start: float, slope: bool
) -> tuple[float, Array] | None:
    """(widest angle, Chebyshev coefficients) from c = start to 1; None if they do not converge."""
    widest = 1.01 * math.acos(start)
    exact = pairs.pair_slope_moment if slope else pairs.pair_moment
    size = exact(f, q, q, 1.0)
    for n in INTERPOLATED:
        points = np.cos(math.pi * (np.arange(n) + 0.5) / n)
        angles = 0.5 * widest * (points + 1.0)
        values = np.array([exact(f, q, q, math.cos(angle)) for angle in angles])
        coefficients = _chebyshev(values)
        if float(np.abs(coefficients[-3:]).max()) <= CONVERGED * size:
            return widest, coefficients
    return None


def _chebyshev(values: Array) -> Array:
    """Chebyshev coefficients from the values at the n points cos(pi (k + 1/2) / n)."""
    n = len(values)
    angles = math.pi * (np.arange(n) + 0.5) / n
    coefficients = 2.0 / n * np.cos(np.arange(n)[:, None] * angles) @ values
    coefficients[0] *= 0.5
    return np.asarray(coefficients)


def _chebyshev_sum(x: float, coefficients: Array) -> float:
    return float(np.polynomial.chebyshev.chebval(x, coefficients))
