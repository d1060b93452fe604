"""Traps: attractors with the ball around each that provably holds whatever enters it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.certify import AttractingBall, inside
from fpcheck.attractors.discover import UNRESOLVED, explains
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array, image
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Labels beside the index of a trap: it settled, but on nothing that is listed.
ELSEWHERE = -3
# A state this close to a later point of a cycle, in units of the ball's inner radius, is taken
# round to the point that the ball is about: nearer than that it is almost surely inside then.
ROUND_TRIP = 4.0
# Beyond this width the singular values of a ball's transform cost more than they save.
WIDEST_REACH = 256
# Of |x|^2 + |c|^2, what is lost in |x|^2 + |c|^2 - 2 x . c at any width, with room to spare.
CANCELLED = 1e-12
ROUNDING = 1e-6  # far above that of the singular values of a transform of condition 1e8
# Units of the convergence rule by which a settled state may still move, as its largest entry has
# it: a return to a reference within one unit is followed by two more that may add to it.
AT_REST = 10.0

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trap:
    """An attractor as starts are attributed to it: its id in the report, its orbit, its ball.

    ball: about the orbit's first point, for the return map f^period; None where none is proved.
    near: a larger one that is not proved, for claims that are numerical anyway (`widened`).
    reach: no state farther from the centre than this, in the 2-norm, is in the larger of the two.
    """

    id: str
    found: Polished
    ball: AttractingBall | None = None
    near: AttractingBall | None = None
    reach: float = math.inf

    @property
    def inner_radius(self) -> float:
        """The radius of a 2-norm ball that surely flows to the attractor; 0 where none is known."""
        return 0.0 if self.ball is None else float(self.ball.inner_radius)


@dataclass(frozen=True, slots=True)
class Places:
    """All points of all traps' orbits in one table: what the nearest is looked for in.

    points: (m, n), lengths: (m,), their squares; trap, phase: (m,), whose point it is and which of
    its orbit; reach: (m,), the distance within which a state may be in the trap's ball, or come
    into it within a period; -1 where there is no ball.
    """

    points: Array
    lengths: Array
    trap: NDArray[np.intp]
    phase: NDArray[np.intp]
    reach: Array


def trap_of(name: str, found: Polished, ball: AttractingBall | None) -> Trap:
    """The trap of a proved ball, with its reach: a look at a state beyond it is saved."""
    if ball is None or len(ball.transform) > WIDEST_REACH:
        return Trap(name, found, ball)
    diagonal = ball.transform.ndim == 1
    sizes = np.abs(ball.transform) if diagonal else np.linalg.svd(ball.transform, compute_uv=False)
    least = float(sizes.min())
    reach = ball.radius / least * (1.0 + ROUNDING) if least > 0.0 else math.inf
    return Trap(name, found, ball, reach=reach)


def places_of(traps: Sequence[Trap], n: int) -> Places:
    """The table of all orbits' points."""
    rows = [np.empty((0, n)), *(trap.found.points for trap in traps)]
    at = [(index, p) for index, trap in enumerate(traps) for p in range(trap.found.period)]
    points = np.concatenate(rows)
    return Places(
        points=points,
        lengths=np.einsum("ij,ij->i", points, points),
        trap=np.array([index for index, _ in at], dtype=np.intp),
        phase=np.array([phase for _, phase in at], dtype=np.intp),
        reach=np.array([_reach(traps[index], phase) for index, phase in at], dtype=np.float64),
    )


def _reach(trap: Trap, phase: int) -> float:
    ball = trap.near or trap.ball
    if ball is None:
        return -1.0
    return trap.reach if phase == 0 else ROUND_TRIP * ball.inner_radius


def nearest_place(places: Places, states: Array) -> tuple[NDArray[np.intp], Array]:
    """The nearest point of any orbit to each state, and its 2-norm distance. (k, n) -> (k,), (k,).

    The product picks the point; the distance to it is taken from the differences, which do not
    cancel. Non-finite states have distance inf.
    """
    if not len(places.points) or not len(states):
        return np.zeros(len(states), np.intp), np.full(len(states), np.inf)
    nearest = np.argmin(places.lengths - 2.0 * (states @ places.points.T), axis=1)
    distances = np.linalg.norm(states - places.points[nearest], axis=1)
    return nearest, np.where(np.isnan(distances), np.inf, distances)


def _possible(places: Places, states: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which states may be in a ball, or nearly, and the nearest place to each of those."""
    if not len(places.points) or not len(states):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    products = states @ places.points.T
    nearest = np.argmin(places.lengths - 2.0 * products, axis=1)
    own = np.einsum("ij,ij->i", states, states)
    lengths, reach = places.lengths[nearest], places.reach[nearest]
    squares = own + lengths - 2.0 * products[np.arange(len(states)), nearest]
    # What the products cancel is given in; a NaN is not near.
    near = (reach >= 0.0) & (squares <= reach * reach + CANCELLED * (own + lengths))
    rows = np.flatnonzero(near)
    return rows, nearest[rows]


def caught(program: Program, traps: Sequence[Trap], places: Places, states: Array) -> Labels:
    """The trap whose attracting ball each state is in, or goes into within a period; else -1.

    states: (k, n). Only the nearest trap's ball is looked at: no start is lost by that, it is
    caught later.
    """
    labels = np.full(len(states), UNRESOLVED, dtype=np.int64)
    rows, nearest = _possible(places, states)
    owners, phases = places.trap[nearest], places.phase[nearest]
    for index in np.unique(owners):
        trap = traps[index]
        ball = trap.near or trap.ball
        if ball is None:
            continue
        mine = owners == index
        arrived = _at_first_point(program, trap.found.period, states[rows[mine]], phases[mine])
        labels[rows[mine][inside(ball, trap.found.point, arrived)]] = index
    return labels


def settled_on(
    program: Program, traps: Sequence[Trap], places: Places, states: Array, settings: Settings
) -> Labels:
    """The trap that each settled state has come to rest on by its residual, else ELSEWHERE.

    states: (k, n), ends of iteration by the convergence rule. It must return within it, give or
    take AT_REST, after the trap's own period too: an end on a cycle is at rest on no fixed point.
    """
    labels = np.full(len(states), ELSEWHERE, dtype=np.int64)
    nearest, _ = nearest_place(places, states)
    if not len(places.points):
        return labels
    owners = places.trap[nearest]
    for index in np.unique(owners):
        found = traps[index].found
        mine = np.flatnonzero(owners == index)
        moved = image(program, states[mine], found.period) - states[mine]
        rule = AT_REST * (settings.atol + settings.rtol * np.abs(states[mine]).max(axis=1))
        resting = np.abs(moved).max(axis=1) <= rule
        walks = np.linalg.norm(moved, axis=1)
        near = resting & explains(found, states[mine], walks, settings.atol)
        labels[mine[near]] = index
    return labels


def _at_first_point(
    program: Program, period: int, states: Array, phases: NDArray[np.intp]
) -> Array:
    """The states taken on, each by as many steps as lie between its phase and the next return."""
    if period == 1:
        return states
    states = states.copy()
    left = (period - phases) % period
    while (going := left > 0).any():
        states[going] = image(program, states[going])
        left[going] -= 1
    return states
