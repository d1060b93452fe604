"""What a format that stores its graph gives: the network itself, not tensors alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.network import Network
from fpcheck.network.partial import Partial
from fpcheck.network.recurrent import Cell
from fpcheck.network.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """What the user asked of a file with a graph.

    `key`: which output of several, or None; `constant`: the input of recurrent cells;
    `shape`: of one row of the input, where the file leaves sizes open.
    """

    key: str | None = None
    constant: ConstantInput = ZEROS
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A file with a graph, read; the fields are those of a Subject."""

    tensors: Mapping[str, NDArray[np.generic]]
    network: Network | None = None
    no_network: str = ""
    hint: str = ""
    outline: Skeleton | None = None
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    partial: Partial | None = None
