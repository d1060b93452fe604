"""The distinct fixed points so far, how often each was come upon, and the discovery curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fpcheck.attractors.discover import index_of
from fpcheck.attractors.polish import Polished, polish, size_of
from fpcheck.attractors.search.result import Discovery
from fpcheck.attractors.search.space import Space
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

# Newton's end states that differ by less than this, relative to their size, are one point without
# a closer look; others that are near are polished and compared by their errors.
SAME = 1e-9
POLISHING_STEPS = 20
# Singular points that are taken: more of them are signs of a line of fixed points, and add nothing.
SINGULAR_LIMIT = 8


@dataclass(slots=True)
class Registry:
    """The points of a search; `points` in the network's own states, `places` in the search space.

    odd: f(-x) = -x, so that every new point brings its partner; reach: states with larger entries
    are none; signs: of det(I - J), 0 where singular; index_sum: theirs; singular: how many points
    are degenerate; barren: findings in a row that were nothing new; stacked: the places as rows,
    with room to grow.
    """

    program: Program
    space: Space
    atol: float
    odd: bool
    reach: float
    monitor: Monitor
    points: list[Polished] = field(default_factory=list)
    places: list[Array] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    methods: Counter[str] = field(default_factory=Counter)
    discovery: list[Discovery] = field(default_factory=list)
    work: int = 0
    index_sum: int = 0
    singular: int = 0
    barren: int = 0
    stacked: Array = field(default_factory=lambda: np.empty((0, 0)))

    def know(self, points: Sequence[Polished]) -> None:
        """Enter points that are given, as yet unhit."""
        for point in points:
            self._enter(point)
            self.hits.append(0)

    def meet(self, place: Array, method: str) -> tuple[int | None, bool]:
        """The index of the fixed point at `place`, None if there is none, and whether it is new."""
        index = self._at(place)
        if index is None:
            before = len(self.points)
            index = self._met(self.space.lift(place.reshape(1, -1))[0], method)
            if index is None:
                return None, False
            if index == before:
                self.hits[index] = 1
                self.barren = 0
                return index, True
        self.hits[index] += 1
        self.barren += 1
        return index, False

    @property
    def exhausted(self) -> bool:
        """Whether singular points have been met so often that looking on makes no sense."""
        return self.singular >= SINGULAR_LIMIT

    def _at(self, place: Array) -> int | None:
        if not self.places:
            return None
        gaps = np.abs(self.stacked[: len(self.places)] - place).max(axis=1)
        nearest = int(np.argmin(gaps))
        return nearest if gaps[nearest] <= SAME * size_of(place) else None

    def close(self) -> None:
        """Enter the partners of all points of an odd map."""
        for point in self.points[:] if self.odd else ():
            self._met(-point.point, "symmetry")

    def _met(self, state: Array, method: str) -> int | None:
        """The index of the point that `state` is polished to, entered if it is new."""
        point = polish(self.program, state, 1, self.monitor, POLISHING_STEPS)
        if point is None or not size_of(point.point) <= self.reach:
            return None
        index = index_of(point, self.points, self.atol)
        if index is not None:
            return index
        self._enter(point)
        self.hits.append(0)
        self.methods[method] += 1
        self.discovery.append(Discovery(self.work, len(self.points)))
        index = len(self.points) - 1
        if self.odd and method != "symmetry":
            self._met(-point.point, "symmetry")
        return index

    def _enter(self, point: Polished) -> None:
        self.points.append(point)
        self.places.append(self.space.lower(point.point.reshape(1, -1))[0])
        if len(self.places) > len(self.stacked):
            more = np.zeros((2 * len(self.places), self.space.size))
            more[: len(self.places)] = self.places
            self.stacked = more
        self.stacked[len(self.places) - 1] = self.places[-1]
        self.singular += point.degenerate
        self.signs.append(_index(point))
        self.index_sum += self.signs[-1]


def _index(point: Polished) -> int:
    if point.jacobian is None or point.degenerate:
        return 0
    return round(float(np.linalg.slogdet(np.eye(len(point.point)) - point.jacobian)[0]))
