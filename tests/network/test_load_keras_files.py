"""The committed Keras files: one network in every layout, and cells that step as Keras's do."""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
from files.reference import FOLDER, cnn_outputs, mlp_outputs
from keras_models import FLOAT32, WARNINGS

from fpcheck.core.errors import DataError, ModelFileError, UnsupportedOperationError
from fpcheck.core.settings import Settings
from fpcheck.jobs.analyze import analyze
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.load import load
from fpcheck.network.program import forward

pytest.importorskip("h5py")
KERAS = FOLDER / "keras"
pytestmark = [pytest.mark.filterwarnings(words) for words in WARNINGS]
ROUNDING = 1e-12  # the same float32 weights in float64 sums of another order
BOTH = pytest.mark.parametrize("suffix", [".keras", ".h5"])


def test_a_file_of_keras_2_is_read_as_one_of_keras_3():
    old, new = load(KERAS / "keras2.h5"), load(KERAS / "mlp.keras")
    assert list(old.tensors) == list(new.tensors)
    for name, tensor in new.tensors.items():
        np.testing.assert_array_equal(old.tensors[name], tensor)
    rows = np.random.default_rng(3).normal(size=(5, 6))
    found = forward(old.network.program, rows)
    np.testing.assert_allclose(found, mlp_outputs(rows), rtol=0, atol=ROUNDING)


@BOTH
def test_channels_last_rows_give_what_channels_first_rows_give(suffix):
    images = np.random.default_rng(3).normal(size=(5, 2, 8, 8))
    last = load(KERAS / f"cnn_last{suffix}").network
    assert last.skeleton.input_shape == (8, 8, 2)
    found = forward(last.program, images.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(found, cnn_outputs(images), rtol=0, atol=ROUNDING)


@BOTH
def test_channels_last_data_give_the_report_of_channels_first_data(tmp_path, suffix):
    images = np.random.default_rng(3).normal(size=(40, 2, 8, 8))
    np.savez(tmp_path / "first.npz", X=images)
    np.savez(tmp_path / "last.npz", X=images.transpose(0, 2, 3, 1))
    settings = Settings(questions=("signal",), samples=40)
    first = analyze(KERAS / "cnn.keras", data=tmp_path / "first.npz", settings=settings)
    last = analyze(KERAS / f"cnn_last{suffix}", data=tmp_path / "last.npz", settings=settings)
    measured = [found.document["signal"]["measured"]["layers"] for found in (first, last)]
    assert len(measured[0]) == 3
    for one, other in zip(*measured, strict=True):
        for key, value in one.items():
            if isinstance(value, float):
                assert other[key] == pytest.approx(value, rel=1e-9)


def keras_steps(row):
    """(layer of Keras's cell, units, its constant input) by name of the recurrent file's cells.

    A deeper cell's input is what the layers below give at the end of a long sequence of `row`.
    """
    keras = pytest.importorskip("keras")
    model = keras.models.load_model(KERAS / "recurrent.keras")
    elman, lstm, both, _ = model.layers
    rows = [np.asarray(row, "float32")]
    for layer in (elman, lstm):
        sequence = layer(np.tile(rows[-1], (1, 500, 1)))
        rows.append(sequence[0, -1].detach().numpy())
    return {
        "elman": (elman.cell, 3, rows[0]),
        "lstm": (lstm.cell, 4, rows[1]),
        "both/forward": (both.forward_layer.cell, 2, rows[2]),
        "both/backward": (both.backward_layer.cell, 2, rows[2]),
    }


@BOTH
def test_cells_step_as_those_of_keras(suffix):
    pytest.importorskip("torch")
    subject = load(KERAS / f"recurrent{suffix}")
    steps = keras_steps(np.zeros(5))
    assert [cell.name for cell in subject.cells] == list(steps)
    assert [cell.kind for cell in subject.cells] == ["rnn", "lstm", "gru", "gru"]
    rng = np.random.default_rng(5)
    for cell in subject.cells:
        keras_cell, hidden, row = steps[cell.name]
        assert (cell.hidden, cell.input_size) == (hidden, len(row))
        states = 2 if cell.kind == "lstm" else 1
        rows = rng.normal(size=(3, states * hidden)).astype("float32")
        given = [rows[:, i * hidden : (i + 1) * hidden] for i in range(states)]
        _, after = keras_cell(np.tile(row, (3, 1)), given)
        after = after if isinstance(after, list | tuple) else [after]
        expected = np.concatenate([np.asarray(state.detach()) for state in after], axis=1)
        found = forward(cell.network.program, rows.astype(np.float64))
        np.testing.assert_allclose(found, expected, **FLOAT32)


def test_a_constant_input_holds_the_first_layer_alone():
    pytest.importorskip("torch")
    row = np.linspace(-1, 1, 5)
    subject = load(KERAS / "recurrent.keras", input_choice=ConstantInput("row", row))
    notes = {cell.name: cell.note for cell in subject.cells}
    assert notes["elman"] == "input held at row"
    assert notes["lstm"] == "input held at what elman settles at from zero"
    assert notes["both/forward"] == "input held at what lstm settles at from zero"
    keras_cell, hidden, _ = keras_steps(row)["elman"]
    state = np.random.default_rng(6).normal(size=(1, hidden)).astype("float32")
    _, after = keras_cell(row[None].astype("float32"), [state])
    expected = np.asarray((after[0] if isinstance(after, list | tuple) else after).detach())
    found = forward(subject.cells[0].network.program, state.astype(np.float64))
    np.testing.assert_allclose(found, expected.reshape(1, -1), **FLOAT32)


def test_a_row_that_fits_no_cell_is_refused():
    with pytest.raises(DataError, match="has 2 entries; cell 'elman' takes 5"):
        load(KERAS / "recurrent.keras", input_choice=ConstantInput("row", np.zeros(2)))


def test_weights_alone_hold_cells_too(tmp_path):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    layer = keras.layers.GRU(3, name="memory")
    model = keras.Sequential([keras.Input((None, 2)), layer, keras.layers.Dense(1)])
    model.save_weights(tmp_path / "m.weights.h5")
    subject = load(tmp_path / "m.weights.h5")
    (cell,) = subject.cells
    assert (cell.kind, cell.name) == ("gru", "gru")  # by its class, all that the file tells
    state = np.random.default_rng(2).normal(size=(4, 3)).astype("float32")
    expected, _ = layer.cell(np.zeros((4, 2), "float32"), [state])
    found = forward(cell.network.program, state.astype(np.float64))
    np.testing.assert_allclose(found, np.asarray(expected.detach()), **FLOAT32)


def test_an_input_that_is_too_small_for_a_crop_asks_for_a_larger_one(tmp_path):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    start = keras.Input((None, 2))
    cropped = keras.layers.Cropping1D(5)(keras.layers.Conv1D(3, 3, padding="same")(start))
    keras.Model(start, cropped).save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="lies outside") as caught:
        load(tmp_path / "m.keras", input_shape=(8, 2))
    assert "--input-shape large enough" in caught.value.hint
    assert load(tmp_path / "m.keras", input_shape=(12, 2)).network is not None


