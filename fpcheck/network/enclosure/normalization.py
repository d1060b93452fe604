"""Layer, group and root-mean-square normalisation, and softmax."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.kernels import elementwise
from fpcheck.kernels.opcodes import ELU
from fpcheck.network.enclosure.ball import (
    TINY,
    Array,
    Ball,
    U,
    between,
    bounds,
    minus,
    plus,
    rounded,
    summed,
    times,
)
from fpcheck.network.enclosure.rule import Balls, Rule, beside_tangents
from fpcheck.network.operators.operator import Parameters, as_float64
from fpcheck.network.skeleton import GroupNorm, LayerNorm, RMSNorm, Shape, Softmax


def layer_norm_rule(node: LayerNorm | RMSNorm, parameters: Parameters, shape: Shape) -> Rule:
    """The rule of a LayerNorm or RMSNorm node over the last `axes` axes of a row."""
    axes = tuple(range(-(node.axes or len(shape)), 0))
    centred = isinstance(node, LayerNorm)
    bias = node.bias if isinstance(node, LayerNorm) else None
    weight = _constant(parameters, node.weight)
    return _normalised(axes, node.epsilon, weight, _constant(parameters, bias), centred=centred)


def group_norm_rule(node: GroupNorm, parameters: Parameters, shape: Shape) -> Rule:
    """The rule of a GroupNorm node: a layer norm of every group of channels."""
    grouped = (node.groups, shape[0] // node.groups, *shape[1:])

    def per_channel(name: str | None) -> Ball | None:
        constant = _constant(parameters, name)
        if constant is None:
            return None
        return constant.map(lambda x: x.reshape(*grouped[:2], *(1,) * (len(shape) - 1)))

    axes = tuple(range(1 - len(grouped), 0))
    inner = _normalised(
        axes, node.epsilon, per_channel(node.weight), per_channel(node.bias), centred=True
    )

    def parted(x: Ball) -> Ball:
        return x.map(lambda a: a.reshape(*a.shape[: a.ndim - len(shape)], *grouped))

    def joined(x: Ball) -> Ball:
        return x.map(lambda a: a.reshape(*a.shape[: a.ndim - len(grouped)], *shape))

    return Rule(
        lambda inputs: joined(inner.value((parted(inputs[0]),))),
        lambda inputs, output, tangents: joined(
            inner.tangent((parted(inputs[0]),), parted(output), (parted(tangents[0]),))
        ),
    )


def softmax_rule(node: Softmax, shape: Shape) -> Rule:
    """The rule of a Softmax node."""
    axis = node.axis % len(shape) - len(shape)

    def tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
        share = beside_tangents(output)
        weighted = times(tangents[0], share)
        return minus(weighted, times(share, summed(weighted, (axis,))))

    return Rule(lambda inputs: _softmax(inputs[0], axis), tangent)


def _softmax(x: Ball, axis: int) -> Ball:
    """p_i = e^x_i / (e^x_i + the others' sum): it rises with x_i and falls with every other."""
    low, high = bounds(x)
    top = high.max(axis=axis, keepdims=True)
    least = _exp(np.nextafter(low - top, -np.inf))
    most = _exp(np.minimum(np.nextafter(high - top, np.inf), 0.0))
    # Each exponential is within 3.6 u, the sums within n u, and the quotient rounds twice.
    slack = 4 * (low.shape[axis] + 16) * U
    total_least, total_most = (e.sum(axis=axis, keepdims=True) for e in (least, most))
    others_least = np.maximum((total_least - least) - slack * total_least, 0.0)
    others_most = (total_most - most) + slack * total_most + TINY
    low = least / (least + others_most) * (1.0 - slack) - TINY
    high = most / (most + others_least) * (1.0 + slack) + TINY
    # Where all underflow, 0 / 0 is NaN, and a share lies between 0 and 1 all the same.
    return between(np.fmax(low, 0.0), np.fmin(high, 1.0))


def _exp(x: Array) -> Array:
    """e^x for x <= 0, within 3.6 u: the slope of elu."""
    out = np.ascontiguousarray(x)
    elementwise.slope(ELU, 1.0, 0.0, out, out)
    return out


def _normalised(
    axes: tuple[int, ...],
    epsilon: float,
    weight: Ball | None,
    bias: Ball | None,
    *,
    centred: bool,
) -> Rule:
    """y = (x - mean) / sqrt(mean square + epsilon) * weight + bias; the mean only if `centred`."""

    def weighted(x: Ball) -> Ball:
        return x if weight is None else times(x, weight)

    def centre(x: Ball) -> Ball:
        return minus(x, _mean(x, axes)) if centred else x

    def parts(x: Ball) -> tuple[Ball, Ball]:
        moved = centre(x)
        inverse = _inverse_root(_mean(_square(moved), axes), epsilon)
        return times(moved, inverse), inverse

    def value(inputs: Balls) -> Ball:
        out = weighted(parts(inputs[0])[0])
        return out if bias is None else plus(out, bias)

    def tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
        x_hat, inverse = map(beside_tangents, parts(inputs[0]))
        along = _mean(times(tangents[0], x_hat), axes)
        return weighted(times(minus(centre(tangents[0]), times(x_hat, along)), inverse))

    return Rule(value, tangent)


def _constant(parameters: Parameters, name: str | None) -> Ball | None:
    if name is None:
        return None
    values = as_float64(parameters, name)
    return Ball(values, np.zeros_like(values))


def _mean(x: Ball, axes: tuple[int, ...]) -> Ball:
    count = math.prod(x.shape[axis] for axis in axes)
    total = summed(x, axes)
    return rounded(total.mid / count, total.rad / count)


def _square(x: Ball) -> Ball:
    size = np.abs(x.mid)
    low = np.maximum(size - x.rad, 0.0) * (1.0 - 4 * U)
    high = (size + x.rad) * (1.0 + 4 * U)
    return between(low * low * (1.0 - 4 * U), high * high * (1.0 + 4 * U))


def _inverse_root(mean_square: Ball, epsilon: float) -> Ball:
    """1 / sqrt(mean square + epsilon)."""
    low, high = bounds(mean_square)
    low = np.maximum(low, 0.0) + epsilon
    # A sum, a root and a quotient round: 2.5 u.
    return between(
        1.0 / np.sqrt(high + epsilon) * (1.0 - 8 * U), 1.0 / np.sqrt(low) * (1.0 + 8 * U)
    )
