"""Bias-free chains for the tests of the escape direction."""

from __future__ import annotations

import itertools

import numpy as np

from fpcheck.escape.origin import Origin
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def bias_free(weights, function="relu"):
    """The chain of these (out, in) matrices with one activation between them."""
    nodes, parameters = [Input("x", weights[0].shape[1:])], {}
    for index, weight in enumerate(weights):
        parameters[f"w{index}"] = np.asarray(weight, dtype=np.float64)
        nodes.append(Dense(f"d{index}", (nodes[-1].name,), len(weight), f"w{index}"))
        if index < len(weights) - 1:
            nodes.append(Activation(f"a{index}", (f"d{index}",), activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def drawn(widths, scale, rng, function="relu"):
    """A chain of these widths with weights N(0, scale^2 / fan_in)."""
    pairs = itertools.pairwise(widths)
    return bias_free(
        [scale * rng.normal(size=(n_out, n_in)) / n_in**0.5 for n_in, n_out in pairs], function
    )


def place_of(x, pull, widths, sides=(1.0, 0.0)):
    """An origin of that pull with unnamed layers."""
    names = tuple(f"d{index}" for index in range(len(widths) - 1))
    return Origin(x, pull, names, tuple(widths), (sides,) * (len(widths) - 2))


def alternating_circle():
    """Eight points on the unit circle whose pulls alternate in sign. [papers: first saddle]"""
    angles = np.arange(8) * np.pi / 4.0
    pull = np.array([1.0, -1.0] * 4)[:, None]
    return np.column_stack([np.cos(angles), np.sin(angles)]), pull
