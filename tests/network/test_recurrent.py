"""Cells are PyTorch's, Keras's and ONNX's, forward and in every Jacobian product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fpcheck.core.errors import ModelFileError
from fpcheck.network.activations import activation
from fpcheck.network.program import dense_chain, forward, jacobian, jvp, trace, vjp
from fpcheck.network.recurrent import (
    ONNX_GRU,
    ONNX_LSTM,
    elman_cell,
    gru_cell,
    input_drive,
    lstm_cell,
)

INPUTS, HIDDEN = 3, 7
# Sums of at most 10 products of numbers of order 1 in double precision.
EXACT = 1e-12
# Central differences of step 1e-6: rounding 1e-16 / 1e-6, truncation 1e-12.
DIFFERENCES = 1e-8
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def torch_cell(kind, nonlinearity="tanh", dtype=torch.float64):
    torch.manual_seed(3)
    if kind == "rnn":
        return torch.nn.RNNCell(INPUTS, HIDDEN, nonlinearity=nonlinearity, dtype=dtype)
    made = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[kind]
    return made(INPUTS, HIDDEN, dtype=dtype)


def cell_of(module, kind, u, nonlinearity="tanh"):
    w = {name: value.detach().numpy() for name, value in module.named_parameters()}
    drive = input_drive(w["weight_ih"], w["bias_ih"], u)
    if kind == "gru":
        return gru_cell("cell", w["weight_hh"], drive, w["bias_hh"], input_size=INPUTS)
    drive = drive + w["bias_hh"]
    if kind == "lstm":
        return lstm_cell("cell", w["weight_hh"], drive, input_size=INPUTS)
    function = activation(nonlinearity)
    return elman_cell("cell", w["weight_hh"], drive, function, input_size=INPUTS)


def stepped(module, kind, u):
    """The module as a map of state rows (n, size)."""

    def step(state):
        held = u.expand(len(state), -1)
        if kind != "lstm":
            return module(held, state)
        return torch.cat(module(held, (state[:, :HIDDEN], state[:, HIDDEN:])), 1)

    return step


CASES = [("rnn", "tanh"), ("rnn", "relu"), ("gru", "tanh"), ("lstm", "tanh")]


@pytest.mark.parametrize(("kind", "nonlinearity"), CASES)
def test_a_cell_is_pytorchs_cell_forward_and_in_its_jacobian(kind, nonlinearity):
    module = torch_cell(kind, nonlinearity)
    u = torch.randn(INPUTS, dtype=torch.float64)
    cell = cell_of(module, kind, u.numpy(), nonlinearity)
    program, step = cell.network.program, stepped(module, kind, u)
    size = HIDDEN * (2 if kind == "lstm" else 1)
    states = torch.randn(300, size, dtype=torch.float64)
    assert (cell.hidden, cell.input_size, cell.kind) == (HIDDEN, INPUTS, kind)
    assert cell.network.skeleton.self_map
    found = forward(program, states.numpy())
    assert np.abs(found - step(states).detach().numpy()).max() < EXACT
    for state in states[:5]:
        exact = torch.autograd.functional.jacobian(lambda x: step(x[None])[0], state).numpy()
        assert np.abs(jacobian(program, state.numpy()) - exact).max() < EXACT
        values = trace(program, state.numpy()[None])
        directions = np.eye(size)
        assert np.abs(jvp(program, values, directions).T - exact).max() < EXACT
        assert np.abs(vjp(program, values, directions) - exact).max() < EXACT


@pytest.mark.parametrize(("kind", "nonlinearity"), CASES)
def test_the_jacobian_is_the_limit_of_differences(kind, nonlinearity):
    module = torch_cell(kind, nonlinearity)
    cell = cell_of(module, kind, np.array([0.3, -1.0, 2.0]), nonlinearity)
    program = cell.network.program
    rng = np.random.default_rng(0)
    state, step = rng.normal(size=program.input_size), 1e-6
    shifts = step * np.eye(len(state))
    differences = (forward(program, state + shifts) - forward(program, state - shifts)) / (2 * step)
    assert np.abs(jacobian(program, state) - differences.T).max() < DIFFERENCES


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_stored_types_are_kept_and_used_in_double_precision(kind, dtype):
    module = torch_cell(kind, dtype=dtype)
    u = np.array([0.5, 0.25, -1.0])
    cell = cell_of(module, kind, u)
    weight = module.weight_hh.detach().numpy()
    assert any(tensor is weight for tensor in cell.network.parameters.values()) or np.array_equal(
        cell.network.parameters["cell.recurrent"], weight
    )
    assert cell.network.parameters["cell.recurrent"].dtype == weight.dtype
    double = module.double()
    states = np.random.default_rng(1).normal(size=(4, cell.network.program.input_size))
    exact = stepped(double, kind, torch.from_numpy(u))(torch.from_numpy(states))
    assert np.abs(forward(cell.network.program, states) - exact.detach().numpy()).max() < EXACT


def test_an_elman_cell_is_a_plain_chain_for_the_fused_kernel():
    cell = cell_of(torch_cell("rnn"), "rnn", np.zeros(INPUTS))
    (layer,) = dense_chain(cell.network.program)
    assert layer.weight_t.shape == (HIDDEN, HIDDEN)
    assert dense_chain(cell_of(torch_cell("gru"), "gru", np.zeros(INPUTS)).network.program) is None


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def blocks(order, tensor):
    """The gates' blocks by letter, along the first axis."""
    return dict(zip(order, np.split(tensor, len(order)), strict=True))


