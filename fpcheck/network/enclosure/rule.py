"""The shape of a rule: how a node's balls follow from those of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fpcheck.network.enclosure.ball import TINY, Array, Ball, gamma, plus, sound, widen

Balls: TypeAlias = tuple[Ball, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A node's enclosures.

    value(inputs) -> the output, for all values in the inputs' balls. inputs: (k, *shape).
    tangent(inputs, output, tangents) -> the tangents of the output. tangents: (k, t, *shape), for
    every one of k boxes t tangents, which are multiplied with every slope that the node has on the
    box (at a kink the hull of the slopes).
    """

    value: Callable[[Balls], Ball]
    tangent: Callable[[Balls, Ball, Balls], Ball]


def moving(move: Callable[[tuple[Array, ...]], Array]) -> Rule:
    """The rule of a node that only moves numbers about. move: rows of every input -> rows."""

    def value(inputs: Balls) -> Ball:
        return Ball(move(tuple(x.mid for x in inputs)), move(tuple(x.rad for x in inputs)))

    return Rule(value, lambda inputs, output, tangents: by_row(value, tangents))


def linear(
    apply: Callable[[Array], Array],
    size: Callable[[Array], Array],
    terms: int,
    shift: Array | None = None,
) -> Rule:
    """The rule of x -> L x + shift with exactly known L and shift.

    apply: rows -> L rows; size: rows -> |L| rows; terms: an output's number of products; shift
    broadcasts to a row of the output.
    """

    def product(inputs: Balls) -> Ball:
        (x,) = inputs
        rad = size(x.rad + gamma(terms) * np.abs(x.mid))
        return sound(apply(x.mid), rad * widen(terms) + terms * TINY)

    def value(inputs: Balls) -> Ball:
        out = product(inputs)
        return out if shift is None else plus(out, Ball(shift, np.zeros_like(shift)))

    return Rule(value, lambda inputs, output, tangents: by_row(product, tangents))


def by_row(rule: Callable[[Balls], Ball], tangents: Balls) -> Ball:
    """A rule for rows, used on the tangents of all boxes at once."""
    boxes, count = tangents[0].shape[:2]
    flat = tuple(t.map(lambda x: x.reshape(-1, *x.shape[2:])) for t in tangents)
    return rule(flat).map(lambda x: x.reshape(boxes, count, *x.shape[1:]))


def beside_tangents(ball: Ball) -> Ball:
    """A value of every box with an axis for its tangents: (k, *shape) -> (k, 1, *shape)."""
    return ball.map(lambda x: x[:, None])
