"""What a gate of a recurrent cell is: an activation function, or a hard sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.skeleton import Activation, Node, Scale


@dataclass(frozen=True, slots=True)
class HardSigmoid:
    """clip(slope x + 1/2, 0, 1)."""

    slope: float


Gate: TypeAlias = ActivationFunction | HardSigmoid
# Keras before version 3, and ONNX unless told otherwise; Keras 3 takes 1/6.
STEEP, FLAT = HardSigmoid(0.2), HardSigmoid(1.0 / 6.0)


def gate_nodes(
    name: str, source: str, gate: Gate
) -> tuple[list[Node], dict[str, NDArray[np.generic]]]:
    """(the nodes of a gate called `name` behind `source`, their parameters)."""
    if isinstance(gate, ActivationFunction):
        return [Activation(name, (source,), gate)], {}
    line, slope, half = f"{name}.line", f"{name}.slope", f"{name}.half"
    clip = activation("hardtanh", {"low": 0.0, "high": 1.0})
    nodes: list[Node] = [Scale(line, (source,), slope, half), Activation(name, (line,), clip)]
    return nodes, {slope: np.full(1, gate.slope), half: np.full(1, 0.5)}
