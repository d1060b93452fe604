"""What a recurrent layer gives the layer above it once it has settled under its constant input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.program import Program, forward, jvp, trace
from fpcheck.network.recurrent import Cell

Array = NDArray[np.float64]

# One trajectory is bounded in steps and in multiplications, some seconds at most.
MOST_STEPS = 2000
MOST_PRODUCTS = 2**31
# The change of one step at rest: rounding, so that every order of the same sums agrees.
ATOL, RTOL = 1e-14, 1e-13
# Steps of a small deviation that are not looked at, and those in which it has to shrink.
PASSING, JUDGED = 100, 100


def held_behind(below: Sequence[Cell], size: int) -> ConstantInput:
    """The constant input of a cell that takes the states of the cells `below` side by side.

    It is what they settle at from the zero state, or zeros where one does not; the label says so.
    size: the number of entries that the cell takes.
    """
    if sum(cell.output_size for cell in below) != size:
        return ConstantInput("zeros, as it is not the layers below alone that it takes")
    parts = []
    for cell in below:
        part = settled_output(cell)
        if part is None:
            return ConstantInput(f"zeros, as {cell.name} does not settle from zero")
        parts.append(part)
    names = " and ".join(cell.name for cell in below)
    verb = "settles" if len(below) == 1 else "settle"
    return ConstantInput(f"what {names} {verb} at from zero", np.concatenate(parts))


def settled_output(cell: Cell) -> Array | None:
    """The state h at the stable fixed point that the cell reaches from zero, (output size,).

    None where it reaches none within the bound, or rests on one that is not stable.
    """
    program = cell.network.program
    weights = sum(tensor.size for tensor in cell.network.parameters.values())
    steps = min(MOST_STEPS, MOST_PRODUCTS // max(weights, 1))
    state = np.zeros((1, program.input_size))
    with np.errstate(all="ignore"):
        for _ in range(steps):
            after = forward(program, state)
            change = np.abs(after - state)
            rests = bool((change <= ATOL + RTOL * np.abs(after)).all())  # false for NaN
            state = after
            if rests:
                return state[0, : cell.output_size] if _shrinks(program, state) else None
    return None


def _shrinks(program: Program, state: Array) -> bool:
    """Whether a small deviation from the state shrinks, step by step of the linearised map."""
    values = trace(program, state)
    deviation = random_stream(0, "cells").standard_normal(state.shape)
    growth = 0.0
    for step in range(PASSING + JUDGED):
        deviation = jvp(program, values, deviation)
        size = float(np.linalg.norm(deviation))
        if size == 0.0:
            return True
        if not np.isfinite(size):
            return False
        deviation /= size
        growth += np.log(size) if step >= PASSING else 0.0
    return growth < 0.0
