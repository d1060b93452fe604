"""Kernels of deep networks at infinite width: ours beside the same recursion in plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton
from fpcheck.theory.dual_kernel import DualKernel, dual_kernel
from fpcheck.theory.layer_scales import LayerScale

Array = NDArray[np.float64]

DEPTH = 10
WIDTH = 784
ROWS, QUICK_ROWS = 1000, 200
BLOCK = 400
# sigma_w^2 and sigma_b^2, near each function's edge of chaos.
SCALES = {"relu": (2.0, 0.0), "tanh": (1.5, 0.05)}
# Terms of the Hermite series and nodes of the quadrature of its coefficients: at correlations of
# 0.99, beyond which no two rows come here, the terms left out are below 1e-12.
TERMS, NODES = 80, 200


def dual_kernel_races(quick: bool) -> Iterator[Race[Array]]:
    """A race for ReLU, in closed form, and one for tanh, by series."""
    rows = QUICK_ROWS if quick else ROWS
    inputs = random_stream(0, "bench", BLOCK).normal(size=(rows, WIDTH))
    plain: dict[str, Callable[[Array, float, float], Array]] = {"relu": relu_kernel, "tanh": _tanh}
    for name, written_out in plain.items():
        w2, b2 = SCALES[name]
        yield Race(
            group="dual kernel",
            case=f"{name}, depth {DEPTH}, {rows} x {rows} of {WIDTH}, all cores",
            ways={
                OURS: partial(_ours, name, inputs, w2, b2),
                "numpy, one core": partial(written_out, inputs, w2, b2),
            },
            agree=_agree,
            rounds=3,
            slow=True,
        )


def deep_chain(name: str, depth: int, inputs: int) -> Skeleton:
    """Dense layers of one activation. At infinite width their numbers of units do not matter."""
    nodes: list[Node] = [Input("x", (inputs,))]
    for layer in range(depth):
        dense = f"dense {layer}"
        nodes.append(Dense(dense, (nodes[-1].name,), 8, f"{dense}.weight", f"{dense}.bias"))
        nodes.append(Activation(f"phi {layer}", (dense,), activation(name, {})))
    return Skeleton(tuple(nodes))


def relu_kernel(inputs: Array, w2: float, b2: float) -> Array:
    """The kernel behind the last ReLU, by the arc-cosine formula [Cho, Saul 2009]."""
    k: Array = inputs @ inputs.T / inputs.shape[1]
    for _ in range(DEPTH):
        k = w2 * k + b2
        size = np.sqrt(np.diag(k))
        c = np.clip(k / np.outer(size, size), -1.0, 1.0)
        angles = math.pi - np.arccos(c)
        k = np.outer(size, size) * (np.sqrt(1.0 - c * c) + angles * c) / (2.0 * math.pi)
    return k


def _tanh(inputs: Array, w2: float, b2: float) -> Array:
    """The kernel behind the last tanh: sum over n of a_n(q) a_n(q') c^n, n odd."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    basis = _hermite(nodes) * (weights / weights.sum())
    k: Array = inputs @ inputs.T / inputs.shape[1]
    for _ in range(DEPTH):
        k = w2 * k + b2
        size = np.sqrt(np.diag(k))
        c = k / np.outer(size, size)
        values = np.tanh(size[:, None] * nodes)
        coefficients = values @ basis.T
        k, power, squares = np.zeros_like(c), c.copy(), c * c
        for order in range(1, TERMS, 2):
            k += np.outer(coefficients[:, order], coefficients[:, order]) * power
            power *= squares
        np.fill_diagonal(k, (values * values) @ (weights / weights.sum()))
    return k


def _hermite(x: Array) -> Array:
    """(TERMS, n): the orthonormal Hermite polynomials at x."""
    found = [np.ones_like(x), x]
    for n in range(1, TERMS - 1):
        found.append((x * found[n] - math.sqrt(n) * found[n - 1]) / math.sqrt(n + 1.0))
    return np.array(found)


def _ours(name: str, inputs: Array, w2: float, b2: float) -> Array:
    skeleton = deep_chain(name, DEPTH, inputs.shape[1])
    scales = {
        node.name: LayerScale(node.name, w2, b2, 0, 0)
        for node in skeleton.nodes
        if isinstance(node, Dense)
    }
    found = dual_kernel(skeleton, scales, inputs, node=skeleton.nodes[-1].name)
    if not isinstance(found, DualKernel):
        raise AssertionError(found.reason)
    return found.nngp


def _agree(ours: Array, theirs: Array) -> None:
    # Near c = 1 both lose half of the digits of 1 - c at a bend, and there are ten of them.
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
