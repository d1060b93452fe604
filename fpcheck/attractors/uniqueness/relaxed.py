"""Linear relaxations: f(m + d) = c + A d on a box |d| <= rad, with all that is not linear in c.

An activation between its ends is a chord and a rest, alpha u + beta + [-eps, eps], and eps falls
with the square of the box's width, while the range of slopes falls with its first power. So boxes
without a fixed point are ruled out while they are still large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.enclosure import Ball, Enclosing
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import (
    TINY,
    WIDEN,
    U,
    between,
    bounds,
    minus,
    plus,
    sound,
    times,
)
from fpcheck.network.enclosure.reach import box_reach
from fpcheck.network.enclosure.rule import beside_tangents
from fpcheck.network.program import Program
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Multiply,
    Node,
    Pool,
    Reshape,
    Scale,
    Slice,
    Transpose,
)

PIECES = 4  # of an activation's interval, on each of which its rest is bounded
AFFINE = (
    Add, BatchNorm, Concat, Conv, ConvTranspose, Dense, Flatten, Reshape, Scale, Slice, Transpose
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """A node's value c + A d on k boxes. offset: c, (k, *shape); linear: A, (k, n, *shape)."""

    offset: Ball
    linear: Ball

    def reach(self, rad: Array) -> Ball:
        """The node's values on the boxes. rad: (k, n)."""
        return plus(self.offset, box_reach(self.linear, rad))


def relaxable(program: Program) -> bool:
    """Whether every node has a linear relaxation."""
    return all(_relaxable(node) for node in program.skeleton.nodes[1:])


def relax(made: Enclosing, mid: Array, rad: Array) -> Relaxed:
    """f on the boxes mid +- rad: offset (k, n) and linear part (k, n_in, n_out) as balls.

    mid, rad: (k, n), exact floats. The program is `relaxable`.
    """
    skeleton = made.program.skeleton
    boxes, n = mid.shape
    shape = skeleton.input_shape
    units = np.broadcast_to(np.eye(n), (boxes, n, n)).reshape(boxes, n, *shape)
    first = Relaxed(_exact(mid.reshape(boxes, *shape)), _exact(units))
    parts = {skeleton.nodes[0].name: first}
    for node in skeleton.nodes[1:]:
        inputs = tuple(parts[name] for name in node.inputs)
        parts[node.name] = _relaxed(made, node, inputs, rad)
        for name in set(node.inputs):
            if skeleton.last_use[name] == node.name:
                del parts[name]
    last = parts[skeleton.nodes[-1].name]
    return Relaxed(
        last.offset.map(lambda x: x.reshape(boxes, n)),
        last.linear.map(lambda x: x.reshape(boxes, n, n)),
    )


def _relaxable(node: Node) -> bool:
    if isinstance(node, Activation):
        return node.function.kind.derivative is not None
    if isinstance(node, Pool):
        return node.kind == "mean"
    return isinstance(node, AFFINE) or (isinstance(node, Multiply) and len(node.inputs) == 2)


def _relaxed(made: Enclosing, node: Node, inputs: tuple[Relaxed, ...], rad: Array) -> Relaxed:
    if isinstance(node, Activation):
        return _activation(node.function, inputs[0], rad)
    if isinstance(node, Multiply):
        return _product(inputs[0], inputs[1], rad)
    rule = made.rules[node.name]
    offsets = tuple(part.offset for part in inputs)
    # Of an affine node the tangent's rule looks at neither inputs nor output.
    tangents = tuple(part.linear for part in inputs)
    return Relaxed(rule.value(offsets), rule.tangent(offsets, offsets[0], tangents))


