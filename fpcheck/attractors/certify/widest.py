"""The search for a large radius at which a bound still holds."""

from __future__ import annotations

import math
from collections.abc import Callable

# A bound of 1 would do; what is kept holds in another arithmetic, of other rounding, too.
LIMIT = 0.999
PROBES = ((0, 10), (32, 10), (128, 6), (512, 4), (2048, 3))  # by width: a probe costs n^3


def widest(
    bound: Callable[[float], float], start: tuple[float, float], guess: float, width: int
) -> float:
    """The largest radius tried at which bound(radius) <= LIMIT, at least that of `start`.

    start: (radius, bound) that is known to do; guess: the first radius to try; width: the number
    of units, which says how many are tried. The bound grows with the
    radius, about linearly: a probe goes where the line through what is known reaches 1, less a
    margin; where that fails again, as at a kink, half-way between on a logarithmic scale.
    """
    best, least = start
    refused = math.inf
    wide = max(guess, best)
    for probe in range(next(count for widest_n, count in PROBES if width <= widest_n)):
        value = bound(wide)
        growth = _growth(least, value)
        if value <= LIMIT:
            best = max(best, wide)
            wide = min(wide * min(max(growth, 1.0), 256.0), math.sqrt(best * refused))
        else:
            refused = min(refused, wide)
            wide = min(refused * growth, 0.5 * refused)
            if probe >= 3 or wide <= best:
                wide = math.sqrt(best * refused)
        if wide < 1.2 * best:
            break
    return best


def _growth(least: float, value: float) -> float:
    """By what factor the radius may change until the bound is nearly at 1."""
    if not math.isfinite(value):
        return 1.0 / 256.0
    rise = value - least
    return 0.85 * (1.0 - least) / rise if rise > 0.0 else math.inf
