"""Followed states gathered into sets, and the states near them that were not followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.motion.clouds import (
    Cloud,
    cloud_of,
    images_of,
    joined,
    typical_distance,
)
from fpcheck.attractors.motion.distances import nearest
from fpcheck.attractors.motion.follow import Followed
from fpcheck.attractors.motion.result import NO_SET, Kind
from fpcheck.attractors.motion.returns import Shadow
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array, image
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

APERIODIC = ("quasi-periodic", "chaotic")
# A set's reach grows to what its followed states needed, but never past this share of the way to
# the next set.
GAP_SHARE = 0.5
# A state near a fixed point or cycle must come nearer at each of so many looks in so many steps:
# without a trend it does so once in 40 000 times.
NEARING_STEPS = 256
MOST_STEPS = 2560
NEARING_LOOKS = 8
# States near an orbit are as near as a followed one was, with this much to spare.
SPARE = 1.05


@dataclass(frozen=True, slots=True)
class MotionGroup:
    """Followed states that do the same: on the way to one orbit, or on one cloud of points."""

    kind: Kind
    members: tuple[Followed, ...]
    target: int | None = None
    cloud: Cloud | None = None

    @property
    def rows(self) -> list[int]:
        """The places of its members among the given states."""
        return [one.row for one in self.members]


def gather(followed: Sequence[Followed], rng: np.random.Generator) -> list[MotionGroup]:
    """The followed states in groups.

    Those with a target go by the target; those in motion by nearness, the points held back of one
    orbit lying on the other's cloud; those that diverge are one group, and those that stay
    unresolved go by the reason.
    """
    groups: list[MotionGroup] = []
    keyed: dict[tuple[str, int | None, str], list[Followed]] = {}
    for one in followed:
        if one.kind in APERIODIC:
            _join(groups, one, rng)
        else:
            why = one.note if one.kind == "unresolved" else ""
            keyed.setdefault((one.kind, one.target, why), []).append(one)
    groups += [
        MotionGroup(same[0].kind, tuple(same), target) for (_, target, _), same in keyed.items()
    ]
    return groups


def attribute(
    program: Program,
    states: Array,
    groups: Sequence[MotionGroup],
    orbits: Sequence[Polished],
    shadow: Shadow,
    monitor: Monitor,
) -> NDArray[np.int64]:
    """The group of every state: its own where it was followed, else by nearness, else NO_SET.

    states: (u, n) -> (u,) index into `groups`.
    """
    belongs = np.full(len(states), NO_SET, dtype=np.int64)
    for index, group in enumerate(groups):
        belongs[group.rows] = index
    rest = np.flatnonzero(belongs == NO_SET)
    if len(rest):
        belongs[rest] = _by_orbit(program, states, rest, groups, orbits, monitor)
    rest = np.flatnonzero(belongs == NO_SET)
    clouds = [index for index, group in enumerate(groups) if group.cloud is not None]
    if len(rest) and clouds:
        belongs[rest] = _by_cloud(program, states, rest, groups, clouds, shadow)
    return belongs


def _join(groups: list[MotionGroup], one: Followed, rng: np.random.Generator) -> None:
    """Add an orbit to the group on whose cloud it lies, or as a group of its own."""
    cloud, held = cloud_of(one.orbit, rng)
    for index, group in enumerate(groups):
        if group.kind != one.kind or group.cloud is None:
            continue
        reach = max(group.cloud.reach, cloud.reach)
        if float(np.median(nearest(held, group.cloud.points))) <= reach:
            members = (*group.members, one)
            groups[index] = replace(group, members=members, cloud=joined(group.cloud, cloud))
            return
    groups.append(MotionGroup(one.kind, (one,), None, cloud))


def _by_orbit(
    program: Program,
    states: Array,
    rest: NDArray[np.intp],
    groups: Sequence[MotionGroup],
    orbits: Sequence[Polished],
    monitor: Monitor,
) -> NDArray[np.int64]:
    """The group of every state that nears the group's orbit in every block of its next steps.

    It must be as near as a followed state was that did the same, or there already.
    """
    found = np.full(len(rest), NO_SET, dtype=np.int64)
    closest = np.full(len(rest), np.inf)
    aimed = [index for index, group in enumerate(groups) if group.target is not None]
    if not aimed:
        return found
    paths: dict[int, list[Array]] = {}
    for index in aimed:
        target = orbits[groups[index].target or 0]
        if target.period not in paths:
            paths[target.period] = _path(program, states, target.period, monitor)
        distances = np.array([nearest(at, target.points) for at in paths[target.period]])
        nearing = np.all(np.diff(distances, axis=0) < 0.0, axis=0) & (len(distances) > 1)
        own = [row for row in groups[index].rows if nearing[row]]
        reach = SPARE * max((distances[0, row] for row in own), default=0.0)
        arrived = distances[-1] <= 10.0 * target.error
        belongs = ((distances[0] <= reach) & nearing | arrived)[rest]
        near = belongs & (distances[0, rest] < closest)
        found[near] = index
        closest[near] = distances[0, rest][near]
    return found


def _path(program: Program, states: Array, period: int, monitor: Monitor) -> list[Array]:
    """Every state, and where it is after each of NEARING_LOOKS equal numbers of periods.

    The states alone where that takes too many steps.
    """
    steps = period * -(-NEARING_STEPS // (NEARING_LOOKS * period))
    path = [states]
    if steps * NEARING_LOOKS <= MOST_STEPS:
        for _ in range(NEARING_LOOKS):
            state = path[-1]
            for _ in range(steps):
                monitor.check()
                state = image(program, state)
            path.append(state)
    return path


def _by_cloud(
    program: Program,
    states: Array,
    rest: NDArray[np.intp],
    groups: Sequence[MotionGroup],
    clouds: Sequence[int],
    shadow: Shadow,
) -> NDArray[np.int64]:
    """The group on whose cloud the next images of a state lie, the nearest in units of its reach.

    A followed state had further to go than those that are compared with it, so a set reaches as
    far as its own members were when they were given, short of half the way to the next set.
    """
    looks = images_of(program, states[rest], shadow)
    found = np.full(len(rest), NO_SET, dtype=np.int64)
    closest = np.ones(len(rest))
    for index in clouds:
        cloud = groups[index].cloud
        if cloud is None:
            continue
        own = images_of(program, states[groups[index].rows], shadow)
        needed = float(typical_distance(own, cloud).max())
        gaps = [
            float(np.median(nearest(other.points, cloud.points)))
            for other in (groups[j].cloud for j in clouds if j != index)
            if other is not None
        ]
        reach = max(cloud.reach, min(needed, GAP_SHARE * min(gaps, default=np.inf)))
        ratio = typical_distance(looks, cloud) / max(reach, np.finfo(float).tiny)
        near = ratio <= closest
        found[near] = index
        closest[near] = ratio[near]
    return found


def left_behind(
    program: Program, states: Array, groups: Sequence[MotionGroup], shadow: Shadow
) -> list[int]:
    """The chaotic groups on whose cloud states began that have found a fixed point or cycle."""
    leavers = [row for group in groups if group.target is not None for row in group.rows]
    if not leavers:
        return []
    looks = images_of(program, states[leavers], shadow)
    return [
        index
        for index, group in enumerate(groups)
        if group.kind == "chaotic"
        and group.cloud is not None
        and bool(np.any(typical_distance(looks, group.cloud) <= group.cloud.reach))
    ]
