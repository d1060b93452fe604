"""How often a healthy network is said not to start: the rate that FP114 states."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.short_run import short_run
from fpcheck.network.activations import parse_activation
from fpcheck.network.data import load_data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

DIGITS = Path(__file__).parents[2] / "samples" / "digits.npz"
# On the edge of chaos: activation, sigma_w^2, sigma_b^2.
EDGES = (
    ("relu", 2.0, 0.0),
    ("tanh", 1.76, 0.05),
    ("elu", 1.51, 0.04),
    ("gelu", 1.7, 0.3),
    ("leaky_relu(0.2)", 2.0 / 1.04, 0.0),
    ("erf", 1.376, 0.05),
    ("hardtanh", 1.1655, 0.05),
    ("crelu(1.0364,0.8095)", 8.50694, 0.66049),
)
DEEPEST, WIDTHS = 12, (16, 96)


def healthy(rng, outputs):
    name, sigma_w2, sigma_b2 = EDGES[rng.integers(len(EDGES))]
    hidden = [int(rng.integers(WIDTHS[0], WIDTHS[1] + 1))] * int(rng.integers(1, DEEPEST + 1))
    nodes, parameters = [Input("x", (64,))], {}
    for index, (fan_in, units) in enumerate(pairwise((64, *hidden, outputs))):
        weight = rng.normal(size=(units, fan_in)) * (sigma_w2 / fan_in) ** 0.5
        parameters |= {f"w{index}": weight, f"b{index}": rng.normal(size=units) * sigma_b2**0.5}
        nodes.append(Dense(f"d{index}", (nodes[-1].name,), units, f"w{index}", f"b{index}"))
        if index < len(hidden):
            nodes.append(Activation(f"a{index}", (f"d{index}",), parse_activation(name)))
    return Network(Skeleton(tuple(nodes)), parameters)


def answers(seeds, rows):
    data, found = load_data(DIGITS), []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(data.rows, rows, replace=False))
        own, outputs = replace(data, inputs=data.inputs[chosen], targets=data.targets[chosen]), 10
        if rng.random() < 0.3:
            numbers = np.tanh(own.inputs @ rng.normal(size=(64, 3)) / 4.0)
            own, outputs = replace(own, targets=numbers, task="regression", classes=()), 3
        run = short_run(healthy(rng, outputs), own, Settings(), Monitor(), trained=False)
        found.append(run["answer"])
    return found


def test_healthy_networks_start():
    found = answers(range(4), 128)
    assert "does not start" not in found
    assert found.count("trains") >= 3


@pytest.mark.slow
def test_none_of_many_healthy_networks_is_said_not_to_start():
    found = answers(range(120), 400)
    assert "does not start" not in found
    assert found.count("trains") >= 114
