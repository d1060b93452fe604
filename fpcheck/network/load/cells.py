"""Recurrent cells in a state dict, found by the names of PyTorch, Keras and Flax."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.gates import Gate
from fpcheck.network.load.files import shown
from fpcheck.network.load.flax_cells import packed
from fpcheck.network.load.naming import natural
from fpcheck.network.recurrent import (
    GATES,
    KERAS_GRU,
    KERAS_LSTM,
    PYTORCH_GRU,
    PYTORCH_LSTM,
    SIGMOID,
    TANH,
    Cell,
    CellKind,
    elman_cell,
    gru_cell,
    input_drive,
    lstm_cell,
)
from fpcheck.network.settled import held_behind
from fpcheck.network.skeleton import Layout

Tensors = Mapping[str, NDArray[np.generic]]

# PyTorch's modules (weight_hh_l0, weight_hh_l1_reverse) and cells (weight_hh).
_PYTORCH = re.compile(
    r"(?P<prefix>(?:.*[./])?)weight_hh(?:_l(?P<layer>\d{1,6}))?(?P<back>_reverse)?"
)
_KERAS = re.compile(r"(?P<prefix>(?:.*[./])?)recurrent_kernel(?P<tail>(?::0)?)")
# Every cell is a map to iterate from all starts; a file with more is not of this world.
MOST_CELLS = 64
MOST_NOTES = 8

NO_CHAIN = "the file holds recurrent cells, and not how they and other layers are joined"
NO_CHAIN_HINT = "the attractors of each cell are measured"


@dataclass(frozen=True, slots=True)
class FoundCells:
    """The cells of a state dict, the tensors that they use, and what was assumed or left out."""

    cells: tuple[Cell, ...]
    used: frozenset[str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A cell's tensors by name. `layer`: its place in the stack called `stack`."""

    name: str
    layer: int
    layout: Layout
    recurrent: str
    kernel: str
    biases: tuple[str, ...]
    projection: str = ""
    stack: str = ""


def find_cells(
    tensors: Tensors,
    *,
    function: ActivationFunction | None = None,
    held: ConstantInput = ZEROS,
    gate: Gate = SIGMOID,
) -> FoundCells:
    """The recurrent cells among `tensors`, in the natural order of their names.

    The kind follows from the shapes: (H, H) Elman, (3H, H) GRU, (4H, H) LSTM. Cells of the first
    layer of a stack are held at `held`; deeper ones, whose input is another cell's state, at what
    the layer below settles at, or at zeros where it does not.

    Args:
        tensors: by name, as stored.
        function: of Elman cells, tanh unless given.
        held: the constant input.
        gate: the function of the gates.

    Raises:
        DataError: `held` fits no cell of a first layer.
    """
    whole = packed(tensors)
    tensors = whole.tensors
    notes: list[str] = list(whole.notes)
    stored: list[tuple[_Stored, CellKind]] = []
    for one in _candidates(tensors):
        kind, fault = _kind(one, tensors)
        if kind is None:
            notes.append(f"cell '{shown(one.name)}' is left out: {fault}")
        else:
            stored.append((one, kind))
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"{len(notes) - MOST_NOTES} more cells are left out"]
    if len(stored) > MOST_CELLS:
        notes.append(f"{len(stored) - MOST_CELLS} more cells are left out: {MOST_CELLS} are taken")
    stored = stored[:MOST_CELLS]
    first = [one for one, _ in stored if one.layer == 0]
    if first and not any(held.fits(_input_size(one, tensors)) for one in first):
        held.of_size(first[0].name, _input_size(first[0], tensors))
    placed: list[tuple[Cell, int]] = []
    layers: dict[tuple[str, int], list[Cell]] = defaultdict(list)
    for one, kind in stored:
        below = layers[one.stack, one.layer - 1]
        cell = _cell(
            one, kind, tensors, (function or TANH, gate), _own_input(one, tensors, held, below)
        )
        layers[one.stack, one.layer].append(cell)
        placed.append((cell, one.layer))
    used = frozenset(
        name
        for one, _ in stored
        for known in (one.recurrent, one.kernel, *one.biases, one.projection)
        for name in whole.origins.get(known, (known,))
        if name
    )
    cells = tuple(cell for cell, _ in placed)
    return FoundCells(cells, used, (*notes, *_assumed(placed, function)))


def _own_input(
    one: _Stored, tensors: Tensors, held: ConstantInput, below: list[Cell]
) -> ConstantInput:
    """The constant input of one cell, behind the cells of the layer below."""
    size = _input_size(one, tensors)
    if one.layer == 0:
        return held if held.fits(size) else ZEROS
    if not below:
        return ConstantInput("zeros, as the layer below is not there")
    return held_behind(below, size)


def _candidates(tensors: Tensors) -> Iterator[_Stored]:
    """What the names promise to be cells, in natural order."""
    for name in sorted(tensors, key=natural):
        if match := _PYTORCH.fullmatch(name):
            yield _pytorch(name, match, tensors)
        elif match := _KERAS.fullmatch(name):
            prefix, tail = match["prefix"], match["tail"]
            biases = tuple(x for x in (f"{prefix}bias{tail}",) if x in tensors)
            own = prefix.rstrip("./") or "cell"
            yield _Stored(own, 0, "in_out", name, f"{prefix}kernel{tail}", biases)


