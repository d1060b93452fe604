"""Which parameters training changes, and how they lie side by side in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    Node,
    RMSNorm,
    Scale,
    Shape,
    Skeleton,
)


@dataclass(frozen=True, slots=True)
class Packing:
    """The trained parameters in one flat float64 vector, each in its stored layout."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    places: tuple[slice, ...]

    @property
    def size(self) -> int:
        """The number of trained numbers."""
        return self.places[-1].stop if self.places else 0

    def views(self, flat: Array) -> dict[str, Array]:
        """The parameters by name, as views of the vector."""
        return {
            name: flat[place].reshape(shape)
            for name, shape, place in zip(self.names, self.shapes, self.places, strict=True)
        }

    def packed(self, tensors: Mapping[str, NDArray[np.generic]]) -> Array:
        """The vector of the tensors; zeros for those that are not there."""
        flat = np.zeros(self.size)
        for name, view in self.views(flat).items():
            if name in tensors:
                view[...] = tensors[name]
        return flat


def packing(network: Network, names: tuple[str, ...]) -> Packing:
    """How the parameters of these names are packed."""
    shapes = tuple(network.parameters[name].shape for name in names)
    places, at = [], 0
    for shape in shapes:
        places.append(slice(at, at + math.prod(shape)))
        at = places[-1].stop
    return Packing(names, shapes, tuple(places))


def trained_names(skeleton: Skeleton, *, scales: bool = False) -> tuple[str, ...]:
    """The parameters that training changes, in the skeleton's order.

    All but the statistics of batch norms, which run as at inference, and the tensors of Scale
    nodes, which are constants unless `scales` says otherwise.
    """
    found: dict[str, None] = {}
    for node in skeleton.nodes:
        if scales or not isinstance(node, Scale):
            found.update(dict.fromkeys(name for name in _of_node(node) if name))
    return tuple(found)


def _of_node(node: Node) -> tuple[str | None, ...]:
    match node:
        case Dense() | Conv() | ConvTranspose() | BatchNorm() | LayerNorm() | GroupNorm():
            return node.weight, node.bias
        case RMSNorm():
            return (node.weight,)
        case Scale():
            return node.factor, node.shift
    return ()