def _product(one: Relaxed, other: Relaxed, rad: Array) -> Relaxed:
    """(c + A d)(e + B d) = c e + (c B + e A) d + (A d)(B d)."""
    square = times(box_reach(one.linear, rad), box_reach(other.linear, rad))
    # What is uncertain in c and e stays with the offset, so that A keeps its small radius.
    loose_one, loose_other = _centred(one.offset), _centred(other.offset)
    rest = plus(
        times(loose_one, box_reach(other.linear, rad)),
        times(loose_other, box_reach(one.linear, rad)),
    )
    linear = plus(
        times(beside_tangents(_exact(one.offset.mid)), other.linear),
        times(beside_tangents(_exact(other.offset.mid)), one.linear),
    )
    return Relaxed(plus(times(one.offset, other.offset), plus(square, rest)), linear)


def _activation(function: ActivationFunction, inner: Relaxed, rad: Array) -> Relaxed:
    """alpha (c + A d) + beta + [-eps, eps]."""
    if function.name == "identity":
        return inner
    reach = inner.reach(rad)
    slope, rest = _chord(function, reach)
    offset = plus(times(_exact(slope), inner.offset), rest)
    return Relaxed(offset, times(_exact(slope[:, None]), inner.linear))


def _chord(function: ActivationFunction, reach: Ball) -> tuple[Array, Ball]:
    """(alpha, a ball of phi(u) - alpha u) for all u in the balls. reach: (k, *shape).

    The rest is bounded on equal pieces: with slopes in [p, q], p < 0 < q, over a width w and end
    values a and b, the lines a + q t and b - p (w - t) cross at (q b - p a - p q w) / (q - p).
    """
    low, high = bounds(reach)
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    low, high = np.where(bounded, low, 0.0), np.where(bounded, high, 1.0)
    shares = np.linspace(0.0, 1.0, PIECES + 1).reshape(-1, *(1,) * low.ndim)
    at = low + shares * (high - low)
    at[-1] = high
    values = value_range(function, _exact(at))
    alpha = (values.mid[-1] - values.mid[0]) / (high - low)
    alpha = np.where(bounded & np.isfinite(alpha), alpha, 0.0)
    ends = minus(values, times(_exact(np.broadcast_to(alpha, at.shape)), _exact(at)))
    pieces = between(at[:-1], at[1:])
    slopes = minus(slope_range(function, pieces), _exact(np.broadcast_to(alpha, at[1:].shape)))
    least, most = _crossed(*bounds(ends), *bounds(slopes), 2.0 * pieces.rad)
    rest = between(least.min(axis=0), most.max(axis=0))
    whole = value_range(function, reach)
    loose = ~bounded
    return alpha, sound(np.where(loose, whole.mid, rest.mid), np.where(loose, whole.rad, rest.rad))


def _crossed(
    low: Array, high: Array, falling: Array, rising: Array, width: Array
) -> tuple[Array, Array]:
    """(lower, upper bounds of the rest on every piece), moved outward by the rounding of both.

    low, high: (p + 1, ...), of its values at the ends; falling, rising: (p, ...), of its slopes.
    """
    p, q = np.minimum(falling, 0.0), np.maximum(rising, 0.0)
    gap = np.where(q - p > 0.0, q - p, 1.0)
    hump = np.where(q - p > 0.0, -p * q * width / gap, 0.0)
    near, far = q / gap, -p / gap
    upper = np.where(q - p > 0.0, near * high[1:] + far * high[:-1], high[1:]) + hump
    lower = np.where(q - p > 0.0, near * low[:-1] + far * low[1:], low[1:]) - hump
    upper = np.maximum(upper, np.maximum(high[:-1], high[1:]))
    lower = np.minimum(lower, np.minimum(low[:-1], low[1:]))
    slack = 64 * U * (np.abs(upper) + np.abs(lower) + hump) * WIDEN + TINY
    return lower - slack, upper + slack


def _exact(values: Array) -> Ball:
    return Ball(values, np.zeros_like(values))


def _centred(ball: Ball) -> Ball:
    """What is uncertain in a ball, around 0."""
    return Ball(np.zeros_like(ball.mid), ball.rad)
