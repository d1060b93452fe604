"""Newton's method from where iteration does not settle: fixed points that repel, among others."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.discover import index_of
from fpcheck.attractors.polish import Polished, polish
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

# Newton starts, by width. They are extra findings and never a complete list; past the last
# width a step costs too much for that.
SEARCH_LIMITS = ((64, 16), (256, 8), (512, 4))
SEARCH_STEPS = 40


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found, from so many Newton starts."""

    found: tuple[Polished, ...]
    starts: int


def search(
    program: Program,
    known: tuple[Polished, ...],
    unresolved: Array,
    starts: Array,
    *,
    atol: float,
    monitor: Monitor,
) -> Search:
    """Fixed points that Newton's method finds and that are not among the known ones.

    unresolved: (u, n), end states of starts that did not settle; starts: (k, n), from the law. The
    seeds are, in turn: the origin (which every odd map fixes), unresolved ends, points halfway
    between two known attractors (the border of their basins passes between them), and starts.
    """
    if not differentiable(program):
        return Search((), 0)
    found: list[Polished] = []
    seeds = _seeds(known, unresolved, starts)
    for seed in seeds:
        monitor.check()
        point = polish(program, seed, 1, monitor, SEARCH_STEPS)
        if point is not None and index_of(point, [*known, *found], atol) is None:
            found.append(point)
    return Search(tuple(found), len(seeds))


def search_limit(n: int) -> int:
    """How many Newton starts a network of n units gets."""
    return next((limit for width, limit in SEARCH_LIMITS if n <= width), 0)


def _seeds(known: tuple[Polished, ...], unresolved: Array, starts: Array) -> Array:
    limit = search_limit(starts.shape[1])
    if limit == 0:
        return np.empty((0, starts.shape[1]))
    half, quarter = limit // 2, limit // 4
    resting = [point.point for point in known if point.period == 1]
    halfway = [0.5 * (a + b) for a, b in itertools.islice(itertools.combinations(resting, 2),
                                                          quarter)]  # fmt: skip
    rows = [np.zeros(starts.shape[1]), *_spread(unresolved, half), *halfway]
    rows += list(_spread(starts, limit - len(rows)))
    return np.array(rows).reshape(len(rows), starts.shape[1])


def _spread(rows: Array, count: int) -> Array:
    """At most `count` rows, evenly spread over all."""
    if len(rows) <= count:
        return rows
    picked: Array = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return picked
