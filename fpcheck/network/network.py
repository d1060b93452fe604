"""A network: a skeleton and its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.program import Program, compile_program
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
    stored_shape,
)


@dataclass(frozen=True)
class Network:
    """A skeleton and its parameters under the names that the file gave them, as stored.

    Raises:
        ModelFileError: a parameter is missing or has another shape than the skeleton needs.
    """

    skeleton: Skeleton
    parameters: Mapping[str, NDArray[np.generic]]

    def __post_init__(self) -> None:
        for layer, name, expected in needed_parameters(self.skeleton):
            _check(layer, name, expected, self.parameters)
        for node in self.skeleton.nodes:
            if isinstance(node, Scale):
                _check_scale(node, self.skeleton.shapes[node.name], self.parameters)

    @cached_property
    def program(self) -> Program:
        """The network ready to run: float64 arrays in the order in which they are used."""
        return compile_program(self.skeleton, self.parameters)


def needed_parameters(skeleton: Skeleton) -> Iterator[tuple[str, str, Shape]]:
    """(layer, parameter's name, its stored shape) of all that the skeleton needs, in order."""
    for node in skeleton.nodes:
        if not node.inputs:
            continue
        shape = skeleton.shapes[node.inputs[0]]
        for name, expected in _parameters_of(node, shape):
            yield node.name, name, expected


def _parameters_of(node: Node, shape: Shape) -> Iterator[tuple[str, Shape]]:
    if isinstance(node, Dense | Conv | ConvTranspose):
        yield node.weight, stored_shape(node, shape)
        if node.bias:
            yield node.bias, (node.units if isinstance(node, Dense) else node.channels,)
        return
    names: tuple[str | None, ...] = ()
    if isinstance(node, BatchNorm):
        names, shape = (node.weight, node.bias, node.mean, node.variance), shape[:1]
    elif isinstance(node, GroupNorm):
        names, shape = (node.weight, node.bias), shape[:1]
    elif isinstance(node, LayerNorm | RMSNorm):
        bias = node.bias if isinstance(node, LayerNorm) else None
        names, shape = (node.weight, bias), shape[len(shape) - (node.axes or len(shape)) :]
    for name in names:
        if name:
            yield name, shape


def _check_scale(node: Scale, shape: Shape, parameters: Mapping[str, NDArray[np.generic]]) -> None:
    """Raise unless the constants of `node` are there and broadcast to a row."""
    for name in (node.factor, node.shift):
        if name is None:
            continue
        if name not in parameters:
            raise ModelFileError(
                f"layer '{node.name}' needs the tensor '{name}', which is not there"
            )
        found = parameters[name].shape
        behind = shape[len(shape) - len(found) :] if len(found) <= len(shape) else ()
        if len(behind) != len(found) or any(
            have not in (1, want) for have, want in zip(found, behind, strict=True)
        ):
            raise ModelFileError(
                f"layer '{node.name}': '{name}' is {list(found)} and does not broadcast to "
                f"{list(shape)}"
            )


def _check(
    layer: str, name: str, expected: Shape, parameters: Mapping[str, NDArray[np.generic]]
) -> None:
    if name not in parameters:
        raise ModelFileError(
            f"layer '{layer}' needs the tensor '{name}', which is not there",
            hint=f"there are: {', '.join(list(parameters)[:8]) or 'none'}",
        )
    found = parameters[name].shape
    if found != expected:
        transposed = found == expected[::-1] and len(found) == 2
        raise ModelFileError(
            f"layer '{layer}': '{name}' is {list(found)}, expected {list(expected)}",
            hint="is the matrix stored transposed? try --layout" if transposed else "",
        )
