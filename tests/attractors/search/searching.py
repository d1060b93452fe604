"""One call of the search from random seeds, and small helpers to compare lists of points."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.search import Seeds, find_all
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def chain(layers, activation="tanh", last=None):
    """The network of dense layers (weight, bias), with one activation; `last` at the end."""
    names = [activation] * (len(layers) - 1) + [last or activation]
    nodes, tensors = [Input("x", (layers[0][0].shape[1],))], {}
    for i, ((weight, bias), name) in enumerate(zip(layers, names, strict=True)):
        tensors |= {f"w{i}": weight, f"b{i}": bias}
        nodes.append(Dense(f"d{i}", (nodes[-1].name,), len(weight), f"w{i}", f"b{i}"))
        if name != "identity":
            nodes.append(Activation(f"a{i}", (nodes[-1].name,), parse_activation(name)))
    return Network(Skeleton(tuple(nodes)), tensors).program


def random_map(n, gain, seed, bias=0.1):
    """Weight of spectral radius `gain` and a small bias."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, n))
    weight *= gain / np.abs(np.linalg.eigvals(weight)).max()
    return weight, bias * rng.standard_normal(n)


def searched(program, known=(), *, effort=1.0, seed=0, starts=256, law=None):
    n = program.input_size
    if law is None:
        law = np.random.default_rng(seed).standard_normal((starts, n))
    none = np.empty((0, n))
    return find_all(
        program,
        known,
        Seeds(np.zeros((1, n)), none, none, law, none),
        effort=effort,
        atol=1e-12,
        rng=np.random.default_rng(seed + 1),
        monitor=Monitor(),
    )


def places(result):
    """The found points as rows, (k, n)."""
    return np.array([point.point for point in result.found])


def same_points(a, b, tolerance=1e-7):
    """Whether two lists of points are one set."""
    if len(a) != len(b):
        return False
    gaps = np.abs(a[:, None] - b).max(axis=2)
    return bool((gaps.min(axis=1) <= tolerance).all() and (gaps.min(axis=0) <= tolerance).all())


def index_sum(result):
    n = len(result.found[0].point)
    return sum(int(np.linalg.slogdet(np.eye(n) - point.jacobian)[0]) for point in result.found)
