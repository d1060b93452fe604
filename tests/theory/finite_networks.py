"""Random networks of finite width, and what their layers are measured to have."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.activations import parse_activation
from fpcheck.network.initializers import parse_law
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import backward, trace
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Input,
    Pool,
    Skeleton,
    fan_in,
    stored_shape,
)
from fpcheck.signal.input_moments import input_moments, input_scatter
from fpcheck.theory.finite_width import bands
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.propagation import propagate

# (sigma_w^2, sigma_b^2) on, or near, the edge of chaos.
SCALES = {
    "relu": (2.0, 0.0),
    "tanh": (1.76095464, 0.05),
    "gelu": (1.9831, 0.05),
    "crelu(1.0364,1.1704)": (7.33482, 0.59534),
}
OUTPUTS = 10


def dense(name, source, units):
    return Dense(name, (source,), units, f"{name}.w", f"{name}.b")


def conv(name, source, channels, kernel=(3, 3), **kwargs):
    return Conv(name, (source,), channels, kernel, f"{name}.w", f"{name}.b", **kwargs)


def act(name, source, function):
    return Activation(name, (source,), parse_activation(function))


def chain(function, width, depth, inputs=64):
    nodes, last = [Input("x", (inputs,))], "x"
    for i in range(depth - 1):
        nodes += [dense(f"d{i}", last, width), act(f"a{i}", f"d{i}", function)]
        last = f"a{i}"
    return Skeleton((*nodes, dense("out", last, OUTPUTS)))


def residual(function, width, blocks, inputs=64):
    """x + W phi(x), block after block."""
    nodes, stream = [Input("x", (inputs,)), dense("stem", "x", width)], "stem"
    for i in range(blocks):
        nodes += [
            act(f"p{i}", stream, function),
            dense(f"r{i}", f"p{i}", width),
            Add(f"s{i}", (stream, f"r{i}")),
        ]
        stream = f"s{i}"
    return Skeleton((*nodes, act("last", stream, function), dense("out", "last", OUTPUTS)))


def convolutional(function, channels, depth, *, pooled=False, size=8):
    """3 x 3 kernels with zero padding, the second one of stride 2."""
    nodes, last = [Input("x", (3, size, size))], "x"
    for i in range(depth):
        stride = (2, 2) if i == 1 else (1, 1)
        nodes += [
            conv(f"c{i}", last, channels, stride=stride, padding=((1, 1), (1, 1))),
            act(f"a{i}", f"c{i}", function),
        ]
        last = f"a{i}"
    if pooled:
        shape = Skeleton(tuple(nodes)).shapes[last]
        nodes.append(Pool("pool", (last,), "mean", shape[1:]))
        last = "pool"
    return Skeleton((*nodes, Flatten("flat", (last,)), dense("out", "flat", OUTPUTS)))


def laws(skeleton, sigma_w2, sigma_b2):
    law = (
        parse_law({"law": "normal", "sigma2": sigma_w2, "scale": "1/sqrt(fan_in)"}),
        parse_law({"law": "normal", "sigma2": sigma_b2}),
    )
    return {layer.name: law for layer in layers(skeleton)}


def drawn(skeleton, sigma_w2, sigma_b2, rng):
    parameters = {}
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv | ConvTranspose):
            before = skeleton.shapes[node.inputs[0]]
            shape = stored_shape(node, before)
            spread = math.sqrt(sigma_w2 / fan_in(node, before))
            parameters[node.weight] = rng.standard_normal(shape) * spread
            units = node.units if isinstance(node, Dense) else node.channels
            parameters[node.bias] = rng.standard_normal(units) * math.sqrt(sigma_b2)
    return Network(skeleton, parameters)


def measured(network, x, rng):
    """(q, mean cosine of neighbouring inputs, gradient norm, active fraction) of every layer."""
    n = len(x)
    values = trace(network.program, x)
    last = values[network.skeleton.nodes[-1].name]
    u = rng.standard_normal((n, last[0].size))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    gradients = backward(network.program, values, u.reshape(last.shape))
    found = {}
    for layer in layers(network.skeleton):
        h = values[layer.preactivation].reshape(n, -1)
        g = gradients[layer.preactivation].reshape(n, -1)
        unit = h / np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-300)
        cosine = float(np.mean(np.einsum("ij,ij->i", unit[0::2], unit[1::2])))
        active = float(np.mean(values[layer.postactivation] != 0.0))
        found[layer.name] = (
            float(np.mean(h * h)),
            cosine,
            math.sqrt(float(np.mean(g * g))),
            active,
        )
    return found


def outside(found, predicted):
    """(layer, quantity, value, low, high) of everything outside its band."""
    out = []
    for name, band in predicted.items():
        ranges = (
            ("q", band.q_low, band.q_high),
            ("c", band.c_low, band.c_high),
            ("gradient", band.gradient_norm_low, band.gradient_norm_high),
            ("active", band.active_low, band.active_high),
        )
        for value, (quantity, low, high) in zip(found[name], ranges, strict=True):
            slack = 1e-9  # rounding, where a band is one number
            if low is not None and not low * (1 - slack) - slack <= value <= high * (1 + slack):
                out.append((name, quantity, value, low, high))
    return out


def trial(skeleton, scales, seed, *, inputs=64, by_law=True, factor=1.0):
    """What lies outside the band of these laws in one network drawn with factor x sigma_w^2."""
    sigma_w2, sigma_b2 = scales
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((inputs, *skeleton.input_shape))
    network = drawn(skeleton, factor * sigma_w2, sigma_b2, rng)
    used = layer_scales(network, laws(skeleton, sigma_w2, sigma_b2) if by_law else None)
    known = propagate(network, used, input_moments(x))
    predicted = bands(network, used, known, inputs, scatter=input_scatter(x))
    return outside(measured(network, x, rng), predicted)
