"""The gradient of plain chains of dense layers, without a program made for every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import elementwise, opcodes
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import Activation, Dense
from fpcheck.network.training.losses import Loss, Targets
from fpcheck.network.training.packing import Packing


@dataclass(frozen=True, slots=True)
class Link:
    """A dense layer of a chain and the activation behind it."""

    dense: Dense
    function: ActivationFunction


@dataclass(frozen=True, slots=True, eq=False)
class _Tensors:
    """A link's parameters at one step. weight: (in, out), of any memory order."""

    weight: Array
    bias: Array | None
    function: ActivationFunction


def links(network: Network, packing: Packing) -> tuple[Link, ...] | None:
    """The layers of a plain chain whose every tensor is trained and used once, else None."""
    if network.program.chain is None:
        return None
    found: list[Link] = []
    for node in network.skeleton.nodes:
        if isinstance(node, Dense):
            found.append(Link(node, activation("identity")))
        elif isinstance(node, Activation):
            found[-1] = Link(found[-1].dense, node.function)
    names = [name for link in found for name in (link.dense.weight, link.dense.bias) if name]
    return tuple(found) if sorted(names) == sorted(packing.names) else None


def chain_gradient(
    chain: tuple[Link, ...],
    parameters: Mapping[str, NDArray[np.generic]],
    packing: Packing,
    loss: Loss,
    check: Callable[[], None],
) -> Callable[[Array, Targets, int], tuple[float, Array, Array]]:
    """What gives the loss's sum, its gradient over `terms` and the outputs of a block of rows.

    check: called between layers; it raises where the work should stop.
    """
    tensors = tuple(_tensors(link, parameters) for link in chain)

    def work(x: Array, targets: Targets, terms: int) -> tuple[float, Array, Array]:
        values, slopes = _forward(tensors, x.reshape(len(x), -1), check)
        total, back = loss.block(values[-1], targets)
        back /= terms
        flat = np.empty(packing.size)
        into = packing.views(flat)
        for index in range(len(chain) - 1, -1, -1):
            check()
            dense, slope = chain[index].dense, slopes[index]
            if slope is not None:
                back *= slope
            if dense.layout == "out_in":
                np.matmul(back.T, values[index], out=into[dense.weight])
            else:
                np.matmul(values[index].T, back, out=into[dense.weight])
            if dense.bias:
                back.sum(axis=0, out=into[dense.bias])
            if index:
                back = back @ tensors[index].weight.T
        return total, flat, values[-1]

    return work


def _tensors(link: Link, parameters: Mapping[str, NDArray[np.generic]]) -> _Tensors:
    weight = np.asarray(parameters[link.dense.weight], dtype=np.float64)
    bias = None
    if link.dense.bias:
        bias = np.asarray(parameters[link.dense.bias], dtype=np.float64)
    return _Tensors(weight.T if link.dense.layout == "out_in" else weight, bias, link.function)


def _forward(
    tensors: tuple[_Tensors, ...], x: Array, check: Callable[[], None]
) -> tuple[list[Array], list[Array | None]]:
    """Every layer's value from the input on, and every activation's slope; None for a line's."""
    values, slopes = [x], list[Array | None]()
    for layer in tensors:
        check()
        z = values[-1] @ layer.weight
        if layer.bias is not None:
            z += layer.bias
        function = layer.function
        if function.opcode == opcodes.IDENTITY:
            values.append(z)
            slopes.append(None)
            continue
        out = np.empty_like(z)
        elementwise.apply(function.opcode, function.p0, function.p1, z, out)
        elementwise.slope(function.opcode, function.p0, function.p1, z, z)
        values.append(out)
        slopes.append(z)
    return values, slopes
