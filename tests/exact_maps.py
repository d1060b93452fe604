"""A network in the numbers of `exact_numbers`, node by node and entry by entry."""

from __future__ import annotations

import itertools
import math

import numpy as np
from exact_activations import activation_pair
from exact_numbers import Slope, arbs, each_through, through
from flint import arb

from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    MatMul,
    Multiply,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Softmax,
    Transpose,
)


def run(network, x):
    """f(x) in the numbers that x holds, (*input shape) -> (*output shape)."""
    first, *rest = network.skeleton.nodes
    values = {first.name: x.reshape(network.skeleton.input_shape)}
    for node in rest:
        inputs = [values[name] for name in node.inputs]
        values[node.name] = _apply(node, inputs, network)
    return values[network.skeleton.nodes[-1].name]


def _apply(node, inputs, network):
    given = network.parameters

    def tensor(name):
        return arbs(given[name])

    x = inputs[0]
    match node:
        case Dense():
            weight = tensor(node.weight)
            weight = weight.T if node.layout == "out_in" else weight
            out = x @ weight
            return out + tensor(node.bias) if node.bias else out
        case Activation():
            return each_through(x, *activation_pair(node.function))
        case Conv():
            return _conv(node, x, given)
        case ConvTranspose():
            return _conv_transpose(node, x, given, network.skeleton.shapes[node.name])
        case BatchNorm():
            return _batch_norm(node, x, given)
        case LayerNorm() | RMSNorm():
            axes = tuple(range(x.ndim - (node.axes or x.ndim), x.ndim))
            return _norm(node, x, axes, given, isinstance(node, LayerNorm))
        case GroupNorm():
            return _group_norm(node, x, given)
        case Scale():
            out = x * tensor(node.factor) if node.factor else x
            return out + tensor(node.shift) if node.shift else out
        case Softmax():
            return _softmax(x, node.axis)
        case Pool():
            return _pool(node, x)
    return _joined(node, inputs, network)


def _joined(node, inputs, network):
    match node:
        case Add():
            return sum(inputs[1:], inputs[0])
        case Multiply():
            return math.prod(inputs[1:], start=inputs[0])
        case MatMul():
            return inputs[0] @ inputs[1]
        case Concat():
            return np.concatenate(inputs, axis=node.axis)
        case Slice():
            place = (slice(None),) * node.axis + (slice(node.start, node.stop, node.step),)
            return inputs[0][place]
        case Transpose():
            return inputs[0].transpose(node.order)
        case Flatten() | Reshape():
            return inputs[0].reshape(network.skeleton.shapes[node.name])
    raise AssertionError(type(node).__name__)


def _inverse(x):
    return through(x, lambda v: 1 / v, lambda v: -1 / (v * v))


def _root(x):
    return through(x, lambda v: v.sqrt(), lambda v: 1 / (2 * v.sqrt()))


def _exp(x):
    return through(x, lambda v: v.exp(), lambda v: v.exp())


def _batch_norm(node, x, given):
    out = np.empty(x.shape, dtype=object)
    for channel in range(len(x)):
        scale = 1 / (arb(float(given[node.variance][channel])) + arb(node.epsilon)).sqrt()
        if node.weight:
            scale = scale * arb(float(given[node.weight][channel]))
        bias = arb(float(given[node.bias][channel])) if node.bias else arb(0)
        out[channel] = (x[channel] - arb(float(given[node.mean][channel]))) * scale + bias
    return out


def _norm(node, x, axes, given, centred):
    count = math.prod(x.shape[axis] for axis in axes)
    if centred:
        x = x - x.sum(axis=axes, keepdims=True) * (1 / arb(count))
    square = (x * x).sum(axis=axes, keepdims=True) * (1 / arb(count)) + arb(node.epsilon)
    flat = [_inverse(_root(each)) for each in square.reshape(-1)]
    out = x * np.array(flat, dtype=object).reshape(square.shape)
    if node.weight:
        out = out * arbs(given[node.weight])
    bias = getattr(node, "bias", None)
    return out + arbs(given[bias]) if bias else out