def drawn(gates, seed=5):
    rng = np.random.default_rng(seed)
    n = gates * HIDDEN
    return (
        rng.normal(size=(n, INPUTS)),
        rng.normal(size=(n, HIDDEN)) / np.sqrt(HIDDEN),
        rng.normal(size=n),
        rng.normal(size=n),
        rng.normal(size=INPUTS),
        rng.normal(size=(6, HIDDEN)),
    )


@pytest.mark.parametrize("order", ["rzn", "zrn", "nzr"])
@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("layout", ["out_in", "in_out"])
def test_a_gru_of_any_gate_order_is_its_formula(order, behind, layout):
    w, r, b, c, u, h = drawn(3)
    wx, rh, bx, bh = (blocks(order, t) for t in (w, r, b, c))
    x = {gate: wx[gate] @ u + bx[gate] for gate in order}
    z, reset = (sigmoid(x[gate] + h @ rh[gate].T + bh[gate]) for gate in "zr")
    if behind:
        n = np.tanh(x["n"] + reset * (h @ rh["n"].T + bh["n"]))
    else:
        n = np.tanh(x["n"] + (reset * h) @ rh["n"].T + bh["n"])
    cell = gru_cell(
        "g",
        r if layout == "out_in" else np.ascontiguousarray(r.T),
        input_drive(w if layout == "out_in" else w.T, b, u, layout=layout),
        c,
        input_size=INPUTS,
        order=order,
        linear_before_reset=behind,
        layout=layout,
    )
    assert np.abs(forward(cell.network.program, h) - ((1 - z) * n + z * h)).max() < EXACT
    assert_products_agree(cell)


@pytest.mark.parametrize("order", ["ifgo", "iofg", "ogfi"])
def test_an_lstm_of_any_gate_order_is_its_formula(order):
    w, r, b, c, u, h = drawn(4)
    memory = h[:, ::-1].copy()
    total = u @ w.T + b + c + h @ r.T
    gate = dict(zip(order, np.split(total, 4, axis=1), strict=True))
    new = sigmoid(gate["f"]) * memory + sigmoid(gate["i"]) * np.tanh(gate["g"])
    exact = np.concatenate([sigmoid(gate["o"]) * np.tanh(new), new], axis=1)
    cell = lstm_cell("l", r, input_drive(w, b + c, u), input_size=INPUTS, order=order)
    state = np.concatenate([h, memory], axis=1)
    assert np.abs(forward(cell.network.program, state) - exact).max() < EXACT
    assert_products_agree(cell)


