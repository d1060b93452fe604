"""The subject: what is analysed, as far as its file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.initializers import Law
from fpcheck.network.inputs import InputLaw
from fpcheck.network.network import Network
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.skeleton import Skeleton


@dataclass(frozen=True)
class Subject:
    """A model file or a spec, read.

    Args:
        name: the file's name, without folders.
        format: npz, safetensors, pytorch or spec.
        sha256: of the file's bytes.
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
