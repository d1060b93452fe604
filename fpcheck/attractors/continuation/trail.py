"""One curve of fixed points, followed from a point until it leaves the range or ends elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.continuation.curve import (
    FIRST_STEP,
    SHORTEST_STEP,
    CurvePoint,
    Tracer,
    next_length,
)
from fpcheck.attractors.continuation.events import Located, events_between
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor

# Steps along one curve. A curve over the whole range takes some 30 without turns.
MOST_STEPS = 400
# A state this many times larger than where the curve began has run away.
ESCAPE = 1e4
# How far, in scaled units, the state at g = 1 may be from the chord of the step that passes it.
CLOSE_BY = 0.05
# Points at g = 1 that are closer than this, relative to their size, are one.
SAME = 1e-7


@dataclass(frozen=True, slots=True)
class Window:
    """The gains that are looked at, and the fixed points that are known at g = 1, (k, n)."""

    low: float
    high: float
    known: Array


@dataclass(frozen=True, slots=True)
class Trail:
    """A curve as it was followed.

    end: "range" (it left the range of gains), "point" (it came back to g = 1, at the known point
    `meets` or, where that is None, at the state `new`, from the side `arrival`), "escape" (to
    infinity), "work" (too many steps) or "lost" (no step was possible).
    """

    points: tuple[CurvePoint, ...]
    events: tuple[Located, ...]
    end: str
    meets: int | None = None
    new: Array | None = None

    @property
    def arrival(self) -> int:
        """The side of g = 1 on which it ends: -1 where it came from gains below 1."""
        return -1 if self.points[-1].rising > 0 else 1


def follow(tracer: Tracer, first: CurvePoint, window: Window, monitor: Monitor) -> Trail:
    """The curve from `first` on, in the direction of its tangent, until it is back at g = 1."""
    points, events = [first], list[Located]()
    length, limit = FIRST_STEP, ESCAPE * tracer.scale
    for _ in range(MOST_STEPS):
        monitor.check()
        here = points[-1]
        taken = _step(tracer, here, length, window)
        if taken is None:
            return Trail(tuple(points), tuple(events), "lost")
        there, length = taken
        back = _crossing(tracer, here, there)
        end = there if back is None else back
        events += events_between(tracer, here, end)
        points.append(end)
        if back is not None:
            meets = _known(back.state, window)
            new = back.state if meets is None else None
            return Trail(tuple(points), tuple(events), "point", meets, new)
        if not window.low < there.gain < window.high:
            return Trail(tuple(points), tuple(events), "range")
        size = float(np.linalg.norm(there.state))
        if not size <= limit:
            return Trail(tuple(points), tuple(events), "escape")
        if size > 2.0 * tracer.scale:
            tracer, again = tracer.rescaled(there)
            if again is None:
                return Trail(tuple(points), tuple(events), "lost")
            points[-1] = again
    return Trail(tuple(points), tuple(events), "work")


def _step(
    tracer: Tracer, here: CurvePoint, length: float, window: Window
) -> tuple[CurvePoint, float] | None:
    """(the next point, the length to try next), None if there is none.

    The last step ends on the border of the range.
    """
    while length >= SHORTEST_STEP:
        there = tracer.advance(here, length)
        longer = None if there is None else next_length(length, here, there)
        if there is not None and longer is not None:
            border = _border_length(here, there, length, window)
            last = None if border is None else tracer.advance(here, border)
            return (there if last is None else last), longer
        length *= 0.5
    return None


def _border_length(
    here: CurvePoint, there: CurvePoint, length: float, window: Window
) -> float | None:
    """The step that ends a hair beyond the border of the range, None where it is not reached."""
    border = window.low if there.gain < window.low else window.high
    if window.low <= there.gain <= window.high or there.gain == border:
        return None
    share = (border - here.gain) / (there.gain - here.gain)
    # The gain is not linear in the length; a step that is a little long still ends outside.
    return min(length, length * share * 1.01)


def _crossing(tracer: Tracer, here: CurvePoint, there: CurvePoint) -> CurvePoint | None:
    """The curve's point at g = 1 between two of its points, None where it does not pass g = 1."""
    before, after = here.gain - 1.0, there.gain - 1.0
    if before * after >= 0.0:
        return None
    row = here.row + (there.row - here.row) * (before / (before - after))
    row[-1] = 1.0
    upwards = np.zeros(len(row))
    upwards[-1] = 1.0
    found = tracer.corrected(row, upwards, CLOSE_BY)
    return None if found is None else tracer.at(found, here.tangent)


def _known(state: Array, window: Window) -> int | None:
    """The index of the known point that a state at g = 1 is, None if it is another one."""
    if not len(window.known):
        return None
    distances = np.linalg.norm(window.known - state, axis=1)
    nearest = int(np.argmin(distances))
    size = max(1.0, float(np.linalg.norm(state)))
    return nearest if distances[nearest] <= SAME * size else None
