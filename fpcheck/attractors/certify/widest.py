"""The search for large radii at which bounds still hold, for many points side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array

# A bound of 1 would do; what is kept holds in another arithmetic, of other rounding, too.
LIMIT = 0.999
PROBES = ((0, 10), (32, 10), (128, 6), (512, 4), (2048, 3))  # by width: a probe costs n^3

Rows = NDArray[np.intp]


def widest(
    bound: Callable[[Array, Rows], Array], start: tuple[Array, Array], guess: Array, width: int
) -> Array:
    """The largest radii tried at which bound(radii, rows) <= LIMIT, at least those of `start`.

    bound: of these rows, at a radius each; start: (radius, bound) of every row that is known to
    do, (k,) each; guess: (k,), the first radii to try; width: the number of units, which says how
    many are tried. The bound grows with the radius, about linearly: a probe goes where the line
    through what is known reaches 1, less a margin; where that fails again, as at a kink, half-way
    between on a logarithmic scale.
    """
    best, least = start[0].copy(), start[1]
    refused = np.full(len(best), np.inf)
    wide = np.maximum(guess, best)
    rows = np.arange(len(best))
    for probe in range(next(count for widest_n, count in PROBES if width <= widest_n)):
        if not len(rows):
            break
        tried = wide[rows]
        value = bound(tried, rows)
        growth = _growth(least[rows], value)
        held = value <= LIMIT
        best[rows] = np.where(held, np.maximum(best[rows], tried), best[rows])
        refused[rows] = np.where(held, refused[rows], np.minimum(refused[rows], tried))
        middle = np.sqrt(best[rows] * refused[rows])
        up = np.minimum(tried * np.clip(growth, 1.0, 256.0), middle)
        down = np.minimum(refused[rows] * growth, 0.5 * refused[rows])
        down = np.where((probe >= 3) | (down <= best[rows]), middle, down)
        wide[rows] = np.where(held, up, down)
        rows = rows[~(wide[rows] < 1.2 * best[rows])]
    return best


def _growth(least: Array, value: Array) -> Array:
    """By what factor the radius may change until the bound is nearly at 1."""
    rise = value - least
    growth = np.where(rise > 0.0, 0.85 * (1.0 - least) / rise, np.inf)
    return np.asarray(np.where(np.isfinite(value), growth, 1.0 / 256.0))
