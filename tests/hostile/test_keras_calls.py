"""Keras models inside models, and layers called again and again: the work stays bounded.

Nothing is timed here: without a bound the first would take years, and with work that grows as the
square of the calls the second many minutes.
"""

from __future__ import annotations

import json
import zipfile

import pytest
from files.reference import FOLDER

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

pytest.importorskip("h5py")


def saved(tmp_path, config):
    """The file of an MLP with another configuration."""
    path = tmp_path / "model.keras"
    with (
        zipfile.ZipFile(FOLDER / "keras" / "mlp.keras") as before,
        zipfile.ZipFile(path, "w") as after,
    ):
        for name in before.namelist():
            own = name == "config.json"
            after.writestr(name, json.dumps(config) if own else before.read(name))
    return path


def functional(name, layer, layer_name, calls):
    """A model of 6 inputs that calls a layer, or nothing, `calls` times in a row."""
    origin = {"class_name": "InputLayer", "name": "in", "inbound_nodes": []}
    layers = [origin | {"config": {"batch_shape": [None, 6], "dtype": "float32", "name": "in"}}]
    history = [["in", 0, 0], *([layer_name, place, 0] for place in range(calls - 1))]
    if layer is not None:
        tensors = ({"keras_history": place, "shape": [None, 6]} for place in history)
        nodes = [
            {"args": [{"class_name": "__keras_tensor__", "config": tensor}], "kwargs": {}}
            for tensor in tensors
        ]
        layers.append(layer | {"name": layer_name, "inbound_nodes": nodes})
    end = ["in", 0, 0] if layer is None else [layer_name, calls - 1, 0]
    config = {"name": name, "layers": layers, "input_layers": [["in", 0, 0]]}
    return {"class_name": "Functional", "config": config | {"output_layers": [end]}}


def test_models_that_call_each_other_ten_to_the_fifteenth_times_are_refused(tmp_path):
    made = functional("model0", None, "", 1)
    for depth in range(1, 16):
        made = functional(f"model{depth}", made, f"model{depth - 1}", 10)
    path = saved(tmp_path, made)
    assert path.stat().st_size < 60_000
    with pytest.raises(ModelFileError, match="models inside models have more than 65536 layers"):
        load(path)


def test_a_layer_that_is_called_thousands_of_times_is_read(tmp_path):
    layer = {"class_name": "Activation", "config": {"name": "act", "activation": "tanh"}}
    made = functional("model", layer, "act", 6000)
    network = load(saved(tmp_path, made)).network
    assert network is not None
    assert [node.name for node in network.skeleton.nodes[1:3]] == ["act", "act#2"]
    assert len(network.skeleton.nodes) == 6001
