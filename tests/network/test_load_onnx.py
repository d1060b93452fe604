from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from files.reference import CNN_INPUT, FOLDER, MLP_INPUT, cnn, cnn_outputs, mlp, mlp_outputs

from fpcheck.core.errors import ModelFileError, UsageError
from fpcheck.core.settings import Settings
from fpcheck.jobs.analyze import analyze
from fpcheck.network.load import load
from fpcheck.network.program import forward
from fpcheck.report.schema import violations

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - behind the check for it

FILES = FOLDER / "onnx"
EXACT = 1e-12  # the same sums in another order
QUICK = Settings(starts=32, samples=64)


def rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((4, *shape))


def value(name: str, shape: list[int | str] | None, kind: int = TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def saved(path: Path, nodes, inputs, outputs, weights=None, opset: int = 18) -> Path:
    stored = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, stored)
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.mark.parametrize(
    "name", ["mlp.onnx", "mlp_external.onnx", "mlp_double.onnx", "mlp_matmul.onnx"]
)
def test_the_reference_mlp_gives_its_outputs(name: str):
    network = load(FILES / name).network
    assert network is not None
    points = rows(*MLP_INPUT)
    np.testing.assert_allclose(forward(network.program, points), mlp_outputs(points), atol=EXACT)


def test_the_reference_cnn_gives_its_outputs():
    network = load(FILES / "cnn.onnx").network
    assert network is not None
    points = rows(*CNN_INPUT)
    np.testing.assert_allclose(forward(network.program, points), cnn_outputs(points), atol=EXACT)


def test_tensors_keep_their_names_and_types():
    subject = load(FILES / "cnn.onnx")
    for layer, (weight, bias) in cnn().items():
        np.testing.assert_array_equal(subject.tensors[f"{layer}.weight"], weight)
        np.testing.assert_array_equal(subject.tensors[f"{layer}.bias"], bias)
    assert subject.unused == ()


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_half_precision_weights_are_read_exactly(kind: int, tmp_path: Path):
    weight = np.arange(-6, 6, dtype=np.float32).reshape(4, 3) / 4  # exact in both types
    bits = (
        weight.astype(np.float16)
        if kind == TensorProto.FLOAT16
        else ((weight.view(np.uint32) >> 16).astype(np.uint16))
    )
    tensor = helper.make_tensor("w", kind, weight.shape, bits.tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [value("x", ["n", 4], kind)],
        [value("y", None, kind)],
        [tensor],
    )
    onnx.save(helper.make_model(graph), tmp_path / "half.onnx")
    network = load(tmp_path / "half.onnx").network
    assert network is not None
    points = rows(4)
    np.testing.assert_allclose(forward(network.program, points), points @ weight, atol=EXACT)


def test_an_unsupported_operator_leaves_the_part_before_it():
    subject = load(FILES / "mlp_stopped.onnx")
    partial, layers = subject.partial, list(mlp().values())
    assert partial is not None
    assert (partial.operator, partial.node, partial.place) == ("ThresholdedRelu", "stop", 4)
    assert partial.node_share == pytest.approx(3 / 5)
    before, total = (sum(w.size + b.size for w, b in some) for some in (layers[:2], layers))
    assert partial.parameter_share == pytest.approx(before / total)
    assert subject.network is not None
    assert subject.network.skeleton.output_shape == (4,)


def test_a_report_on_a_part_says_so_and_leaves_the_whole_network_s_questions_out():
    document = analyze(FILES / "mlp_stopped.onnx", settings=QUICK).document
    assert violations(document) == []
    assert document["subject"]["partial"]["operator"] == "ThresholdedRelu"
    assert "before it" in document["subject"]["notes"][0]
    assert "skipped" not in document["signal"]
    for question in ("attractors", "readout"):
        assert "ThresholdedRelu" in document[question]["skipped"]
    assert document["weights"]["unused"] is None


def test_an_operator_that_stands_first_leaves_the_weights(tmp_path: Path):
    nodes = [
        helper.make_node("Log", ["x"], ["t"], "first"),
        helper.make_node("MatMul", ["t", "w"], ["y"]),
    ]
    weights = {"w": rows(3).astype(np.float32)}
    path = saved(tmp_path / "m.onnx", nodes, [value("x", ["n", 4])], [value("y", None)], weights)
    subject = load(path)
    assert subject.network is None
    assert "Log 'first'" in subject.no_network
    assert set(subject.tensors) == {"w"}


def test_quantized_weights_are_counted_as_left_out(tmp_path: Path):
    nodes = [helper.make_node("MatMulInteger", ["x", "w"], ["y"])]
    weights = {"w": np.ones((4, 8), np.uint8)}
    inputs = [value("x", ["n", 4])]
    subject = load(saved(tmp_path / "m.onnx", nodes, inputs, [value("y", None)], weights))
    assert "1 tensors of 32 whole numbers, quantized weights, are left out" in subject.notes


