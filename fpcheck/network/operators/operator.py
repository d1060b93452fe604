"""The shape of an operator: a node that is ready to run, with its exact Jacobian products.

Arrays are float64, rows first. The inputs' rows number n, or 1 where one point's linearisation is
applied to many tangents or cotangents at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Inputs: TypeAlias = tuple[Array, ...]
Parameters: TypeAlias = Mapping[str, NDArray[np.generic]]
Gradients: TypeAlias = Callable[[Inputs, Array, Array], dict[str, Array]]


def no_gradients(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
    """The gradients of a node without parameters."""
    return {}


@dataclass(frozen=True, slots=True)
class Operator:
    """A node's forward map and its products.

    forward(inputs) -> output
    jvp(inputs, output, tangents) -> tangent of the output
    vjp(inputs, output, cotangent) -> cotangents of the inputs
    gradients(inputs, output, cotangent) -> gradient by the parameter's name, summed over the rows,
        in the parameter's stored layout; as many rows of inputs as of cotangents
    """

    forward: Callable[[Inputs], Array]
    jvp: Callable[[Inputs, Array, Inputs], Array]
    vjp: Callable[[Inputs, Array, Array], Inputs]
    gradients: Gradients = no_gradients


def as_float64(parameters: Parameters, name: str) -> Array:
    """The parameter `name` as a C-contiguous float64 array."""
    return np.ascontiguousarray(parameters[name], dtype=np.float64)
