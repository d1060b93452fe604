"""How far the rows of the data lie from each other, and from there to what is no row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array

# Rows whose distances among each other are taken: more are thinned out evenly. 4096 rows of 1024
# entries take a third of a second.
MOST_ROWS = 4096
# Rows of the table of distances that are held at once: 32 MB of it.
BLOCK = 1024
FALSE_ALARM = 0.05


@dataclass(frozen=True, slots=True)
class Spacing:
    """The distance of each row to its nearest other row, in rising order; rows: how many counted.

    sorted: (r,), 2-norms.
    """

    sorted: Array

    @property
    def rows(self) -> int:
        """The number of rows that the distances are of."""
        return len(self.sorted)


@dataclass(frozen=True, slots=True)
class FarLimit:
    """The distance beyond which a point is farther from the rows than rows are from each other.

    false_alarm: the chance that any of `points` further rows of the same law would lie beyond.
    """

    distance: float
    false_alarm: float


def nearest_rows(rows: Array, points: Array) -> tuple[NDArray[np.intp], Array]:
    """The nearest row to each point and its 2-norm distance. (r, n), (k, n) -> (k,), (k,)."""
    lengths = np.einsum("ij,ij->i", rows, rows)
    nearest = np.empty(len(points), np.intp)
    for begin in range(0, len(points), BLOCK):
        block = slice(begin, begin + BLOCK)
        # |row|^2 - 2 row . point: what |row - point|^2 is up to a term of the point's own.
        nearest[block] = np.argmin(lengths - 2.0 * (points[block] @ rows.T), axis=1)
    return nearest, np.linalg.norm(points - rows[nearest], axis=1)


def row_spacing(rows: Array) -> Spacing:
    """How far each row is from its nearest other one. rows: (r, n), at least two."""
    if len(rows) > MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.intp)]
    lengths = np.einsum("ij,ij->i", rows, rows)
    nearest = np.empty(len(rows), np.intp)
    for begin in range(0, len(rows), BLOCK):
        block = slice(begin, min(begin + BLOCK, len(rows)))
        squares = lengths - 2.0 * (rows[block] @ rows.T)
        squares[np.arange(block.stop - begin), np.arange(begin, block.stop)] = np.inf
        nearest[block] = np.argmin(squares, axis=1)
    return Spacing(np.sort(np.linalg.norm(rows - rows[nearest], axis=1)))


def far_limit(spacing: Spacing, points: int) -> FarLimit:
    """The limit for so many points at once.

    If a point is one more row of the rows' own law, all r + 1 distances to the nearest other row
    are exchangeable, so it lies beyond the j-th smallest of r with a chance of at most
    (r + 1 - j) / (r + 1), whatever the law (a conformal bound); for m points, m times that. j is
    the largest that keeps it at FALSE_ALARM, or r where the rows are too few for that.
    """
    r, m = spacing.rows, max(points, 1)
    j = min(r, math.ceil((1.0 - FALSE_ALARM / m) * (r + 1)))
    return FarLimit(float(spacing.sorted[j - 1]), min(1.0, m * (r + 1 - j) / (r + 1)))
