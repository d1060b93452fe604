from __future__ import annotations

import os
import random
import resource
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fpcheck.core.errors import FpcheckError, ModelFileError
from fpcheck.network.load import load

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - behind the check for it

FILES = Path(__file__).parents[1] / "files" / "onnx"
HUGE = 2**60
MIB = 2**20


def value(name: str, shape: list[int | str] | None):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(nodes=None, weights=None, shape: list[int | str] | None = None, outputs=("y",)):
    """x (n, 4) -> MatMul by w (4, 3) -> y, unless told otherwise."""
    nodes = nodes if nodes is not None else [helper.make_node("MatMul", ["x", "w"], ["y"], "m")]
    arrays = {"w": np.ones((4, 3), np.float32)} if weights is None else weights
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    inputs = [value("x", shape or ["n", 4])]
    graph = helper.make_graph(nodes, "g", inputs, [value(name, None) for name in outputs], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def saved(tmp_path: Path, made) -> Path:
    path = tmp_path / "bad.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def refused(tmp_path: Path, made, words: str) -> None:
    with pytest.raises(FpcheckError, match=words):
        load(saved(tmp_path, made))


def external(made, **entries: str | int):
    """The model with its first tensor's numbers in another file."""
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, entry in entries.items():
        tensor.external_data.add(key=key, value=str(entry))
    return made


def test_a_cycle_is_named(tmp_path: Path):
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], "one"),
        helper.make_node("Relu", ["a"], ["b"], "two"),
        helper.make_node("MatMul", ["b", "w"], ["y"]),
    ]
    refused(tmp_path, model(nodes), "a cycle through node 'one'")


def test_a_value_that_nothing_defines_is_named(tmp_path: Path):
    refused(tmp_path, model(weights={}), "node 'm' needs 'w', which nothing defines")


def test_an_output_that_nothing_computes_is_named(tmp_path: Path):
    refused(tmp_path, model(outputs=("z",)), "its output is 'z', which nothing computes")


def test_two_definitions_of_one_value_are_refused(tmp_path: Path):
    nodes = [helper.make_node(op, ["x"], ["y"]) for op in ("Relu", "Tanh")]
    refused(tmp_path, model(nodes), "two values are called 'y'")
    twice = model()
    twice.graph.initializer.append(twice.graph.initializer[0])
    refused(tmp_path, twice, "two initialisers are called 'w'")


@pytest.mark.parametrize("dims", [[HUGE, 1], [-4, -3], [4, -3], [4, 4], [2**31, 2**31], [1] * 99])
def test_shapes_that_do_not_fit_their_bytes_are_refused(dims: list[int], tmp_path: Path):
    made = model()
    made.graph.initializer[0].dims[:] = dims
    refused(tmp_path, made, "tensor 'w'")


@pytest.mark.parametrize("shape", [(4,), (1, 4, 3, 1), (3, 4), (0, 3), ()])
def test_a_weight_of_the_wrong_rank_stops_its_operator(shape: tuple[int, ...], tmp_path: Path):
    subject = load(saved(tmp_path, model(weights={"w": np.ones(shape, np.float32)})))
    assert subject.network is None
    assert "MatMul 'm' stands first" in subject.no_network


