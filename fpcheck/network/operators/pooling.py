"""Max and mean pooling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.operators.windows import Window
from fpcheck.network.skeleton import Pool


def prepare_pool(node: Pool) -> Operator:
    """The operator of a Pool node."""
    window = Window(node.size, node.stride, (1,) * len(node.size), node.padding)
    return _max_pool(window) if node.kind == "max" else _mean_pool(window, node.count_padding)


def _mean_pool(window: Window, count_padding: bool) -> Operator:
    positions = int(np.prod(window.size))

    def counts(lengths: tuple[int, ...]) -> Array:
        """How many entries every window averages."""
        if count_padding:
            return np.full((), float(positions))
        return np.asarray(window.unfold(np.ones((1, 1, *lengths))).sum(axis=2))

    def mean(x: Array) -> Array:
        return np.asarray(window.unfold(x).sum(axis=2) / counts(x.shape[2:]))

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        lengths = inputs[0].shape[2:]
        shared = np.repeat((cotangent / counts(lengths))[:, :, None], positions, axis=2)
        return (window.fold(shared, lengths),)

    return Operator(lambda inputs: mean(inputs[0]), lambda i, o, tangents: mean(tangents[0]), vjp)


def _max_pool(window: Window) -> Operator:
    positions = np.arange(int(np.prod(window.size)))
    dimensions = len(window.size)

    def winners(x: Array) -> NDArray[np.intp]:
        # Of equal entries the first wins, as in PyTorch.
        places: NDArray[np.intp] = np.argmax(window.unfold(x, -np.inf), axis=2, keepdims=True)
        return places

    def forward(inputs: Inputs) -> Array:
        return np.asarray(window.unfold(inputs[0], -np.inf).max(axis=2))

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        unfolded = window.unfold(tangents[0])
        chosen = np.broadcast_to(winners(inputs[0]), (*unfolded.shape[:2], 1, *unfolded.shape[3:]))
        return np.take_along_axis(unfolded, chosen, axis=2)[:, :, 0]

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        places = positions.reshape(1, 1, -1, *(1,) * dimensions)
        passed = np.where(winners(inputs[0]) == places, cotangent[:, :, None], 0.0)
        return (window.fold(passed, inputs[0].shape[2:]),)

    return Operator(forward, jvp, vjp)
