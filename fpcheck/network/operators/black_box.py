"""A function that is only called: its Jacobian products are central differences."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.skeleton import BlackBox, Shape

# Rows in one call of the function.
ROWS = 256


def prepare_black_box(node: BlackBox, input_shape: Shape) -> Operator:
    """The operator of a BlackBox node.

    J t is (f(x + s t) - f(x - s t)) / 2 s with s |t| = step max(1, |x|) in the largest entry; with
    step = eps^(1/3) the error is of order eps^(2/3). u J goes through all of J, column by column.
    """

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return _along(node, inputs[0], tangents[0])

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        size = math.prod(input_shape)
        units = np.eye(size).reshape(size, *input_shape)
        points = inputs[0]
        rows = [_along(node, point[None], units).reshape(size, -1) for point in points]
        flat = cotangent.reshape(len(cotangent), -1)
        if len(rows) == 1:
            gradient = flat @ rows[0].T
        else:
            gradient = np.stack([j @ u for j, u in zip(rows, flat, strict=True)])
        return (gradient.reshape(len(cotangent), *input_shape),)

    return Operator(lambda inputs: _called(node, inputs[0]), jvp, vjp)


def _along(node: BlackBox, x: Array, tangents: Array) -> Array:
    """J(x) t for every tangent. x: 1 row, or as many as there are tangents."""
    if node.step is None:
        raise UnsupportedOperationError(f"'{node.name}' is too rough for finite differences")
    axes = tuple(range(1, tangents.ndim))
    points = np.broadcast_to(x, tangents.shape)
    reach = node.step * np.maximum(1.0, np.abs(points).max(axis=axes, keepdims=True))
    length = np.abs(tangents).max(axis=axes, keepdims=True)
    steps = np.divide(reach, length, out=np.zeros_like(length), where=length > 0)
    ahead = _called(node, points + steps * tangents)
    behind = _called(node, points - steps * tangents)
    scale = steps.reshape(-1, *(1,) * (ahead.ndim - 1))
    # A zero tangent has a zero product.
    out = np.zeros_like(ahead)
    np.divide(ahead - behind, 2.0 * scale, out=out, where=scale > 0)
    return out


def _called(node: BlackBox, x: Array) -> Array:
    parts = [node.function(x[start : start + ROWS]) for start in range(0, len(x), ROWS)]
    return np.concatenate(parts) if parts else np.empty((0, *node.shape))
