"""Graphs, nested models, attention and partial graphs of Keras files, against Keras itself."""

import json
import os
import zipfile

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
from keras_models import FLOAT32, WARNINGS, check, randomise, saved

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load
from fpcheck.network.program import forward

pytest.importorskip("h5py")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")
L = keras.layers
pytestmark = [pytest.mark.filterwarnings(words) for words in WARNINGS]
BOTH = pytest.mark.parametrize("suffix", [".keras", ".h5"])


def residual():
    start = keras.Input((8, 6, 2))
    x = L.Conv2D(4, 3, padding="same")(start)
    x = L.BatchNormalization()(x)
    skip = x = L.Activation("relu")(x)
    x = L.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = L.Add()([x, skip])
    return keras.Model(start, L.Dense(3)(L.Flatten()(L.MaxPooling2D(2)(x))))


def squeeze_and_excite():
    start = keras.Input((8, 6, 4))
    gate = L.GlobalAveragePooling2D(keepdims=True)(start)
    gate = L.Conv2D(2, 1, activation="silu")(gate)
    gate = L.Conv2D(4, 1, activation="sigmoid")(gate)
    return keras.Model(start, L.Multiply()([start, gate]))


def merged():
    start = keras.Input((5,))
    a, b = L.Dense(4, activation="tanh")(start), L.Dense(4)(start)
    parts = [
        L.Add()([a, b, a]), L.Subtract()([a, b]), L.Average()([a, b]), L.Maximum()([a, b]),
        L.Minimum()([a, b]), L.Multiply()([a, b]),
    ]  # fmt: skip
    return keras.Model(start, L.Concatenate()(parts))


def joined_images():
    start = keras.Input((6, 6, 2))
    a, b = L.Conv2D(3, 3, padding="same")(start), L.Conv2D(3, 1)(start)
    wide = L.Concatenate()([a, b, start])
    tall = L.Concatenate(axis=1)([a, b])
    return keras.Model(start, L.Concatenate()([L.Flatten()(wide), L.Flatten()(tall)]))


def with_operations():
    start = keras.Input((5,))
    x = 2.0 * L.Dense(4)(start) - 1.0
    x = keras.ops.relu(3.0 - x) / 4.0
    return keras.Model(start, -x + keras.ops.tanh(L.Dense(4)(start)))


def nested():
    inner = keras.Sequential(
        [keras.Input((4,)), L.Dense(6, activation="tanh"), L.BatchNormalization()], name="inner"
    )
    deep_in = keras.Input((5,))
    deep = keras.Model(deep_in, L.Dense(3)(inner(L.Dense(4)(deep_in))), name="deep")
    start = keras.Input((5,))
    return keras.Model(start, L.Dense(2)(L.LayerNormalization()(deep(start))))


def scaled_residuals():
    """What keras.applications has beside the layers of Keras: ConvNeXt's and Inception-ResNet's."""
    convnext = pytest.importorskip("keras.src.applications.convnext")
    inception = pytest.importorskip("keras.src.applications.inception_resnet_v2")
    x = keras.Input((6, 5, 4))
    y = convnext.LayerScale(0.1, 4)(L.DepthwiseConv2D(3, padding="same")(x))
    y = convnext.LayerScale(0.1, 4)(L.Dense(4)(y))
    return keras.Model(x, inception.CustomScaleLayer(0.17)([x, y]))


def shared_layer():
    twice = L.Dense(5, activation="tanh")
    start = keras.Input((5,))
    return keras.Model(start, L.Add()([twice(twice(start)), start]))


def shared_model():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="elu")], name="inner")
    start = keras.Input((4,))
    return keras.Model(start, inner(inner(start)))


