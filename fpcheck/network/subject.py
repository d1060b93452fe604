"""The subject: what is analysed, as far as its file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.initializers import Law
from fpcheck.network.inputs import InputLaw
from fpcheck.network.network import Network
from fpcheck.network.partial import Partial
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.recurrent import Cell
from fpcheck.network.skeleton import Skeleton

if TYPE_CHECKING:  # the loaders import this module
    from fpcheck.network.load.stored import Stored


@dataclass(frozen=True)
class Subject:
    """A model file or a spec, read.

    Args:
        name: the file's name, without folders.
        format: npz, safetensors, pytorch, spec, ...; torch, keras or callable of a live model.
        sha256: of the file's bytes; of a live model's parameters; "" where there are none.
        tensors: every tensor of the state dict as stored (bfloat16 as float32).
        network: the network, where the file or the spec determines it.
        no_network: why there is none, "" if there is one.
        hint: the flag that gives the rest, "" if nothing is missing.
        outline: the layers where only the activation is missing, without activations; the
            network's skeleton where there is one.
        input_law: the law of inputs and starts, from a spec.
        layer_laws: the laws of weights and biases by layer, from a spec.
        preprocessing: what is done to data, from a spec.
        notes: what was assumed or left out.
        unused: tensors that no layer uses.
        cells: recurrent cells, each a self-map of its state under a constant input.
        partial: the operator that stopped the graph; the network is then the part before it.
        late: the file's tensors where they do not fit into memory together; `tensors` is empty.
    """

    name: str
    format: str
    sha256: str
    tensors: Mapping[str, NDArray[np.generic]]
    network: Network | None
    no_network: str = ""
    hint: str = ""
    outline: Skeleton | None = None
    input_law: InputLaw | None = None
    layer_laws: Mapping[str, tuple[Law, Law | None]] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    partial: Partial | None = None
    late: Mapping[str, Stored] = field(default_factory=dict)
