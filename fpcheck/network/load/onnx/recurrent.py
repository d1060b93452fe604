"""RNN, GRU and LSTM operators as cells: self-maps of their state under a constant input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fpcheck.core.errors import FpcheckError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.gates import STEEP, Gate
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
from fpcheck.network.settled import held_behind

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
# The function of the gates, or an Elman cell's one; those of the states.
Functions = tuple[Gate, list[ActivationFunction]]
HARD = "HardSigmoid"
SINGLE = 1e-6  # rounding of an attribute in single precision
MOST_CELLS = 64
# Operators that keep the entries of a sequence of states; as exporters put them between layers.
MOVES = ("Squeeze", "Unsqueeze", "Transpose", "Reshape", "Identity", "Dropout", "Cast")
MOST_MOVES = 16
Known = Mapping[str, Value | Stopped]


def find_cells(
    graph: Graph, values: Known, held: ConstantInput
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """The cells of a graph, and what was left out.

    A cell that takes the sequence of states of another operator is held at what that one settles
    at; one behind other operators behind a cell, at zeros.

    Raises:
        DataError: the constant input fits no cell.
    """
    cells: list[Cell] = []
    first: list[Cell] = []
    notes: list[str] = []
    makers = {name: op for op in (*graph.ops, *graph.inner) for name in op.outputs if name}
    layers: dict[str, list[Cell]] = {}
    for op in (*graph.ops, *graph.inner):
        if op.domain or op.type not in KINDS:
            continue
        source = _sequence(op, makers)
        try:
            if source in layers:
                found = list(_cells(op, values, layers[source]))
            elif _behind_cells(op, graph, makers):
                found = list(_cells(op, values, []))
            else:
                found = list(_cells(op, values, held))
                first += found
            cells += found
            if op.outputs and op.outputs[0]:
                layers[op.outputs[0]] = found
        except (UnsupportedError, FpcheckError) as error:
            reason = error.message if isinstance(error, FpcheckError) else str(error)
            notes.append(f"{op.type} '{shown(op.label)}' is left out: {reason}")
    if len(cells) > MOST_CELLS:
        notes.append(f"{len(cells) - MOST_CELLS} more cells are left out: {MOST_CELLS} are taken")
    if first and not any(held.fits(cell.input_size) for cell in first):
        held.of_size(first[0].name, first[0].input_size)
    return tuple(cells[:MOST_CELLS]), tuple(notes)


def _sequence(op: Op, makers: Mapping[str, Op]) -> str:
    """The value whose entries an operator takes, behind what only moves them."""
    name = op.inputs[0] if op.inputs else ""
    for _ in range(MOST_MOVES):
        maker = makers.get(name)
        if maker is None or maker.type not in MOVES or not maker.inputs:
            break
        name = maker.inputs[0]
    return name


def _behind_cells(op: Op, graph: Graph, makers: Mapping[str, Op]) -> bool:
    """Whether the sequence that an operator takes depends on another cell's states."""
    needed = graph.needed(op.inputs[0]) if op.inputs else ()
    return any(makers[name].type in KINDS for name in needed if name in makers)


def _cells(op: Op, values: Known, held: ConstantInput | list[Cell]) -> Iterator[Cell]:
    """One cell a direction; held: the constant input, or the cells whose states are the input."""
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
    functions: Functions,
    held: ConstantInput | list[Cell],
) -> Cell:
    (weight, recurrent, bias), (gate, others) = block, functions
    gates, size = weight.shape
    if gates != GATES[kind] * recurrent.shape[-1]:
        raise UnsupportedError(f"its weights {list(weight.shape)} do not fit its state")
    if bias is not None and bias.shape != (2 * gates,):
        raise UnsupportedError(f"its bias {list(bias.shape)} is not one number a gate, twice")
    if isinstance(held, list):
        held = held_behind(held, size)
    own = held if held.fits(size) else ZEROS
    u, note = own.of_size(name, size), f"input held at {own.label}"
    inner = None if bias is None else bias[:gates]
    outer = np.zeros(gates) if bias is None else np.asarray(bias[gates:], dtype=np.float64)
    drive = input_drive(weight, inner, u)
    if kind == "rnn":
        if not isinstance(gate, ActivationFunction):
            raise UnsupportedError("its activation is a hard sigmoid")
        return elman_cell(name, recurrent, drive + outer, gate, input_size=size, note=note)
    if kind == "gru":
        return gru_cell(
            name,
            recurrent,
            drive,
            outer,
            input_size=size,
            order=ONNX_GRU,
            linear_before_reset=bool(integer(op, "linear_before_reset", 0)),
            gate=gate,
            candidate=others[0],
            note=note,
        )
    return lstm_cell(
        name,
        recurrent,
        drive + outer,
        input_size=size,
        order=ONNX_LSTM,
        gate=gate,
        candidate=others[0],
        output=others[1],
        note=note,
    )


def _tensor(op: Op, values: Known, place: int) -> Tensor | None:
    name = op.inputs[place] if place < len(op.inputs) else ""
    known = values.get(name)
    if not isinstance(known, Constant) or known.array.dtype.kind != "f":
        return None
    return known.array


def _functions(op: Op, kind: CellKind, directions: int) -> tuple[Functions, ...]:
    """The functions of every direction."""
    names = op.attributes.get("activations")
    each = len(DEFAULTS[kind])
    listed = names if isinstance(names, tuple) and names else DEFAULTS[kind] * directions
    words = [str(name) for name in listed]
    if len(words) != each * directions or any(name not in (*FUNCTIONS, HARD) for name in words):
        raise UnsupportedError(f"its activations are {', '.join(map(shown, words))}")
    if any(name in ("LeakyRelu", "Elu") for name in words) and (
        op.attributes.get("activation_alpha") is not None
    ):
        raise UnsupportedError("its activations have parameters")
    parts = [words[at : at + each] for at in range(0, len(words), each)]
    return tuple((_gate(op, first), [_plain(name) for name in rest]) for first, *rest in parts)


def _plain(name: str) -> ActivationFunction:
    if name not in FUNCTIONS:
        raise UnsupportedError(f"its activations hold {shown(name)} where a state is made")
    return activation(FUNCTIONS[name])


def _gate(op: Op, name: str) -> Gate:
    """The first function of a cell: of its gates, or an Elman cell's one."""
    if name != HARD:
        return _plain(name)
    alpha, beta = (op.attributes.get(f"activation_{word}") for word in ("alpha", "beta"))
    stated = (alpha, STEEP.slope), (beta, 0.5)
    for values, default in stated:
        told = values if isinstance(values, tuple) else ()
        if any(abs(float(value) - default) > SINGLE for value in told):
            raise UnsupportedError("its hard sigmoid has parameters of its own")
    return STEEP
