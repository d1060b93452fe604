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

from fpcheck.core.errors import DataError  # noqa: E402
from fpcheck.core.settings import Settings  # noqa: E402
from fpcheck.jobs.analyze import analyze  # noqa: E402
from fpcheck.network.constant_input import ConstantInput  # noqa: E402
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


@pytest.mark.parametrize("options", [{}, {"value_dim": 5, "use_bias": False}])
def test_attention_of_a_live_model_is_that_of_keras(options):
    layers = keras.layers
    keras.utils.set_random_seed(5)
    start = keras.Input((6, 4))
    attended = layers.MultiHeadAttention(2, 3, **options)(start, start, use_causal_mask=True)
    model = keras.Model(start, layers.LayerNormalization()(layers.Add()([start, attended])))
    subject = load(model)
    assert subject.partial is None
    assert not subject.network.skeleton.black_box
    x = np.random.default_rng(0).standard_normal((3, 6, 4))
    found = forward(subject.network.program, x)
    assert np.abs(found - model.predict(x, verbose=0)).max() < SINGLE


def test_the_recurrent_layers_of_a_live_model_are_cells_and_what_lies_before_is_read():
    layers = keras.layers
    start = keras.Input((7, 3))
    h = layers.Dense(4, activation="tanh", name="first")(start)
    h = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")(h)
    model = keras.Model(start, layers.Dense(2)(layers.LSTM(5, name="last")(h)))
    report = analyze(model, settings=Settings(starts=32, samples=16))
    cells = report.document["subject"]["cells"]
    names = ["both/forward", "both/backward", "last"]
    assert [cell["name"] for cell in cells] == names
    assert cells[2]["note"].startswith("input held at ")
    assert [one["name"] for one in report.document["attractors"]["maps"]] == names
    assert report.document["signal"]["measured"]["layers"][0]["name"] == "first"


def test_a_recurrent_model_of_one_layer_is_its_cell_held_at_the_given_input():
    row = np.array([0.5, -1.0, 2.0])
    layer = keras.layers.SimpleRNN(4, name="memory")
    model = keras.Sequential([keras.Input((None, 3)), layer])
    (cell,) = load(model, input_choice=ConstantInput("u", row)).cells
    state = np.random.default_rng(1).standard_normal((2, 4)).astype("float32")
    after, _ = layer.cell(np.tile(np.float32(row), (2, 1)), [state])
    found = forward(cell.network.program, state.astype(np.float64))
    assert np.abs(found - after.detach().numpy()).max() < SINGLE
    with pytest.raises(DataError, match="has 2 entries; cell 'memory' takes 3"):
        load(model, input_choice=ConstantInput("u", row[:2]))
