"""What an activation function and its slope can be on an interval.

Each is monotone between known places, so its range is the hull of its values at the ends and at
the places in between. Values come from the compiled passes, whose errors kernels.functions states;
they are doubled here, and what is relative to a sum of terms counts as absolute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.kernels import elementwise
from fpcheck.kernels import opcodes as op
from fpcheck.kernels.passes import SELU_ALPHA, SELU_SCALE
from fpcheck.kernels.periodic import NEAR
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.enclosure.ball import TINY, Array, Ball, U, between, bounds, times
from fpcheck.network.enclosure.rule import Balls, Rule, beside_tangents


@dataclass(frozen=True, slots=True)
class Place:
    """A place where a function turns or jumps: `at`, known within `blur`, and its values there."""

    at: float
    values: tuple[float, ...]
    blur: float = 1e-9


@dataclass(frozen=True, slots=True)
class Course:
    """Where a function turns, and how far its computed values may be off: (relative |v| + absolute)
    u, besides TINY; its infimum and supremum."""

    turns: tuple[Place, ...]
    relative: float
    absolute: float
    limits: tuple[float, float]


# Twice the bounds of kernels.functions, or more, in u: (relative, absolute).
VALUE_ERRORS = {
    op.TANH: (14.0, 0.0),
    op.SIGMOID: (10.0, 0.0),
    op.ELU: (10.0, 0.0),
    op.SELU: (16.0, 0.0),
    # The argument's own error counts |v|^2 e^-|v| times at most: 4 u in all.
    op.GELU_TANH: (16.0, 16.0),
    op.SILU: (12.0, 0.0),
    op.SOFTPLUS: (16.0, 0.0),
    op.GELU: (24.0, 0.0),
    op.ERF: (16.0, 0.0),
    op.SIN: (6.0, 0.0),
}
SLOPE_ERRORS = {
    op.TANH: (16.0, 0.0),
    op.SIGMOID: (16.0, 0.0),
    op.ELU: (10.0, 0.0),
    op.SELU: (16.0, 0.0),
    op.GELU_TANH: (16.0, 64.0),
    op.SILU: (16.0, 32.0),
    op.SOFTPLUS: (10.0, 0.0),
    op.GELU: (16.0, 40.0),
    op.ERF: (12.0, 0.0),
    op.SIN: (6.0, 0.0),
}
PLAIN_ERRORS = (8.0, 0.0)  # the piecewise linear ones and softsign: four roundings at most

VALUE_TURNS = {
    op.GELU: (Place(-0.75179152469356446, (-0.16997120747990366,)),),
    op.GELU_TANH: (Place(-0.75246142207101626, (-0.17004075057125405,)),),
    op.SILU: (Place(-1.2784645427610738, (-0.27846454276107380,)),),
    op.LEAKY_RELU: (Place(0.0, (0.0,)),),
    op.ELU: (Place(0.0, (0.0,)),),
}
# phi'' of the last three is even, and each has one turn on either side.
SLOPE_TURNS = {
    op.TANH: (Place(0.0, (1.0,)),),
    op.SIGMOID: (Place(0.0, (0.25,)),),
    op.ERF: (Place(0.0, (2.0 / math.sqrt(math.pi),)),),
    op.SOFTSIGN: (Place(0.0, (1.0,)),),
    op.GELU: (
        Place(-1.4142135623730950, (-0.12890414518515479,)),
        Place(1.4142135623730950, (1.1289041451851548,)),
    ),
    op.GELU_TANH: (
        Place(-1.4185040087908284, (-0.12899306865877177,)),
        Place(1.4185040087908284, (1.1289930686587718,)),
    ),
    op.SILU: (
        Place(-2.3993572805154677, (-0.09983932012886692,)),
        Place(2.3993572805154677, (1.0998393201288669,)),
    ),
}
# Beyond this the sine's argument is not reduced by our own code.
FULL_TURN = 6.2831
QUARTER = 0.5 * math.pi


def activation_rule(function: ActivationFunction) -> Rule:
    """The rule of an activation function other than the step."""

    def tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
        return times(beside_tangents(slope_range(function, inputs[0])), tangents[0])

    return Rule(lambda inputs: value_range(function, inputs[0]), tangent)


def value_range(function: ActivationFunction, x: Ball) -> Ball:
    """phi of every value in the balls."""
    code = function.opcode
    if code == op.IDENTITY:
        return x
    low, high = bounds(x)
    if code == op.SIN:
        return _periodic(function, low, high, slope=False)
    relative, absolute = VALUE_ERRORS.get(code, PLAIN_ERRORS)
    course = Course(VALUE_TURNS.get(code, ()), relative, absolute, function.values)
    ends = np.stack([low, high])
    elementwise.apply(code, function.p0, function.p1, ends, ends)
    return _hull(course, low, high, ends)


def slope_range(function: ActivationFunction, x: Ball) -> Ball:
    """phi' of every value in the balls; at a kink the hull of both slopes."""
    code = function.opcode
    if code == op.IDENTITY:
        return Ball(np.ones(x.shape), np.zeros(x.shape))
    low, high = bounds(x)
    if code == op.SIN:
        return _periodic(function, low, high, slope=True)
    relative, absolute = SLOPE_ERRORS.get(code, PLAIN_ERRORS)
    course = Course(_slope_turns(function), relative, absolute, function.slopes)
    ends = np.stack([low, high])
    elementwise.slope(code, function.p0, function.p1, ends, ends)
    return _hull(course, low, high, ends)


