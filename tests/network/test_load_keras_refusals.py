"""Keras layers that look like ones that are read, and compute something else: refused by name."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
from keras_models import WARNINGS, check, randomise, saved

from fpcheck.network.load import load

pytest.importorskip("h5py")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")
L = keras.layers
pytestmark = [pytest.mark.filterwarnings(words) for words in WARNINGS]


def said(path: Path) -> str:
    """Why the file's network stops, with the layer's name."""
    subject = load(path)
    if subject.partial is None:
        return subject.no_network
    return f"{subject.partial.node}: {subject.partial.reason}"


def registered(path: Path, place: int, name: str) -> Path:
    """The `.keras` file with a layer that is a class of the user's own, as Keras writes it; place
    -1 for the model itself."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    config = json.loads(parts["config.json"])
    record = config if place < 0 else config["config"]["layers"][place]
    record |= {"module": None, "registered_name": name}
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return path


def dense_model(first=None):
    start = keras.Input((4,))
    model = keras.Model(start, L.Dense(3)((first or L.Dense(5, activation="tanh"))(start)))
    randomise(model)
    return model


def test_a_class_of_the_users_own_is_not_its_namesake_in_keras(tmp_path):
    path = registered(saved(dense_model(), tmp_path, ".keras"), 2, "Custom>Dense")
    assert "it is a class of 'Custom>Dense', which is never imported" in said(path)


def test_a_model_of_the_users_own_is_not_its_namesake_in_keras(tmp_path):
    path = registered(saved(dense_model(), tmp_path, ".keras"), -1, "Custom>Functional")
    assert "a class of its own" in said(path)


def test_attention_with_a_gate_is_refused(tmp_path):
    start = keras.Input((5, 4))
    model = keras.Model(start, L.MultiHeadAttention(2, 3, use_gate=True)(start, start))
    assert "a gate on its output is not supported" in said(saved(model, tmp_path, ".keras"))


def test_a_low_rank_update_is_in_the_kernel_or_refused(tmp_path):
    model = dense_model()
    layer = model.layers[2]
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    check(model, saved(model, tmp_path, ".keras"))
    assert "low-rank update (LoRA) lie apart" in said(saved(model, tmp_path, ".h5"))


def test_a_softmax_over_several_axes_stops_the_network_there(tmp_path):
    start = keras.Input((5, 4))
    model = keras.Model(start, L.Softmax(axis=[1, 2])(L.Dense(3)(start)))
    assert "a softmax over several axes" in said(saved(model, tmp_path, ".keras"))


def test_a_layer_that_keras_2_calls_in_training_mode_is_refused(tmp_path):
    start = keras.Input((4,))
    dropped = L.Dropout(0.5)(L.Dense(3)(start), training=True)
    path = saved(keras.Model(start, L.Dense(2)(dropped)), tmp_path, ".h5")
    assert said(path) == ""  # Keras 3 switches it off where it predicts
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
    assert "it is called in training mode" in said(path)
