from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from fpcheck.core.limits import effective_limits
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.signal.measure import measure
from fpcheck.signal.rules import judge


def _chain(widths, function, sigma_w2, sigma_b2, seed=0):
    """Dense layers l0, l1, ... of Gaussian weights, `function` behind all but the last."""
    rng = np.random.default_rng(seed)
    nodes, parameters, last = [Input("x", (widths[0],))], {}, "x"
    for i, (fan_in, units) in enumerate(pairwise(widths)):
        parameters[f"w{i}"] = rng.standard_normal((units, fan_in)) * math.sqrt(sigma_w2 / fan_in)
        parameters[f"b{i}"] = rng.standard_normal(units) * math.sqrt(sigma_b2)
        nodes.append(Dense(f"l{i}", (last,), units, f"w{i}", f"b{i}"))
        last = f"l{i}"
        if i < len(widths) - 2:
            nodes.append(Activation(f"a{i}", (last,), parse_activation(function)))
            last = f"a{i}"
    return Network(Skeleton(tuple(nodes)), parameters)


def _measured(network, inputs=256, laws=None, seed=0):
    """The signal of the network on draws from N(0, 1)."""
    x = np.random.default_rng(100 + seed).standard_normal((inputs, *network.skeleton.input_shape))
    rng = random_stream(seed, "signal")
    return measure(network, x, "draws", Settings(), rng, Monitor(), laws)


def _findings(section):
    """The findings on a section of the report, by code; a rule's first one counts."""
    found = {}
    for each in judge(section, effective_limits({})):
        found.setdefault(each.code, each)
    return found


@pytest.fixture(scope="session")
def chain() -> Callable[..., Network]:
    return _chain


@pytest.fixture(scope="session")
def measured():
    return _measured


@pytest.fixture(scope="session")
def findings():
    return _findings


@pytest.fixture(scope="session")
def section():
    """The section of the report for a network, as JSON would hold it."""

    def of(network, inputs=256, laws=None):
        return plain(_measured(network, inputs, laws))

    return of
