"""All curves: from the fixed points at g = 1, and from the branch points that lie on them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from fpcheck.attractors.continuation.curve import CurvePoint, Tracer
from fpcheck.attractors.continuation.events import Located, other_curves
from fpcheck.attractors.continuation.family import Family
from fpcheck.attractors.continuation.trail import SAME, Trail, Window, follow
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import available_cores

# Curves that are followed from branch points, all together.
MOST_SWITCHED = 32
# Events at gains and states closer than this are one event that several curves meet.
SAME_GAIN, SAME_PLACE = 1e-6, 1e-4


@dataclass(frozen=True, slots=True)
class Curve:
    """A followed curve. point: the index of the known point it leaves, None from a branch point.

    side: +1 where it begins with growing gains, -1 with falling ones.
    """

    point: int | None
    side: int
    trail: Trail

    @property
    def ends(self) -> frozenset[int]:
        """The indices of the known points at its two ends."""
        return frozenset(i for i in (self.point, self.trail.meets) if i is not None)


@dataclass(frozen=True, slots=True)
class Meeting:
    """An event with the known points whose curves meet it."""

    event: Located
    points: frozenset[int]


@dataclass(slots=True)
class Diagram:
    """The curves and their events; `covered` are the (point, side) pairs that have theirs."""

    curves: list[Curve] = field(default_factory=list)
    meetings: list[Meeting] = field(default_factory=list)
    covered: set[tuple[int, int]] = field(default_factory=set)
    new: list[Array] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Job:
    """What all curves share."""

    family: Family
    window: Window
    monitor: Monitor
    threads: int

    def tracer(self, row: Array) -> Tracer:
        """The geometry of the curve through `row`, in units of the state's own size."""
        return Tracer(self.family, max(1.0, float(np.linalg.norm(row[:-1]))))


def draw_diagram(job: Job, points: Sequence[int]) -> Diagram:
    """The curves through the known points with these indices, and those that branch off them."""
    diagram = Diagram()
    starts = [(index, side) for index in points for side in (-1, 1)]
    done = 0

    def traced(start: tuple[int, int]) -> Trail | None:
        nonlocal done
        with np.errstate(all="ignore"):
            trail = _from_point(job, *start)
        done += 1
        job.monitor.report("following fixed points", done, len(starts))
        return trail

    with ThreadPoolExecutor(job.threads or available_cores()) as pool:
        trails = list(pool.map(traced, starts))
    for (index, side), trail in zip(starts, trails, strict=True):
        if trail is not None and (index, side) not in diagram.covered:
            _add(diagram, Curve(index, side, trail))
    _branch_off(job, diagram)
    return diagram


def _from_point(job: Job, index: int, side: int) -> Trail | None:
    row = np.append(job.window.known[index], 1.0)
    tracer = job.tracer(row)
    first = tracer.start(row, side)
    return None if first is None else follow(tracer, first, job.window, job.monitor)


def _branch_off(job: Job, diagram: Diagram) -> None:
    """Follow the curves that cross at branch points, and name what each of these is."""
    looked, switched = 0, 0
    while looked < len(diagram.meetings):
        meeting = diagram.meetings[looked]
        looked += 1
        if meeting.event.kind != "branch point" or switched >= MOST_SWITCHED:
            continue
        tracer = job.tracer(meeting.event.point.row)
        kind, others = other_curves(tracer, meeting.event)
        diagram.meetings[looked - 1] = replace(meeting, event=replace(meeting.event, kind=kind))
        for point in others:
            switched += 1
            trail = follow(tracer, point, job.window, job.monitor)
            if not _is_followed(diagram, trail):
                side = 1 if point.gain > meeting.event.point.gain else -1
                joined = replace(trail, points=(meeting.event.point, *trail.points))
                _add(diagram, Curve(None, side, joined))


def _add(diagram: Diagram, curve: Curve) -> None:
    diagram.curves.append(curve)
    if curve.point is not None:
        diagram.covered.add((curve.point, curve.side))
    if curve.trail.meets is not None:
        diagram.covered.add((curve.trail.meets, curve.trail.arrival))
    if curve.trail.new is not None and _unseen(diagram, curve.trail.new):
        diagram.new.append(curve.trail.new)
    for event in curve.trail.events:
        _meet(diagram, Meeting(event, curve.ends))


def _meet(diagram: Diagram, meeting: Meeting) -> None:
    """Add the event, or its points to the same event seen from another curve."""
    here = meeting.event
    for index, known in enumerate(diagram.meetings):
        if _same_place(known.event.point, here.point) and _alike(known.event, here):
            main = max(known.event, here, key=_weight)
            diagram.meetings[index] = Meeting(main, known.points | meeting.points)
            return
    diagram.meetings.append(meeting)


def _weight(event: Located) -> tuple[int, bool]:
    """Which of two views of one event tells more: the one on which most eigenvalues cross."""
    return event.multiplicity, event.before != event.after


def _is_followed(diagram: Diagram, trail: Trail) -> bool:
    """Whether a curve of the diagram ends where this one does, on the same side."""
    if trail.meets is not None:
        return (trail.meets, trail.arrival) in diagram.covered
    return trail.new is not None and not _unseen(diagram, trail.new)


def _unseen(diagram: Diagram, state: Array) -> bool:
    return not any(_near(state, one, SAME) for one in diagram.new)


def _same_place(first: CurvePoint, second: CurvePoint) -> bool:
    close = abs(first.gain - second.gain) <= SAME_GAIN
    return close and _near(first.state, second.state, SAME_PLACE)


def _alike(first: Located, second: Located) -> bool:
    """Whether both are of an eigenvalue +1, or both of another one."""
    return (first.angle == 0.0) == (second.angle == 0.0)


def _near(first: Array, second: Array, share: float) -> bool:
    size = max(1.0, float(np.linalg.norm(second)))
    return float(np.linalg.norm(first - second)) <= share * size
