"""A live Keras model is read through its own configuration and weights."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
pytest.importorskip("h5py")
keras = pytest.importorskip("keras")

from files.reference import FOLDER, mlp  # noqa: E402
from test_formats_agree import TANH, assert_agree, sections  # noqa: E402

from fpcheck.network.load import load  # noqa: E402
from fpcheck.network.program import forward  # noqa: E402

# Keras turns PyTorch's tensors into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SINGLE = 1e-5  # Keras computes in float32


def sequential():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, activation="tanh"),
            layers.Dense(4, activation="tanh"),
            layers.Dense(6),
        ]
    )
    model.set_weights([t for weight, bias in mlp().values() for t in (weight.T, bias)])
    return model


def test_the_live_mlp_has_the_files_report():
    expected = sections(FOLDER / "npz/mlp_layers.npz", TANH)
    assert_agree(sections(sequential(), {}), expected, "keras")


def test_a_live_image_model_gives_what_keras_gives():
    layers = keras.layers
    start = keras.Input((8, 8, 2))
    h = layers.Conv2D(3, 3, padding="same", activation="relu")(start)
    h = layers.Add()([h, layers.BatchNormalization()(h)])
    model = keras.Model(start, layers.Dense(4, activation="softmax")(layers.Flatten()(h)))
    subject = load(model)
    assert subject.format == "keras"
    assert not subject.network.skeleton.black_box
    x = np.random.default_rng(0).standard_normal((3, *subject.network.skeleton.input_shape))
    found = forward(subject.network.program, x)
    assert np.abs(found - model.predict(x, verbose=0)).max() < SINGLE


def test_a_model_with_code_of_its_own_is_called():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(3)

        def call(self, x, training=False):
            return keras.ops.tanh(self.layer(x))

    model = Own()
    model(np.zeros((1, 3), np.float32))
    subject = load(model, input_shape=(3,))
    assert subject.network.skeleton.black_box
    assert any("configuration" in note for note in subject.notes)
    assert len(subject.tensors) == 2
    x = np.random.default_rng(0).standard_normal((3, 3))
    found = forward(subject.network.program, x)
    assert np.abs(found - model.predict(x, verbose=0)).max() < SINGLE


def test_reading_leaves_the_model_as_it_was():
    model = sequential()
    before = [weight.copy() for weight in model.get_weights()]
    load(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(old, new)