def _group_norm(node, x, given):
    parted = x.reshape(node.groups, x.shape[0] // node.groups, *x.shape[1:])
    bare = GroupNorm(node.name, node.inputs, node.groups, epsilon=node.epsilon)
    out = _norm(bare, parted, tuple(range(1, parted.ndim)), given, True).reshape(x.shape)
    per_channel = (-1, *(1,) * (x.ndim - 1))
    if node.weight:
        out = out * arbs(given[node.weight]).reshape(per_channel)
    return out + arbs(given[node.bias]).reshape(per_channel) if node.bias else out


def _softmax(x, axis):
    raised = np.array([_exp(each) for each in x.reshape(-1)], dtype=object).reshape(x.shape)
    total = raised.sum(axis=axis, keepdims=True)
    flat = [_inverse(each) for each in total.reshape(-1)]
    return raised * np.array(flat, dtype=object).reshape(total.shape)


def _padded(x, padding):
    return np.pad(x, ((0, 0), *padding), constant_values=arb(0))


def _kernel(node, given):
    weight = np.asarray(given[node.weight], dtype=np.float64)
    return np.moveaxis(weight, (-1, -2), (0, 1)) if node.layout == "in_out" else weight


def _conv(node, x, given):
    weight = arbs(_kernel(node, given))
    padded = _padded(x, node.padding)
    per_group = node.channels // node.groups
    inner = x.shape[0] // node.groups
    sizes = [
        (length - (k - 1) * d - 1) // s + 1
        for length, k, d, s in zip(
            padded.shape[1:], node.kernel, node.dilation, node.stride, strict=True
        )
    ]
    out = np.empty((node.channels, *sizes), dtype=object)
    for channel in range(node.channels):
        first = channel // per_group * inner
        for place in np.ndindex(*sizes):
            window = tuple(
                slice(p * s, p * s + (k - 1) * d + 1, d)
                for p, s, k, d in zip(place, node.stride, node.kernel, node.dilation, strict=True)
            )
            total = (padded[(slice(first, first + inner), *window)] * weight[channel]).sum()
            out[(channel, *place)] = total
            if node.bias:
                out[(channel, *place)] = total + arb(float(given[node.bias][channel]))
    return out


def _conv_transpose(node, x, given, shape):
    weight = arbs(_kernel(node, given))
    inner, per_group = x.shape[0] // node.groups, node.channels // node.groups
    grown = [
        (n - 1) * s + (k - 1) * d + 1 + extra
        for n, s, k, d, extra in zip(
            x.shape[1:], node.stride, node.kernel, node.dilation, node.output_padding, strict=True
        )
    ]
    out = np.full((node.channels, *grown), arb(0), dtype=object)
    for source, place in itertools.product(range(x.shape[0]), np.ndindex(*x.shape[1:])):
        for to, tap in itertools.product(range(per_group), np.ndindex(*node.kernel)):
            where = tuple(
                p * s + t * d
                for p, s, t, d in zip(place, node.stride, tap, node.dilation, strict=True)
            )
            channel = source // inner * per_group + to
            out[(channel, *where)] += x[(source, *place)] * weight[(source, to, *tap)]
    cut = tuple(slice(pad[0], pad[0] + n) for pad, n in zip(node.padding, shape[1:], strict=True))
    out = out[(slice(None), *cut)]
    if node.bias:
        out = out + arbs(given[node.bias]).reshape(-1, *(1,) * len(node.kernel))
    return out


def _pool(node, x):
    sizes = [
        (n + sum(pad) - k) // s + 1
        for n, pad, k, s in zip(x.shape[1:], node.padding, node.size, node.stride, strict=True)
    ]
    out = np.empty((x.shape[0], *sizes), dtype=object)
    for channel in range(x.shape[0]):
        for place in np.ndindex(*sizes):
            spots = itertools.product(
                *(
                    range(max(p * s - pad[0], 0), min(p * s - pad[0] + k, n))
                    for p, s, pad, k, n in zip(
                        place, node.stride, node.padding, node.size, x.shape[1:], strict=True
                    )
                )
            )
            entries = [x[(channel, *spot)] for spot in spots]
            out[(channel, *place)] = _pooled(node, entries)
    return out


def _pooled(node, entries):
    if node.kind == "mean":
        count = math.prod(node.size) if node.count_padding else len(entries)
        return sum(entries[1:], entries[0]) * (1 / arb(count))
    best = entries[0]
    for each in entries[1:]:
        best = _larger(best, each)
    return best


def _larger(a, b):
    if not isinstance(a, Slope):
        return a.max(b)
    share = arb(1) if a.range > b.range else arb(0) if a.range < b.range else arb(0.5, 0.5)
    return a.made(
        a.centre.max(b.centre),
        a.range.max(b.range),
        a.tangents * share + b.tangents * (1 - share),
    )
