"""Curves {x : x - f(x) = s c}, many at once: directional fibers (Katz and Reggia 2018).

Wherever such a curve crosses s = 0 there is a fixed point. With det(I - J) != 0 there it crosses
from one side to the other, so every fixed point has two ends of every direction's curves, and an
arc between two crossings joins fixed points of opposite index. Curves are followed by arc length:
the predictor is of second order, one linear system gives both its correction and the next tangent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.search.newton import descend
from fpcheck.attractors.search.space import Space
from fpcheck.attractors.search.systems import solve_stack
from fpcheck.attractors.selfmap import Array

# A step is taken if the tangent turns by at most TURN (radians), the correction is below SLIP of
# the step, and it makes the residual smaller than CONTRACTION of what it was: where the smallest
# singular value is small against the curvature, these fail, and the step shrinks. Tighter values
# jump less often from curve to curve and find fewer points for the same work: a jump does no harm
# to a search that polishes and certifies whatever it finds.
TURN = 0.7
SLIP = 0.3
CONTRACTION = 0.5
# After so many refusals in a row the state is first brought back to its curve.
PATIENCE = 2
BACK = 0.05  # how far that may move it, in units of the space's length
BACK_TURN = 1.2
# Lengths of steps, in units of the space's length; beyond one such length from s = 0 a step may be
# that share of |s|, for there the curves are nearly straight.
FIRST_STEP = 0.01
LONGEST_STEP = 1.0
FAR_STEP = 0.4
SHORTEST_STEP = 1e-5
SHRINK, GROW, SAFETY = 0.4, 2.5, 0.8
# A curve that is this far out, in units of the length, does not come back for what matters.
OUTSIDE = 20.0
MAX_STEPS = 600  # of one arc: most take 30 to 200
REFINEMENTS = 12


class Lane(IntEnum):
    """What a lane is doing."""

    IDLE = 0
    RUNNING = 1
    CROSSED = 2  # at a fixed point, in `hits`
    LEFT = 3
    LOST = 4


@dataclass(frozen=True, slots=True)
class Lanes:
    """k curves that are followed side by side; their arrays change as they go on.

    x: (k, n); s: (k,); directions: (k, n), of norm 1; tangents, before: (k, n + 1), unit tangents
    here and a step ago; taken: the length of that step, 0 for none; steps: the next length;
    sides: the sign of s on this arc; refused, ages: counts; states: of Lane; hits: (k, n);
    origins: the index of the point where the curve began, -1 for none; stale: its arcs in a row
    that led to nothing new.
    """

    x: Array
    s: Array
    directions: Array
    tangents: Array
    before: Array
    taken: Array
    steps: Array
    sides: Array
    refused: NDArray[np.int64]
    ages: NDArray[np.int64]
    states: NDArray[np.int64]
    hits: Array
    origins: NDArray[np.int64]
    stale: NDArray[np.int64]


def new_lanes(count: int, size: int) -> Lanes:
    """`count` idle lanes in a space of `size` dimensions."""
    return Lanes(
        x=np.zeros((count, size)),
        s=np.zeros(count),
        directions=np.zeros((count, size)),
        tangents=np.zeros((count, size + 1)),
        before=np.zeros((count, size + 1)),
        taken=np.zeros(count),
        steps=np.zeros(count),
        sides=np.zeros(count),
        refused=np.zeros(count, np.int64),
        ages=np.zeros(count, np.int64),
        states=np.full(count, Lane.IDLE, np.int64),
        hits=np.zeros((count, size)),
        origins=np.full(count, -1, np.int64),
        stale=np.zeros(count, np.int64),
    )


def begin(
    lanes: Lanes, where: int, *, x: Array, s: float, direction: Array, side: float, length: float
) -> None:
    """Set a lane on a new curve. x: (n,), on it at s; direction: (n,); side: the sign of s meant.

    The first tangent is left to the first step. At s = 0 a curve leaves towards its side, from
    elsewhere it runs towards s = 0.
    """
    lanes.x[where], lanes.s[where] = x, s
    lanes.directions[where] = direction
    lanes.sides[where] = side
    lanes.tangents[where] = 0.0
    lanes.tangents[where, -1] = side if s == 0.0 else -side
    lanes.taken[where] = 0.0
    lanes.steps[where] = FIRST_STEP * length
    lanes.refused[where] = lanes.ages[where] = lanes.stale[where] = 0
    lanes.states[where] = Lane.RUNNING


def go_on(lanes: Lanes, where: int) -> None:
    """Let a lane that has crossed s = 0 go on along its curve on the other side."""
    lanes.sides[where] *= -1.0
    lanes.ages[where] = 1
    lanes.states[where] = Lane.RUNNING


def advance(space: Space, lanes: Lanes, rounds: int, length: float) -> int:
    """Take `rounds` steps on every running lane; return how many systems were solved.

    length: a typical distance between states, the unit of all steps.
    """
    systems = 0
    with np.errstate(all="ignore"):  # a curve that leaves the range of numbers is lost, no more
        for _ in range(rounds):
            live = np.flatnonzero(lanes.states == Lane.RUNNING)
            if not live.size:
                break
            systems += len(live) + _first_tangents(space, lanes, live)
            systems += _step(space, lanes, live, length)
    return systems


def _first_tangents(space: Space, lanes: Lanes, live: NDArray[np.intp]) -> int:
    """Turn the bare d/ds of new lanes into unit tangents."""
    new = live[lanes.ages[live] == 0]
    if new.size:
        marks = lanes.tangents[new]
        matrices, _ = _bordered(space, lanes.x[new], lanes.directions[new], marks)
        sides = np.zeros((*marks.shape, 1))
        sides[:, -1, 0] = 1.0
        tangents = solve_stack(matrices, sides)[:, :, 0]
        lanes.tangents[new] = tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    return len(new)


def _bordered(space: Space, x: Array, directions: Array, marks: Array) -> tuple[Array, Array]:
    """[[I - J, -c], [mark]] and f(x). (k, n), (k, n), (k, n + 1) -> (k, n + 1, n + 1), (k, n)."""
    k, n = x.shape
    values, jacobians = space.linearised(x)
    matrices = np.empty((k, n + 1, n + 1))
    np.negative(jacobians, out=matrices[:, :n, :n])
    diagonal = np.arange(n)
    matrices[:, diagonal, diagonal] += 1.0
    np.negative(directions, out=matrices[:, :n, n])
    matrices[:, n, :] = marks
    return matrices, values


def _step(space: Space, lanes: Lanes, live: NDArray[np.intp], length: float) -> int:
    """One predicted and corrected step; those that cross s = 0 are refined. Returns systems."""
    n = space.size
    directions, tangents = lanes.directions[live], lanes.tangents[live]
    back = lanes.refused[live] >= PATIENCE
    steps = lanes.steps[live]
    point = _predicted(lanes, live, np.where(back, 0.0, steps))
    matrices, values = _bordered(space, point[:, :n], directions, tangents)
    sides = np.zeros((len(live), n + 1, 2))
    sides[:, :n, 0] = values - point[:, :n] + point[:, n:] * directions
    sides[:, n, 1] = 1.0
    solved = solve_stack(matrices, sides)
    moves, turned = solved[:, :, 0], solved[:, :, 1]
    turned = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    point += moves
    residual = point[:, :n] - space.image(point[:, :n]) - point[:, n:] * directions
    slip = np.linalg.norm(moves, axis=1)
    turn = np.arccos(np.clip((turned * tangents).sum(axis=1), -1.0, 1.0))
    start = np.linalg.norm(sides[:, :n, 0], axis=1)
    contraction = np.linalg.norm(residual, axis=1) / np.maximum(start, 1e-7 * length)
    relative = slip / np.minimum(steps, 0.5 * length)
    fine = (relative < SLIP) & (turn < TURN) & (contraction < CONTRACTION)
    returned = (slip < BACK * length) & (turn < BACK_TURN) & (contraction < CONTRACTION)
    taken = np.where(back, returned, fine)  # NaN is never taken
    room = np.minimum(
        SLIP / np.maximum(relative, 1e-9), CONTRACTION / np.maximum(contraction, 1e-9)
    )
    grown = np.minimum(TURN * SAFETY / np.maximum(turn, 1e-9), np.sqrt(room))
    longest = np.maximum(LONGEST_STEP * length, FAR_STEP * np.abs(point[:, n]))
    following = np.minimum(steps * np.clip(SAFETY * grown, 0.5, GROW), longest)
    lanes.steps[live] = np.where(taken, np.where(back, steps, following), SHRINK * steps)
    lanes.refused[live] = np.where(taken, 0, lanes.refused[live] + 1)
    lanes.ages[live] += 1
    return _accept(space, lanes, live, taken, back, point, turned, steps, length)


def _predicted(lanes: Lanes, live: NDArray[np.intp], steps: Array) -> Array:
    """The points that many steps along the curves, by tangent and bend. (k, n + 1)."""
    tangents, taken = lanes.tangents[live], lanes.taken[live]
    point = np.column_stack([lanes.x[live], lanes.s[live]])
    point += steps[:, None] * tangents
    bend = np.where(taken > 0.0, 0.5 * steps * steps / np.where(taken > 0.0, taken, 1.0), 0.0)
    point += bend[:, None] * (tangents - lanes.before[live])
    return point


def _accept(
    space: Space, lanes: Lanes, live: NDArray[np.intp], taken: NDArray[np.bool_],
    back: NDArray[np.bool_], point: Array, turned: Array, steps: Array, length: float,
) -> int:  # fmt: skip
    """Move the lanes whose step was good; say which have crossed, left or are lost."""
    n = space.size
    crossed = taken & (point[:, n] * lanes.sides[live] <= 0.0)
    systems = _refine(space, lanes, live[crossed], point[crossed])
    forward = taken & ~back
    lanes.before[live[forward]] = lanes.tangents[live[forward]]
    lanes.taken[live[forward]] = steps[forward]
    there = live[taken]
    lanes.x[there], lanes.s[there] = point[taken, :n], point[taken, n]
    lanes.tangents[there] = turned[taken]
    far = np.abs(lanes.s[live]) > OUTSIDE * length
    lanes.states[live[far]] = Lane.LEFT
    # Written so that a NaN is lost.
    ended = ~(lanes.steps[live] > SHORTEST_STEP * length) | (lanes.ages[live] > MAX_STEPS)
    lanes.states[live[ended & ~crossed & ~far]] = Lane.LOST
    return systems


def _refine(space: Space, lanes: Lanes, where: NDArray[np.intp], point: Array) -> int:
    """Newton from where a step crossed s = 0; a lane for which it fails is lost."""
    if not where.size:
        return 0
    before, after = lanes.s[where], point[:, -1]
    share = before / np.where(before == after, 1.0, before - after)
    guess = lanes.x[where] + share[:, None] * (point[:, :-1] - lanes.x[where])
    reached = descend(space, guess, REFINEMENTS)
    lanes.hits[where] = reached.states
    lanes.states[where] = np.where(reached.converged, Lane.CROSSED, Lane.LOST)
    return reached.systems
