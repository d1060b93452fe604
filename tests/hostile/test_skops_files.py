"""skops files that lie are refused; what they name is never imported."""

from __future__ import annotations

import io
import json
import sys
import zipfile

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load
from fpcheck.network.program import forward


def npy(array, allow_pickle=False):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def word(value):
    return {"__class__": "str", "__loader__": "JsonNode", "content": json.dumps(value)}


def arrays(*names):
    return {
        "__class__": "list",
        "__loader__": "ListNode",
        "content": [{"__loader__": "NdArrayNode", "type": "numpy", "file": n} for n in names],
    }


def network(**changes):
    attributes = {
        "activation": word("relu"),
        "out_activation_": word("identity"),
        "coefs_": arrays("w0.npy", "w1.npy"),
        "intercepts_": arrays("b0.npy", "b1.npy"),
    } | changes
    return {
        "__class__": "MLPRegressor",
        "__module__": "sklearn.neural_network._multilayer_perceptron",
        "__loader__": "ObjectNode",
        "content": {"__loader__": "DictNode", "content": attributes},
    }


ENTRIES = {
    "w0.npy": npy(np.ones((3, 4))),
    "b0.npy": npy(np.zeros(4)),
    "w1.npy": npy(np.ones((4, 2))),
    "b1.npy": npy(np.ones(2)),
}


def write(tmp_path, schema, **changes):
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        text = schema if isinstance(schema, bytes | str) else json.dumps(schema)
        archive.writestr("schema.json", text)
        for name, data in (ENTRIES | changes).items():
            archive.writestr(name, data)
    return path


def test_the_reference_network_of_these_tests_is_read(tmp_path):
    found = load(write(tmp_path, network())).network
    np.testing.assert_array_equal(forward(found.program, np.ones((1, 3))), [[13.0, 13.0]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"coefs_": arrays("../w0.npy", "w1.npy")}, "not stored as an array"),
        ({"coefs_": arrays("/etc/passwd", "w1.npy")}, "not stored as an array"),
        ({"coefs_": arrays("schema.json", "w1.npy")}, "not a .npy array"),
        (
            {"coefs_": arrays("b0.npy", "w1.npy"), "intercepts_": arrays("w0.npy", "b1.npy")},
            "no matrix",
        ),
        ({"coefs_": arrays(*["w0.npy"] * 1000)}, r"coefs_\[1\] is an array of another layer too"),
        ({"coefs_": arrays("w0.npy")}, "as many intercepts"),
        ({"coefs_": arrays(), "intercepts_": arrays()}, "as many intercepts"),
        ({"coefs_": arrays("w1.npy", "w0.npy")}, "expected"),
        ({"intercepts_": arrays("b1.npy", "b0.npy")}, "expected"),
        ({"coefs_": {}}, "not fitted"),
        ({"coefs_": None}, "not fitted"),
        ({"coefs_": {"content": [None, None]}}, "not stored as an array"),
        ({"activation": word(1)}, "has no activation"),
        ({"activation": {"content": ["tanh"]}}, "has no activation"),
        ({"out_activation_": None}, "has no out_activation_"),
    ],
)
def test_networks_that_lie_are_refused(tmp_path, changes, words):
    with pytest.raises(ModelFileError, match=words):
        load(write(tmp_path, network(**changes)))


def test_an_activation_that_is_not_known_leaves_the_weights(tmp_path):
    subject = load(write(tmp_path, network(out_activation_=word("exp"))))
    assert subject.network is None
    assert "'exp'" in subject.no_network
    assert len(subject.tensors) == 4


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "[]",
        "{}",
        "null",
        b"\xff\xfe{}",
        '{"a": ' * 100_000,
        '{"a": 1, "a": 2}',
        {"a": [network(), network()]},
        {"__class__": ["MLPRegressor"], "__module__": {"a": 1}},
    ],
)
def test_schemas_that_are_none_are_refused(tmp_path, schema):
    with pytest.raises(ModelFileError):
        load(write(tmp_path, schema))


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (sys.exit, (3,))

    bomb = npy(np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(ModelFileError, match="never unpickled"):
        load(write(tmp_path, network(), **{"w0.npy": bomb}))


def test_a_module_that_the_schema_names_is_not_imported(tmp_path):
    schema = network()
    schema["__module__"] = "sklearn.neural_network.antigravity"
    schema["content"]["content"]["other"] = {"__class__": "x", "__module__": "antigravity"}
    load(write(tmp_path, schema))
    assert "antigravity" not in sys.modules


def test_a_schema_larger_than_any_is_not_parsed(tmp_path):
    with pytest.raises(ModelFileError, match=r"schema\.json declares"):
        load(write(tmp_path, b" " * (2**26 + 1)))


def test_an_array_that_declares_more_than_it_has_is_refused(tmp_path):
    data = ENTRIES["w0.npy"].replace(b"(3, 4)", b"(3, 9)")
    with pytest.raises(ModelFileError, match="declares shape"):
        load(write(tmp_path, network(), **{"w0.npy": data}))
