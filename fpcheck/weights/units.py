"""Units that carry nothing, and units that do what another one does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream
from fpcheck.network.layers import weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    Node,
    Pool,
    Reshape,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A weight below this share of the layer's largest counts as zero: weight decay leaves such dust.
ZERO_SHARE = 1e-12
# Two units are one if their weights and biases differ by less than this share of their norm: a few
# roundings of float32, in which copies drift apart when a framework sums them in another order.
DUPLICATE_TOLERANCE = 1e-6
# With fewer numbers a unit, equal units are no wonder: float16 has 2^16 values in all.
FEWEST_ENTRIES = 3


def without_inputs(matrix: Array) -> Mask:
    """Which units of (units, fan_in) have no incoming weight but zeros."""
    largest: Array = np.abs(matrix).max(axis=1)
    mask: Mask = largest <= ZERO_SHARE * largest.max()
    return mask


def without_outputs(network: Network, node: Dense | Conv) -> Mask | None:
    """Which units of `node` have no outgoing weight but zeros.

    None where units cannot be followed to weights: the output layer, or sums, reshapes and layer
    norms behind it; and where the weights behind are not finite.
    """
    shape = network.skeleton.shapes[node.name]
    if isinstance(node, Dense) and len(shape) > 1:
        return None  # units on the last axis of several: a flatten behind would interleave them
    return _unread(network, node.name, shape[0])


def _unread(network: Network, name: str, units: int) -> Mask | None:
    """Which of the channels that reach node `name` no layer behind it reads."""
    behind = network.skeleton.consumers(name)
    if not behind:
        return None
    unread = np.ones(units, dtype=bool)
    for node in behind:
        if isinstance(node, Dense | Conv):
            mask: Mask | None = _unread_by(network, node, units)
        elif isinstance(node, Activation | BatchNorm | Pool) or _flattens(network, node):
            mask = _unread(network, node.name, units)
        else:
            mask = None
        if mask is None:
            return None
        unread &= mask
    return unread


def _flattens(network: Network, node: Node) -> bool:
    """Whether the node puts all axes into one, in C order: each channel becomes a block."""
    if isinstance(node, Reshape):
        return len(network.skeleton.shapes[node.name]) == 1
    return isinstance(node, Flatten)


def _unread_by(network: Network, node: Dense | Conv, units: int) -> Mask | None:
    """Which of `units` channels, each a block of equal size, have only zero weights in `node`."""
    shape = network.skeleton.shapes[node.inputs[0]]
    weights = np.abs(weight_matrix(node, network.parameters[node.weight]))
    if not np.isfinite(weights).all():
        return None
    if isinstance(node, Dense):
        if len(shape) > 1:
            return None
        largest = weights.reshape(len(weights), units, -1).max(axis=(0, 2))
    else:
        by_group = weights.reshape(node.groups, len(weights) // node.groups, -1)
        inner = units // node.groups
        largest = by_group.reshape(node.groups, -1, inner, by_group.shape[2] // inner)
        largest = largest.max(axis=(1, 3)).ravel()
    mask: Mask = largest <= ZERO_SHARE * largest.max()
    return mask


def repeats(matrix: Array, bias: Array | None, groups: int = 1) -> int | None:
    """The number of units that repeat another one: its incoming weights and its bias.

    matrix: (units, fan_in); units of different groups see different inputs and are never equal;
    units without inputs are left out, being counted as dead. None with too few numbers a unit.
    """
    rows = matrix if bias is None else np.column_stack((matrix, bias))
    if rows.shape[1] < FEWEST_ENTRIES:
        return None
    largest = float(np.abs(rows).max())
    if largest == 0.0:
        return 0
    rows = rows / largest
    size = len(rows) // groups
    blocks = (slice(start, start + size) for start in range(0, len(rows), size))
    alive = ~without_inputs(matrix)
    return sum(_repeats(rows[block][alive[block]]) for block in blocks)


def _repeats(rows: Array) -> int:
    """The number of rows that equal one that stands before them in the order of a projection.

    Equal rows have nearly equal projections on any unit vector, |u . (a - b)| <= ||a - b||, so only
    neighbours in the sorted projections are compared.
    """
    if len(rows) < 2:
        return 0
    direction = random_stream(0, "weights").standard_normal(rows.shape[1])
    projected = rows @ (direction / np.linalg.norm(direction))
    order = np.argsort(projected, kind="stable")
    projected = projected[order]
    reach = DUPLICATE_TOLERANCE * np.linalg.norm(rows, axis=1)[order]
    again = np.zeros(len(rows), dtype=bool)
    for step in range(1, len(rows)):
        near = np.flatnonzero(projected[step:] - projected[:-step] <= reach[step:])
        near = near[~again[near + step]]
        if len(near) == 0:  # what is near at a longer step is near at this one too
            break
        gap = np.linalg.norm(rows[order[near + step]] - rows[order[near]], axis=1)
        again[near[gap <= reach[near + step]] + step] = True
    return int(again.sum())
