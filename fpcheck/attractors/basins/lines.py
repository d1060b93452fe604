"""Straight lines out of attractors, and where on each the basin is left first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.traps import Labels, Trap
from fpcheck.attractors.discover import UNRESOLVED
from fpcheck.attractors.polish import Polished, size_of
from fpcheck.attractors.selfmap import Array

# Directions that are tried out of each attractor, beside those to other points.
RANDOM_DIRECTIONS = 2
NEAREST_ATTRACTORS = 2
NEAREST_SADDLES = 1
# Products with the Jacobian that turn a random direction into a slow one.
POWER_STEPS = 12
# Behind a saddle on the way out, in units of the distance to it, the basin should be left.
BEHIND = 1.05
# How far free directions are followed where there is no other attractor to set a scale.
FAR = 8.0


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines from attractors outwards. All arrays have one entry, or row, a line.

    owner: index of the attractor; direction: (m, n), of length 1; towards: what it points to, in
    words; low: known to come back; high: known to leave, inf while nothing is; end: the label
    there; first: the radius that is tried first.
    """

    owner: NDArray[np.intp]
    direction: Array
    towards: list[str]
    low: Array
    high: Array
    end: Labels
    first: Array

    def at(self, centres: Array, picked: NDArray[np.intp], radii: Array) -> Array:
        """The states at the radii on the picked lines. centres: (attractors, n) -> (m, n)."""
        points: Array = centres[self.owner[picked]] + radii[:, None] * self.direction[picked]
        return points

    def learn(self, picked: NDArray[np.intp], radii: Array, labels: Labels) -> None:
        """Take in where the states at the radii ended.

        Unresolved is not left: near the boundary the motion is slow.
        """
        left = (labels != self.owner[picked]) & (labels != UNRESOLVED)
        # The smallest radius of a line is written last, and stays.
        inwards = np.argsort(-radii, kind="stable")
        order = inwards[(left & (radii < self.high[picked]))[inwards]]
        self.high[picked[order]] = radii[order]
        self.end[picked[order]] = labels[order]
        back = ~left & (radii < self.high[picked])
        np.maximum.at(self.low, picked[back], radii[back])


def new_lines(owner: NDArray[np.intp], direction: Array, towards: list[str], low: Array) -> Lines:
    """Lines of which nothing is known yet but the radius `low` that surely comes back."""
    m = len(owner)
    return Lines(
        owner=owner,
        direction=direction / np.linalg.norm(direction, axis=1, keepdims=True),
        towards=towards,
        low=low[owner].copy(),
        high=np.full(m, np.inf),
        end=np.full(m, UNRESOLVED, dtype=np.int64),
        first=np.full(m, np.inf),
    )


def lines_out(
    traps: Sequence[Trap],
    saddles: Sequence[tuple[str, Polished]],
    rng: np.random.Generator,
) -> Lines:
    """The lines to try: to other attractors and saddles nearby, slow directions, random ones.

    The far end of a line to another attractor is known to leave. saddles: id and point of the
    fixed points that iteration does not end on.
    """
    owners: list[int] = []
    ways: list[Array] = []
    words: list[str] = []
    highs: list[float] = []
    ends: list[int] = []
    firsts: list[float] = []
    centres = np.array([trap.found.point for trap in traps])
    unstable = np.array([point.point for _, point in saddles]).reshape(
        len(saddles), centres.shape[1]
    )

    def add(owner: int, way: Array, word: str, high: float, end: int, first: float) -> None:
        owners.append(owner)
        ways.append(way)
        words.append(word)
        highs.append(high)
        ends.append(end)
        firsts.append(first)

    for index, trap in enumerate(traps):
        here = centres[index]
        gaps = np.linalg.norm(centres - here, axis=1)
        for other in np.argsort(gaps, kind="stable")[1 : 1 + NEAREST_ATTRACTORS]:
            if gaps[other] > 0.0:
                way, word = centres[other] - here, f"towards {traps[other].id}"
                add(index, way, word, float(gaps[other]), int(other), np.inf)
        for number in _nearest(unstable, here):
            way = unstable[number] - here
            first = BEHIND * float(np.linalg.norm(way))
            add(index, way, f"towards {saddles[number][0]}", np.inf, UNRESOLVED, first)
        scale = FAR * max(size_of(here), float(np.linalg.norm(here)))
        far = np.inf if len(traps) > 1 else scale
        for way, word in _free(trap, rng):
            add(index, way, word, np.inf, UNRESOLVED, far)
    lines = new_lines(
        np.array(owners, dtype=np.intp), np.array(ways), words,
        np.array([trap.inner_radius for trap in traps]),
    )  # fmt: skip
    lines.high[:], lines.end[:], lines.first[:] = highs, ends, firsts
    return lines


def _nearest(points: Array, here: Array) -> list[int]:
    """Which of the points are nearest, this one left out. points: (s, n)."""
    if not len(points):
        return []
    gaps = np.linalg.norm(points - here, axis=1)
    order = np.argsort(gaps, kind="stable")
    return [int(each) for each in order if gaps[each] > 0.0][:NEAREST_SADDLES]


def _free(trap: Trap, rng: np.random.Generator) -> list[tuple[Array, str]]:
    """Directions that lead to no known point: both ways along a slow one, and random ones.

    What the Jacobian shrinks least is near the leading eigenvector, or in the plane of a pair.
    """
    n = len(trap.found.point)
    out: list[tuple[Array, str]] = []
    slow = rng.standard_normal(n)
    jac = trap.found.jacobian
    if jac is not None:
        for _ in range(POWER_STEPS):
            slow = jac @ slow
            size = float(np.linalg.norm(slow))
            if not 0.0 < size < np.inf:
                break
            slow /= size
        else:
            out += [(slow, "along the slow direction"), (-slow, "along the slow direction")]
    if n == 1:
        return [(np.ones(1), "upwards"), (-np.ones(1), "downwards")]
    out += [(rng.standard_normal(n), "in a random direction") for _ in range(RANDOM_DIRECTIONS)]
    return out
