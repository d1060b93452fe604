"""Sums and products of several inputs, whose axes of size 1 broadcast."""

from __future__ import annotations

from functools import reduce

from fpcheck.network.enclosure.ball import Ball, matmul, plus, times
from fpcheck.network.enclosure.rule import Balls, Rule, beside_tangents

ADD = Rule(
    lambda inputs: reduce(plus, inputs), lambda inputs, output, tangents: reduce(plus, tangents)
)


def _product_tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
    values = tuple(map(beside_tangents, inputs))
    terms = []
    for place, tangent in enumerate(tangents):
        others = (value for at, value in enumerate(values) if at != place)
        terms.append(reduce(times, others, tangent))
    return reduce(plus, terms)


MULTIPLY = Rule(lambda inputs: reduce(times, inputs), _product_tangent)


def _matmul_tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
    left, right = map(beside_tangents, inputs)
    return plus(matmul(tangents[0], right), matmul(left, tangents[1]))


MATMUL = Rule(lambda inputs: matmul(inputs[0], inputs[1]), _matmul_tangent)
