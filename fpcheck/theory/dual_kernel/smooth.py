"""Dual activations of functions that are smooth, or bend at 0 alone, and have no closed form."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels.dual_series import aligned_pairs
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import pairs
from fpcheck.theory.dual_kernel.aligned import AlignedTable, aligned_table, angle_panels
from fpcheck.theory.dual_kernel.mixed import is_mixed, mixed_moments
from fpcheck.theory.dual_kernel.octaves import POINTS, exact_moments, row_moments
from fpcheck.theory.dual_kernel.rows import Rows
from fpcheck.theory.dual_kernel.series import beyond, row_series, sum_series
from fpcheck.theory.hermite import SIZES
from fpcheck.theory.quadrature import Array

Places: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

FEW = 32  # pairs that are integrated one by one, at 1 ms each, rather than with a long series
FEW_ALIGNED = 128  # and rather than with a table
FEW_MIXED = 16384  # the same where a pair takes 20 us (`mixed`)
AT_ONCE = 256  # rows whose share of a table is held


def smooth_moments(
    f: ActivationFunction, left: Rows, right: Rows, c: Array, *, slope: bool
) -> Array:
    """E phi(x) phi(y), or E phi'(x) phi'(y) if `slope`, at correlations c (m, k)."""
    for n in SIZES:
        rows = [row_series(f, side, n, slope=slope) for side in (left, right)]
        left_over = beyond(rows[0], rows[1], c)
        if left_over is None:
            break
        alike = left_over & (c == 1.0) & (left.q[:, None] == right.q)
        if np.count_nonzero(left_over & ~alike) <= FEW:
            break
    out = sum_series(f, rows[0], rows[1], c, slope=slope)
    if left_over is not None:
        at, to = np.nonzero(alike)
        out[at, to] = own_moments(f, left)[at, 2 if slope else 1]
        _fill(f, left, right, c, left_over & ~alike, slope, out)
    return out


def own_moments(f: ActivationFunction, rows: Rows) -> Array:
    """E phi, E phi^2 and E phi'^2 of every row, (m, 3); at q = 0 the limits from above."""
    found = np.empty((rows.count, 3))
    found[rows.still] = exact_moments(f, 0.0)
    for row in np.flatnonzero(rows.wild):
        found[row] = exact_moments(f, float(rows.q[row]))
    for octave, at in rows.by_octave:
        found[at] = rows.basis[at] @ row_moments(f, octave)
    return found


def _fill(
    f: ActivationFunction, left: Rows, right: Rows, c: Array, todo: Mask, slope: bool, out: Array
) -> None:
    """Write the pairs that are still `todo`: from tables where there are many, else one by one."""
    few = FEW_MIXED if is_mixed(f) else FEW_ALIGNED
    for one, rows in left.by_octave:
        for other, columns in right.by_octave:
            waiting, met = todo[np.ix_(rows, columns)], c[np.ix_(rows, columns)]
            for against in (False, True):
                side = -met[waiting] if against else met[waiting]
                for panel in angle_panels((one, other)):
                    inside = (side > math.cos(panel[1])) & (side <= math.cos(panel[0]))
                    if np.count_nonzero(inside) > few:
                        table = aligned_table(f, (one, other), panel, slope=slope, against=against)
                        _interpolate(table, left, right, (rows, columns), c, todo, against, out)
    if is_mixed(f):
        known = [~(rows.still | rows.wild) for rows in (left, right)]
        left_at, right_at = pair = np.nonzero(todo & np.logical_and.outer(*known) & ~np.isnan(c))
        out[pair] = mixed_moments(f, left.q[left_at], right.q[right_at], c[pair], slope=slope)
        todo[pair] = False
    exact = pairs.pair_slope_moment if slope else pairs.pair_moment
    for i, j in np.argwhere(todo).tolist():
        at = float(left.q[i]), float(right.q[j]), float(c[i, j])
        out[i, j] = math.nan if math.isnan(at[2]) else exact(f, *at)


def _interpolate(
    table: AlignedTable, left: Rows, right: Rows, at: tuple[Places, Places], c: Array,
    todo: Mask, against: bool, out: Array,
) -> None:  # fmt: skip
    """Write the table's values at the pairs of these rows and columns."""
    for start in range(0, len(at[0]), AT_ONCE):
        rows = at[0][start : start + AT_ONCE]
        tables = np.tensordot(left.basis[rows], table.coefficients, axes=1)
        aligned_pairs(
            tables, right.basis, rows, at[1], todo, c, against, table.panel, np.empty(POINTS), out
        )
