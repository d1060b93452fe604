"""Matrices between the layers of a chain, and what bounds need of their norms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import TINY, Ball, U, widen
from fpcheck.network.enclosure.matrices import two_norms

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Matrices M between two layers, R and Q the layers' shares: the 2-norm of R M Q, (k,), and
    those of the rows of M Q, (k, rows), from above."""

    norm: Array
    rows: Array


def stretch(matrix: Ball, after: Array | None, before: Array | None) -> Stretch | None:
    """The matrices with their norms; None for a linear layer, whose changes are 0."""
    if before is None or after is None:
        return None
    shared = columns_scaled(matrix, before)
    sizes = np.abs(shared.mid) + shared.rad
    squares = (sizes * sizes).sum(axis=2) * widen(matrix.shape[-1]) + TINY
    norm = two_norms(rows_scaled(after, shared), loose=True)
    count = len(norm)
    rows = np.broadcast_to(np.sqrt(squares) * (1.0 + 8 * U), (count, squares.shape[1]))
    return Stretch(norm, rows)


def stretch_at(each: Stretch | None, rows: Rows) -> Stretch | None:
    """The same of some of the matrices."""
    return None if each is None else Stretch(each.norm[rows], each.rows[rows])


def shared_norm(matrix: Ball, share: Array | None) -> Array | None:
    """The 2-norms of M R, (k,), from above; None for a linear layer."""
    return None if share is None else two_norms(columns_scaled(matrix, share), loose=True)


def columns_scaled(matrix: Ball, columns: Array) -> Ball:
    """M diag(columns)."""
    return _times(matrix, columns[:, None, :])


def rows_scaled(rows: Array, matrix: Ball) -> Ball:
    """diag(rows) M."""
    return _times(matrix, rows[:, :, None])


def _times(matrix: Ball, factor: Array) -> Ball:
    """M times exactly known factors that broadcast."""
    mid = matrix.mid * factor
    rad = np.abs(mid)  # in place from here: the matrices fill the caches
    rad *= 2 * U
    rad += matrix.rad * (np.abs(factor) * (1.0 + 8 * U))
    rad += TINY
    return Ball(mid, rad)
