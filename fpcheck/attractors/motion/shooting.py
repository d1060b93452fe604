"""Long cycles: Newton's method on f^p(x) = x, the orbit and its Jacobian in one pass."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.attractors.discover import EQUAL, WALK
from fpcheck.attractors.motion.walk import walk
from fpcheck.attractors.polish import (
    DEGENERATE_SIGMA,
    EPSILON,
    RESIDUAL_LIMIT,
    UNPOLISHED_ERROR,
    Polished,
    size_of,
)
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

MOST_STEPS = 8
# A residual at which Newton's method has nothing left to gain, relative to the state's size.
ROUNDING = 4.0 * EPSILON


def shoot(program: Program, state: Array, period: int, monitor: Monitor) -> Polished | None:
    """The cycle of least period at or near `state`, (n,), which returns after `period` steps.

    None where Newton's method does not converge, or where I - J is singular at rounding level.

    Raises:
        UnsupportedOperationError: an activation has no useful derivative.
    """
    x, best = state, math.inf
    found = None
    for _ in range(MOST_STEPS):
        monitor.check()
        points, defect, jac = _shot(program, x, period)
        residual = float(np.max(np.abs(defect)))
        if not residual < best or not np.isfinite(jac).all():
            break
        best, found = residual, (points, defect, jac)
        if residual <= ROUNDING * size_of(x):
            break
        try:
            x = x + np.linalg.solve(np.eye(len(x)) - jac, defect)
        except np.linalg.LinAlgError:
            break
    if found is None or not best <= RESIDUAL_LIMIT * size_of(found[0]):
        return None
    point = _judged(*found)
    return None if point is None else _least(program, point, monitor)


def traced(program: Program, state: Array, period: int) -> Polished:
    """The cycle that iteration has reached, as it is: `period` points from `state` on, (n,)."""
    points, defect, _ = _shot(program, state, period, tangent=False)
    return Polished(points, float(np.max(np.abs(defect))), UNPOLISHED_ERROR * size_of(points))


def _shot(
    program: Program, state: Array, period: int, tangent: bool = True
) -> tuple[Array, Array, Array]:
    """The orbit (period, n), the defect f^p(x) - x (n,) and the Jacobian of f^p (n, n)."""
    n = len(state)
    points = np.empty((period + 1, 1, n))
    points[0, 0] = state
    # Tangents are rows: they hold the transpose.
    transposed = np.eye(n)[None]
    for step, (now, push) in enumerate(walk(program, points[0], period, tangent), start=1):
        points[step] = now
        if tangent:
            transposed = push(transposed)
    return points[:-1, 0], points[-1, 0] - state, transposed[0].T


def _judged(points: Array, defect: Array, jac: Array) -> Polished | None:
    sigmas = np.linalg.svd(np.eye(len(defect)) - jac, compute_uv=False)
    smallest = float(sigmas[-1])
    if not smallest > DEGENERATE_SIGMA * max(1.0, float(sigmas[0])):
        return None
    residual = float(np.max(np.abs(defect)))
    floor = EPSILON * float(np.max(np.abs(points)))
    error = math.sqrt(len(defect)) * max(residual, floor) / smallest
    return Polished(points, residual, error, jac, smallest)


def _least(program: Program, point: Polished, monitor: Monitor) -> Polished:
    """The same orbit with its least period: a return that the errors explain is a return."""
    near = WALK * point.error + EQUAL * size_of(point.points)
    for divisor in range(1, point.period):
        if point.period % divisor:
            continue
        if float(np.linalg.norm(point.points[divisor] - point.point)) <= near:
            return shoot(program, point.point, divisor, monitor) or point
    return point
