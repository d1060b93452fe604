"""Linear layers, pooling by the mean, and the fixed affine maps of channels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fpcheck.network.enclosure.accurate import MOST_ROWS, Sliced, product, sliced
from fpcheck.network.enclosure.ball import (
    TINY,
    WIDEN,
    Array,
    Ball,
    U,
    minus,
    plus,
    rounded,
    sound,
    times,
    widen,
)
from fpcheck.network.enclosure.rule import Balls, Rule, linear
from fpcheck.network.operators import Operator, prepare
from fpcheck.network.operators.dense import dense_weight_t
from fpcheck.network.operators.operator import Parameters, as_float64
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Pool,
    Scale,
    Shape,
    fan_in,
)

# Boxes with wider entries gain nothing from exact products.
THIN = 1e-9


def layer_rule(
    node: Dense | Conv | ConvTranspose, operator: Operator, parameters: Parameters, shapes: Shapes
) -> Rule:
    """The rule of a layer with a weight tensor."""
    sizes = {name: np.abs(as_float64(parameters, name)) for name in _tensors(node)}
    absolute = prepare(node, sizes, (shapes[0],), shapes[1])
    shift = None
    if node.bias is not None:
        shift = as_float64(parameters, node.bias)
        if not isinstance(node, Dense):
            shift = shift.reshape(-1, *(1,) * len(node.kernel))
    plain = linear(_along(operator), _along(absolute), fan_in(node, shapes[0]), shift)
    if not isinstance(node, Dense) or len(shapes[0]) != 1:
        return plain
    return _accurate_at_points(plain, dense_weight_t(node, parameters), shift)


def _accurate_at_points(plain: Rule, weight_t: Array, shift: Array | None) -> Rule:
    """The rule of a dense layer with the values of a few thin boxes to the last bits."""
    kept: list[Sliced] = []

    def value(inputs: Balls) -> Ball:
        (x,) = inputs
        if len(x.mid) > MOST_ROWS:
            return plain.value(inputs)
        thin = x.rad.max(axis=1, initial=0.0) <= THIN
        if not thin.any():
            return plain.value(inputs)
        if not kept:
            kept.append(sliced(weight_t))
        centre = product(x.mid, kept[0])
        terms = len(weight_t)
        spread = x.rad @ kept[0].absolute * widen(terms) + terms * TINY
        out = sound(centre.mid, (centre.rad + spread) * WIDEN)
        if shift is not None:
            out = plus(out, Ball(shift, np.zeros_like(shift)))
        if thin.all():
            return out
        wide, rows = plain.value(inputs), thin[:, None]
        return Ball(np.where(rows, out.mid, wide.mid), np.where(rows, out.rad, wide.rad))

    return Rule(value, plain.tangent)


def mean_pool_rule(node: Pool, operator: Operator) -> Rule:
    """The rule of a mean over windows: its own bound, since it has no negative entry."""
    mean = _along(operator)
    return linear(mean, mean, math.prod(node.size))


def scale_rule(node: Scale, parameters: Parameters) -> Rule:
    """The rule of y = x * factor + shift with exactly known constants."""
    factor = as_float64(parameters, node.factor) if node.factor else None
    shift = as_float64(parameters, node.shift) if node.shift else None
    return _affine(
        None if factor is None else Ball(factor, np.zeros_like(factor)),
        None if shift is None else Ball(shift, np.zeros_like(shift)),
    )


def batch_norm_rule(node: BatchNorm, parameters: Parameters, shape: Shape) -> Rule:
    """The rule of batch normalisation, whose folded constants carry their own rounding."""
    # A sum, a root, a quotient and a product: 3.5 u.
    factor = 1.0 / np.sqrt(as_float64(parameters, node.variance) + node.epsilon)
    if node.weight:
        factor = factor * as_float64(parameters, node.weight)
    mean = as_float64(parameters, node.mean)
    centre = Ball(mean, np.zeros_like(mean))
    scale = rounded(factor, np.zeros_like(factor), 6 * U)
    offset = minus(Ball(np.zeros_like(mean), np.zeros_like(mean)), times(centre, scale))
    if node.bias:
        bias = as_float64(parameters, node.bias)
        offset = plus(offset, Ball(bias, np.zeros_like(bias)))
    per_channel = (-1, *(1,) * (len(shape) - 1))
    return _affine(
        scale.map(lambda x: x.reshape(per_channel)), offset.map(lambda x: x.reshape(per_channel))
    )


Shapes = tuple[Shape, Shape]


def _tensors(node: Dense | Conv | ConvTranspose) -> tuple[str, ...]:
    return (node.weight,) if node.bias is None else (node.weight, node.bias)


def _along(operator: Operator) -> Callable[[Array], Array]:
    """Rows -> L rows: an affine operator's Jacobian product does not look at its inputs' values."""
    return lambda rows: operator.jvp((rows,), rows, (rows,))


def _affine(factor: Ball | None, shift: Ball | None) -> Rule:
    """The rule of x * factor + shift; constants broadcast to a row."""

    def scaled(x: Ball) -> Ball:
        return x if factor is None else times(x, factor)

    def value(inputs: Balls) -> Ball:
        out = scaled(inputs[0])
        return out if shift is None else plus(out, shift)

    return Rule(value, lambda inputs, output, tangents: scaled(tangents[0]))
