"""Hermite series of E phi(x) phi(y) for blocks of pairs, sum a_n(q1) a_n(q2) c^n.

The coefficients of a row come from Chebyshev interpolation over the octave of its variance; a
chunk of pairs takes as many terms as its largest correlation asks for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels.dual_series import CHUNK, STEP, count_beyond, series_pairs
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.dual_kernel.octaves import octave_points, to_chebyshev
from fpcheck.theory.dual_kernel.rows import Rows
from fpcheck.theory.hermite import hermite_coefficients, hermite_slope_coefficients
from fpcheck.theory.quadrature import Array

SMALL = math.log(1e-13)  # of sqrt(E phi(x)^2 E phi(y)^2): what the terms left out may amount to
NOTHING = -1e300  # the logarithm of a rest that is not there


@dataclass(frozen=True, slots=True, eq=False)
class OctaveSeries:
    """The coefficients over one octave, last term first, every other one of an odd or even g.

    table: (POINTS, terms) Chebyshev coefficients; tail: (terms / STEP + 1,) logarithms of the root
    of what the squares from every STEP-th term on amount to, of the whole, the largest over the
    octave.
    """

    table: Array
    tail: Array


@dataclass(frozen=True, slots=True, eq=False)
class RowSeries:
    """coefficients (m, terms), last term first, and tail (m, terms / STEP + 1) of every row.

    reach: (m,), factors whose products are the |c| up to which the pairs' series have converged.
    """

    coefficients: Array
    tail: Array
    reach: Array


@lru_cache(maxsize=256)
def octave_series(f: ActivationFunction, octave: int, n: int, slope: bool) -> OctaveSeries:
    """Of phi, or of phi' if `slope`: the first n coefficients."""
    points = octave_points(octave).tolist()
    coefficients = hermite_slope_coefficients if slope else hermite_coefficients
    whole = moments.slope_moment if slope else moments.second_moment
    values = np.array([coefficients(f, q, n) for q in points])
    if f.kind.odd:
        values = values[:, 0::2] if slope else values[:, 1::2]
    squares = values**2 / np.array([whole(f, q) for q in points])[:, None]
    rest = np.maximum(1.0 - squares.sum(axis=1), 0.0)
    left = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]
    left = np.append(left[:, ::STEP] + rest[:, None], rest[:, None], axis=1)
    with np.errstate(divide="ignore"):
        tail = np.maximum(0.5 * np.log(left.max(axis=0)), NOTHING)
    return OctaveSeries(to_chebyshev(values[:, ::-1]), tail)


def row_series(f: ActivationFunction, rows: Rows, n: int, *, slope: bool) -> RowSeries:
    """The series of every row; one without variance is the constant phi(0), or its mean slope."""
    terms = n // 2 if f.kind.odd else n
    coefficients = np.zeros((rows.count, terms))
    tail = np.full((rows.count, terms // STEP + 1), NOTHING)
    for octave, at in rows.by_octave:
        found = octave_series(f, octave, n, slope)
        coefficients[at] = rows.basis[at] @ found.table
        tail[at] = found.tail
    if slope or not f.kind.odd:
        constant = moments.mean_slope(f, 0.0) if slope else moments.mean(f, 0.0)
        coefficients[rows.still, -1] = constant
    reach = np.exp(np.minimum((0.5 * SMALL - tail[:, -1]) / n, 1.0))
    reach[rows.wild] = np.nan
    return RowSeries(coefficients, tail, reach)


def beyond(left: RowSeries, right: RowSeries, c: Array) -> NDArray[np.bool_] | None:
    """The pairs (m, k) whose series have not converged, None if all have; a NaN has not."""
    if not count_beyond(c, left.reach, right.reach):
        return None
    return np.asarray(~(np.abs(c) <= left.reach[:, None] * right.reach))


def sum_series(
    f: ActivationFunction, left: RowSeries, right: RowSeries, c: Array, *, slope: bool
) -> Array:
    """The sums for c (m, k); they mean nothing for pairs that are `beyond`."""
    chunks = -(-c.shape[1] // CHUNK)
    terms = left.coefficients.shape[1]
    columns = np.zeros((chunks * CHUNK, terms))
    columns[: c.shape[1]] = right.coefficients
    tails = np.full((chunks * CHUNK, right.tail.shape[1]), NOTHING)
    tails[: c.shape[1]] = right.tail
    out = np.empty_like(c)
    series_pairs(
        left.coefficients,
        np.ascontiguousarray(columns.reshape(chunks, CHUNK, terms).transpose(0, 2, 1)),
        c, f.kind.odd, f.kind.odd and not slope,
        left.tail, tails.reshape(chunks, CHUNK, -1).max(axis=1), left.reach, right.reach, SMALL,
        np.zeros(CHUNK), np.zeros(CHUNK), out,
    )  # fmt: skip
    return out
