"""The cell of a recurrent spec: drawn from its laws, or taken from a weights file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.core.memory import require_memory
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.initializers import NAMED_LAWS, Law, draw_law
from fpcheck.network.load.cells import FoundCells, Tensors, find_cells
from fpcheck.network.recurrent import GATES, TANH, Cell

if TYPE_CHECKING:
    from fpcheck.network.spec import RecurrentLayer

# A float64, the copies of one gate, and the joined tensor.
BYTES_PER_ENTRY = 24


def draw_cell(layer: RecurrentLayer, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """The tensors of the cell by PyTorch's names and in its gate order, float64.

    Every gate's matrix is drawn on its own, so that an orthogonal law gives orthogonal gates. A
    gate has one bias, added to the input's part.

    Raises:
        MemoryLimitError: the weights would not fit into memory.
    """
    gates, hidden, size = GATES[layer.kind], layer.hidden, layer.input_size
    entries = gates * hidden * (hidden + size + 1)
    require_memory(BYTES_PER_ENTRY * entries, f"drawing {entries:,} parameters")

    def drawn(law: Law, shape: tuple[int, ...], fan_in: int) -> NDArray[np.float64]:
        # PyTorch's default of recurrent layers is U(-1, 1) / sqrt(hidden) for all tensors.
        fan = hidden if law == NAMED_LAWS["torch_default"] else fan_in
        parts = [draw_law(law, shape, fan, hidden, rng) for _ in range(gates)]
        return np.concatenate(parts)

    tensors: dict[str, NDArray[np.generic]] = {
        f"{layer.name}.weight_ih": drawn(layer.weights, (hidden, size), size),
        f"{layer.name}.weight_hh": drawn(layer.recurrent_weights, (hidden, hidden), hidden),
    }
    if layer.biases is not None:
        tensors[f"{layer.name}.bias_ih"] = drawn(layer.biases, (hidden,), size)
    return tensors


def bound_cell(
    file: str, tensors: Tensors, layer: RecurrentLayer, held: ConstantInput
) -> tuple[Cell, FoundCells]:
    """(the one cell of the file that has the spec's kind and sizes, all that was found).

    Raises:
        ModelFileError: no cell fits, or several do.
    """
    function = (layer.function or TANH) if layer.kind == "rnn" else None
    found = find_cells(tensors, function=function, held=held)
    fitting = [
        cell
        for cell in found.cells
        if (cell.kind, cell.hidden, cell.input_size) == (layer.kind, layer.hidden, layer.input_size)
    ]
    named = [cell for cell in fitting if cell.name == layer.name]
    chosen = named if len(named) == 1 else fitting
    if len(chosen) != 1:
        listed = ", ".join(
            f"{cell.name}: {cell.kind} of {cell.hidden} units on {cell.input_size} inputs"
            for cell in found.cells
        )
        count = "no cell" if not chosen else f"{len(chosen)} cells"
        raise ModelFileError(
            f"{file} has {count} for the spec's {layer.kind} = {layer.hidden} on "
            f"{layer.input_size} inputs",
            where=file,
            hint=f"it has {listed}"
            if listed
            else "it has none; PyTorch's names are weight_hh_l0, ..",
        )
    return chosen[0], replace(found, notes=(*found.notes, *_readout_note(layer)))


def _readout_note(layer: RecurrentLayer) -> tuple[str, ...]:
    if not layer.readout:
        return ()
    return (f"{', '.join(layer.readout)} read the state out: no part of the map, and not measured",)
