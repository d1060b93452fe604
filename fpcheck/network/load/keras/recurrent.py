"""Keras's recurrent layers as cells: maps of their state under a constant input.

Gates lie along the last axis: i f c o in an LSTM, z r h in a GRU; kernels are (in, out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.load.keras.activations import PLAIN
from fpcheck.network.load.keras.builder import unsupported
from fpcheck.network.load.keras.config import LayerConfig
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.recurrent import (
    KERAS_GRU,
    KERAS_LSTM,
    Cell,
    elman_cell,
    gru_cell,
    input_drive,
    lstm_cell,
)

Find = Callable[[Call, str, tuple[str, ...]], tuple[str, ...]]
Tensors = Mapping[str, NDArray[np.generic]]
CELLS = ("SimpleRNN", "LSTM", "GRU")
RECURRENT = (*CELLS, "Bidirectional", "RNN", "ConvLSTM1D", "ConvLSTM2D")


def cells_of(call: Call, tensors: Tensors, find: Find, held: ConstantInput) -> Iterator[Cell]:
    """The cells of a recurrent layer: one, or two of a bidirectional one.

    Raises:
        UnsupportedOperationError: a kind of cell or an activation that is not supported.
        ModelFileError: a setting or a tensor is wrong.
    """
    if call.config.class_name in CELLS:
        yield _cell(call, call.config, "cell", tensors, find, held)
        return
    if call.config.class_name != "Bidirectional":
        raise unsupported(call, "this kind of recurrent layer is not supported")
    for part in ("forward", "backward"):
        record = call.config.values.get(f"{part}_layer") or call.config.values.get("layer")
        config = _inner(call, record, part)
        yield _cell(call, config, f"{part}_layer/cell", tensors, find, held)


def _inner(call: Call, record: object, part: str) -> LayerConfig:
    values = record.get("config") if isinstance(record, Mapping) else None
    kind = record.get("class_name") if isinstance(record, Mapping) else None
    if kind not in CELLS or not isinstance(values, Mapping):
        raise unsupported(call, "only LSTM, GRU and SimpleRNN run in two directions here")
    return LayerConfig(f"{call.path.label}/{part}", str(kind), values)


def _cell(
    call: Call,
    config: LayerConfig,
    part: str,
    tensors: Tensors,
    find: Find,
    held: ConstantInput,
) -> Cell:
    roles: tuple[str, ...] = ("kernel", "recurrent_kernel")
    if config.flag("use_bias", True):
        roles = (*roles, "bias")
    kernel, recurrent, *biases = find(call, part, roles)
    if tensors[kernel].ndim != 2:
        raise unsupported(call, f"its kernel is {list(tensors[kernel].shape)}, no matrix")
    size = tensors[kernel].shape[0]
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
    gate = _function(call, config, "recurrent_activation", "sigmoid")
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