def _pytorch(name: str, match: re.Match[str], tensors: Tensors) -> _Stored:
    prefix, layer, back = match["prefix"], match["layer"], match["back"] or ""
    suffix = (f"_l{layer}" if layer is not None else "") + back
    inner = f"l{layer}{back}" if layer is not None else ""
    own = (prefix + inner).rstrip("./") or "cell"
    biases = tuple(
        x for x in (f"{prefix}bias_ih{suffix}", f"{prefix}bias_hh{suffix}") if x in tensors
    )
    projection = f"{prefix}weight_hr{suffix}"
    return _Stored(
        own,
        int(layer or 0),
        "out_in",
        name,
        f"{prefix}weight_ih{suffix}",
        biases,
        projection if projection in tensors else "",
        prefix,
    )


def _kind(one: _Stored, tensors: Tensors) -> tuple[CellKind | None, str]:
    """(the kind of the cell, "") or (None, what is wrong with its tensors)."""
    if one.kernel not in tensors:
        return None, f"there is no '{one.kernel}'"
    shapes = [tensors[name].shape for name in (one.recurrent, one.kernel)]
    if any(len(shape) != 2 or min(shape) < 1 for shape in shapes):
        return None, f"its weights are {list(shapes[0])} and {list(shapes[1])}, not matrices"
    if one.layout == "in_out":
        shapes = [shape[::-1] for shape in shapes]
    (rows, hidden), (input_rows, _) = shapes
    kind = next((kind for kind, gates in GATES.items() if rows == gates * hidden), None)
    if one.projection:
        projection = tensors[one.projection].shape
        if len(projection) != 2 or (4 * projection[1], projection[0]) != (rows, hidden):
            return None, f"its projection '{one.projection}' is {list(projection)}"
        kind = "lstm"
    if kind is None:
        return None, f"'{one.recurrent}' is {list(tensors[one.recurrent].shape)}: no known kind"
    if input_rows != rows:
        return None, f"'{one.kernel}' and '{one.recurrent}' do not fit to each other"
    twice = kind == "gru" and one.layout == "in_out"  # Keras's reset_after has two rows of biases
    allowed = ((rows,), (2, rows)) if twice else ((rows,),)
    for name in one.biases:
        if tensors[name].shape not in allowed:
            return None, f"'{name}' is {list(tensors[name].shape)}, expected [{rows}]"
    return kind, ""


def _cell(
    one: _Stored,
    kind: CellKind,
    tensors: Tensors,
    functions: tuple[ActivationFunction, Gate],
    own: ConstantInput,
) -> Cell:
    """The cell of the kind, held at its constant input; functions: an Elman cell's, the gates'."""
    size = _input_size(one, tensors)
    note = f"input held at {own.label}"
    kernel, recurrent = tensors[one.kernel], tensors[one.recurrent]
    keras = one.layout == "in_out"
    biases = [tensors[name] for name in one.biases]
    behind = None
    if kind == "gru":
        biases, behind = _gru_biases(one, tensors)
    drive = input_drive(kernel, None, own.of_size(one.name, size), layout=one.layout)
    for bias in biases:
        drive = drive + np.asarray(bias, dtype=np.float64)
    if kind == "rnn":
        return elman_cell(
            one.name,
            recurrent,
            drive,
            functions[0],
            input_size=size,
            layout=one.layout,
            recurrent_name=one.recurrent,
            note=note,
        )
    if kind == "lstm":
        return lstm_cell(
            one.name,
            recurrent,
            drive,
            input_size=size,
            order=KERAS_LSTM if keras else PYTORCH_LSTM,
            gate=functions[1],
            layout=one.layout,
            recurrent_name=one.recurrent,
            projection=(one.projection, tensors[one.projection]) if one.projection else None,
            note=note,
        )
    return gru_cell(
        one.name,
        recurrent,
        drive,
        behind,
        input_size=size,
        order=KERAS_GRU if keras else PYTORCH_GRU,
        gate=functions[1],
        linear_before_reset=not keras or behind is not None,
        layout=one.layout,
        recurrent_name=one.recurrent,
        note=note,
    )


def _gru_biases(
    one: _Stored, tensors: Tensors
) -> tuple[list[NDArray[np.generic]], NDArray[np.generic] | None]:
    """(biases of the input's part, bias of the recurrent product or None).

    Keras keeps both in one tensor (2, 3H) where the reset gate comes after the product.
    """
    if one.layout == "in_out":
        biases = [tensors[name] for name in one.biases]
        if biases and biases[0].ndim == 2:
            return [biases[0][0]], biases[0][1]
        return biases, None
    inner = [name for name in one.biases if re.split(r"[./]", name)[-1].startswith("bias_hh")]
    outer = [tensors[name] for name in one.biases if name not in inner]
    return outer, tensors[inner[0]] if inner else None


def _input_size(one: _Stored, tensors: Tensors) -> int:
    shape = tensors[one.kernel].shape
    return int(shape[1] if one.layout == "out_in" else shape[0])


def _assumed(
    placed: Sequence[tuple[Cell, int]], function: ActivationFunction | None
) -> Iterator[str]:
    """What was assumed of the cells and their places in stacks, a line each."""
    if not placed:
        return
    held = {cell.note for cell, depth in placed if depth == 0} or {"input held at zeros"}
    yield (
        f"every cell is a map of its state, its {' or '.join(sorted(held))}; "
        "--input chooses another"
    )
    if any(depth > 0 for _, depth in placed):
        yield (
            "deeper layers, whose input is the state of the layer below, have it held at what that "
            "layer settles at from zero, or at zeros where it does not settle"
        )
    elman = any(cell.kind == "rnn" for cell, _ in placed)
    if elman and function is None:
        yield "Elman cells are taken with tanh, PyTorch's default; --activation relu for the other"
    elif function is not None and not elman:
        yield "--activation is not used: it is of Elman cells, and a GRU's and an LSTM's are fixed"
