"""Hard sigmoids as gates: of Keras 3, of the Kerases before it, and of ONNX."""

import json
import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

from fpcheck.network.gates import FLAT, STEEP
from fpcheck.network.load import load
from fpcheck.network.program import forward, jacobian
from fpcheck.network.recurrent import gru_cell, lstm_cell

EXACT = 1e-12
SINGLE = 1e-5
HIDDEN, SIZE = 3, 2
RNG = np.random.default_rng(8)
ARRAYS = {
    "kernel": RNG.normal(size=(SIZE, 4 * HIDDEN)),
    "recurrent_kernel": RNG.normal(size=(HIDDEN, 4 * HIDDEN)),
    "bias": RNG.normal(size=4 * HIDDEN),
}
STATE = np.random.default_rng(9).normal(size=(40, 2 * HIDDEN))


def lstm_step(state, slope):
    """c' = f c + i g, h' = o tanh(c') with gates clip(slope x + 1/2, 0, 1), the input at zero."""
    h, c = np.split(state, 2, axis=1)
    i, f, g, o = np.split(h @ ARRAYS["recurrent_kernel"] + ARRAYS["bias"], 4, axis=1)
    if slope is None:
        i, f, o = (1.0 / (1.0 + np.exp(-x)) for x in (i, f, o))
    else:
        i, f, o = (np.clip(slope * x + 0.5, 0.0, 1.0) for x in (i, f, o))
    after = f * c + i * np.tanh(g)
    return np.concatenate([o * np.tanh(after), after], axis=1)


def saved(path, version, *, config):
    """A file as that Keras writes it: with the model's configuration, or its weights alone."""
    h5py = pytest.importorskip("h5py")
    layer = {
        "class_name": "LSTM",
        "config": {
            "name": "memory", "units": HIDDEN, "activation": "tanh", "use_bias": True,
            "recurrent_activation": "hard_sigmoid", "batch_input_shape": [None, 5, SIZE],
        },
    }  # fmt: skip
    model = {"class_name": "Sequential", "config": {"name": "model", "layers": [layer]}}
    root = "model_weights/" if config else ""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        if config:
            file.attrs["model_config"] = json.dumps(model)
        for name, array in ARRAYS.items():
            file.create_dataset(f"{root}memory/memory/{name}:0", data=array)
    return path


@pytest.mark.parametrize(("version", "slope"), [("2.2.4", 0.2), ("3.1.0", 1 / 6)])
def test_gates_are_the_hard_sigmoid_of_the_keras_that_wrote_the_model(version, slope, tmp_path):
    (cell,) = load(saved(tmp_path / "m.h5", version, config=True)).cells
    found = forward(cell.network.program, STATE)
    assert np.abs(found - lstm_step(STATE, slope)).max() < EXACT


@pytest.mark.parametrize(
    ("version", "slope"),
    [("2.1.3", 0.2), ("2.1.6-tf", 0.2), ("2.3.1", None), ("2.9.0", None), ("2.2.4-tf", None)],
)
def test_cells_of_weights_alone_have_the_gates_that_were_the_default(version, slope, tmp_path):
    subject = load(saved(tmp_path / "m.h5", version, config=False))
    (cell,) = subject.cells
    assert cell.name == "memory"
    found = forward(cell.network.program, STATE)
    assert np.abs(found - lstm_step(STATE, slope)).max() < EXACT
    words = "sigmoid" if slope is None else "hard_sigmoid"
    assert any(f"gates with {words}," in note for note in subject.notes)
    assert "attractors of each cell" in subject.hint


@pytest.mark.parametrize("kind", ["gru behind", "gru before", "lstm"])
def test_jacobians_of_hard_gates_are_those_of_finite_differences(kind):
    rng = np.random.default_rng(3)
    gates = 4 if kind == "lstm" else 3
    weights, drive = rng.normal(size=(gates * 4, 4)), rng.normal(size=gates * 4)
    if kind == "lstm":
        cell = lstm_cell("c", weights, drive, input_size=1, gate=FLAT)
    else:
        behind = kind == "gru behind"
        cell = gru_cell("c", weights, drive, input_size=1, gate=STEEP, linear_before_reset=behind)
    program = cell.network.program
    x = 0.3 * rng.normal(size=program.input_size)
    step = 1e-6
    moved = np.vstack([x + step * np.eye(len(x)), x - step * np.eye(len(x))])
    up, down = np.split(forward(program, moved), 2)
    assert np.abs(jacobian(program, x) - ((up - down) / (2 * step)).T).max() < 1e-8


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_onnx_hard_sigmoids_step_as_in_onnxruntime(op, tmp_path):
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    gates, rng = (3 if op == "GRU" else 4), np.random.default_rng(2)
    shapes = {"w": (1, gates * 4, 2), "r": (1, gates * 4, 4), "b": (1, 8 * gates)}
    weights = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    names = ["h", "c"] if op == "LSTM" else ["h"]
    functions = ["HardSigmoid", "Tanh"] + (["Tanh"] if op == "LSTM" else [])
    node = onnx.helper.make_node(
        op, ["x", *weights, "", *names], ["", *(f"{name}_last" for name in names)], "cell",
        hidden_size=4, activations=functions,
    )  # fmt: skip
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "graph",
        [onnx.helper.make_tensor_value_info("x", real, [1, 1, 2])]
        + [onnx.helper.make_tensor_value_info(name, real, [1, 1, 4]) for name in names],
        [onnx.helper.make_tensor_value_info(f"{name}_last", real, None) for name in names],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "m.onnx"
    )
    (cell,) = load(tmp_path / "m.onnx").cells
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    for _ in range(5):
        states = {name: rng.normal(size=(1, 1, 4)).astype("float32") for name in names}
        given = {"x": np.zeros((1, 1, 2), "float32"), **states}
        expected = np.concatenate(session.run(None, given), axis=2)[0]
        state = np.concatenate([states[name][0] for name in names], axis=1).astype(np.float64)
        assert np.abs(forward(cell.network.program, state) - expected).max() < SINGLE