def assert_products_agree(cell):
    program = cell.network.program
    state = np.random.default_rng(2).normal(size=program.input_size)
    values, eye = trace(program, state[None]), np.eye(program.input_size)
    step = 1e-6
    differences = forward(program, state + step * eye) - forward(program, state - step * eye)
    forwards = jvp(program, values, eye).T
    assert np.abs(forwards - vjp(program, values, eye)).max() < EXACT
    assert np.abs(forwards - differences.T / (2 * step)).max() < DIFFERENCES


@pytest.mark.parametrize("kind", ["rnn", "gru", "gru before", "lstm"])
def test_onnx_runtime_steps_as_the_cell_does(kind, tmp_path):
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    word = kind.split()[0]
    w, r, b, c, u, h = (t.astype(np.float32) for t in drawn(GATES[word]))
    both = np.concatenate([b, c])[None]
    memory = np.ascontiguousarray(h[:, ::-1])
    states = ["h", "c"] if word == "lstm" else ["h"]
    given = {"linear_before_reset": int(kind == "gru")} if word == "gru" else {}
    ends = [f"next_{name}" for name in states]
    node = onnx.helper.make_node(
        word.upper(), ["x", "w", "r", "b", "", *states], ["", *ends], hidden_size=HIDDEN, **given
    )
    number = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "one step",
        [
            onnx.helper.make_tensor_value_info(name, number, shape)
            for name, shape in [("x", [1, 6, INPUTS]), *((s, [1, 6, HIDDEN]) for s in states)]
        ],
        [onnx.helper.make_tensor_value_info(end, number, [1, 6, HIDDEN]) for end in ends],
        [
            onnx.numpy_helper.from_array(value, name)
            for name, value in (("w", w[None]), ("r", r[None]), ("b", both))
        ],
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"x": np.broadcast_to(u, (1, 6, INPUTS)).copy(), "h": h[None]}
    if word == "lstm":
        feeds["c"] = memory[None]
    exact = np.concatenate([out[0] for out in session.run(None, feeds)], axis=1)
    drive = input_drive(w, b, u.astype(np.float64))
    if word == "rnn":
        cell = elman_cell("c", r, drive + c, input_size=INPUTS)
    elif word == "lstm":
        cell = lstm_cell("c", r, drive + c, input_size=INPUTS, order=ONNX_LSTM)
    else:
        cell = gru_cell(
            "c",
            r,
            drive,
            c,
            input_size=INPUTS,
            order=ONNX_GRU,
            linear_before_reset=kind == "gru",
        )
    state = np.concatenate([h, memory], axis=1) if word == "lstm" else h
    # onnxruntime computes in single precision.
    assert np.abs(forward(cell.network.program, state.astype(np.float64)) - exact).max() < 1e-5


def test_matrices_that_are_no_cell_are_refused_with_their_shape():
    with pytest.raises(ModelFileError, match=r"cell 'g': .* \[9, 4\], expected \[3 n, n\]"):
        gru_cell("g", np.zeros((9, 4)), np.zeros(9), input_size=2)
    with pytest.raises(ModelFileError, match=r"a bias is \[5\], expected \[4\]"):
        elman_cell("e", np.zeros((4, 4)), np.zeros(5), input_size=2)
    with pytest.raises(ModelFileError, match=r"a bias is \[4\], expected \[12\]"):
        gru_cell("g", np.zeros((12, 4)), np.zeros(12), np.zeros(4), input_size=2)
    with pytest.raises(ValueError, match="permutation of 'ifgo'"):
        lstm_cell("l", np.zeros((8, 2)), np.zeros(8), input_size=1, order="ifco")
