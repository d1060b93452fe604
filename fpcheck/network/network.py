"""A network: a skeleton and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.program import Program, compile_program
from fpcheck.network.skeleton import BatchNorm, Conv, Dense, LayerNorm, Skeleton, stored_shape

Tensor = NDArray  # of the type that the file has


@dataclass(frozen=True)
class Network:
    """A skeleton and its parameters under the names that the file gave them, as stored.

    Raises:
        ModelFileError: a parameter is missing or has another shape than the skeleton needs.
    """

    skeleton: Skeleton
    parameters: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        check_parameters(self.skeleton, self.parameters)

    @cached_property
    def program(self) -> Program:
        """The network ready to run: float64 arrays in the order in which they are used."""
        return compile_program(self.skeleton, self.parameters)
