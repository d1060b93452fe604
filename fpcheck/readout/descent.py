"""Minimising a smooth function by L-BFGS, step by step, so that the caller can stop early."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Function = Callable[[Array], tuple[float, Array]]

MEMORY = 8  # pairs of steps and gradient changes that the inverse Hessian is made of
DECREASE = 1e-4  # share of the linear forecast that a step has to bring [Armijo 1966]
SHORTEST = 12  # halvings before a direction is given up
FIRST = 1e-2  # length of the first step, relative to the point's own norm


def descend(function: Function, start: Array) -> Iterator[Array]:
    """The points after every step, each with a lower value than the one before.

    Ends where no step along the direction brings the value down. [Nocedal, Wright 2006,
    algorithm 7.4, with backtracking; pairs without positive curvature are left out]
    """
    point = start.copy()
    value, gradient = function(point)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=MEMORY)
    while np.isfinite(value):
        direction = -_inverse_hessian(gradient, pairs)
        slope = float(direction @ gradient)
        if not slope < 0.0:
            return
        step = 1.0
        if not pairs:
            size = float(np.linalg.norm(direction))
            step = min(1.0, FIRST * max(float(np.linalg.norm(point)), FIRST) / size)
        found = None
        for _ in range(SHORTEST):
            candidate = point + point.dtype.type(step) * direction
            after, steepness = function(candidate)
            if after <= value + DECREASE * step * slope and after < value:
                found = candidate
                break
            step *= 0.5
        if found is None:
            if not pairs:
                return
            pairs.clear()  # once more, along the gradient
            continue
        change, bend = found - point, steepness - gradient
        curvature = float(change @ bend)
        if curvature > 1e-7 * float(np.linalg.norm(change)) * float(np.linalg.norm(bend)):
            pairs.append((change, bend, curvature))
        point, value, gradient = found, after, steepness
        yield point


def _inverse_hessian(gradient: Array, pairs: deque[tuple[Array, Array, float]]) -> Array:
    """The two-loop recursion: the inverse Hessian's estimate times the gradient."""
    out = gradient.copy()
    kept: list[float] = []
    for change, bend, curvature in reversed(pairs):
        weight = float(change @ out) / curvature
        kept.append(weight)
        out -= out.dtype.type(weight) * bend
    if pairs:
        change, bend, curvature = pairs[-1]
        out *= out.dtype.type(curvature / float(bend @ bend))
    for (change, bend, curvature), weight in zip(pairs, reversed(kept), strict=True):
        out += out.dtype.type(weight - float(bend @ out) / curvature) * change
    return out