def transformer():
    start = keras.Input((6, 8))
    x = L.LayerNormalization()(start)
    x = L.Add()([start, L.MultiHeadAttention(2, 3, value_dim=5)(x, x)])
    y = L.Dense(16, activation="gelu")(L.LayerNormalization()(x))
    x = L.Add()([x, L.Dense(8)(y)])
    return keras.Model(start, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def causal_attention():
    start = keras.Input((6, 8))
    x = L.MultiHeadAttention(2, 4, use_bias=False)(start, start, use_causal_mask=True)
    return keras.Model(start, x)


MODELS = [
    residual, squeeze_and_excite, merged, joined_images, with_operations, nested, shared_layer,
    shared_model, transformer, causal_attention, scaled_residuals,
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_graph_gives_the_numbers_of_keras(tmp_path, make, suffix):
    model = make()
    randomise(model)
    subject = check(model, saved(model, tmp_path, suffix))
    assert subject.unused == ()


def test_a_shared_layer_has_its_weights_once(tmp_path):
    model = shared_layer()
    subject = load(saved(model, tmp_path, ".keras"))
    assert [tensor.shape for tensor in subject.tensors.values()] == [(5, 5), (5,)]


@BOTH
def test_of_several_outputs_one_is_taken_by_key(tmp_path, suffix):
    start = keras.Input((5,))
    model = keras.Model(start, [L.Dense(2, name="first")(start), L.Dense(3, name="second")(start)])
    path = saved(model, tmp_path, suffix)
    assert load(path).network.skeleton.output_shape == (2,)
    assert any("'first' is analyzed" in note for note in load(path).notes)
    assert load(path, key="second").network.skeleton.output_shape == (3,)
    with pytest.raises(ModelFileError, match="no output 'third'") as caught:
        load(path, key="third")
    assert "first, second" in caught.value.hint


@BOTH
def test_an_embedding_is_a_choice_of_input_and_the_network_starts_behind_it(tmp_path, suffix):
    start = keras.Input((6,))
    x = L.Embedding(11, 4, name="embedding")(start)
    model = keras.Model(start, L.Dense(3)(L.Flatten()(x)))
    randomise(model)
    subject = load(saved(model, tmp_path, suffix))
    assert subject.network.skeleton.input_shape == (6, 4)
    assert any("behind the embedding" in note for note in subject.notes)
    tokens = np.random.default_rng(0).integers(0, 11, size=(3, 6))
    vectors = np.asarray(subject.tensors["embedding/embeddings"], np.float64)[tokens]
    found = forward(subject.network.program, vectors)
    np.testing.assert_allclose(found, np.asarray(model(tokens).detach()), **FLOAT32)


@BOTH
def test_what_lies_before_a_layer_that_is_not_supported_is_analyzed(tmp_path, suffix):
    start = keras.Input((6, 4))
    known = L.Dense(5, activation="tanh", name="known")(start)
    model = keras.Model(start, L.Dense(3)(L.UnitNormalization(name="odd")(known)))
    randomise(model)
    subject = load(saved(model, tmp_path, suffix))
    assert (subject.partial.operator, subject.partial.node) == ("UnitNormalization", "odd")
    assert subject.partial.place == 2
    assert 0 < subject.partial.parameter_share < 1
    assert subject.network.skeleton.output_shape == (6, 5)
    x = np.random.default_rng(1).normal(size=(2, 6, 4)).astype("float32")
    expected = np.asarray(keras.Model(start, known)(x).detach())
    found = forward(subject.network.program, x.astype(np.float64))
    np.testing.assert_allclose(found, expected, **FLOAT32)


@BOTH
def test_layers_behind_the_one_that_stops_keep_their_names(tmp_path, suffix):
    start = keras.Input((6, 4))
    odd = L.UnitNormalization(name="odd")(start)
    # In its folder it is the model's first Dense layer, under the name of another one's folder.
    model = keras.Model(start, L.Dense(7, name="dense_1")(L.Dense(5, name="behind")(odd)))
    randomise(model)
    subject = load(saved(model, tmp_path, suffix))
    assert subject.tensors["behind/kernel"].shape == (4, 5)
    assert subject.tensors["dense_1/kernel"].shape == (5, 7)
    assert subject.tensors["dense_1/bias"].shape == (7,)


def rewritten(path, change):
    """The `.keras` file with its configuration changed by `change`."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])
    change(config)
    entries["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_compressed_archive_is_read_as_a_stored_one(tmp_path):
    model = residual()
    randomise(model)
    check(model, rewritten(saved(model, tmp_path, ".keras"), lambda config: None))


def test_a_model_of_a_class_of_its_own_keeps_its_weights_and_names_the_class(tmp_path):
    def change(config):
        config.update(module="mine", class_name="Mine", config={"units": 3})

    model = keras.Sequential([keras.Input((4,)), L.Dense(3)])
    subject = load(rewritten(saved(model, tmp_path, ".keras"), change))
    assert subject.network is None
    assert "class of its own, Mine" in subject.no_network
    assert {t.shape for t in subject.tensors.values()} == {(4, 3), (3,)}


def test_an_open_input_shape_is_named(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3)])
    subject = load(saved(model, tmp_path, ".keras"))
    assert subject.network is None
    assert "open" in subject.no_network
    assert len(subject.tensors) == 2
    assert "--input-shape" in subject.hint


def test_an_open_input_shape_can_be_given(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3)])
    path = saved(model, tmp_path, ".keras")
    assert load(path, input_shape=(7, 8, 3)).network.skeleton.output_shape == (5, 6, 4)
    with pytest.raises(ModelFileError, match="--input-shape"):
        load(path, input_shape=(7, 8, 4))


def test_optimizer_state_is_left_out_with_a_note(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dropout(0.5), L.Dense(3)])
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 4)), np.zeros((4, 3)), verbose=0)
    for suffix in (".keras", ".h5"):
        subject = load(saved(model, tmp_path, suffix))
        assert len(subject.tensors) == 2
        assert any("optimizer" in note for note in subject.notes)
        assert subject.unused == ()


def test_weights_alone_are_a_chain_once_the_activation_is_named(tmp_path):
    model = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="tanh"), L.Dense(5)])
    randomise(model)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    subject = load(path, activation="tanh")
    x = np.random.default_rng(1).normal(size=(3, 5)).astype("float32")
    found = forward(subject.network.program, x.astype(np.float64))
    np.testing.assert_allclose(found, np.asarray(model(x).detach()), **FLOAT32)
