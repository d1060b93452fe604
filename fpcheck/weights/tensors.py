"""What each tensor is to the network: its role, its layer, and its matrix of (units, fan_in)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.layers import weight_matrix
from fpcheck.network.load.naming import Name, read_names
from fpcheck.network.network import Network
from fpcheck.network.skeleton import BatchNorm, Conv, Dense, LayerNorm, Layout

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A tensor's place in the network.

    Args:
        name: the tensor's.
        layer: the layer's, "" where it is not known.
        role: weight, bias, norm, or tensor where it is not known.
        node: the layer whose weight this is, under a known network.
        bias: the name of the bias beside a weight, "" if there is none.
        turned: the stored axes are (in, out), by the name's habit; without a network.
        groups: of a convolution; its units see different inputs.
    """

    name: str
    layer: str
    role: str
    node: Dense | Conv | None = None
    bias: str = ""
    turned: bool = False
    groups: int = 1


def places(tensors: Mapping[str, NDArray[np.generic]], network: Network | None) -> list[Place]:
    """Every floating-point tensor's place: in the network's order, then in the file's."""
    known = _of_network(network) if network is not None else {}
    floats = {name: tensor for name, tensor in tensors.items() if measurable(tensor)}
    names = read_names(tensors)
    biases = {names[name].layer: name for name in floats if names[name].role == "bias"}
    used = [place for name, place in known.items() if name in floats]
    return used + [_by_name(names[name], floats, biases) for name in floats if name not in known]


def measurable(tensor: NDArray[np.generic]) -> bool:
    """Whether the tensor holds real floating-point numbers, and any at all."""
    return tensor.dtype.kind == "f" and tensor.size > 0


def matrix_of(place: Place, tensor: NDArray[np.generic]) -> Array | None:
    """The tensor as float64 (units, fan_in); None for vectors, single numbers, norms, biases.

    A convolution's kernel is unfolded to (channels, channels in x kernel / groups). Without a
    network the first stored axis is taken for the units, or the last one under a name such as
    `kernel`, whose habit is (in, out).
    """
    if place.node is not None:
        return weight_matrix(place.node, tensor)
    if tensor.ndim < 2 or place.role in ("norm", "bias"):
        return None
    layout: Layout = "in_out" if place.turned else "out_in"
    return weight_matrix(Dense("", (), 1, "", layout=layout), tensor)


def _of_network(network: Network) -> dict[str, Place]:
    """All parameters' places; a shared one has the place of the layer that is first."""
    found: dict[str, Place] = {}
    for node in network.skeleton.nodes:
        if isinstance(node, Dense | Conv):
            groups = node.groups if isinstance(node, Conv) else 1
            bias = node.bias or ""
            found.setdefault(
                node.weight, Place(node.weight, node.name, "weight", node, bias, groups=groups)
            )
            if node.bias:
                found.setdefault(node.bias, Place(node.bias, node.name, "bias"))
        elif isinstance(node, BatchNorm | LayerNorm):
            names = [node.weight, node.bias]
            if isinstance(node, BatchNorm):
                names += [node.mean, node.variance]
            for name in names:
                if name:
                    found.setdefault(name, Place(name, node.name, "norm"))
    return found


def _by_name(
    said: Name, floats: Mapping[str, NDArray[np.generic]], biases: Mapping[str, str]
) -> Place:
    name, shape = said.full, floats[said.full].shape
    if said.role == "bias":
        return Place(name, said.layer, "bias")
    if len(shape) < 2:
        return Place(name, said.layer, "norm" if said.role in ("mean", "variance") else "tensor")
    bias = biases.get(said.layer, "")
    role = "weight" if said.role == "weight" else "tensor"
    turned = said.layout == "in_out"
    if bias and len(shape) == 2 and shape[0] != shape[1]:
        # The bias has an entry a unit, whatever the habit behind the name is.
        units = floats[bias].size
        turned = units == shape[1] if units in shape else turned
    return Place(name, said.layer, role, bias=bias, turned=turned)
