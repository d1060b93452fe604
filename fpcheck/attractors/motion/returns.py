"""What an orbit comes back to: near returns, and the fixed point or cycle that it approaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.discover import DENSE_LIMIT, index_of, polished
from fpcheck.attractors.motion.distances import nearest
from fpcheck.attractors.motion.shooting import shoot, traced
from fpcheck.attractors.polish import Polished, size_of
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.attractors.stability import NEUTRAL_BAND
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Blocks whose maxima must fall one after the other, and by how much in all, for an approach: eight
# numbers without a trend do so once in 40 000 times.
BLOCKS = 8
FALL = 0.99
# N points on a curve of length 1 are about 1 / N apart; returns much nearer are no coincidence.
TOO_NEAR = 0.01
# The share of displacements over a period that must be below the one a period before.
PHASES = 0.98
# Newton's method along an orbit of p points takes p Jacobians and products a step; so much work
# (multiplications) is allowed for one orbit, and so many orbits longer than SHORT are polished.
NEWTON_WORK = 4e9
NEWTON_STEPS = 10
SHORT = 64
POLISHED_LONG = 8
# An orbit that has arrived is as near to the cycle as this many times the tolerance.
ARRIVED = 1e3
# States of an orbit that are compared with a cycle, in all blocks together.
COMPARED = 256

Shadow = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Return:
    """How an orbit returns: after `period` steps it is within `distance` of where it was.

    settled: within the tolerance; falling: the displacement over the period shrinks all along.
    """

    period: int
    distance: float
    settled: bool
    falling: bool


@dataclass(frozen=True, slots=True)
class Target:
    """The orbit that a state is on its way to: its index, and how far it still is (2-norm)."""

    index: int
    distance: float
    arrived: bool


def returns(orbit: Array, settings: Settings) -> tuple[Return, ...]:
    """The nearest return of an orbit's end, and that after one step, where they tell anything.

    orbit: (steps, d). Of returns that are equally near, within the tolerance or a factor two, the
    first counts: the others are its multiples. Returns neither settled nor falling are left out.
    """
    tolerance = settings.atol + settings.rtol * float(np.max(np.abs(orbit[-1])))
    distances = _return_distances(orbit)
    near = distances <= max(tolerance, 2.0 * float(distances.min()))
    candidates = dict.fromkeys((int(np.argmax(near)) + 1, 1))
    found = []
    for period in candidates:
        moved = np.max(np.abs(orbit[period:] - orbit[:-period]), axis=1)
        settled = bool(np.all(moved[-2 * period :] <= tolerance))
        nearing = falling(moved, 2 * period) or _falls_by_phase(moved, period)
        one = Return(period, float(distances[period - 1]), settled, nearing)
        if one.settled or one.falling:
            found.append(one)
    return tuple(found)


def hardly_returns(orbit: Array) -> bool:
    """Whether an orbit comes no nearer to itself than points spread over a curve would.

    A drift past a cycle, of which nothing is left to see but a slow change, comes much nearer;
    irrational rotations do so once in a hundred times. orbit: (steps, d).
    """
    spread = float(np.max(np.ptp(orbit, axis=0)))
    return float(_return_distances(orbit).min()) >= TOO_NEAR * spread / len(orbit)


def _return_distances(orbit: Array) -> Array:
    """How far the end is, entry by entry at most, from the states 1, 2, ... steps before it."""
    back = orbit[-2 : -len(orbit) // 2 - 2 : -1]
    distances: Array = np.max(np.abs(back - orbit[-1]), axis=1)
    return distances


def falling(values: Array, shortest: int = 1) -> bool:
    """Whether the maxima of successive blocks fall one after the other, and by 1 % in all.

    shortest: blocks below this length say nothing, since they see a part of a cycle only.
    """
    if len(values) < BLOCKS * shortest:
        return False
    tops = np.array([block.max() for block in np.array_split(values, BLOCKS)])
    return bool(np.all(np.diff(tops) < 0.0) and tops[-1] <= FALL * tops[0])


def _falls_by_phase(moved: Array, period: int) -> bool:
    """Whether each displacement is below the one a period before it.

    On the way to a cycle all are; on a circle that is only nearly closed about half of them.
    """
    if len(moved) < 3 * period:
        return False
    shrinking = moved[period:] < moved[:-period]
    return bool(np.mean(shrinking) >= PHASES)


def target_of(
    program: Program,
    state: Array,
    orbit: Array,
    back: Return,
    orbits: list[Polished],
    *,
    settings: Settings,
    shadow: Shadow,
    monitor: Monitor,
) -> Target | None:
    """The fixed point or cycle that the orbit's end `state` approaches or has reached, or None.

    state: (n,); orbit: (steps, d), shadows of the states before it; orbits: those known, to which
    a new one is added. Newton's method from the state must find it; it must not repel; and the
    orbit must have come nearer to it in every block, or be there already.
    """
    index = _arrived_on(orbits, state, settings) if back.settled else None
    if index is not None:
        return Target(index, float(nearest(state[None], orbits[index].points)[0]), True)
    found = _found(program, state, back, orbits, monitor)
    if found is None or repels(found):
        return None
    tolerance = settings.atol + settings.rtol * size_of(found.points)
    stride = max(1, len(orbit) // COMPARED)
    distances = nearest(orbit[::-1][::stride][::-1], shadow(found.points))
    left = float(np.min(np.linalg.norm(found.points - state, axis=1)))
    arrived = back.settled and left <= ARRIVED * tolerance + 10.0 * found.error
    if not arrived and not (falling(distances) or _nears_by_phase(found, orbit, shadow)):
        return None
    index = index_of(found, orbits, settings.atol)
    if index is None:
        index = len(orbits)
        orbits.append(found)
    return Target(index, left, arrived)


def _nears_by_phase(found: Polished, orbit: Array, shadow: Shadow) -> bool:
    """Whether an orbit's end is nearer to a cycle than it was a few periods before."""
    period = found.period
    if len(orbit) <= 2 * period:
        return False
    before, end = nearest(orbit[[-1 - 2 * period, -1]], shadow(found.points))
    return bool(end < before)


def repels(found: Polished) -> bool:
    """Whether the orbit's multipliers say that no open set of starts can end on it."""
    if found.jacobian is None:
        return False
    radius = float(np.max(np.abs(np.linalg.eigvals(found.jacobian))))
    return not radius <= 1.0 + NEUTRAL_BAND


def _arrived_on(orbits: list[Polished], state: Array, settings: Settings) -> int | None:
    """The index of the attracting orbit that a state at rest on its cycle is on, if known."""
    for index, known in enumerate(orbits):
        tolerance = settings.atol + settings.rtol * size_of(known.points)
        if known.jacobian is None or known.degenerate:
            continue
        near = nearest(state[None], known.points)[0] <= ARRIVED * tolerance + 10.0 * known.error
        if near and not repels(known):
            return index
    return None


def _found(
    program: Program, state: Array, back: Return, orbits: list[Polished], monitor: Monitor
) -> Polished | None:
    """The orbit that Newton's method finds from a state, or the one that the state is on."""
    n, period = len(state), back.period
    long_ones = sum(known.period > SHORT for known in orbits if known.jacobian is not None)
    room = period <= SHORT or long_ones < POLISHED_LONG
    affordable = NEWTON_STEPS * period * float(n) ** 3 <= NEWTON_WORK and room
    if n <= DENSE_LIMIT and differentiable(program) and affordable:
        if period <= SHORT:
            return polished(program, state, period, monitor)
        found = shoot(program, state, period, monitor)
        return polished(program, state, period, monitor) if found is None else found
    return traced(program, state, period) if back.settled else None