def test_two_inputs_are_named_and_the_weights_are_kept(tmp_path: Path):
    nodes = [
        helper.make_node("MatMul", ["a", "w"], ["t"]),
        helper.make_node("Add", ["t", "b"], ["y"]),
    ]
    inputs = [value("a", ["n", 4]), value("b", ["n", 3])]
    weights = {"w": np.ones((4, 3), np.float32)}
    subject = load(saved(tmp_path / "m.onnx", nodes, inputs, [value("y", None)], weights))
    assert subject.network is None
    assert "2 inputs, 'a', 'b'" in subject.no_network
    assert set(subject.tensors) == {"w"}


def test_the_first_of_two_outputs_is_taken_unless_key_names_the_other(tmp_path: Path):
    nodes = [helper.make_node("Relu", ["x"], ["p"]), helper.make_node("Tanh", ["x"], ["q"])]
    outputs = [value("p", None), value("q", None)]
    path = saved(tmp_path / "m.onnx", nodes, [value("x", ["n", 4])], outputs)
    points = rows(4)
    first, other = load(path), load(path, key="q")
    assert first.network is not None
    assert other.network is not None
    assert any("'p' is analyzed" in note for note in first.notes)
    np.testing.assert_allclose(forward(first.network.program, points), np.maximum(points, 0))
    np.testing.assert_allclose(forward(other.network.program, points), np.tanh(points), atol=1e-15)
    with pytest.raises(ModelFileError, match="has no output 'r'") as raised:
        load(path, key="r")
    assert "p, q" in raised.value.hint


def test_an_unknown_size_is_named_with_its_symbol(tmp_path: Path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    shape: list[int | str] = ["n", 3, "height", 8]
    subject = load(saved(tmp_path / "m.onnx", nodes, [value("x", shape)], [value("y", None)]))
    assert subject.network is None
    assert "axis 2 ('height')" in subject.no_network
    assert "--input-shape" in subject.hint


def test_input_shape_gives_sizes_that_the_file_leaves_open(tmp_path: Path):
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["y"])]
    shape: list[int | str] = ["n", 3, "height", 8]
    path = saved(tmp_path / "m.onnx", nodes, [value("x", shape)], [value("y", None)])
    network = load(path, input_shape=(3, 5, 8)).network
    assert network is not None
    points = rows(3, 5, 8)
    means = points.mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(forward(network.program, points), means)
    with pytest.raises(UsageError, match="--input-shape is"):
        load(FILES / "cnn.onnx", input_shape=(2, 8, 9))


def test_a_network_of_tokens_begins_behind_its_embedding(tmp_path: Path):
    rng = np.random.default_rng(6)
    weights = {"table": rng.standard_normal((9, 4)), "w": rng.standard_normal((4, 2))}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"], "embedding"),
        helper.make_node("MatMul", ["e", "w"], ["y"]),
    ]
    inputs = [value("ids", ["n", 5], TensorProto.INT64)]
    outputs = [value("y", None, TensorProto.DOUBLE)]
    subject = load(saved(tmp_path / "m.onnx", nodes, inputs, outputs, weights))
    assert subject.network is not None
    assert any("behind the embedding" in note for note in subject.notes)
    assert subject.unused == ()
    points = rows(5, 4)
    found = forward(subject.network.program, points)
    np.testing.assert_allclose(found, points @ weights["w"], atol=EXACT)


def test_flags_for_weights_alone_are_refused():
    with pytest.raises(UsageError, match="--activation cannot be given"):
        load(FILES / "mlp.onnx", activation="tanh")


def test_a_constant_bias_is_the_layer_s_and_a_shared_product_keeps_its_own(tmp_path: Path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], "layer"),
        helper.make_node("Add", ["m", "b"], ["s"]),
        helper.make_node("Add", ["s", "m"], ["y"]),
    ]
    weights = {"w": np.ones((4, 3), np.float32), "b": np.ones(3, np.float32)}
    path = saved(tmp_path / "m.onnx", nodes, [value("x", ["n", 4])], [value("y", None)], weights)
    network, points = load(path).network, rows(4)
    assert network is not None
    sums = points.sum(axis=1, keepdims=True)
    expected = np.broadcast_to(2 * sums + 1, (4, 3))
    np.testing.assert_allclose(forward(network.program, points), expected)


