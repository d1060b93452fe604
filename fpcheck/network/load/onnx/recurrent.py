"""RNN, GRU and LSTM operators as cells: self-maps of their state under a constant input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fpcheck.core.errors import FpcheckError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.load.files import shown
from fpcheck.network.load.onnx.graph import Graph
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.tensors import Tensor
from fpcheck.network.load.onnx.values import (
    Constant,
    Stopped,
    UnsupportedError,
    Value,
    integer,
    number,
    word,
)
from fpcheck.network.recurrent import (
    GATES,
    ONNX_GRU,
    ONNX_LSTM,
    Cell,
    CellKind,
    elman_cell,
    gru_cell,
    input_drive,
    lstm_cell,
)

KINDS: dict[str, CellKind] = {"RNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
DEFAULTS: dict[CellKind, tuple[str, ...]] = {
    "rnn": ("Tanh",),
    "gru": ("Sigmoid", "Tanh"),
    "lstm": ("Sigmoid", "Tanh", "Tanh"),
}
FUNCTIONS = {
    "Tanh": "tanh", "Relu": "relu", "Sigmoid": "sigmoid", "Softsign": "softsign",
    "Softplus": "softplus", "LeakyRelu": "leaky_relu", "Elu": "elu",
}  # fmt: skip
MOST_CELLS = 64
Known = Mapping[str, Value | Stopped]


def find_cells(
    graph: Graph, values: Known, held: ConstantInput
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """The cells of a graph, and what was left out.

    Raises:
        DataError: the constant input fits no cell.
    """
    cells: list[Cell] = []
    notes: list[str] = []
    for op in (*graph.ops, *graph.inner):
        if op.domain or op.type not in KINDS:
            continue
        try:
            for cell in _cells(op, values, held):
                cells.append(cell)
        except (UnsupportedError, FpcheckError) as error:
            reason = error.message if isinstance(error, FpcheckError) else str(error)
            notes.append(f"{op.type} '{shown(op.label)}' is left out: {reason}")
    if len(cells) > MOST_CELLS:
        notes.append(f"{len(cells) - MOST_CELLS} more cells are left out: {MOST_CELLS} are taken")
    if cells and not any(held.fits(cell.input_size) for cell in cells):
        held.of_size(cells[0].name, cells[0].input_size)
    return tuple(cells[:MOST_CELLS]), tuple(notes)


def _cells(op: Op, values: Known, held: ConstantInput) -> Iterator[Cell]:
    """One cell a direction."""
    kind = KINDS[op.type]
    if number(op, "clip", 0.0) or integer(op, "input_forget", 0):
        raise UnsupportedError("it clips, or couples its gates")
    if len(op.inputs) > 7 and op.inputs[7]:
        raise UnsupportedError("it has peepholes")
    stored = [_tensor(op, values, place) for place in (1, 2, 3)]
    weights, recurrent, biases = stored
    if weights is None or recurrent is None:
        raise UnsupportedError("its weights are not constant")
    word_ = word(op, "direction", "forward")
    directions = ("", ".reverse") if word_ == "bidirectional" else ("",)
    if (
        weights.ndim != 3
        or recurrent.ndim != 3
        or not (len(weights) == len(recurrent) == len(directions))
    ):
        raise UnsupportedError("its weights have not one block for each direction")
    functions = _functions(op, kind, len(directions))
    for place, suffix in enumerate(directions):
        bias = None if biases is None else biases[place]
        block = (weights[place], recurrent[place], bias)
        yield _cell(op, kind, op.label + suffix, block, functions[place], held)


def _cell(
    op: Op,
    kind: CellKind,
    name: str,
    block: tuple[Tensor, Tensor, Tensor | None],
    functions: tuple[ActivationFunction, ...],
    held: ConstantInput,
) -> Cell:
    weight, recurrent, bias = block
    gates, size = weight.shape
    if gates != GATES[kind] * recurrent.shape[-1]:
        raise UnsupportedError(f"its weights {list(weight.shape)} do not fit its state")
    if bias is not None and bias.shape != (2 * gates,):
        raise UnsupportedError(f"its bias {list(bias.shape)} is not one number a gate, twice")
    fits = held.fits(size)
    u = held.of_size(name, size) if fits else np.zeros(size)
    note = f"input held at {held.label if fits else 'zeros'}"
    inner = None if bias is None else bias[:gates]
    outer = np.zeros(gates) if bias is None else np.asarray(bias[gates:], dtype=np.float64)
    drive = input_drive(weight, inner, u)
    if kind == "rnn":
        return elman_cell(name, recurrent, drive + outer, functions[0], input_size=size, note=note)
    if kind == "gru":
        return gru_cell(
            name,
            recurrent,
            drive,
            outer,
            input_size=size,
            order=ONNX_GRU,
            linear_before_reset=bool(integer(op, "linear_before_reset", 0)),
            gate=functions[0],
            candidate=functions[1],
            note=note,
        )
    return lstm_cell(
        name,
        recurrent,
        drive + outer,
        input_size=size,
        order=ONNX_LSTM,
        gate=functions[0],
        candidate=functions[1],
        output=functions[2],
        note=note,
    )


def _tensor(op: Op, values: Known, place: int) -> Tensor | None:
    name = op.inputs[place] if place < len(op.inputs) else ""
    known = values.get(name)
    if not isinstance(known, Constant) or known.array.dtype.kind != "f":
        return None
    return known.array


def _functions(
    op: Op, kind: CellKind, directions: int
) -> tuple[tuple[ActivationFunction, ...], ...]:
    """The functions of every direction."""
    names = op.attributes.get("activations")
    each = len(DEFAULTS[kind])
    listed = names if isinstance(names, tuple) and names else DEFAULTS[kind] * directions
    words = [str(name) for name in listed]
    if len(words) != each * directions or any(name not in FUNCTIONS for name in words):
        raise UnsupportedError(f"its activations are {', '.join(map(shown, words))}")
    if any(name in ("LeakyRelu", "Elu") for name in words) and (
        op.attributes.get("activation_alpha") is not None
    ):
        raise UnsupportedError("its activations have parameters")
    known = [activation(FUNCTIONS[name]) for name in words]
    return tuple(tuple(known[at : at + each]) for at in range(0, len(known), each))
