"""Recurrent cells under a constant input, as self-maps of their state.

A cell is composed of ordinary nodes, so that its forward map and its Jacobian products are theirs.
What the constant input adds to every gate, W u + b, is a derived bias called `<cell>.drive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.gates import Gate, gate_nodes
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Concat,
    Dense,
    Input,
    Layout,
    Multiply,
    Node,
    Scale,
    Skeleton,
    Slice,
)

Array: TypeAlias = NDArray[np.float64]
Tensor: TypeAlias = NDArray[np.generic]
CellKind: TypeAlias = Literal["rnn", "gru", "lstm"]

# The order in which gates lie along the rows of the stored matrices.
# GRU: r reset, z update, n candidate (`h` in Keras and ONNX).
PYTORCH_GRU, KERAS_GRU, ONNX_GRU = "rzn", "zrn", "zrn"
# LSTM: i input, f forget, g candidate (`c` in Keras and ONNX), o output.
PYTORCH_LSTM, KERAS_LSTM, ONNX_LSTM = "ifgo", "ifgo", "iofg"
GATES: dict[CellKind, int] = {"rnn": 1, "gru": 3, "lstm": 4}

TANH, SIGMOID = activation("tanh"), activation("sigmoid")


@dataclass(frozen=True)
class Cell:
    """A recurrent cell with its input held constant.

    Args:
        name: the cell's name in its file, such as `rnn.l0` or `lstm.l1_reverse`.
        kind: rnn (Elman), gru or lstm.
        network: the self-map of the state; an LSTM's state row is [h, c].
        hidden: the number of units; an LSTM's state has twice as many entries.
        input_size: the number of entries of one input row.
        note: which constant input is meant, and what was assumed.
        projected: the number of entries of h where an LSTM projects it, 0 where it does not.
    """

    name: str
    kind: CellKind
    network: Network
    hidden: int
    input_size: int
    note: str = ""
    projected: int = 0

    @property
    def output_size(self) -> int:
        """The number of entries of h, which the next layer takes; they stand first in the state."""
        return self.projected or self.hidden


def input_drive(
    weight: Tensor, bias: Tensor | None, u: Array, *, layout: Layout = "out_in"
) -> Array:
    """W u + b: what the constant input `u` adds to every gate. (gates * hidden,) float64.

    weight: (gates * hidden, input), or its transpose under `layout` in_out; u: (input,).
    """
    matrix = np.asarray(weight, dtype=np.float64)
    drive = matrix @ u if layout == "out_in" else u @ matrix
    return drive if bias is None else drive + np.asarray(bias, dtype=np.float64)


def elman_cell(
    name: str,
    recurrent: Tensor,
    drive: Array,
    function: ActivationFunction = TANH,
    *,
    input_size: int,
    layout: Layout = "out_in",
    recurrent_name: str = "",
    note: str = "",
) -> Cell:
    """The cell h <- phi(W h + drive) [Elman 1990]; drive holds all biases and the input's part.

    recurrent: (hidden, hidden), kept as stored under `recurrent_name`; drive: (hidden,).

    Raises:
        ModelFileError: shapes do not fit.
    """
    hidden = _hidden(name, "rnn", recurrent, drive, layout)
    weight, bias = recurrent_name or f"{name}.recurrent", f"{name}.drive"
    nodes: tuple[Node, ...] = (
        Input(f"{name}.state", (hidden,)),
        Dense(name, (f"{name}.state",), hidden, weight, bias, layout),
        Activation(f"{name}.activation", (name,), function),
    )
    network = Network(Skeleton(nodes), {weight: recurrent, bias: drive})
    return Cell(name, "rnn", network, hidden, input_size, note)


def gru_cell(
    name: str,
    recurrent: Tensor,
    drive: Array,
    recurrent_bias: Tensor | None = None,
    *,
    input_size: int,
    order: str = PYTORCH_GRU,
    linear_before_reset: bool = True,
    gate: Gate = SIGMOID,
    candidate: ActivationFunction = TANH,
    layout: Layout = "out_in",
    recurrent_name: str = "",
    note: str = "",
) -> Cell:
    """The cell h <- (1 - z) n + z h [Cho et al. 2014].

    r, z = gate(drive + W h + b), and the candidate n, with the reset gate behind the product
    (`linear_before_reset`: PyTorch, Keras's reset_after) or before it:
        n = candidate(drive_n + r (W_n h + b_n))   or   candidate(drive_n + W_n (r h) + b_n)

    Args:
        recurrent: W, (3 hidden, hidden), kept as stored where it is used in one piece.
        drive: (3 hidden,), the input's part W_ih u + b_ih.
        recurrent_bias: b, (3 hidden,).
        order: of the gates along the 3 hidden rows, such as `rzn`.

    Raises:
        ModelFileError: shapes do not fit.
    """
    hidden = _hidden(name, "gru", recurrent, drive, layout)
    gates = _places(order, "rzn", hidden)
    behind = np.zeros(3 * hidden)
    if recurrent_bias is not None:
        behind = _vector(name, recurrent_bias, 3 * hidden)
    if linear_before_reset:
        stored = recurrent_name or f"{name}.recurrent"
        nodes, parameters = _reset_behind(
            name, (stored, recurrent), (drive, behind), gates, (gate, candidate), layout
        )
    else:
        nodes, parameters = _reset_before(
            name, recurrent, drive + behind, gates, (gate, candidate), layout
        )
    one, minus = f"{name}.one", f"{name}.minus_one"
    nodes = [
        Input(f"{name}.state", (hidden,)),
        *nodes,
        Scale(f"{name}.1-z", (f"{name}.z",), minus, one),
        Multiply(f"{name}.fresh", (f"{name}.1-z", f"{name}.n")),
        Multiply(f"{name}.kept", (f"{name}.z", f"{name}.state")),
        Add(f"{name}.next", (f"{name}.fresh", f"{name}.kept")),
    ]
    parameters |= {one: np.ones(1), minus: -np.ones(1)}
    return Cell(name, "gru", Network(Skeleton(tuple(nodes)), parameters), hidden, input_size, note)


def lstm_cell(
    name: str,
    recurrent: Tensor,
    drive: Array,
    *,
    input_size: int,
    order: str = PYTORCH_LSTM,
    gate: Gate = SIGMOID,
    candidate: ActivationFunction = TANH,
    output: ActivationFunction = TANH,
    layout: Layout = "out_in",
    recurrent_name: str = "",
    projection: tuple[str, Tensor] | None = None,
    note: str = "",
) -> Cell:
    """The cell c' = f c + i g, h' = o output(c') on the state row [h, c] [Gers et al. 2000].

    i, f, o = gate(W h + drive) and g = candidate(W h + drive); drive holds all biases and the
    input's part. With a projection R, h' = R (o output(c')) [Sak et al. 2014].

    Args:
        recurrent: W, (4 hidden, size of h), kept as stored under `recurrent_name`.
        drive: (4 hidden,).
        order: of the gates along the 4 hidden rows, such as `ifgo`.
        projection: name and matrix R, (size of h, hidden), as PyTorch stores it.

    Raises:
        ModelFileError: shapes do not fit.
    """
    size = None if projection is None else projection[1].shape
    hidden = _hidden(name, "lstm", recurrent, drive, layout, size)
    shown = hidden if size is None else int(size[0])
    gates = _places(order, "ifgo", hidden)
    weight, bias = recurrent_name or f"{name}.recurrent", f"{name}.drive"
    nodes: list[Node] = [
        Input(f"{name}.state", (shown + hidden,)),
        Slice(f"{name}.h", (f"{name}.state",), 0, 0, shown),
        Slice(f"{name}.c", (f"{name}.state",), 0, shown, shown + hidden),
        Dense(name, (f"{name}.h",), 4 * hidden, weight, bias, layout),
    ]
    parameters: dict[str, Tensor] = {weight: recurrent, bias: drive}
    for letter, place in gates.items():
        function = candidate if letter == "g" else gate
        nodes.append(Slice(f"{name}.{letter}.in", (name,), 0, place.start, place.stop))
        own, constants = gate_nodes(f"{name}.{letter}", f"{name}.{letter}.in", function)
        nodes += own
        parameters |= constants
    nodes += [
        Multiply(f"{name}.kept", (f"{name}.f", f"{name}.c")),
        Multiply(f"{name}.fresh", (f"{name}.i", f"{name}.g")),
        Add(f"{name}.next_c", (f"{name}.kept", f"{name}.fresh")),
        Activation(f"{name}.shown", (f"{name}.next_c",), output),
        Multiply(f"{name}.next_h", (f"{name}.o", f"{name}.shown")),
    ]
    last = f"{name}.next_h"
    if projection is not None:
        stored, matrix = projection
        parameters[stored], last = matrix, f"{name}.projected"
        nodes.append(Dense(last, (f"{name}.next_h",), shown, stored, None))
    nodes.append(Concat(f"{name}.next", (last, f"{name}.next_c")))
    network = Network(Skeleton(tuple(nodes)), parameters)
    return Cell(name, "lstm", network, hidden, input_size, note, shown if projection else 0)


def _reset_behind(
    name: str,
    stored: tuple[str, Tensor],
    drives: tuple[Array, Array],
    gates: dict[str, slice],
    functions: tuple[Gate, ActivationFunction],
    layout: Layout,
) -> tuple[list[Node], dict[str, Tensor]]:
    """The gates r, z and n of a GRU whose reset gate multiplies W_n h + b_n: one product."""
    (weight, recurrent), (drive, behind) = stored, drives
    hidden = len(drive) // 3
    place = gates["n"]
    bias, outer = f"{name}.drive", f"{name}.candidate_drive"
    # r and z take the input's part with the bias; n takes it outside of the reset gate.
    joined = drive + behind
    joined[place] = behind[place]
    nodes: list[Node] = [Dense(name, (f"{name}.state",), 3 * hidden, weight, bias, layout)]
    nodes += [
        Slice(f"{name}.{letter}.in", (name,), 0, where.start, where.stop)
        for letter, where in gates.items()
    ]
    parameters: dict[str, Tensor] = {
        weight: recurrent,
        bias: joined,
        outer: drive[place].copy(),
    }
    for letter in "rz":
        own, constants = gate_nodes(f"{name}.{letter}", f"{name}.{letter}.in", functions[0])
        nodes += own
        parameters |= constants
    nodes += [
        Multiply(f"{name}.reset", (f"{name}.r", f"{name}.n.in")),
        Scale(f"{name}.n.sum", (f"{name}.reset",), None, outer),
        Activation(f"{name}.n", (f"{name}.n.sum",), functions[1]),
    ]
    return nodes, parameters


def _reset_before(
    name: str,
    recurrent: Tensor,
    drive: Array,
    gates: dict[str, slice],
    functions: tuple[Gate, ActivationFunction],
    layout: Layout,
) -> tuple[list[Node], dict[str, Tensor]]:
    """The gates r, z and n of a GRU whose reset gate multiplies h: three products."""
    hidden = len(drive) // 3
    nodes: list[Node] = []
    parameters: dict[str, Tensor] = {}
    for letter, place in gates.items():
        rows = recurrent[place] if layout == "out_in" else recurrent[:, place]
        parameters |= {f"{name}.{letter}.recurrent": rows, f"{name}.{letter}.drive": drive[place]}
    for letter, source in (("r", f"{name}.state"), ("z", f"{name}.state"), ("n", f"{name}.reset")):
        own = f"{name}.{letter}"
        if letter == "n":
            nodes.append(Multiply(source, (f"{name}.r", f"{name}.state")))
        nodes.append(
            Dense(f"{own}.in", (source,), hidden, f"{own}.recurrent", f"{own}.drive", layout)
        )
        made, constants = gate_nodes(own, f"{own}.in", functions[letter == "n"])
        nodes += made
        parameters |= constants
    return nodes, parameters


def _hidden(
    name: str,
    kind: CellKind,
    recurrent: Tensor,
    drive: Array,
    layout: Layout,
    projection: tuple[int, ...] | None = None,
) -> int:
    """The number of units of a cell of this kind; `projection`: the shape of its projection.

    Raises:
        ModelFileError: the recurrent matrix, the projection or the drive has another shape.
    """
    gates = GATES[kind]
    shape = recurrent.shape if layout == "out_in" else recurrent.shape[::-1]
    hidden = shape[-1] if projection is None else projection[-1]
    if projection is not None and (len(projection) != 2 or projection[0] != shape[-1]):
        raise ModelFileError(
            f"cell '{name}': its projection is {list(projection)}, its state has {shape[-1]}"
        )
    if len(shape) != 2 or min(shape[1], hidden) < 1 or shape[0] != gates * hidden:
        want = "[n, n]" if gates == 1 else f"[{gates} n, n]"
        raise ModelFileError(
            f"cell '{name}': the recurrent weights are {list(recurrent.shape)}, expected {want}",
            hint="" if layout == "out_in" else "stored transposed",
        )
    _vector(name, drive, shape[0])
    return int(hidden)


def _vector(name: str, bias: Tensor, size: int) -> Array:
    """The bias as float64 of the given size."""
    if bias.shape != (size,):
        raise ModelFileError(f"cell '{name}': a bias is {list(bias.shape)}, expected [{size}]")
    return np.asarray(bias, dtype=np.float64)


def _places(order: str, letters: str, hidden: int) -> dict[str, slice]:
    """The rows of every gate, in the order of `letters`, where they lie in `order`."""
    if sorted(order) != sorted(letters):
        raise ValueError(f"a gate order is a permutation of '{letters}', got '{order}'")
    starts = {letter: order.index(letter) * hidden for letter in letters}
    return {letter: slice(start, start + hidden) for letter, start in starts.items()}