@pytest.mark.parametrize("reset_after", [True, False])
def test_both_kinds_of_gru_are_read(tmp_path, reset_after):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    layer = keras.layers.GRU(3, reset_after=reset_after, recurrent_activation="sigmoid")
    model = keras.Sequential([keras.Input((None, 2)), layer])
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"gru{suffix}")
        (cell,) = load(tmp_path / f"gru{suffix}").cells
        state = rng.normal(size=(4, 3)).astype("float32")
        expected, _ = layer.cell(np.zeros((4, 2), "float32"), [state])
        found = forward(cell.network.program, state.astype(np.float64))
        np.testing.assert_allclose(found, np.asarray(expected.detach()), **FLOAT32)


def test_a_recurrent_file_has_the_attractors_of_every_cell():
    settings = Settings(questions=("attractors",), starts=32)
    document = analyze(KERAS / "recurrent.h5", settings=settings).document
    names = [entry["name"] for entry in document["attractors"]["maps"]]
    assert names == ["elman", "lstm", "both/forward", "both/backward"]


def test_hard_sigmoid_is_the_one_of_the_keras_that_wrote_the_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    config = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Activation",
                "config": {
                    "name": "gate", "batch_input_shape": [None, 3], "activation": "hard_sigmoid"
                },
            },
            {"class_name": "Dense", "config": {"name": "out", "units": 3, "use_bias": False}},
        ],
    }  # fmt: skip
    x = np.array([[-2.0, 0.6, 2.8]])
    for version, expected in (("2.4.0", 0.2 * x + 0.5), ("3.1.0", x / 6 + 0.5)):
        path = tmp_path / f"{version[0]}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["keras_version"], file.attrs["model_config"] = version, json.dumps(config)
            file.create_dataset("model_weights/out/out/kernel:0", data=np.eye(3))
        found = forward(load(path).network.program, x)
        np.testing.assert_allclose(found, np.clip(expected, 0, 1), rtol=0, atol=ROUNDING)


def test_without_h5py_one_line_names_the_extra(monkeypatch):
    from fpcheck.network.load.keras import hdf5

    monkeypatch.setattr(hdf5.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedOperationError, match="h5py, which is not installed") as caught:
        load(KERAS / "mlp.keras")
    assert "fpcheck[keras]" in caught.value.hint
