"""Small networks and rows for the tests of the readout question."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import activation
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.readout.measure import measure
from fpcheck.readout.result import ReadoutResult

SETTINGS = Settings(splits=10, threads=1)
PEER = 1e-8  # relative, against scikit-learn at the same penalty


def network(widths, function="tanh", seed=0, scale=1.0, last="") -> Network:
    """A random perceptron; `last` is an activation behind its last layer."""
    rng = np.random.default_rng(seed)
    nodes, parameters, before = [Input("x", (widths[0],))], {}, "x"
    for index, (fan, units) in enumerate(pairwise(widths)):
        parameters[f"w{index}"] = scale * rng.standard_normal((units, fan)) / np.sqrt(fan)
        parameters[f"b{index}"] = 0.1 * scale * rng.standard_normal(units)
        nodes.append(Dense(f"dense{index}", (before,), units, f"w{index}", f"b{index}"))
        before = f"dense{index}"
        ending = function if index < len(widths) - 2 else last
        if ending:
            nodes.append(Activation(f"act{index}", (before,), activation(ending)))
            before = f"act{index}"
    return Network(Skeleton(tuple(nodes)), parameters)


def classes(inputs, labels, count=2) -> Data:
    names = tuple(str(index) for index in range(count))
    return Data(inputs, labels.astype(np.int64), "classification", names, "rows.npz")


def numbers(inputs, targets) -> Data:
    return Data(inputs, targets, "regression", (), "rows.npz")


def rows_only(inputs) -> Data:
    return Data(inputs, None, None, (), "rows.npz")


def run(net, data, settings=SETTINGS, **options):
    rng = random_stream(settings.seed, "readout")
    return measure(net, data, settings, rng, Monitor(), **options)


def answered(*args, **options) -> ReadoutResult:
    result = run(*args, **options)
    assert isinstance(result, ReadoutResult), result
    return result


def gains(result):
    return {gain.over: gain for gain in result.gains}


def fits(result):
    return {fit.model: fit for fit in result.fits}


RNG = np.random.default_rng(7)
RING = RNG.standard_normal((300, 2))
RING_LABELS = (np.hypot(*RING.T) > 1.18).astype(int)  # the median radius: no line tells them apart
