"""The slopes that matter: those of the activations where fixed points can be.

Every fixed point of a bounded map lies in the box of all its values, and there a unit with a large
bias may only have small slopes. At most one fixed point then follows from the conditions of the
ladder with these slopes, and at least one from Brouwer's theorem.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpcheck.attractors.uniqueness.invariant import InvariantBall
from fpcheck.attractors.uniqueness.newton_boxes import looking
from fpcheck.attractors.uniqueness.stacked import Stacked
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import Ball, between, bounds, matmul, plus, split
from fpcheck.network.program import Program

ROUNDS = 6
WORTH = 0.02  # share by which the ranges of slopes must shrink to be worth another look


def narrowed(layer: Stacked) -> Stacked | None:
    """The layer with the slopes at its own solutions z = phi(W z + c); None if they are no fewer.

    The box of all values of z is mapped to itself, and what it is mapped to holds all solutions.
    """
    ends = [function.values for function in layer.functions]
    low, high = (np.repeat([end[side] for end in ends], layer.sizes) for side in (0, 1))
    with np.errstate(all="ignore"):
        box = between(low, high)
        for _ in range(ROUNDS):
            inner = _inner(layer, box)
            low, high = _meet(box, _by_function(layer, inner, slopes=False))
            box = between(low, high)
        least, most = bounds(_by_function(layer, _inner(layer, box), slopes=True))
    least, most = np.maximum(least, layer.low), np.minimum(most, layer.high)
    if not (most - least).sum() < (1.0 - WORTH) * (layer.high - layer.low).sum():
        return None
    return replace(layer, low=least, high=most)


def regular_on(program: Program, ball: InvariantBall) -> bool:
    """Whether I - J is proved regular for all mixtures of Jacobians on the ball's box.

    |I - C (I - J)| r < r for the box's radii r: its spectral radius is below 1 [Perron, Frobenius].
    """
    box = ball.box
    low, high = box.mid - box.rad, box.mid + box.rad
    return bool(looking(program).verify(low, high).contracts[0])


def _inner(layer: Stacked, box: Ball) -> Ball:
    """W z + c for all z of the box, (N,)."""
    column = box.map(lambda x: x[:, None])
    return plus(matmul(layer.weight, column).map(lambda x: x[:, 0]), layer.offset)


def _by_function(layer: Stacked, inner: Ball, *, slopes: bool) -> Ball:
    """phi, or its slopes, on every unit's interval."""
    parts, start = [], 0
    for function, size in zip(layer.functions, layer.sizes, strict=True):
        own = split(inner, slice(start, start + size))
        parts.append((slope_range if slopes else value_range)(function, own))
        start += size
    return Ball(
        np.concatenate([part.mid for part in parts]), np.concatenate([part.rad for part in parts])
    )


def _meet(one: Ball, other: Ball) -> tuple[np.typing.NDArray[np.float64], ...]:
    """The ends of what two balls have in common."""
    (low, high), (least, most) = bounds(one), bounds(other)
    return np.maximum(low, least), np.minimum(high, most)
