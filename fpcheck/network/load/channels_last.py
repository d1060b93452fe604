"""Dense layers behind a flatten in files of frameworks that keep the channels last.

Flax and Keras flatten (height, width, channels); rows here have the channels first. The columns of
the weight that such a layer stores are put into our order, so that the network is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Node, Shape, Skeleton

Tensors = Mapping[str, NDArray[np.generic]]


def channels_first(file: str, skeleton: Skeleton, parameters: Tensors) -> Tensors:
    """The parameters with the inputs of every dense layer behind a flatten in channels-first order.

    Nothing changes where the convolutions are stored as (out, in, *kernel).

    Raises:
        ModelFileError: something else than a dense layer reads the flattened row.
    """
    if not any(isinstance(node, Conv) and node.layout == "in_out" for node in skeleton.nodes):
        return parameters
    changed = dict(parameters)
    for node in skeleton.nodes:
        shape = skeleton.shapes[node.inputs[0]] if node.inputs else ()
        if isinstance(node, Flatten) and len(shape) > 1 and min(math.prod(shape[1:]), shape[0]) > 1:
            for dense in _readers(file, skeleton, node):
                changed[dense.weight] = _reordered(dense, parameters[dense.weight], shape)
    return changed


def _readers(file: str, skeleton: Skeleton, node: Node) -> list[Dense]:
    """The dense layers that read `node`, through activations."""
    found: list[Dense] = []
    for reader in skeleton.consumers(node.name):
        if isinstance(reader, Dense):
            found.append(reader)
        elif isinstance(reader, Activation):
            found += _readers(file, skeleton, reader)
        else:
            raise ModelFileError(
                f"{file} keeps the channels last, and '{reader.name}' reads a flattened row, whose "
                "order is then not known",
                where=file,
                hint="flatten directly before a dense layer",
            )
    return found


def _reordered(dense: Dense, weight: NDArray[np.generic], shape: Shape) -> NDArray[np.generic]:
    """The weight whose inputs, stored as (*places, channels), come as (channels, *places)."""
    axis = 1 if dense.layout == "out_in" else 0
    order = np.moveaxis(np.arange(math.prod(shape)).reshape(*shape[1:], shape[0]), -1, 0)
    return np.take(weight, order.ravel(), axis=axis)
