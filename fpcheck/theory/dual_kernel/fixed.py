"""Values that no random weights have touched: computed as they are, and multiplied row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fpcheck.network.operators import prepare
from fpcheck.network.skeleton import Node, Skeleton
from fpcheck.theory.dual_kernel.constants import Parameters
from fpcheck.theory.dual_kernel.layout import Described, Fixed
from fpcheck.theory.dual_kernel.spatial import Indices
from fpcheck.theory.quadrature import Array


def fixed_values(
    skeleton: Skeleton,
    nodes: Sequence[Node],
    layouts: Mapping[str, Described],
    parameters: Parameters,
    rows: Array,
) -> dict[str, Array]:
    """The fixed values (n, *shape) among `nodes` by name. rows: the input, (n, *shape)."""
    values: dict[str, Array] = {}
    for node in nodes:
        if not isinstance(layouts[node.name], Fixed):
            continue
        if not node.inputs:
            values[node.name] = rows
            continue
        shapes = tuple(skeleton.shapes[name] for name in node.inputs)
        operator = prepare(node, parameters, shapes, skeleton.shapes[node.name])
        values[node.name] = operator.forward(tuple(values[name] for name in node.inputs))
    return values


def by_position(value: Array, axis: int | None) -> Array:
    """(positions, n, units) of a value (n, *shape) whose units stand along `axis` (None: all)."""
    n = len(value)
    if axis is None or value.ndim == 2:
        return np.ascontiguousarray(value.reshape(1, n, math.prod(value.shape[1:])))
    last = np.moveaxis(value, axis + 1, -1)
    positions = math.prod(last.shape[1:-1])
    return np.ascontiguousarray(last.reshape(n, positions, last.shape[-1]).transpose(1, 0, 2))


def product_means(left: Array, right: Array, pairs: Indices) -> Array:
    """(pairs, m, k): means over the units of the products of rows, at pairs of positions.

    left (positions, m, units), right (positions, k, units).
    """
    positions, m, units = left.shape
    k = right.shape[1]
    if len(pairs) == positions**2:
        every = left.reshape(-1, units) @ right.reshape(-1, units).T
        every /= units
        apart = every.reshape(positions, m, positions, k).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(apart).reshape(-1, m, k)
    first, second = np.divmod(pairs, positions)
    return np.asarray(left[first] @ right[second].transpose(0, 2, 1) / units)


def own_product_means(value: Array, pairs: Indices) -> Array:
    """(pairs, n): the same of every row with itself. value: (positions, n, units)."""
    first, second = np.divmod(pairs, len(value))
    return np.asarray(np.einsum("pnu,pnu->pn", value[first], value[second]) / value.shape[2])
