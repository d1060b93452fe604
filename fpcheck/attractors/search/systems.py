"""Stacks of small linear systems, singular ones among them."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.selfmap import Array


def solve_stack(matrices: Array, sides: Array) -> Array:
    """The solutions of (k, n, n) systems with (k, n, m) right-hand sides.

    A singular system gets its least-squares solution, one that is not finite gets NaN.
    """
    try:
        return np.asarray(np.linalg.solve(matrices, sides), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.array([_solve(a, b) for a, b in zip(matrices, sides, strict=True)])


def _solve(matrix: Array, sides: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrix, sides), dtype=np.float64)
    except np.linalg.LinAlgError:
        pass
    try:
        return np.asarray(np.linalg.lstsq(matrix, sides, rcond=None)[0])
    except np.linalg.LinAlgError:  # an entry that is not finite
        return np.full(sides.shape, np.nan)
