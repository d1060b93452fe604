"""Files of very many small parts: the work grows with their number, not with its square.

Nothing is timed here; with the square of the number these would take minutes.
"""

from __future__ import annotations

import json
import struct

import numpy as np

from fpcheck.network.load import load
from fpcheck.network.summary import summarise

COUNT = 12_000


def safetensors(path, names):
    """A file with a 1 x 1 tensor of each name."""
    places = range(0, 4 * len(names), 4)
    head = json.dumps({
        name: {"dtype": "F32", "shape": [1, 1], "data_offsets": [at, at + 4]}
        for name, at in zip(names, places, strict=True)
    }).encode()  # fmt: skip
    numbers = np.ones(len(names), dtype="<f4").tobytes()
    path.write_bytes(struct.pack("<Q", len(head)) + head + numbers)
    return path


def test_a_chain_of_very_many_layers_is_read_and_summarised(tmp_path):
    path = safetensors(tmp_path / "deep.safetensors", [f"{n}.weight" for n in range(COUNT)])
    summary = summarise(load(path, activation="tanh"))
    assert len(summary.layers) == COUNT
    assert {layer.activation for layer in summary.layers[:-1]} == {"tanh"}
    assert summary.layers[-1].activation == "identity"


def test_a_name_of_very_many_wrappers_is_read(tmp_path):
    path = safetensors(tmp_path / "wrapped.safetensors", ["module." * 10**5 + "out.weight"])
    assert list(load(path).tensors) == ["out.weight"]
