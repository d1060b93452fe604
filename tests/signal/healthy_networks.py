"""Random networks that nothing is wrong with: on their edge of chaos, or He's for ReLU's kin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fpcheck.network.activations import parse_activation
from fpcheck.network.initializers import parse_law
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Conv,
    Dense,
    Flatten,
    Input,
    Skeleton,
    fan_in,
)
from fpcheck.theory.edge_of_chaos import clip_height, edge_of_chaos, sparse_threshold

DIGITS = Path(__file__).parents[2] / "samples" / "digits.npz"
# Functions with a stable point on their edge of chaos are drawn there, at one of these q*.
CURVED = ("tanh", "erf", "elu", "selu", "gelu", "silu", "sin", "hard_tanh", "softsign")
# GELU's and SiLU's is stable at large q* alone, and so weakly that the first layer must lead there;
# hard tanh and erf at a large one are mostly saturated.
QS = {
    "gelu": (4.0, 8.0, 20.0),
    "silu": (20.0, 50.0),
    "hard_tanh": (0.3, 0.5),
    "erf": (0.3, 1.0, 2.0),
}
OTHER_QS = (0.3, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Healthy:
    """A network, inputs to it, the laws that drew it (None: it comes as a bare checkpoint)."""

    name: str
    network: Network
    inputs: np.ndarray
    laws: dict | None


@cache
def points(name):
    """(activation, sigma_w^2, sigma_b^2, q*) of the healthy points of `name`."""
    if name == "tanh at 0":
        return (("tanh", 1.0, 0.0, 0.0),)
    if name in ("relu", "leaky_relu(0.1)", "leaky_relu(0.3)"):
        (edge,) = edge_of_chaos(parse_activation(name), sigma_b2=0.0)
        return ((name, edge.sigma_w2, 0.0, 0.0),)
    if name in ("crelu", "cst"):
        tau, m = sparse_threshold(name, 0.7), clip_height(name, 0.7, 0.5)
        label = f"{name}({tau!r},{m!r})"
        (edge,) = edge_of_chaos(parse_activation(label), q_star=1.0)
        return ((label, edge.sigma_w2, edge.sigma_b2, 1.0),)
    found = []
    for q in QS.get(name, OTHER_QS):
        for edge in edge_of_chaos(parse_activation(name), q_star=q):
            assert edge.stable
            found.append((name, edge.sigma_w2, edge.sigma_b2, q))
    return tuple(found)


def healthy(seed: int, inputs: int = 96) -> Healthy:
    """Number `seed` of the networks: dense, convolutional or residual, 3 to 50 layers."""
    rng = np.random.default_rng([7, seed])
    names = (*CURVED, "tanh at 0", "relu", "leaky_relu(0.1)", "leaky_relu(0.3)", "crelu", "cst")
    names = (*names, "relu", "relu", "tanh", "gelu")
    name = names[rng.integers(len(names))]
    options = points(name)
    function, w2, b2, q_star = options[rng.integers(len(options))]
    kind = rng.choice(["dense", "dense", "dense", "varied", "residual", "conv"])
    depth = int(rng.integers(3, 51))
    if name in ("crelu", "cst"):  # what is narrow and deep loses its gradient, see FP112
        depth = min(depth, 15)
    if kind == "conv":
        nodes, scales = _convolutional(rng, function, w2, b2, min(depth, 20))
    elif kind == "residual":
        nodes, scales = _residual(rng, function, w2, b2, depth)
    else:
        nodes, scales = _dense(rng, function, w2, b2, depth, varied=kind == "varied")
    skeleton = Skeleton(tuple(nodes))
    x = _inputs(rng, inputs, skeleton.input_shape)
    if name in ("gelu", "silu") and kind != "residual":
        scales["l0"] = ((q_star - b2) / float(np.mean(x * x)), b2)
    network = Network(skeleton, _drawn(skeleton, scales, rng))
    laws = {
        layer: (
            parse_law({"law": "normal", "sigma2": w, "scale": "1/sqrt(fan_in)"}),
            parse_law({"law": "normal", "sigma2": b}) if b else None,
        )
        for layer, (w, b) in scales.items()
    }
    label = f"{seed}: {kind} {function} {w2:.4g} {b2:.4g}, {len(scales)} layers"
    return Healthy(label, network, x, laws if rng.random() < 0.5 else None)


def _dense(rng, function, w2, b2, depth, varied):
    width = int(rng.choice([64, 64, 100, 128, 200, 256, 512]))
    nodes = [Input("x", (int(rng.choice([64, 64, 20, 200])),))]
    scales, last = {}, "x"
    for i in range(depth):
        if varied:
            width = int(rng.integers(64, 513))
        units = width if i < depth - 1 else int(rng.integers(1, 65))
        nodes.append(Dense(f"l{i}", (last,), units, f"l{i}.w", f"l{i}.b"))
        scales[f"l{i}"] = (w2, b2)
        last = f"l{i}"
        if i < depth - 1:
            nodes.append(Activation(f"a{i}", (last,), parse_activation(function)))
            last = f"a{i}"
    return nodes, scales


def _residual(rng, function, w2, b2, depth):
    """x <- x + W phi(V x), the branches so small that all of them together add a few times q."""
    width = int(rng.choice([64, 128, 256]))
    blocks = max(1, (depth - 2) // 2)
    nodes = [Input("x", (64,)), Dense("first", ("x",), width, "first.w", "first.b")]
    scales, last = {"first": (1.0, 0.0)}, "first"
    for i in range(blocks):
        inner, act, outer, out = f"v{i}", f"a{i}", f"w{i}", f"s{i}"
        nodes += [
            Dense(inner, (last,), width, f"{inner}.w", f"{inner}.b"),
            Activation(act, (inner,), parse_activation(function)),
            Dense(outer, (act,), width, f"{outer}.w", f"{outer}.b"),
            Add(out, (last, outer)),
        ]
        scales[inner], scales[outer] = (w2, b2), (1.0 / blocks, 0.0)
        last = out
    nodes.append(Dense("last", (last,), 10, "last.w", "last.b"))
    scales["last"] = (1.0, 0.0)
    return nodes, scales


def _convolutional(rng, function, w2, b2, depth):
    channels, length = int(rng.choice([64, 96])), 16
    nodes = [Input("x", (4, length))]
    scales, last = {}, "x"
    for i in range(depth - 1):
        nodes.append(
            Conv(f"l{i}", (last,), channels, (3,), f"l{i}.w", f"l{i}.b", padding=((1, 1),))
        )
        nodes.append(Activation(f"a{i}", (f"l{i}",), parse_activation(function)))
        scales[f"l{i}"] = (w2, b2)
        last = f"a{i}"
    nodes += [Flatten("flat", (last,)), Dense("out", ("flat",), 10, "out.w", "out.b")]
    scales["out"] = (w2, b2)
    return nodes, scales


def _drawn(skeleton, scales, rng):
    parameters = {}
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv):
            w2, b2 = scales[node.name]
            shape = skeleton.shapes[node.inputs[0]]
            count = fan_in(node, shape)
            if isinstance(node, Dense):
                size, units = (node.units, shape[-1]), node.units
            else:
                size, units = (node.channels, shape[0], *node.kernel), node.channels
            parameters[node.weight] = rng.standard_normal(size) * math.sqrt(w2 / count)
            parameters[node.bias] = rng.standard_normal(units) * math.sqrt(b2)
    return parameters


def _inputs(rng, n, shape):
    """Normal inputs, or such as data are: digits, correlated columns, heavy tails, pixels.

    Scaled to a mean square of 1 over all of them, and no more.
    """
    size = math.prod(shape)
    kind = rng.choice(["normal", "normal", "correlated", "heavy", "pixels", "digits"])
    if kind == "digits" and size == 64:
        pixels = np.load(DIGITS)["X"].reshape(-1, 64) / 16.0
        x = pixels[rng.permutation(len(pixels))[:n]]
    elif kind == "correlated":
        mixing = rng.standard_normal((8, size)) / math.sqrt(8.0)
        x = rng.standard_normal((n, 8)) @ mixing + 0.3 * rng.standard_normal((n, size))
        x += rng.standard_normal(size) * 0.5
    elif kind == "heavy":
        x = rng.standard_t(5.0, (n, size)) * np.exp(0.5 * rng.standard_normal(size))
    elif kind == "pixels":
        x = rng.random((n, size)) * (rng.random((n, size)) < 0.3)
    else:
        x = rng.standard_normal((n, size))
    x /= math.sqrt(float(np.mean(x * x)))
    return x.reshape(n, *shape)
