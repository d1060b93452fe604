"""Distances between the rows of a table, and the rows nearest to each."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order, worker_count
from fpcheck.readout.splits import Rows

Array = NDArray[np.float64]
Rows2 = NDArray[np.intp]  # (rows, neighbours)

ROUNDING = 16 * 2.0**-52  # a column that varies by no more of its size is constant
ROW_BLOCK = 256  # rows whose distances to all others are worked out at once


def standardised(rows: Array) -> Array:
    """Rows (n, d) with every column at mean 0 and standard deviation 1; constant columns at 0."""
    largest = np.abs(rows).max(axis=0, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    centred = rows / unit
    centred -= centred.mean(axis=0)
    spread = np.sqrt(np.square(centred).mean(axis=0))
    varies = spread > ROUNDING  # of columns whose largest entry is 1
    scaled: Array = np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)
    return scaled


def from_a_row(rows: Array) -> tuple[Array, float]:
    """Rows (n, d) less the one nearest to their mean, over a power of two; and that power.

    Products then lose no digits to an offset all rows share, nor any to the range of doubles; and
    whole numbers stay whole multiples of one unit, so that equal distances between them stay equal.
    """
    size = float(np.abs(rows).max(initial=0.0)) or 1.0
    centred = rows / size - (rows / size).mean(axis=0)
    moved = rows - rows[int(np.argmin(np.einsum("ij,ij->i", centred, centred)))]
    largest = float(np.abs(moved).max(initial=0.0))
    unit = 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0
    return moved / unit, unit


def squared_distances(left: Array, right: Array) -> Array:
    """(m, k) between rows (m, d) and (k, d), by products: to rounding of the largest square."""
    out = left @ right.T
    out *= -2.0
    out += np.einsum("ij,ij->i", left, left)[:, None]
    out += np.einsum("ij,ij->i", right, right)
    return np.maximum(out, 0.0, out=out)


def nearest_rows(
    moved: Array, rows: Rows, allowed: Rows, count: int, threads: int, monitor: Monitor
) -> Rows2:
    """(len(rows), count): the indices of the allowed rows nearest to each of `rows`, nearest first.

    A row is never near itself. Of equal distances the lower index comes first.

    Args:
        moved: (n, d), the table as `from_a_row` gives it.
        rows: whose neighbours are asked for.
        allowed: ascending; more than `count` of them.
        count: how many neighbours.
        threads: 0 takes one a core; no number depends on it.
        monitor: stops the work.
    """
    others = moved[allowed]
    blocks = [rows[start : start + ROW_BLOCK] for start in range(0, len(rows), ROW_BLOCK)]
    workers = worker_count(threads, len(blocks))
    require_memory(24.0 * workers * ROW_BLOCK * len(allowed), "the distances between rows")

    def nearest(here: Rows) -> Rows2:
        far = squared_distances(moved[here], others)
        place = np.minimum(np.searchsorted(allowed, here), len(allowed) - 1)
        itself = np.flatnonzero(allowed[place] == here)
        far[itself, place[itself]] = np.inf
        return allowed[first_columns(far, count)]

    found = in_order(nearest, blocks, threads, monitor)
    return np.concatenate([np.empty((0, count), dtype=np.intp), *found])


def first_columns(values: Array, count: int) -> Rows2:
    """(m, count): the columns of the least values (m, c) of each row, of equal ones the first."""
    columns = values.shape[1]
    if 2 * count >= columns:
        return np.argsort(values, axis=1, kind="stable")[:, :count]
    some = np.sort(np.argpartition(values, count, axis=1)[:, : count + 1], axis=1)
    bounds = np.take_along_axis(values, some, axis=1)
    order = np.argsort(bounds, axis=1, kind="stable")
    chosen = np.take_along_axis(some, order, axis=1)
    # Where the last one taken equals the first one left, equal ones outside may come before.
    last = np.take_along_axis(values, chosen[:, -2:], axis=1)
    for row in np.flatnonzero(last[:, 0] == last[:, 1]).tolist():
        chosen[row] = np.argsort(values[row], kind="stable")[: count + 1]
    return chosen[:, :count]
