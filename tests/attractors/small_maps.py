"""Small self-maps with known attractors, and one call that measures them."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.measure import measure
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def one_layer(weight, bias=None, name="tanh"):
    """x -> phi(W x + b)."""
    weight = np.atleast_2d(np.asarray(weight, dtype=np.float64))
    n = len(weight)
    bias = np.zeros(n) if bias is None else np.asarray(bias, dtype=np.float64)
    nodes = [Input("x", (n,)), Dense("layer", ("x",), n, "weight", "bias")]
    if name != "identity":
        nodes.append(Activation("phi", ("layer",), activation(name)))
    return Network(Skeleton(tuple(nodes)), {"weight": weight, "bias": bias})


def linear(weight, bias=None):
    """x -> W x + b."""
    return one_layer(weight, bias, "identity")


def normal_starts(n, count=256, seed=0):
    return np.random.default_rng(seed).standard_normal((count, n))


def attractors_of(network, starts=None, *, rows=None, count=256, seed=0, **settings):
    """The one map's result from N(0, 1) starts, or from those given."""
    if starts is None:
        starts = normal_starts(network.program.input_size, count, seed)
    starts = np.asarray(starts, dtype=np.float64)
    chosen = Settings(starts=len(starts), **settings)
    rng = np.random.default_rng(seed + 1)
    result = measure(network, starts, "N(0, 1)", rows, chosen, rng, Monitor())
    (one,) = result.maps
    return one


def kinds(result):
    return sorted(point.kind for point in result.fixed_points)


def total_share(result):
    """What must be 1: every start ends in exactly one way."""
    others = [each.share for each in (result.other_fixed_points, result.other_cycles) if each]
    listed = [each.share for each in (*result.fixed_points, *result.cycles)]
    rest = (result.aperiodic, result.unresolved, result.diverged)
    return sum(listed) + sum(others) + sum(each.share for each in rest)
