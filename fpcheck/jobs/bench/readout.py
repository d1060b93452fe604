"""The whole readout question, as `fpcheck analyze --question readout` asks it of 2000 rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.activations import activation
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.readout.measure import measure
from fpcheck.readout.result import ReadoutResult

ROWS, QUICK_ROWS = 2000, 300
INPUTS, UNITS, CLASSES = 64, 128, 10
DRAWS = 5
BLOCK = 410


def readout_races(quick: bool) -> Iterator[Race[ReadoutResult]]:
    """One row: there is no peer that answers all of it."""
    rows = QUICK_ROWS if quick else ROWS
    yield Race(
        group="readout",
        case=f"whole question, {rows} x {INPUTS}, {CLASSES} classes, {DRAWS} draws, all cores",
        ways={OURS: partial(_asked, _network(), _data(rows))},
        rounds=1 if quick else 3,
        slow=True,
    )


def _network() -> Network:
    """Two hidden ReLU layers with He's weights and small biases."""
    rng = random_stream(0, "bench", BLOCK)
    widths = (INPUTS, UNITS, UNITS, CLASSES)
    nodes: list[Input | Dense | Activation] = [Input("x", (INPUTS,))]
    parameters = {}
    for layer, (inputs, units) in enumerate(pairwise(widths)):
        name = f"dense {layer}"
        nodes.append(Dense(name, (nodes[-1].name,), units, f"{name}.weight", f"{name}.bias"))
        parameters[f"{name}.weight"] = rng.normal(0.0, np.sqrt(2.0 / inputs), (units, inputs))
        parameters[f"{name}.bias"] = rng.normal(0.0, 0.1, units)
        if units != CLASSES:
            nodes.append(Activation(f"phi {layer}", (name,), activation("relu", {})))
    return Network(Skeleton(tuple(nodes)), parameters)


def _data(rows: int) -> Data:
    """Normal rows in the classes of a random teacher of one hidden layer, one in ten by chance."""
    rng = random_stream(0, "bench", BLOCK + 1)
    inputs = rng.normal(size=(rows, INPUTS))
    hidden = np.tanh(inputs[:, :8] @ rng.normal(size=(8, 32)))
    labels = (hidden @ rng.normal(size=(32, CLASSES))).argmax(axis=1)
    chance = rng.random(rows) < 0.1
    labels[chance] = rng.integers(0, CLASSES, int(chance.sum()))
    classes = tuple(map(str, range(CLASSES)))
    return Data(inputs, labels.astype(np.int64), "classification", classes, "synthetic")


def _asked(network: Network, data: Data) -> ReadoutResult:
    settings = Settings(readout_draws=DRAWS)
    rng = random_stream(0, "bench", BLOCK + 2)
    found = measure(network, data, settings, rng, Monitor(), trained=False)
    if not isinstance(found, ReadoutResult):
        raise AssertionError(found.skipped)
    return found
