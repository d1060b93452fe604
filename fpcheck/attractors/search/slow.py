"""Slow points: local minima of |f(x) - x| that are no fixed points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.search.newton import at_rest
from fpcheck.attractors.search.result import SlowPoint
from fpcheck.attractors.search.space import Space
from fpcheck.attractors.search.systems import solve_stack
from fpcheck.attractors.selfmap import Array

STEPS = 60
LISTED = 16
# At a minimum the gradient (I - J)^T (x - f(x)) vanishes: below this share of its bound.
FLAT = 1e-6
ENOUGH = 0.01  # of FLAT: the descent ends there
APART = 1e-4  # two minima nearer than that, relative to their size, are one
DAMPING_UP, DAMPING_DOWN = 8.0, 0.25
DAMPING = (1e-12, 1e12)
TINY_SPEED = 1e-9  # slower is a nearly double root that Newton has to judge


def slow_points(space: Space, states: Array) -> tuple[tuple[SlowPoint, ...], int]:
    """The slow points that a Levenberg-Marquardt descent from the states ends on, and its systems.

    space: the network's own; states: (k, n).
    """
    if not len(states):
        return (), 0
    with np.errstate(all="ignore"):
        ends, systems = _descend(space, states)
        found: list[SlowPoint] = []
        values, jacobians = space.linearised(ends)
        for x, value, jac in zip(ends, values, jacobians, strict=True):
            point = _judged(x, value - x, jac)
            if point is not None and all(_apart(point.point, each.point) for each in found):
                found.append(point)
    found.sort(key=lambda point: point.speed)
    return tuple(found[:LISTED]), systems


def _descend(space: Space, states: Array) -> tuple[Array, int]:
    """Where Levenberg-Marquardt steps on |x - f(x)|^2 lead. (k, n) -> (k, n), systems."""
    x: Array = states[np.isfinite(states).all(axis=1)].copy()
    live = np.arange(len(x))
    damping = np.full(len(x), 1e-3)
    systems = 0
    for _ in range(STEPS):
        values, jacobians = space.linearised(x[live])
        gaps = x[live] - values
        slopes = _slopes(jacobians)
        going = ~at_rest(x[live], gaps) & ~_settled(slopes, gaps)
        live, gaps = live[going], gaps[going]
        if not live.size:
            break
        trial = x[live] - _moves(slopes[going], gaps, damping[live])
        systems += len(live)
        better = np.linalg.norm(trial - space.image(trial), axis=1) < np.linalg.norm(gaps, axis=1)
        x[live[better]] = trial[better]
        factor = np.where(better, DAMPING_DOWN, DAMPING_UP)
        damping[live] = np.clip(damping[live] * factor, *DAMPING)
    return x, systems


def _slopes(jacobians: Array) -> Array:
    """I - J of every state."""
    slopes = np.negative(jacobians)
    diagonal = np.arange(slopes.shape[1])
    slopes[:, diagonal, diagonal] += 1.0
    return slopes


def _settled(slopes: Array, gaps: Array) -> NDArray[np.bool_]:
    """Whether each state is as near to a minimum as it need be. (k, n, n), (k, n) -> (k,)."""
    gradients = np.linalg.norm(gaps[:, None, :] @ slopes, axis=(1, 2))
    bounds = np.maximum(1.0, np.linalg.norm(slopes, axis=(1, 2))) * np.linalg.norm(gaps, axis=1)
    # Written so that a NaN is settled: no step can be taken from there.
    return np.asarray(~(gradients > ENOUGH * FLAT * bounds))


def _moves(slopes: Array, gaps: Array, damping: Array) -> Array:
    """The damped least-squares steps. (k, n, n), (k, n), (k,) -> (k, n)."""
    turned = slopes.transpose(0, 2, 1)
    normal = turned @ slopes
    diagonal = np.arange(slopes.shape[1])
    # I - J is a pure number, singular at the minimum: the damping must not vanish with it.
    normal[:, diagonal, diagonal] += damping[:, None]
    return solve_stack(normal, turned @ gaps[:, :, None])[:, :, 0]


def _judged(x: Array, defect: Array, jac: Array) -> SlowPoint | None:
    if not (np.isfinite(defect).all() and np.isfinite(jac).all()):
        return None
    if at_rest(x[None], defect[None])[0]:
        return None
    speed = float(np.linalg.norm(defect))
    slope = np.eye(len(x)) - jac
    bound = max(1.0, float(np.linalg.norm(slope))) * speed
    flat = float(np.linalg.norm(slope.T @ defect)) <= FLAT * bound
    if not flat or speed <= TINY_SPEED * max(1.0, float(np.abs(x).max())):
        return None
    radius = float(np.abs(np.linalg.eigvals(jac)).max())
    return SlowPoint(x.copy(), speed, float(np.abs(defect).max()), radius)


def _apart(a: Array, b: Array) -> bool:
    return float(np.abs(a - b).max()) > APART * max(1.0, float(np.abs(a).max()))