def test_patterns_are_one_activation_each(tmp_path: Path):
    nodes = [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Mul", ["s", "x"], ["y"])]
    network = load(saved(tmp_path / "m.onnx", nodes, [value("x", ["n", 4])], [value("y", None)]))
    assert network.network is not None
    functions = [node.function.name for node in network.network.skeleton.nodes[1:]]
    assert functions == ["silu"]


CELLS = [("RNN", 1, 0), ("GRU", 3, 0), ("GRU", 3, 1), ("LSTM", 4, 0)]


@pytest.mark.parametrize(("op", "gates", "linear"), CELLS)
def test_a_step_of_every_cell_equals_onnxruntime_s(
    op: str, gates: int, linear: int, tmp_path: Path
):
    ort = pytest.importorskip("onnxruntime")
    size, hidden, rng = 3, 4, np.random.default_rng(2)
    shapes = {
        "w": (2, gates * hidden, size),
        "r": (2, gates * hidden, hidden),
        "b": (2, 2 * gates * hidden),
    }
    weights = {k: rng.standard_normal(shape).astype(np.float32) for k, shape in shapes.items()}
    names = ["h", "c"] if op == "LSTM" else ["h"]
    attributes = {"linear_before_reset": linear} if op == "GRU" else {}
    node = helper.make_node(
        op,
        ["x", "w", "r", "b", "", *names],
        ["y", *(f"{name}_last" for name in names)],
        "cell",
        hidden_size=hidden,
        direction="bidirectional",
        **attributes,
    )
    inputs = [value("x", [1, 1, size]), *(value(name, [2, 1, hidden]) for name in names)]
    outputs = [value(f"{name}_last", None) for name in names]
    path = saved(tmp_path / "m.onnx", [node], inputs, outputs, weights)
    np.save(tmp_path / "row.npy", rng.standard_normal((1, size)).astype(np.float32))
    subject = load(path, input_choice=str(tmp_path / "row.npy"))
    assert [cell.name for cell in subject.cells] == ["cell", "cell.reverse"]
    states = {name: rng.standard_normal((2, 1, hidden)).astype(np.float32) for name in names}
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    row = np.load(tmp_path / "row.npy").reshape(1, 1, size)
    expected = np.concatenate(session.run(None, {"x": row, **states}), axis=2)[:, 0]
    for place, cell in enumerate(subject.cells):
        state = np.concatenate([states[name][place] for name in names], axis=1)
        found = forward(cell.network.program, state.astype(np.float64))
        np.testing.assert_allclose(found[0], expected[place], atol=1e-6)


def test_cells_inside_other_operators_are_found(tmp_path: Path):
    rng = np.random.default_rng(4)
    stored = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
        for name, shape in {"w": (1, 12, 3), "r": (1, 12, 3)}.items()
    ]
    cell = helper.make_node("LSTM", ["x", "w", "r"], ["", "last"], "cell", hidden_size=3)
    inside = helper.make_graph([cell], "then", [], [value("last", None)], stored)
    other = helper.make_graph(
        [helper.make_node("Identity", ["h"], ["same"])], "else", [], [value("same", None)]
    )
    nodes = [helper.make_node("If", ["c"], ["y"], "choice", then_branch=inside, else_branch=other)]
    inputs = [value("x", [1, 1, 3]), value("h", [1, 1, 3]), value("c", [], TensorProto.BOOL)]
    subject = load(saved(tmp_path / "m.onnx", nodes, inputs, [value("y", None)]))
    assert [cell.name for cell in subject.cells] == ["choice/then_branch/cell"]
    assert set(subject.tensors) == {"choice/then_branch/w", "choice/then_branch/r"}


def test_without_the_package_onnx_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from fpcheck.network.load import load\n"
        "from fpcheck.core.errors import ModelFileError\n"
        "try: load(sys.argv[1])\n"
        "except ModelFileError as error: print(error.message, '|', error.hint)\n"
    )
    command = [sys.executable, "-c", code, str(FILES / "mlp.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        done.stdout
        == "mlp.onnx: reading ONNX needs the package onnx | pip install 'fpcheck[onnx]'\n"
    )


def test_an_old_opset_gives_its_weights_and_once_converted_its_graph(tmp_path: Path):
    rng = np.random.default_rng(3)
    weights = {
        "w": rng.standard_normal((4, 5)).astype("f4"),
        "b": rng.standard_normal(4).astype("f4"),
    }
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)]
    ends = value("x", [1, 5]), value("y", [1, 4])
    path = saved(tmp_path / "old.onnx", nodes, [ends[0]], [ends[1]], weights, opset=6)
    subject = load(path)
    assert subject.network is None
    assert "opset is 6" in subject.no_network
    assert list(subject.tensors) == ["w", "b"]
    # The hint, followed.
    assert "onnx.version_converter.convert_version(model, 18)" in subject.hint
    from onnx import version_converter

    new = version_converter.convert_version(onnx.load(path), 18)
    onnx.save(new, tmp_path / "new.onnx")
    network = load(tmp_path / "new.onnx").network
    points = rows(5)
    expected = points @ weights["w"].T.astype(float) + weights["b"]
    np.testing.assert_allclose(forward(network.program, points), expected, atol=EXACT)
