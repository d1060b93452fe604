"""Small networks whose fixed points are known, for the proofs about all of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton

QUIET = Monitor()


def one_layer(weight, bias=None, name="tanh"):
    """x -> phi(W x + b)."""
    weight = np.atleast_2d(np.asarray(weight, dtype=np.float64))
    n = len(weight)
    bias = np.zeros(n) if bias is None else np.asarray(bias, dtype=np.float64)
    nodes = [Input("x", (n,)), Dense("layer", ("x",), n, "weight", "bias")]
    if name != "identity":
        nodes.append(Activation("phi", ("layer",), parse_activation(name)))
    return Network(Skeleton(tuple(nodes)), {"weight": weight, "bias": bias})


def random_weights(n, seed, gain):
    """Gaussian, scaled to the spectral radius `gain`."""
    weight = np.random.default_rng(seed).standard_normal((n, n))
    return gain * weight / np.abs(np.linalg.eigvals(weight)).max()


def random_chain(sizes, seed, gain, name="tanh", *, last="tanh", bias=0.1):
    """A chain of dense layers; weights N(0, gain^2 / fan_in)."""
    rng = np.random.default_rng(seed)
    nodes, parameters = [Input("x", (sizes[0],))], {}
    for number, (a, b) in enumerate(pairwise(sizes)):
        parameters[f"w{number}"] = gain * rng.standard_normal((b, a)) / np.sqrt(a)
        parameters[f"b{number}"] = bias * rng.standard_normal(b)
        source = (nodes[-1].name,)
        nodes.append(Dense(f"d{number}", source, b, f"w{number}", f"b{number}"))
        function = last if number == len(sizes) - 2 else name
        if function != "identity":
            nodes.append(Activation(f"a{number}", (f"d{number}",), parse_activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def residual(weight, out, bias):
    """x -> x / 2 + V tanh(W x + b): an affine path leads from the input to the output."""
    n = len(weight)
    nodes = (
        Input("x", (n,)),
        Dense("inner", ("x",), n, "weight", "bias"),
        Activation("phi", ("inner",), parse_activation("tanh")),
        Dense("outer", ("phi",), n, "out"),
        Dense("half", ("x",), n, "halves"),
        Add("sum", ("half", "outer")),
    )
    parameters = {"weight": weight, "out": out, "bias": bias, "halves": 0.5 * np.eye(n)}
    return Network(Skeleton(nodes), parameters)
