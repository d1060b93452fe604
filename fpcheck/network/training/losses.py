"""Losses of a block of rows with their slopes: mean squared error and cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import Activation, Skeleton, Softmax

Targets = NDArray[np.float64] | NDArray[np.int64]

MEAN_SQUARED_ERROR = "mean squared error"
CROSS_ENTROPY = "cross-entropy"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that is a mean over terms.

    block(outputs (n, k), targets) -> (sum of the rows' terms, its gradient (n, k)).
    prepared(targets, n, k) -> targets as `block` takes them.
    terms(n, k): by how many the sum is divided.
    """

    name: str
    block: Callable[[Array, Targets], tuple[float, Array]]
    prepared: Callable[[NDArray[np.generic], int, int], Targets]
    terms: Callable[[int, int], int]


def logits(network: Network) -> Network:
    """The network without the softmax or the sigmoid at its end, which cross-entropy has itself."""
    nodes = network.skeleton.nodes
    last = nodes[-1]
    shape = network.skeleton.output_shape
    closes = (isinstance(last, Softmax) and len(shape) == 1) or (
        isinstance(last, Activation) and last.function.name == "sigmoid" and shape == (1,)
    )
    if not closes:
        return network
    place = [node.name for node in nodes].index(last.inputs[0])
    return Network(Skeleton(nodes[: place + 1]), network.parameters)


def _squares(outputs: Array, targets: Targets) -> tuple[float, Array]:
    gap = outputs - targets
    total = float(np.sum(gap * gap))
    gap *= 2.0
    return total, gap


def _cross_entropy(outputs: Array, targets: Targets) -> tuple[float, Array]:
    """-log softmax(outputs)[label], or the logistic loss of one output for labels 0 and 1."""
    if outputs.shape[1] == 1:
        return _logistic(outputs, targets)
    rows = np.arange(len(outputs))
    top = outputs.max(axis=1, keepdims=True)
    shares: Array = np.exp(outputs - top)
    sums = shares.sum(axis=1, keepdims=True)
    total = float(np.sum(np.log(sums) + top) - np.sum(outputs[rows, targets]))
    shares /= sums
    shares[rows, targets] -= 1.0
    return total, shares


def _logistic(outputs: Array, targets: Targets) -> tuple[float, Array]:
    """log(1 + exp(-f)) for label 1, log(1 + exp(f)) for label 0."""
    signs = (1.0 - 2.0 * targets)[:, None]
    wrong = signs * outputs  # positive where the answer is wrong
    decay = np.exp(-np.abs(wrong))
    total = float(np.sum(np.maximum(wrong, 0.0) + np.log1p(decay)))
    return total, signs * np.where(wrong > 0.0, 1.0, decay) / (1.0 + decay)


def _as_numbers(targets: NDArray[np.generic], rows: int, outputs: int) -> Targets:
    numbers = np.ascontiguousarray(targets, dtype=np.float64)
    if numbers.size != rows * outputs or len(numbers) != rows:
        raise DataError(
            f"targets of shape {list(numbers.shape)} for {rows} rows of {outputs} outputs"
        )
    return numbers.reshape(rows, outputs)


def _as_labels(targets: NDArray[np.generic], rows: int, outputs: int) -> Targets:
    labels = np.ascontiguousarray(targets, dtype=np.int64)
    classes = max(outputs, 2)
    if labels.shape != (rows,) or np.any(labels != targets):
        raise DataError(f"cross-entropy takes one class index a row, for {rows} rows")
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"labels from {labels.min()} to {labels.max()}, the network tells {classes} classes"
        )
    return labels


LOSSES = {
    MEAN_SQUARED_ERROR: Loss(MEAN_SQUARED_ERROR, _squares, _as_numbers, lambda n, k: n * k),
    CROSS_ENTROPY: Loss(CROSS_ENTROPY, _cross_entropy, _as_labels, lambda n, k: n),
}
