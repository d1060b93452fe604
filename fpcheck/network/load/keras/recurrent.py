"""Keras's recurrent layers as cells: maps of their state under a constant input.

Gates lie along the last axis: i f c o in an LSTM, z r h in a GRU; kernels are (in, out).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError, UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.gates import FLAT, STEEP, Gate
from fpcheck.network.load.cells import MOST_CELLS
from fpcheck.network.load.keras.activations import PLAIN
from fpcheck.network.load.keras.builder import unsupported
from fpcheck.network.load.keras.config import IDENTITY, LayerConfig
from fpcheck.network.load.keras.graph import Call, Graph, snake_case
from fpcheck.network.recurrent import (
    KERAS_GRU,
    KERAS_LSTM,
    Cell,
    elman_cell,
    gru_cell,
    input_drive,
    lstm_cell,
)
from fpcheck.network.settled import held_behind

Find = Callable[[Call, str, tuple[str, ...]], tuple[str, ...]]
Tensors = Mapping[str, NDArray[np.generic]]
Held = ConstantInput | list[Cell]  # the constant input, or the cells whose states are the input
CELLS = ("SimpleRNN", "LSTM", "GRU")
RECURRENT = (*CELLS, "Bidirectional", "RNN", "ConvLSTM1D", "ConvLSTM2D")
UNKNOWN_CELL = "its cell is none of SimpleRNN, GRU and LSTM"


@dataclass(frozen=True, slots=True)
class Part:
    """One cell of a layer: its settings, and where its tensors lie inside the layer's."""

    config: LayerConfig
    folder: str


Made = Callable[[Call, Part, Held], Cell]


