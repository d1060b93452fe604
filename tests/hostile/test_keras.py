"""Hostile Keras files: nothing in them is run, and each ends in one error of ours or is read."""

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from files.reference import FOLDER
from hostile_files import zip_bytes

from fpcheck.core.errors import FpcheckError, ModelFileError
from fpcheck.network.load import load

h5py = pytest.importorskip("h5py")

MLP = FOLDER / "keras" / "mlp.keras"
CODE = "4wEAAAAAAAAAAAAAAAIAAAATAAAA8wYAAAB8AGQBUwApAk7pAgAAAKkA"  # what Keras 2 stores of a lambda
MIB = 2**20


def entries(path=MLP):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(tmp_path, parts, method=zipfile.ZIP_STORED):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in parts.items():
            out.writestr(name, data)
    return path


def with_config(tmp_path, change):
    """The MLP's file with its configuration changed by `change`, or replaced by bytes."""
    parts = entries()
    if callable(change):
        config = json.loads(parts["config.json"])
        change(config["config"]["layers"])
        change = json.dumps(config).encode()
    return archive(tmp_path, {**parts, "config.json": change})


def with_weights(tmp_path, write):
    """The MLP's file with an HDF5 file of our own in it."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        write(file)
    return archive(tmp_path, {**entries(), "model.weights.h5": data.getvalue()})


SYSTEM = {"class_name": "function", "module": "os", "config": "system"}


def layer(class_name, module="keras.layers", **config):
    record = {"module": module, "class_name": class_name, "registered_name": None}
    return {**record, "config": {"name": "evil", **config}}


# Code and classes.


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (layer("Lambda", function={"class_name": "__lambda__", "config": {"code": CODE}}), "code"),
        (layer("Lambda", function=[CODE, None, None]), "never run"),
        (layer("system", module="os", command="touch pwned"), "never imported"),
        (layer("Popen", module="subprocess", args=["touch", "pwned"]), "never imported"),
        (layer("Mine", module="mypackage.layers", units=3), "never imported"),
        (layer("TorchModuleWrapper", module="keras.layers", module_=CODE), "not supported"),
        (layer("Activation", activation=SYSTEM), "function of 'os'"),
        (layer("Dense", units=5, quantization_mode="int8"), "quantised"),
    ],
)  # fmt: skip
def test_code_and_foreign_classes_are_named_and_never_run(tmp_path, monkeypatch, record, words):
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    subject = load(with_config(tmp_path, lambda layers: layers.insert(2, record)))
    assert subject.partial is not None
    assert subject.partial.node == "evil"
    assert words in subject.partial.reason
    assert subject.network.skeleton.output_shape == (5,)
    assert not (tmp_path / "pwned").exists()
    assert not {"keras", "tensorflow", "mypackage"} & (set(sys.modules) - before)


def test_a_first_layer_of_code_leaves_the_weights_and_its_name(tmp_path):
    record = layer("Lambda", function=[CODE, None, None])
    subject = load(with_config(tmp_path, lambda layers: layers.insert(1, record)))
    assert subject.network is None
    assert "'evil' (Lambda)" in subject.no_network
    assert len(subject.tensors) == 6


# Configurations.


DEEP = b'{"class_name": "Sequential", "config": {"layers": ' + b"[" * 10**6 + b"]" * 10**6 + b"}}"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"[" * 900_000, "deeply|larger"),
        (DEEP, "deeply|larger"),
        (b"{" * 1000, "no JSON"),
        (b'{"class_name": "Sequential", "class_name": "Sequential"}', "twice"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b"[]", "not a mapping"),
        (b"1" * 10_000, "no JSON"),
        (b"", "no JSON"),
        (b'{"class_name": "Sequential", "config": {"layers": 3}}', "lists no layers"),
        (b'{"class_name": "Sequential", "config": {"layers": []}}', "has no layers"),
        (b'{"class_name": "Functional", "config": {"layers": []}}', "states no input"),
        (b'{"class_name": "Sequential", "config": {"layers": [{}]}}', "no name or no settings"),
        (b"[" + b"[]," * 600_000 + b"[]]", "larger"),
    ],
)
def test_configurations_that_are_none_are_refused(tmp_path, config, words):
    with pytest.raises(ModelFileError, match=words) as caught:
        load(with_config(tmp_path, config))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("units", 2**70), ("units", -1), ("units", "5"), ("units", None), ("units", 10**9),
        ("units", True), ("use_bias", 3), ("use_bias", False), ("units", [5]), ("units", 1.5),
    ],
)  # fmt: skip
def test_settings_of_the_wrong_kind_or_size_are_named(tmp_path, key, value):
    path = with_config(tmp_path, lambda layers: layers[1]["config"].update({key: value}))
    if (key, value) == ("use_bias", False):  # the file then has a tensor more than it needs
        assert load(path).unused
        return
    with pytest.raises(ModelFileError, match="hidden1"):
        load(path)


@pytest.mark.parametrize("shape", [[None, 2**40], [None, -6], [None, "6"], "6", [None] * 99, {}])
def test_absurd_input_shapes_leave_the_weights_alone(tmp_path, shape):
    path = with_config(tmp_path, lambda layers: layers[0]["config"].update(batch_shape=shape))
    subject = load(path)
    assert subject.network is None
    assert "shape" in subject.no_network


def functional(layers, inputs, outputs):
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return json.dumps({"class_name": "Functional", "config": config}).encode()


def node(name, *sources, class_name="Activation", **config):
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
        for source in sources
    ]
    record = {"class_name": class_name, "name": name, "config": {"name": name, **config}}
    return {**record, "inbound_nodes": [{"args": tensors, "kwargs": {}}] if sources else []}


START = node("x", class_name="InputLayer", batch_shape=[None, 4])


def test_a_circle_of_layers_is_refused(tmp_path):
    layers = [START, node("a", "b", activation="tanh"), node("b", "a", activation="tanh")]
    with pytest.raises(ModelFileError, match=r"wait for one another.*: a, b"):
        load(with_config(tmp_path, functional(layers, [["x", 0, 0]], [["b", 0, 0]])))


def test_a_layer_behind_one_that_is_not_there_is_refused(tmp_path):
    layers = [START, node("a", "ghost", activation="tanh")]
    with pytest.raises(ModelFileError, match="not there: a"):
        load(with_config(tmp_path, functional(layers, [["x", 0, 0]], [["a", 0, 0]])))


def test_two_layers_of_one_name_are_refused(tmp_path):
    layers = [START, node("a", "x", activation="tanh"), node("a", "x", activation="relu")]
    with pytest.raises(ModelFileError, match="two layers are called 'a'"):
        load(with_config(tmp_path, functional(layers, [["x", 0, 0]], [["a", 0, 0]])))


def test_models_that_call_one_another_eight_times_are_bounded(tmp_path):
    """Ten models, each of which calls the one inside it eight times: 8^10 calls of layers."""

    def call(name, number):
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [name, number, 0]}}
        return {"args": [tensor], "kwargs": {}}

    inner = {"class_name": "Activation", "config": {"name": "leaf", "activation": "tanh"}}
    for depth in range(10):
        calls = [call("x", 0), *(call("in", number) for number in range(7))]
        layers = [START, {**inner, "name": "in", "inbound_nodes": calls}]
        ends = {"input_layers": [["x", 0, 0]], "output_layers": [["in", 7, 0]]}
        config = {"name": f"m{depth}", "layers": layers, **ends}
        inner = {"class_name": "Functional", "config": config}
    with pytest.raises(ModelFileError, match="more than 16384 calls"):
        load(with_config(tmp_path, json.dumps(inner).encode()))


def test_a_long_chain_in_reverse_order_is_read_in_linear_time(tmp_path):
    count = 3000
    names = ["x", *(f"n{i}" for i in range(count))]
    chain = [node(b, a, activation="tanh") for a, b in pairwise(names)]
    config = functional([*reversed(chain), START], [["x", 0, 0]], [[names[-1], 0, 0]])
    subject = load(with_config(tmp_path, config))
    assert len(subject.network.skeleton.nodes) == count + 1


# HDF5.


def test_links_to_other_files_and_places_are_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.arange(4.0)

    def write(file):
        file["w"] = np.zeros((2, 2), "float32")
        file["outside"] = h5py.ExternalLink(str(secret), "data")
        file["soft"] = h5py.SoftLink("/w")
        file["hard"] = file["w"]
        file["self"] = file["/"]

    path = with_weights(tmp_path, write)
    subject = load(archive(tmp_path, {**entries(path), "config.json": b'{"class_name": "X"}'}))
    assert len(subject.tensors) == 1
    notes = " ".join(subject.notes)
    for word in ("'outside' is left out: a link to another file", "'soft'", "'self'"):
        assert word in notes


def virtual(file):
    layout = h5py.VirtualLayout((4,), "float64")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
    file.create_virtual_dataset("v", layout)


def external(file):
    file.create_dataset("e", (4,), "float64", external=[("/etc/passwd", 0, 32)])


@pytest.mark.parametrize("write", [virtual, external])
def test_data_that_lie_in_other_files_are_refused(tmp_path, write):
    with pytest.raises(ModelFileError, match="other files"):
        load(with_weights(tmp_path, write))


def never_written(file):
    file.create_dataset("w", (2**20, 2**20, 2**19), "float32", chunks=(1, 1, 64))


def huge_chunks(file):
    space = h5py.h5s.create_simple((2**16, 2**16))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2**14, 2**14))
    plist.set_deflate(9)
    dataset = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, plist)
    import zlib

    data = zlib.compress(bytes(2**20))
    dataset.write_direct_chunk((0, 0), data)


@pytest.mark.parametrize("write", [never_written, huge_chunks])
def test_shapes_that_the_file_cannot_hold_take_no_memory(tmp_path, write):
    path = with_weights(tmp_path, write)
    tracemalloc.start()
    try:
        with pytest.raises(FpcheckError):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


PACKED = ({"compression": "gzip"}, {"shuffle": True, "compression": 4}, {"chunks": (3, 2)})


@pytest.mark.parametrize("options", PACKED)
def test_chunked_and_compressed_tensors_are_read_exactly(tmp_path, options):
    drawn = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    path = with_weights(tmp_path, lambda file: file.create_dataset("w", data=drawn, **options))
    subject = load(archive(tmp_path, {**entries(path), "config.json": b'{"class_name": "X"}'}))
    np.testing.assert_array_equal(subject.tensors["w"], drawn)


@pytest.mark.parametrize("filter_name", ["lzf", "fletcher32"])
def test_other_filters_are_left_out_with_their_number(tmp_path, filter_name):
    options = {"compression": "lzf"} if filter_name == "lzf" else {"fletcher32": True}

    def write(file):
        file["w"] = np.zeros(3, "float32")
        file.create_dataset("odd", data=np.zeros((4, 4)), **options)

    path = with_weights(tmp_path, write)
    subject = load(archive(tmp_path, {**entries(path), "config.json": b'{"class_name": "X"}'}))
    assert list(subject.tensors) == ["w"]
    assert any("filter" in note for note in subject.notes)


def test_objects_text_and_complex_numbers_are_left_out(tmp_path):
    def write(file):
        file["w"] = np.zeros(3, "float32")
        file["text"] = "words"
        file["complex"] = np.zeros(3, "complex64")
        file["table"] = np.zeros(3, [("a", "f4"), ("b", "i4")])
        file["nothing"] = h5py.Empty("f4")

    path = with_weights(tmp_path, write)
    subject = load(archive(tmp_path, {**entries(path), "config.json": b'{"class_name": "X"}'}))
    assert list(subject.tensors) == ["w"]


def test_names_that_are_no_utf8_are_one_error_or_are_replaced(tmp_path):
    def write(file):
        space = h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.id, b"w\xff\xfe", h5py.h5t.IEEE_F32LE, space)

    path = with_weights(tmp_path, write)
    with pytest.raises(ModelFileError, match="not read as HDF5"):
        load(archive(tmp_path, {**entries(path), "config.json": b'{"class_name": "X"}'}))


def test_tensors_of_another_shape_than_the_layers_need_are_named(tmp_path):
    def write(file):
        for number, name in enumerate(("dense", "dense_1", "dense_2")):
            file[f"layers/{name}/vars/0"] = np.zeros((3, number + 1), "float32")
            file[f"layers/{name}/vars/1"] = np.zeros(3, "float32")

    with pytest.raises(ModelFileError, match="hidden1/kernel' is"):
        load(with_weights(tmp_path, write))


def test_missing_tensors_are_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"'hidden1' needs 2 tensors .* the file has 0"):
        load(with_weights(tmp_path, lambda file: file.create_group("layers")))


@pytest.mark.parametrize("size", [0, 8, 100, 511, 512, 2048, 9000])
@pytest.mark.parametrize("name", ["mlp.h5", "mlp.keras"])
def test_truncated_files_are_refused(tmp_path, name, size):
    path = tmp_path / name
    path.write_bytes((FOLDER / "keras" / name).read_bytes()[:size])
    with pytest.raises(ModelFileError):
        load(path)


# Archives.


def test_an_archive_that_lies_about_its_weights_is_refused(tmp_path):
    parts = entries()
    for change in ({"size": 2**40, "packed": 2**40}, {"crc": 1}, {"method": 8}, {"offset": 9}):
        listed = [{"name": name, "data": data} for name, data in parts.items()]
        next(item for item in listed if item["name"] == "model.weights.h5").update(change)
        path = tmp_path / "lies.keras"
        try:
            path.write_bytes(zip_bytes(listed))
        except Exception:
            listed[-1].update(size=2**31, packed=2**31)
            path.write_bytes(zip_bytes(listed))
        with pytest.raises(ModelFileError):
            load(path)


def test_a_zip_bomb_of_a_configuration_takes_no_memory(tmp_path):
    parts = {**entries(), "config.json": b" " * (64 * MIB)}
    path = archive(tmp_path, parts, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="larger than that of any model"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_device_files_and_broken_links_are_refused(tmp_path):
    pipe, broken = tmp_path / "pipe.keras", tmp_path / "broken.h5"
    os.mkfifo(pipe)
    broken.symlink_to(tmp_path / "nowhere.h5")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(pipe)
    with pytest.raises(ModelFileError, match="does not exist"):
        load(broken)


# The process apart.


def test_a_crash_of_libhdf5_is_one_error(tmp_path, monkeypatch):
    """A process that dies, or prints no JSON, is a damaged file."""
    real = subprocess.run

    def crash(command, **options):
        return real([sys.executable, "-c", "import os; os.abort()"], **options)

    monkeypatch.setattr(subprocess, "run", crash)
    with pytest.raises(ModelFileError, match="libhdf5 gives up"):
        load(MLP)


def test_a_process_that_never_ends_is_one_error(monkeypatch):
    def never(command, **options):
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", never)
    with pytest.raises(ModelFileError, match="round in circles"):
        load(MLP)
