"""A family of activation functions: what the registry knows about each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Array, float, float], Array]

INFINITY = math.inf


@dataclass(frozen=True, slots=True)
class ActivationKind:
    """A family of activation functions with up to two parameters.

    `slopes` and `values` are (infimum, supremum) of phi' and phi over the real line.
    """

    name: str
    opcode: int
    phi: Function
    derivative: Function | None  # None: zero almost everywhere, so of no use
    parameters: tuple[tuple[str, float | None], ...] = ()  # names and defaults; None: required
    kinks: Callable[[float, float], tuple[float, ...]] = lambda a, b: ()
    slopes: Callable[[float, float], tuple[float, float]] = lambda a, b: (0.0, 1.0)
    values: Callable[[float, float], tuple[float, float]] = lambda a, b: (-INFINITY, INFINITY)
    odd: bool = False
    monotone: bool = True
