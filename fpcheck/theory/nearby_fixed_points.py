"""The fixed points of V in a range, from one pass over a grid: where a table needs many."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fpcheck.theory.roots import roots_on_grid
from fpcheck.theory.unit_moments import second_moments
from fpcheck.theory.variance_map import VarianceMap

POINTS = 192  # over the range; two fixed points inside one cell are found too (`roots_on_grid`)
OWN = 1e-3  # relative distance below which a fixed point is q* itself


@lru_cache(maxsize=256)
def nearby_fixed_points(v: VarianceMap, q_star: float, factor: float) -> tuple[float, ...]:
    """The fixed points of V in [q* / factor, q* factor] other than q*, ascending.

    The same as `variance_map.fixed_points` has there, ten times faster. Empty where every q is
    fixed.
    """
    u = math.log(q_star) + math.log(factor) * np.linspace(-1.0, 1.0, POINTS)
    q = np.exp(u)
    growth = (v.sigma_b2 + v.sigma_w2 * second_moments(v.function, q)) / q - 1.0
    if np.all(np.abs(growth) < 1e-9):
        return ()
    size = np.abs(growth)
    crossing = np.sign(growth[:-1]) != np.sign(growth[1:])
    dip = (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:])

    def at(x: float) -> float:
        return v(math.exp(x)) / math.exp(x) - 1.0

    cells = [u[i : i + 2] for i in np.flatnonzero(crossing)]
    cells += [u[i : i + 3] for i in np.flatnonzero(dip)]
    found: list[float] = []
    for cell in cells:
        roots = (math.exp(x) for x in roots_on_grid(at, cell.tolist()))
        found += [r for r in roots if all(abs(r / other - 1.0) > OWN for other in (q_star, *found))]
    return tuple(sorted(found))
