"""Self-maps whose long-run motion is known, and one call that classifies what does not settle."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.discover import UNRESOLVED, discover
from fpcheck.attractors.iterate import iterate_starts
from fpcheck.attractors.motion import classify
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.load.live.black_box import open_black_box
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


def linear(weight):
    """x -> W x."""
    return one_layer(weight, name="identity")


def function(formula, n):
    """A plain function on batches (k, n) as a network."""
    return open_black_box("function", formula, (n,)).network


def logistic(r):
    """x -> r x (1 - x)."""
    return function(lambda x: r * x * (1.0 - x), 1)


def henon(a=1.4, b=0.3):
    """(x, y) -> (1 - a x^2 + y, b x)."""
    return function(lambda x: np.stack([1.0 - a * x[:, 0] ** 2 + x[:, 1], b * x[:, 0]], axis=1), 2)


def rotation(angle, rate=1.0):
    """The plane turned by `angle` and shrunk by `rate`."""
    c, s = np.cos(angle), np.sin(angle)
    return rate * np.array([[c, -s], [s, c]])


def random_tanh(n, gain, seed):
    """x -> tanh(W x + b), W Gaussian with spectral radius `gain`, b ~ N(0, 0.1^2)."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, n))
    weight *= gain / np.abs(np.linalg.eigvals(weight)).max()
    return one_layer(weight, 0.1 * rng.standard_normal(n))


def rings(*lengths, gain=3.0):
    """Rings of units, each of which drives the next: cycles of period lcm(lengths)."""
    n = sum(lengths)
    weight, first = np.zeros((n, n)), 0
    for length in lengths:
        for unit in range(length):
            weight[first + (unit + 1) % length, first + unit] = gain
        first += length
    return one_layer(weight)


def motion_of(network, states, *, seed=0, known=(), **settings):
    """What each of the states does."""
    states = np.ascontiguousarray(states, dtype=np.float64)
    rng = np.random.default_rng(seed)
    return classify(network.program, states, Settings(**settings), rng, Monitor(), known=known)


def unresolved_motion(network, starts, *, seed=0, **settings):
    """The motion of the starts that do not settle, with the attractors of the others known."""
    program, chosen = network.program, Settings(**settings)
    with np.errstate(all="ignore"):
        ended = iterate_starts(program, np.asarray(starts, dtype=np.float64), chosen, Monitor())
        found = discover(program, ended, chosen, Monitor())
    open_ends = ended.states[found.labels == UNRESOLVED]
    return motion_of(network, open_ends, seed=seed, known=found.found, **settings)


def normal_starts(n, count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, n))


def share_of(motion, kind):
    """The share of the given states that are of one kind."""
    return motion.kinds.count(kind) / len(motion.kinds)