@pytest.mark.parametrize("size", [HUGE, 2**40])
def test_an_absurd_input_is_no_network(size: int, tmp_path: Path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    subject = load(saved(tmp_path, model(nodes, shape=["n", size])))
    assert subject.network is None
    assert "absurd" in subject.no_network


@pytest.mark.parametrize("size", [0, -3])
def test_an_input_axis_without_entries_is_not_known(size: int, tmp_path: Path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    subject = load(saved(tmp_path, model(nodes, shape=["n", size])))
    assert "unknown sizes: axis 1" in subject.no_network


def test_computed_constants_stay_small(tmp_path: Path):
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["c"], "fill"),
        helper.make_node("Add", ["x", "c"], ["y"], "sum"),
    ]
    subject = load(saved(tmp_path, model(nodes, {"s": np.array([HUGE // 2, 4])})))
    assert "ConstantOfShape 'fill'" in subject.no_network
    grown = [helper.make_node("Range", ["a", "b", "c"], ["r"], "range"),
             helper.make_node("Add", ["x", "r"], ["y"])]  # fmt: skip
    bounds = {k: np.array(v, np.float32) for k, v in {"a": 0, "b": 1e30, "c": 1e-30}.items()}
    assert "Range 'range'" in load(saved(tmp_path, model(grown, bounds))).no_network


@pytest.mark.parametrize(("op", "attributes"), [
    ("Conv", {"pads": [2**40, 2**40], "strides": [2**40]}),
    ("ConvTranspose", {"pads": [2**40, 2**40], "strides": [2**39], "output_padding": [2**40]}),
    ("ConvTranspose", {"output_padding": [-1]}),
    ("MaxPool", {"kernel_shape": [2**33], "strides": [2**40], "ceil_mode": 1}),
    ("AveragePool", {"kernel_shape": [2**33], "auto_pad": "SAME_LOWER"}),
])  # fmt: skip
def test_padding_out_of_proportion_or_negative_is_refused(
    op: str, attributes: dict, tmp_path: Path
):
    inputs = ["x", "w"] if op.startswith("Conv") else ["x"]
    weights = {"w": np.ones((2, 2, 3), np.float32)}
    node = helper.make_node(op, inputs, ["y"], "c", **attributes)
    subject = load(saved(tmp_path, model([node], weights, shape=["n", 2, 8])))
    assert "'c' stands first" in subject.no_network


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_weights_that_are_no_real_numbers_stop_the_reading(op: str, tmp_path: Path):
    nodes = [helper.make_node(op, ["x", "w"], ["y"], "m")]
    subject = load(saved(tmp_path, model(nodes, {"w": np.ones((4, 3), np.int32)})))
    assert "'m' stands first" in subject.no_network


@pytest.mark.parametrize("length", [1, 10, 100, 300])
def test_truncated_files_are_refused(length: int, tmp_path: Path):
    whole = (FILES / "mlp.onnx").read_bytes()
    refused(tmp_path, whole[:-length], "ONNX|truncated|graph|output")


def test_bytes_of_another_kind_are_refused(tmp_path: Path):
    for content in (b"\x00" * 64, b"PK\x03\x04" + b"x" * 60, b"{}", bytes(range(256))):
        refused(tmp_path, content, "is not an ONNX file|holds no graph|is a zip archive")


@pytest.mark.parametrize("location", [
    "/etc/passwd", "../w.bin", "a/../../w.bin", "", "C:\\w.bin", "..\\w.bin", "w\0.bin",
])  # fmt: skip
def test_external_data_outside_of_the_folder_are_refused(location: str, tmp_path: Path):
    made = external(model(), location=location)
    refused(tmp_path, made, "outside of the model's folder|cannot be read|'w'")


def test_external_data_behind_a_link_out_of_the_folder_are_refused(tmp_path: Path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    os.symlink(tmp_path / "secret.bin", folder / "w.bin")
    refused(folder, external(model(), location="w.bin"), "outside of the model's folder")
    os.symlink(folder / "loop.bin", folder / "loop.bin")
    refused(folder, external(model(), location="loop.bin"), "'w'")


def test_external_data_that_are_no_file_are_refused(tmp_path: Path):
    (tmp_path / "folder.bin").mkdir()
    refused(tmp_path, external(model(), location="folder.bin"), "cannot be read|regular file")
    os.mkfifo(tmp_path / "pipe.bin")
    refused(tmp_path, external(model(), location="pipe.bin"), "not a regular file")
    refused(tmp_path, external(model(), location="none.bin"), "cannot be read")


@pytest.mark.parametrize("entries", [
    {"offset": 4}, {"offset": HUGE}, {"length": 44}, {"length": HUGE}, {"offset": -4},
    {"offset": "4e3"}, {"offset": "9" * 40}, {"length": ""},
])  # fmt: skip
def test_external_places_out_of_range_are_refused(entries: dict[str, str | int], tmp_path: Path):
    (tmp_path / "w.bin").write_bytes(bytes(48))
    refused(tmp_path, external(model(), location="w.bin", **entries), "tensor 'w'")


def test_external_tensors_that_overlap_are_refused(tmp_path: Path):
    (tmp_path / "w.bin").write_bytes(bytes(96))
    made = external(model(), location="w.bin", offset=0)
    made.graph.initializer.append(made.graph.initializer[0])
    made.graph.initializer[1].name = "v"
    load(saved(tmp_path, made))  # the same place twice is one tensor under two names
    made.graph.initializer[1].external_data[1].value = "24"
    refused(tmp_path, made, "overlaps")


def test_names_that_are_not_utf8_are_shown_as_their_bytes(tmp_path: Path):
    content = model().SerializeToString().replace(b"\x01w", b"\x01\xff")
    assert set(load(saved(tmp_path, content)).tensors) == {"\\xff"}


def test_names_cannot_draw_on_a_terminal(tmp_path: Path):
    made = model([helper.make_node("Log", ["x"], ["y"], "\x1b[2J\u202e")])
    assert "\x1b" not in load(saved(tmp_path, made)).no_network


def field(number: int, content: bytes) -> bytes:
    """A length-delimited record."""
    size = len(content)
    length = bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + content


@pytest.mark.parametrize("depth", [60, 3_000])
def test_deep_nesting_is_refused(depth: int, tmp_path: Path):
    graph = field(2, b"innermost")
    for _ in range(depth):  # a node with an attribute with a graph
        graph = field(1, field(5, field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"))
    refused(tmp_path, b"\x08\x09" + field(7, graph), "not an ONNX file")


def test_a_long_chain_is_read_without_recursion(tmp_path: Path):
    names = ["x", *(f"v{place}" for place in range(5_000)), "y"]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    network = load(saved(tmp_path, model(nodes, {}))).network
    assert network is not None
    assert len(network.skeleton.nodes) == len(nodes) + 1


def test_absurdly_many_records_are_refused_before_they_are_parsed(tmp_path: Path):
    empty_nodes = b"\x0a\x00" * 2_100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path, b"\x08\x09" + field(7, empty_nodes), "records")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 64 * MIB


def test_functions_and_foreign_domains_stop_the_reading(tmp_path: Path):
    node = helper.make_node("Relu", ["x"], ["y"], "f", domain="evil.ops")
    subject = load(saved(tmp_path, model([node])))
    assert "domain 'evil.ops'" in subject.no_network


# Found by fuzzing: attributes and inputs that are not as an operator's definition says.
@pytest.mark.parametrize("node", [
    ("Erf", [], {}), ("Concat", ["x"], {"axis": 7}), ("Split", ["x"], {"axis": -9}),
    ("Reshape", ["x"], {}), ("Transpose", ["x"], {"perm": [0, 0]}), ("Gemm", ["x"], {}),
    ("Unsqueeze", ["x"], {"axes": [HUGE]}), ("Slice", ["x"], {"starts": [0], "ends": [0, 1]}),
    ("Softmax", ["x"], {"axis": HUGE}), ("Clip", ["x"], {"min": 1.0, "max": 0.0}),
    ("LeakyRelu", ["x"], {"alpha": float("nan")}), ("MaxPool", ["x"], {"kernel_shape": [0]}),
    ("Dropout", [], {}), ("Add", ["x"], {"axis": "word"}), ("Sum", [], {}), ("Pow", ["x"], {}),
    ("BatchNormalization", ["x"], {}), ("LSTM", ["x"], {}), ("Shape", [], {}),
    ("Gather", ["x"], {}),
])  # fmt: skip
def test_malformed_operators_stop_the_reading(node: tuple, tmp_path: Path):
    op, inputs, attributes = node
    subject = load(saved(tmp_path, model([helper.make_node(op, inputs, ["y"], **attributes)])))
    assert subject.network is None or op == "Add"


def test_mutated_files_give_a_subject_or_one_clear_error(tmp_path: Path):
    seeds = [path.read_bytes() for path in sorted(FILES.glob("*.onnx"))]
    rng = random.Random(0)
    for _ in range(300):
        content = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 2, 8))):
            place = rng.randrange(len(content))
            if rng.random() < 0.5:
                content[place] = rng.randrange(256)
            else:
                content[place : place + rng.randrange(8)] = rng.randbytes(rng.randrange(8))
        with suppress(FpcheckError):
            load(saved(tmp_path, bytes(content)))


def test_a_missing_file_is_no_onnx_matter(tmp_path: Path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load(tmp_path / "none.onnx")
