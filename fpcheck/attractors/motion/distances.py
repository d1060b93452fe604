"""Distances of many states to the nearest of many points."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.selfmap import Array

# States that are compared at once: their products with 1024 points stay in a cache.
ROWS = 256


def nearest(states: Array, points: Array) -> Array:
    """The 2-norm distance of every state to the nearest point. (k, d), (c, d) -> (k,).

    Which point is nearest is decided by one matrix product, the distance to it by subtraction.
    """
    if len(points) == 1:
        only: Array = np.linalg.norm(states - points[0], axis=1)
        return only
    centre = points.mean(axis=0)  # near the origin the products lose fewer digits
    away = points - centre
    lengths = 0.5 * (away * away).sum(axis=1)
    out = np.empty(len(states))
    for begin in range(0, len(states), ROWS):
        block = states[begin : begin + ROWS]
        scores = (centre - block) @ away.T
        scores += lengths
        closest = points[np.argmin(scores, axis=1)]
        out[begin : begin + ROWS] = np.linalg.norm(block - closest, axis=1)
    return out
