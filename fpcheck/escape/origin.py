"""The loss at the saddle at zero: its first order, of a network that is homogeneous in its weights.

A bias-free chain of dense layers with piecewise linear activations through zero has
f(c theta) = c^L f(theta), so that near theta = 0 the loss is C(0) + L0(theta), L0 = <G, f_theta>,
G the loss's gradient by the outputs at zero. [Bantzis, Simon, Jacot, arXiv 2505.21722]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.layers import weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import Activation, Dense
from fpcheck.network.training import LOSSES, logits

# Where a function is looked at to see whether it is linear on both sides of zero.
PROBES = (0.25, 1.0, 2.0, 7.0)
LINEAR_TO = 1e-12

Weights = list[Array]


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What the first order of the loss at zero weights depends on.

    x: (n, inputs), float64; pull: (n, outputs), -G: which way every output is pulled.
    names: the layers'; widths: inputs, hidden units, outputs. slopes: (for positive, for negative)
    arguments, of every hidden layer's activation.
    """

    x: Array
    pull: Array
    names: tuple[str, ...]
    widths: tuple[int, ...]
    slopes: tuple[tuple[float, float], ...]

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.names)

    @property
    def multiply_adds(self) -> int:
        """Of one gradient: three products as large as each of the forward pass."""
        pairs = zip(self.widths, self.widths[1:], strict=False)
        return 3 * len(self.x) * sum(a * b for a, b in pairs)

    def at_rows(self, rows: NDArray[np.intp]) -> Origin:
        """The same on some of the rows, as if they stood for all."""
        share = len(rows) / len(self.x)
        return replace(self, x=self.x[rows], pull=self.pull[rows] / share)

    def narrowed(self, most: int) -> Origin:
        """The same with at most `most` units in every hidden layer."""
        first, *hidden, last = self.widths
        return replace(self, widths=(first, *(min(width, most) for width in hidden), last))


def origin(
    network: Network, inputs: Array, targets: NDArray[np.generic], loss: str
) -> tuple[Origin, Weights] | str:
    """The first order at zero, and the network's weights as (out, in) matrices; or why not.

    inputs: (n, *input shape). targets: as `loss` takes them (network.training).

    Raises:
        DataError: the targets do not fit the network.
    """
    network = logits(network)
    found = _chain(network)
    if isinstance(found, str):
        return found
    dense, functions = found
    x = np.ascontiguousarray(inputs, dtype=np.float64).reshape(len(inputs), -1)
    outputs = dense[-1].units
    chosen = LOSSES[loss]
    zeros = np.zeros((len(x), outputs))
    _, slope = chosen.block(zeros, chosen.prepared(targets, *zeros.shape))
    pull = -slope / chosen.terms(*zeros.shape)
    if not np.any(pull):
        return "the outputs are pulled nowhere at zero: the targets are zero"
    place = Origin(
        x,
        pull,
        tuple(node.name for node in dense),
        (x.shape[1], *(node.units for node in dense)),
        tuple(_sides(function) for function in functions[:-1]),
    )
    return place, [weight_matrix(node, network.parameters[node.weight]) for node in dense]


def gain_and_gradient(
    place: Origin, weights: Weights, check: Callable[[], None]
) -> tuple[float, Weights]:
    """F = -L0 at the weights, (out, in) each, and its gradient by them.

    check: called between layers; it raises where the work should stop.
    """
    values, masks = [place.x], list[NDArray[np.bool_] | Array | None]()
    for weight, sides in zip(weights, (*place.slopes, (1.0, 1.0)), strict=True):
        check()
        z = values[-1] @ weight.T
        mask = _mask(z, sides)
        if mask is not None:
            z *= mask
        values.append(z)
        masks.append(mask)
    back, slopes = place.pull, list[Array]()
    for index in range(len(weights) - 1, -1, -1):
        check()
        mask = masks[index]
        if mask is not None:
            back = back * mask
        slopes.append(back.T @ values[index])
        if index:
            back = back @ weights[index]
    return float(np.vdot(place.pull, values[-1])), slopes[::-1]


def lone_slopes(place: Origin) -> tuple[float, float]:
    """The slopes of one unit a layer with positive weights between: all activations, one by one."""
    above, below = 1.0, 1.0
    for positive, negative in place.slopes:
        # What a negative slope has turned over arrives on the other side of the next kink.
        above *= positive if above >= 0.0 else negative
        below *= negative if below >= 0.0 else positive
    return above, below


def _mask(z: Array, sides: tuple[float, float]) -> NDArray[np.bool_] | Array | None:
    """The slope at every argument; None where it is 1 everywhere."""
    if sides == (1.0, 1.0):
        return None
    if sides == (1.0, 0.0):
        return z > 0.0
    return np.where(z > 0.0, *sides)


def _chain(network: Network) -> tuple[list[Dense], list[ActivationFunction]] | str:
    if network.program.chain is None:
        return "it is no plain chain of dense layers"
    dense: list[Dense] = []
    functions: list[ActivationFunction] = []
    for node in network.skeleton.nodes:
        if isinstance(node, Dense):
            if node.bias is not None:
                return f"layer '{node.name}' has biases, and growth from zero is no power law"
            dense.append(node)
            functions.append(activation("identity"))
        elif isinstance(node, Activation):
            functions[-1] = node.function
    if len({node.weight for node in dense}) < len(dense):
        return "layers share their weights"
    for node, function in zip(dense, functions, strict=True):
        if not _homogeneous(function):
            return f"activation '{function.label}' behind '{node.name}' is not linear beside zero"
    if _sides(functions[-1]) != (1.0, 1.0):
        return f"the activation '{functions[-1].label}' closes the network"
    return dense, functions


def _sides(function: ActivationFunction) -> tuple[float, float]:
    ends = function.phi(np.array([1.0, -1.0]))
    return float(ends[0]), float(-ends[1])


def _homogeneous(function: ActivationFunction) -> bool:
    x = np.array([*PROBES, *(-p for p in PROBES), 0.0])
    above, below = _sides(function)
    return bool(
        np.allclose(function.phi(x), x * np.where(x > 0.0, above, below), rtol=0.0, atol=LINEAR_TO)
    )
