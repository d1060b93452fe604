"""Where iterating a map of the half line ends: basins of its fixed points, and its cycles.

A map that nowhere decreases moves every start one way, to the next fixed point, so signs between
the fixed points decide everything and there are no cycles. A map that does decrease somewhere may
have cycles beside fixed points; its starts are followed one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Map = Callable[[float], float]

LONGEST_STAY = 4000  # steps within which a start must come back to where it was
CLOSE = 1e-12  # relative distance at which two states are the same
EDGE_STEPS = 40  # bisections of a basin's edge: its position to about 1e-12 of the bracket


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stable cycle of a map: its states in ascending order and the slope of one turn."""

    states: tuple[float, ...]
    slope: float

    @property
    def period(self) -> int:
        """How many states it visits."""
        return len(self.states)


def basins_of_increasing(
    surplus: Callable[[float], float], points: Sequence[float], highest: float
) -> list[tuple[float, float]]:
    """The basin (low, high) of every fixed point of a map that nowhere decreases.

    surplus: positive where the map lies above q. points: all fixed points, ascending; beyond
    `highest` the surplus keeps its sign. A point that repels on a side has its own q there.
    """
    basins = []
    for i, q in enumerate(points):
        below = points[i - 1] if i else 0.0
        above = points[i + 1] if i + 1 < len(points) else math.inf
        drawn_up = q == 0.0 or surplus(_between(below, q)) > 0.0
        drawn_down = surplus(_between(q, min(above, highest))) < 0.0
        basins.append((below if drawn_up else q, above if drawn_down else q))
    return basins


def _between(low: float, high: float) -> float:
    """A point well inside (low, high) on a logarithmic scale; low may be 0, high beyond reach."""
    if high <= low:
        return 2.0 * low
    return math.sqrt(low) * math.sqrt(high) if low > 0.0 else 0.01 * high


def followed(v: Map, q: float) -> tuple[float, ...] | None:
    """The states that iterating `v` from q ends on, one for a fixed point; None if it does not.

    None is given where it grows without bound, and where it returns to no state within
    LONGEST_STAY steps (chaos, or a decay too slow to tell). [Brent 1980 for the period]
    """
    mark, since, stay = q, 0, 1
    for _ in range(LONGEST_STAY):
        q, since = v(q), since + 1
        if not q < math.inf:
            return None
        if abs(q - mark) <= CLOSE * q:
            return _orbit(v, q, since)
        if since == stay:
            mark, since, stay = q, 0, 2 * stay
    return None


def _orbit(v: Map, q: float, period: int) -> tuple[float, ...]:
    states = [q]
    for _ in range(period - 1):
        states.append(v(states[-1]))
    return tuple(sorted(states))


def basin_by_following(v: Map, point: float, starts: Sequence[float]) -> tuple[float, float]:
    """The interval of starts around `point` that end on it, edges found by bisection.

    starts: ascending; beyond the last one nothing changes any more.
    """

    def ends_here(q: float) -> bool:
        end = followed(v, q)
        return end is not None and len(end) == 1 and abs(end[0] - point) <= 1e-6 * point

    low = _edge(ends_here, point, [q for q in reversed(starts) if q < point])
    high = _edge(ends_here, point, [q for q in starts if q > point])
    return (0.0 if low is None else low), (math.inf if high is None else high)


def _edge(ends_here: Callable[[float], bool], point: float, outward: list[float]) -> float | None:
    """Where starts stop ending on `point`, going outward; None if they never do."""
    inside = point
    for q in outward:
        if ends_here(q):
            inside = q
            continue
        outside = q
        for _ in range(EDGE_STEPS):
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if ends_here(middle) else (inside, middle)
        return inside
    return None


def cycles(v: Map, slope: Callable[[float], float], starts: Sequence[float]) -> tuple[Cycle, ...]:
    """The stable cycles of period 2 and more that the starts end on, shortest first."""
    found: list[tuple[float, ...]] = []
    for q in starts:
        end = followed(v, q)
        if end is not None and len(end) > 1 and not any(_same(end, known) for known in found):
            found.append(end)
    kept = [Cycle(states, math.prod(slope(q) for q in states)) for states in found]
    return tuple(sorted(kept, key=lambda each: (each.period, each.states)))


def _same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    if len(one) != len(other):
        return False
    return all(abs(a - b) <= 1e-6 * b for a, b in zip(one, other, strict=True))
