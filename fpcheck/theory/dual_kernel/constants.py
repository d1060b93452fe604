"""The constants that norms and Scale nodes hold: no weights that are averaged over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.skeleton import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    Node,
    RMSNorm,
    Scale,
    Skeleton,
)
from fpcheck.theory.quadrature import Array

Parameters: TypeAlias = Mapping[str, NDArray[np.generic]]


def held_parameters(node: Node) -> tuple[str, ...]:
    """The names of a node's constants: all its parameters but weights that are averaged over."""
    names: tuple[str | None, ...] = ()
    match node:
        case BatchNorm():
            names = (node.mean, node.variance, node.weight, node.bias)
        case LayerNorm() | GroupNorm():
            names = (node.weight, node.bias)
        case RMSNorm():
            names = (node.weight,)
        case Scale():
            names = (node.factor, node.shift)
    return tuple(name for name in names if name is not None)


def starting_constants(skeleton: Skeleton) -> dict[str, Array]:
    """The constants of norm layers at their start: factors and variances 1, shifts and means 0."""
    constants: dict[str, Array] = {}
    for node in skeleton.nodes:
        if not isinstance(node, BatchNorm | LayerNorm | RMSNorm | GroupNorm):
            continue
        by_channel = isinstance(node, BatchNorm | GroupNorm)
        size = skeleton.shapes[node.name][0] if by_channel else 1
        ones, zeros = np.ones(size), np.zeros(size)
        if node.weight is not None:
            constants[node.weight] = ones
        if not isinstance(node, RMSNorm) and node.bias is not None:
            constants[node.bias] = zeros
        if isinstance(node, BatchNorm):
            constants[node.mean], constants[node.variance] = zeros, ones
    return constants


def affine_constants(node: Node, parameters: Parameters) -> tuple[Array, Array]:
    """The factor and the shift of a norm's or a Scale's affine part, 1 and 0 where it has none."""

    def entry(name: str | None, default: float) -> Array:
        if name is None:
            return np.full(1, default)
        return np.asarray(parameters[name], dtype=np.float64)

    match node:
        case BatchNorm():
            factor = entry(node.weight, 1.0) / np.sqrt(entry(node.variance, 1.0) + node.epsilon)
            return factor, entry(node.bias, 0.0) - entry(node.mean, 0.0) * factor
        case LayerNorm() | GroupNorm():
            return entry(node.weight, 1.0), entry(node.bias, 0.0)
        case RMSNorm():
            return entry(node.weight, 1.0), np.zeros(1)
        case Scale():
            return entry(node.factor, 1.0), entry(node.shift, 0.0)
    return np.ones(1), np.zeros(1)


def alike_and_still(node: Node, parameters: Parameters) -> tuple[bool, bool]:
    """Whether factor and shift are one number each, and whether the shift is none."""
    factor, shift = affine_constants(node, parameters)
    return float(np.ptp(factor)) == 0.0 == float(np.ptp(shift)), not np.any(shift)


@dataclass(frozen=True, slots=True)
class Affine:
    """Means over the units of a factor and a shift, and of their squares and product."""

    factor: float
    shift: float
    factor2: float
    shift2: float
    cross: float


def affine(node: Node, parameters: Parameters) -> Affine:
    """The means of a node's affine part."""
    factor, shift = np.broadcast_arrays(*affine_constants(node, parameters))
    return Affine(
        float(factor.mean()),
        float(shift.mean()),
        float(np.mean(factor * factor)),
        float(np.mean(shift * shift)),
        float(np.mean(factor * shift)),
    )
