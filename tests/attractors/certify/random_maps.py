"""Random self-maps of every kind, and the points of them that are certified."""

from __future__ import annotations

import itertools

import enclosed_networks
import numpy as np

from fpcheck.attractors.discover import polished
from fpcheck.attractors.selfmap import image
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton


def random_network(rng):
    """A chain, residual or gated network of up to 6 units with weights of some law and gain."""
    kind = rng.choice(["chain", "residual", "gru", "lstm"], p=[0.7, 0.15, 0.08, 0.07])
    if kind in ("gru", "lstm"):
        return enclosed_networks.cell(rng, str(kind), int(rng.integers(1, 4)))
    n = int(rng.integers(1, 7))
    widths = [n, *rng.integers(1, 8, size=rng.integers(0, 3)), n]
    nodes, parameters = [Input("x", (n,))], {}
    for place, (before, after) in enumerate(itertools.pairwise(widths)):
        name = str(rng.choice(enclosed_networks.SMOOTH_OR_KINKED))
        function = activation(name, enclosed_networks.PARAMETERS.get(name))
        parameters[f"w{place}"] = _weights(rng, after, before)
        parameters[f"b{place}"] = rng.normal(size=after) * rng.choice([0.0, 0.3, 1.0])
        layer = Dense(f"d{place}", (nodes[-1].name,), int(after), f"w{place}", f"b{place}")
        nodes += [layer, Activation(f"a{place}", (layer.name,), function)]
    if kind == "residual":
        nodes.append(Add("sum", ("x", nodes[-1].name)))
    return Network(Skeleton(tuple(nodes)), parameters)


def _weights(rng, rows, columns):
    gain = np.exp(rng.normal(0.0, 0.7)) / np.sqrt(columns)
    if rng.random() < 0.1:
        return np.clip(rng.standard_cauchy((rows, columns)), -50, 50) * gain
    weights = rng.standard_normal((rows, columns)) * gain
    if rng.random() < 0.1:  # low rank, exact zeros, equal rows
        weights[rng.random(weights.shape) < 0.5] = 0.0
    return weights.astype(np.float32) if rng.random() < 0.3 else weights


def random_points(rng, network, count=4):
    """Polished fixed points and short cycles, as a search would give them."""
    n = network.program.input_size
    found = []
    with np.errstate(all="ignore"):
        for start in rng.normal(size=(count, n)) * 2.0:
            period = int(rng.choice([1, 1, 2, 3]))
            state = start
            if rng.random() < 0.5:
                state = image(network.program, start[None], 60)[0]
            point = polished(network.program, state, period, Monitor())
            if point is not None and point.jacobian is not None:
                found.append(point)
    return found