def _slope_turns(function: ActivationFunction) -> tuple[Place, ...]:
    smooth = SLOPE_TURNS.get(function.opcode)
    if smooth is not None:
        return smooth
    sides = {
        op.LEAKY_RELU: (function.p0, 1.0),
        op.ELU: (function.p0, 1.0),
        op.SELU: (SELU_SCALE * SELU_ALPHA, SELU_SCALE),
    }.get(function.opcode, (0.0, 1.0))
    # A kink such as tau + m is a rounded sum.
    return tuple(Place(kink, sides, 4 * U * abs(kink)) for kink in function.kinks)


def _hull(course: Course, low: Array, high: Array, ends: Array) -> Ball:
    """The hull of the values at the ends and at the turns in between. ends: (2, *shape)."""
    least, most = np.minimum(ends[0], ends[1]), np.maximum(ends[0], ends[1])
    for place in course.turns:
        met = (low <= place.at + place.blur) & (high >= place.at - place.blur)
        if met.any():
            least = np.where(met, np.minimum(least, min(place.values)), least)
            most = np.where(met, np.maximum(most, max(place.values)), most)
    # fmax and fmin take the limit where the value at an infinite end is NaN.
    least = np.fmax(least, course.limits[0])
    most = np.fmin(most, course.limits[1])
    slack = course.absolute * U + TINY
    return between(
        least - (course.relative * U * np.abs(least) + slack),
        most + (course.relative * U * np.abs(most) + slack),
    )


def _periodic(function: ActivationFunction, low: Array, high: Array, *, slope: bool) -> Ball:
    """The range of the sine, or of its slope, the cosine."""
    ends = np.stack([low, high])
    wide = ~((high - low < FULL_TURN) & (low >= -NEAR) & (high <= NEAR))
    ends[:, wide] = 0.0
    computed = np.empty_like(ends)
    (elementwise.slope if slope else elementwise.apply)(function.opcode, 0.0, 0.0, ends, computed)
    least, most = computed.min(axis=0), computed.max(axis=0)
    crest = 0.0 if slope else QUARTER
    most = np.where(wide | _meets(low, high, crest), 1.0, most)
    least = np.where(wide | _meets(low, high, crest + math.pi), -1.0, least)
    return between(least - 8 * U, most + 8 * U)


def _meets(low: Array, high: Array, at: float) -> np.typing.NDArray[np.bool_]:
    """Whether at + 2 pi k may lie in the interval, for some k; the ends are at most NEAR."""
    slack = 1e-8  # of the turns' count: far above the rounding of arguments up to NEAR
    first = np.ceil((low - at) / (2 * math.pi) - slack)
    last = np.floor((high - at) / (2 * math.pi) + slack)
    return np.asarray(first <= last)
