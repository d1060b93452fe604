"""The last layers of a network as a small network of their own, with its gradient.

A tail is dense layers with activations between them; its loss is the mean squared error, or the
mean cross-entropy, plus a ridge penalty on the distance of the inner weights from where they
started and on the size of the last layer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Skeleton

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Tail:
    """The last `count` dense layers: their nodes, the activations behind all but the last, and
    the node whose values enter them.
    """

    layers: tuple[Dense, ...]
    activations: tuple[tuple[ActivationFunction, ...], ...]
    source: str


def find_tail(skeleton: Skeleton, last: Dense, count: int) -> Tail | str:
    """The tail of `count` dense layers, or why there is none."""
    by_name = {node.name: node for node in skeleton.nodes}
    layers = [last]
    between: list[tuple[ActivationFunction, ...]] = []
    while len(layers) < count:
        functions: list[ActivationFunction] = []
        name = layers[0].inputs[0]
        while True:
            node = by_name[name]
            if not node.inputs:
                return f"'{layers[0].name}' is the network's first layer"
            if len(skeleton.consumers(name)) > 1:
                return f"'{name}' goes more ways than one, so the layers before it are no chain"
            if isinstance(node, Dense):
                break
            if not isinstance(node, Activation):
                kind = type(node).__name__.lower()
                return f"'{name}' ({kind}) stands before '{layers[0].name}', not a dense layer"
            if node.function.kind.derivative is None:
                return f"'{name}' ({node.function.label}) has no derivative to train by"
            functions.insert(0, node.function)
            name = node.inputs[0]
        if len(skeleton.shapes[node.inputs[0]]) != 1:
            return f"'{node.name}' works on several positions at once"
        layers.insert(0, node)
        between.insert(0, tuple(functions))
    return Tail(tuple(layers), tuple(between), layers[0].inputs[0])


@dataclass(frozen=True, slots=True, eq=False)
class TailLoss:
    """The loss of a tail as a function of one flat vector of all its weights and biases.

    inputs: (m, d); targets: (m, k), one-hot for the cross-entropy. shapes: (in, out) of the
    layers. anchor: the inner weights at the start, in the vector's order. penalty: of the sums of
    squares, over the m rows.
    """

    activations: tuple[tuple[ActivationFunction, ...], ...]
    shapes: tuple[tuple[int, int], ...]
    inputs: Array
    targets: Array
    anchor: Array
    penalty: float
    cross_entropy: bool

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The loss and its gradient, as flat as the point."""
        weights = unflatten(point, self.shapes)
        values: list[Array] = [self.inputs]
        slopes: list[Array] = []
        for index, (weight, bias) in enumerate(weights):
            out: Array = values[-1] @ weight + bias
            if index < len(self.activations):
                out, slope = _activated(self.activations[index], out)
                slopes.append(slope)
            values.append(out)
        rows = len(self.inputs)
        data, error = _loss(values[-1], self.targets, self.cross_entropy)
        gradient = np.empty_like(point)
        parts = unflatten(gradient, self.shapes)
        error /= rows
        for index in reversed(range(len(weights))):
            np.matmul(values[index].T, error, out=parts[index][0])
            error.sum(axis=0, out=parts[index][1])
            if index:
                error = (error @ weights[index][0].T) * slopes[index - 1]
        ridge = self._ridge(point)
        gradient += (2.0 * self.penalty / rows) * ridge
        return data / rows + self.penalty / rows * float(ridge @ ridge), gradient

    def value(self, point: Array) -> float:
        """The mean loss alone, without the penalty."""
        outputs = predict(self.activations, self.shapes, point, self.inputs)
        return _loss(outputs, self.targets, self.cross_entropy)[0] / len(self.inputs)

    def _ridge(self, point: Array) -> Array:
        """What is penalised: the distance from the start, less the last layer's free biases."""
        distance = point - self.anchor
        distance[len(distance) - self.shapes[-1][1] :] = 0.0
        return distance


def predict(
    activations: Sequence[tuple[ActivationFunction, ...]],
    shapes: Sequence[tuple[int, int]],
    point: Array,
    inputs: Array,
) -> Array:
    """(n, k): the tail's outputs for inputs (n, d)."""
    values: Array = inputs
    for index, (weight, bias) in enumerate(unflatten(point, shapes)):
        values = values @ weight + bias
        if index < len(activations):
            for function in activations[index]:
                values = _phi(function, values)
    return values


def present_weights(network: Network, tail: Tail) -> list[tuple[Array, Array]]:
    """The inner layers' (in, out) weights and biases as they are; the last one's are fitted."""
    found: list[tuple[Array, Array]] = []
    for node in tail.layers[:-1]:
        weight = weight_matrix(node, network.parameters[node.weight]).T
        bias = np.zeros(node.units)
        if node.bias is not None:
            bias = np.asarray(network.parameters[node.bias], dtype=np.float64)
        found.append((np.ascontiguousarray(weight), bias))
    return found


def flatten(weights: Sequence[tuple[Array, Array]], kind: type[np.floating]) -> Array:
    """All weights and biases in one vector."""
    return np.concatenate([part.ravel() for pair in weights for part in pair]).astype(kind)


def unflatten(point: Array, shapes: Sequence[tuple[int, int]]) -> list[tuple[Array, Array]]:
    """Views of a vector as (in, out) weights and (out,) biases."""
    found: list[tuple[Array, Array]] = []
    place = 0
    for fan, units in shapes:
        end = place + fan * units
        found.append((point[place:end].reshape(fan, units), point[end : end + units]))
        place = end + units
    return found


def _activated(functions: tuple[ActivationFunction, ...], x: Array) -> tuple[Array, Array]:
    """The value behind the activations, and its slope."""
    slope: Array = np.ones((), dtype=x.dtype)
    for function in functions:
        steep = function.derivative(cast("NDArray[np.float64]", x))
        slope = slope * steep.astype(x.dtype, copy=False)
        x = _phi(function, x)
    return x, slope


def _phi(function: ActivationFunction, x: Array) -> Array:
    """phi(x) in the type of x: the formulas take either."""
    return function.phi(cast("NDArray[np.float64]", x)).astype(x.dtype, copy=False)


def _loss(outputs: Array, targets: Array, cross_entropy: bool) -> tuple[float, Array]:
    """The sum of the rows' losses and its gradient by the outputs (m, k)."""
    if not cross_entropy:
        error = outputs - targets
        return float(np.vdot(error, error)), 2.0 * error
    shifted = outputs - outputs.max(axis=1)[:, None]
    shares = np.exp(shifted)
    total = shares.sum(axis=1)
    loss = float(np.log(total).sum() - np.vdot(shifted, targets))
    shares /= total[:, None]
    return loss, shares - targets
