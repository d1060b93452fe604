"""The network as a self-map of flat states: its images, orbits and the Jacobian of a return."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.program import Program, forward, jacobian, jvp, trace
from fpcheck.network.skeleton import Activation, BlackBox, Node

Array: TypeAlias = NDArray[np.float64]


def image(program: Program, states: Array, times: int = 1) -> Array:
    """f applied `times` times to every state. states: (k, n) -> (k, n)."""
    for _ in range(times):
        rows = states.reshape(len(states), *program.skeleton.input_shape)
        states = forward(program, rows).reshape(len(states), -1)
    return states


def orbit(program: Program, state: Array, period: int) -> Array:
    """x, f(x), ..., f^(period - 1)(x). state: (n,) -> (period, n)."""
    points = [state.reshape(1, -1)]
    for _ in range(period - 1):
        points.append(image(program, points[-1]))
    return np.concatenate(points)


def return_jacobian(program: Program, points: Array) -> Array:
    """The Jacobian of the return map f^period at the first point of an orbit.

    points: (period, n) -> (n, n), the product J(x_p-1) ... J(x_0).

    Raises:
        UnsupportedOperationError: an activation has no useful derivative.
    """
    product = jacobian(program, points[0])
    for point in points[1:]:
        product = jacobian(program, point) @ product
    return product


def return_tangent(program: Program, points: Array, direction: Array) -> Array:
    """The orbit's Jacobians applied to one direction. points: (period, n); (n,) -> (n,)."""
    shape = program.skeleton.input_shape
    tangent = direction.reshape(1, *shape)
    for point in points:
        values = trace(program, point.reshape(1, *shape))
        tangent = jvp(program, values, tangent).reshape(1, *shape)
    return tangent.reshape(-1)


def differentiable(program: Program) -> bool:
    """Whether every activation, and every black box, has a useful derivative."""
    return all(_has_derivative(node) for node in program.skeleton.nodes)


def _has_derivative(node: Node) -> bool:
    if isinstance(node, Activation):
        return node.function.kind.derivative is not None
    return not isinstance(node, BlackBox) or node.step is not None