def find_cells(
    graph: Graph, tensors: Tensors, find: Find, held: ConstantInput, *, keras2: bool = False
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """The recurrent cells of the model, and notes on those that are left out.

    Those that take another recurrent layer's states are held at what that layer settles at; those
    behind other layers behind it, at zeros. keras2: whether Keras 2 or older wrote the file.

    Raises:
        DataError: the constant input fits no cell.
    """
    cells: list[Cell] = []
    notes: list[str] = []
    seen: set[str] = set()
    behind: set[int] = set()
    layers: dict[int, list[Cell]] = {}
    first: list[Cell] = []
    made = partial(_cell, tensors, find, keras2)
    for place, call in enumerate(graph.calls):
        recurrent = call.config.class_name in RECURRENT
        if recurrent or behind.intersection(call.inputs):
            behind.add(place)
        if not recurrent or call.path.label in seen or len(cells) >= MOST_CELLS:
            continue
        seen.add(call.path.label)
        own: Held = held
        if behind.intersection(call.inputs):
            own = layers.get(_source(graph, call), [])
        try:
            stacks = [_stack(call, parts, made, own) for parts in _directions(call)]
        except UnsupportedOperationError as error:
            notes.append(f"no cell: {error.message}")
            continue
        cells += [cell for stack in stacks for cell in stack]
        first += [stack[0] for stack in stacks if own is held]
        if len(stacks) == 1 or call.config.values.get("merge_mode", "concat") == "concat":
            layers[place] = [stack[-1] for stack in stacks]
    if first and not any(held.fits(cell.input_size) for cell in first):
        held.of_size(first[0].name, first[0].input_size)
    return tuple(cells), tuple(notes)


def _source(graph: Graph, call: Call) -> int:
    """The call whose value a recurrent layer takes, behind what does nothing at inference."""
    while len(call.inputs) == 1 and graph.calls[call.inputs[0]].config.class_name in IDENTITY:
        call = graph.calls[call.inputs[0]]
    return call.inputs[0] if call.inputs else -1


def _directions(call: Call) -> list[list[Part]]:
    """The cells of a layer, those of a stack in its order, for every direction.

    Raises:
        UnsupportedOperationError: a kind of cell that is not supported.
    """
    if call.config.class_name != "Bidirectional":
        return [_parts(call, call.config, "")]
    both = []
    for part in ("forward", "backward"):
        record = call.config.values.get(f"{part}_layer") or call.config.values.get("layer")
        config = _inner(call, record, f"{call.path.label}/{part}")
        both.append(_parts(call, config, f"{part}_layer/"))
    return both


def _parts(call: Call, config: LayerConfig, folder: str) -> list[Part]:
    """The cells of one recurrent layer."""
    if config.class_name in CELLS:
        return [Part(config, f"{folder}cell")]
    if config.class_name != "RNN":
        raise unsupported(call, "this kind of recurrent layer is not supported")
    cell = _inner(call, config.values.get("cell"), config.name)
    if cell.class_name != "StackedRNNCells":
        return [Part(_known(call, cell), f"{folder}cell")]
    records = cell.values.get("cells")
    if not isinstance(records, list) or not 0 < len(records) <= MOST_CELLS:
        raise unsupported(call, "it stacks no cells")
    parts = []
    counts: Counter[str] = Counter()
    for number, record in enumerate(records):
        own = _inner(call, record, f"{config.name}/{number}")
        place = snake_case(own.class_name)
        numbered = f"{place}_{counts[place]}" if counts[place] else place
        counts[place] += 1
        parts.append(Part(_known(call, own), f"{folder}cell/cells/{numbered}"))
    return parts


def _known(call: Call, cell: LayerConfig) -> LayerConfig:
    """The settings of `LSTMCell` as those of the layer `LSTM`."""
    kind = cell.class_name.removesuffix("Cell")
    if kind not in CELLS or kind == cell.class_name:
        raise unsupported(call, UNKNOWN_CELL)
    return LayerConfig(cell.name, kind, cell.values)


def _inner(call: Call, record: object, name: str) -> LayerConfig:
    """The settings of a layer or cell inside of another one; nothing is imported for it."""
    values = record.get("config") if isinstance(record, Mapping) else None
    kind = record.get("class_name") if isinstance(record, Mapping) else None
    module = record.get("module") if isinstance(record, Mapping) else None
    own = not isinstance(module, str) or module.split(".")[0] == "keras"
    if not isinstance(values, Mapping) or not isinstance(kind, str) or not own:
        raise unsupported(call, UNKNOWN_CELL)
    return LayerConfig(name, kind, values)


def _stack(call: Call, parts: list[Part], made: Made, held: Held) -> list[Cell]:
    """The cells of one direction, each but the first held at what the one below settles at."""
    cells: list[Cell] = []
    for part in parts:
        cells.append(made(call, part, held))
        held = cells[-1:]
    return cells


def _tensors(call: Call, part: Part, roles: tuple[str, ...], find: Find) -> tuple[str, ...]:
    """The names of a cell's tensors; files with names know a stacked cell by its own name."""
    folder, cells, place = part.folder.partition("cells/")
    own = part.config.values.get("name")
    if not cells or not isinstance(own, str) or own == place:
        return find(call, part.folder, roles)
    try:
        return find(call, part.folder, roles)
    except ModelFileError:
        return find(call, f"{folder}{cells}{own}", roles)


def _cell(tensors: Tensors, find: Find, keras2: bool, call: Call, part: Part, held: Held) -> Cell:
    config = part.config
    roles: tuple[str, ...] = ("kernel", "recurrent_kernel")
    if config.flag("use_bias", True):
        roles = (*roles, "bias")
    kernel, recurrent, *biases = _tensors(call, part, roles, find)
    if tensors[kernel].ndim != 2:
        raise unsupported(call, f"its kernel is {list(tensors[kernel].shape)}, no matrix")
    size = tensors[kernel].shape[0]
    if isinstance(held, list):
        held = held_behind(held, size)
    own = held if held.fits(size) else ZEROS
    bias = tensors[biases[0]] if biases else None
    behind = None
    if config.class_name == "GRU" and bias is not None and bias.ndim == 2:
        bias, behind = bias[0], bias[1]
    drive = input_drive(tensors[kernel], bias, own.of_size(config.name, size), layout="in_out")
    shared: dict[str, Any] = {
        "input_size": size,
        "layout": "in_out",
        "recurrent_name": recurrent,
        "note": f"input held at {own.label}",
    }
    name, weights = config.name, tensors[recurrent]
    last = _function(call, config, "activation", "tanh")
    if config.class_name == "SimpleRNN":
        return elman_cell(name, weights, drive, last, **shared)
    gate = _gate(call, config, keras2)
    if config.class_name == "LSTM":
        return lstm_cell(
            name, weights, drive, order=KERAS_LSTM, gate=gate, candidate=last, output=last, **shared
        )
    return gru_cell(
        name,
        weights,
        drive,
        behind,
        order=KERAS_GRU,
        linear_before_reset=config.flag("reset_after", True),
        gate=gate,
        candidate=last,
        **shared,
    )


def _gate(call: Call, config: LayerConfig, keras2: bool) -> Gate:
    """The function of a layer's gates; its hard sigmoid is that of the Keras that wrote it."""
    spelled = config.values.get("recurrent_activation")
    if isinstance(spelled, Mapping) and spelled.get("class_name") == "function":
        spelled = spelled.get("config")
    if spelled == "hard_sigmoid":
        return STEEP if keras2 else FLAT
    return _function(call, config, "recurrent_activation", "sigmoid")


def _function(call: Call, config: LayerConfig, key: str, default: str) -> ActivationFunction:
    spelled = config.values.get(key, default)
    if isinstance(spelled, Mapping) and spelled.get("class_name") == "function":
        spelled = spelled.get("config")
    if spelled in (None, "linear"):
        return activation("identity")
    if not isinstance(spelled, str) or spelled not in PLAIN:
        raise unsupported(call, f"its {key} is not supported")
    kind, parameters = PLAIN[spelled]
    return activation(kind, parameters)
