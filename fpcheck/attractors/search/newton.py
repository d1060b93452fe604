"""Damped Newton steps for many states at once, and their deflated form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.search.space import Space
from fpcheck.attractors.search.systems import solve_stack
from fpcheck.attractors.selfmap import Array

# A state is at a fixed point when |f(x) - x| is this small, relative to max(1, |x|): Newton then
# has it to rounding, and the polishing that follows judges it.
CONVERGED = 1e-11
SHORTEST = 2.0**-6  # a step that has to be cut further leads nowhere
DECREASE = 1e-4  # Armijo's constant
LONGEST = 10.0  # deflated steps, in multiples of the undeflated


@dataclass(frozen=True, slots=True)
class Descent:
    """Where Newton steps led. states: (k, n); converged: (k,); systems: solved."""

    states: Array
    converged: NDArray[np.bool_]
    systems: int


def descend(space: Space, states: Array, steps: int, avoid: Array | None = None) -> Descent:
    """The states after at most `steps` damped Newton steps on x - f(x), each on its own.

    states: (k, n). A step is halved until |f(x) - x| falls; a state for which no step helps stays
    where it is, near a local minimum. avoid: (m, n), fixed points to be deflated: the residual is
    multiplied by prod (1 + 1 / |x - a|^2), which has no root there (Farrell et al. 2015).
    """
    states = states.copy()
    running: NDArray[np.bool_] = np.asarray(np.isfinite(states).all(axis=1))
    converged = np.zeros(len(states), dtype=bool)
    systems = 0
    for _ in range(steps):
        live = np.flatnonzero(running)
        if not live.size:
            break
        x = states[live]
        values, jacobians = space.linearised(x)
        defects = values - x
        moves = newton_moves(jacobians, defects)
        systems += len(live)
        done = at_rest(x, defects)
        converged[live[done]] = True
        running[live[done]] = False
        states[live[done]] += moves[done]  # the last step: one point, found twice, differs little
        live, x = live[~done], x[~done]
        defects, moves = defects[~done], moves[~done]
        if not live.size:
            continue
        if avoid is not None and len(avoid):
            moves *= deflation(x, moves, avoid)[:, None]
            states[live] = x + moves
            running[live] = np.isfinite(states[live]).all(axis=1)
            continue
        states[live], moved = _damped(space, x, defects, moves)
        running[live] = moved
    live = np.flatnonzero(running)
    if live.size:
        converged[live] = at_rest(states[live], space.image(states[live]) - states[live])
    return Descent(states, converged, systems)


def newton_moves(jacobians: Array, defects: Array) -> Array:
    """(I - J)^-1 (f(x) - x) of every state. (k, n, n), (k, n) -> (k, n)."""
    matrices = np.negative(jacobians)
    diagonal = np.arange(matrices.shape[1])
    matrices[:, diagonal, diagonal] += 1.0
    return solve_stack(matrices, defects[:, :, None])[:, :, 0]


def at_rest(states: Array, defects: Array) -> NDArray[np.bool_]:
    """Whether each state is a fixed point to nearly rounding. (k, n), (k, n) -> (k,)."""
    size = np.maximum(1.0, np.abs(states).max(axis=1))
    return np.asarray(np.abs(defects).max(axis=1) <= CONVERGED * size)


def deflation(states: Array, moves: Array, avoid: Array) -> Array:
    """The factor of each Newton step that deflation makes of it. (k, n), (k, n), (m, n) -> (k,).

    With p = grad log M . d for the deflating factor M, the deflated step is d / (1 - p).
    """
    apart = states[:, None, :] - avoid
    squares = np.maximum((apart * apart).sum(axis=2), 1e-300)
    slopes = -2.0 * (apart * moves[:, None, :]).sum(axis=2) / (squares * (squares + 1.0))
    rest = 1.0 - slopes.sum(axis=1)
    factor = np.where(np.abs(rest) * LONGEST >= 1.0, 1.0 / np.where(rest == 0, 1, rest), LONGEST)
    return np.asarray(factor)


def _damped(
    space: Space, states: Array, defects: Array, moves: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """The states after one step each, cut as far as need be, and whether one could be made."""
    norms = np.linalg.norm(defects, axis=1)
    reached = states.copy()
    moved = np.zeros(len(states), dtype=bool)
    fraction = 1.0
    while fraction >= SHORTEST:
        open_ = np.flatnonzero(~moved)
        if not open_.size:
            break
        trial = states[open_] + fraction * moves[open_]
        residuals = np.linalg.norm(space.image(trial) - trial, axis=1)
        better = residuals <= (1.0 - DECREASE * fraction) * norms[open_]  # false for a NaN
        reached[open_[better]] = trial[better]
        moved[open_[better]] = True
        fraction *= 0.5
    return reached, moved
