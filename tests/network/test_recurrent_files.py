"""Cells are found in files by the names of PyTorch and Keras, and held at the chosen input."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.core.errors import DataError, UsageError
from fpcheck.network.constant_input import ConstantInput, constant_input, mean_row
from fpcheck.network.data import load_data
from fpcheck.network.load import load
from fpcheck.network.load.cells import find_cells
from fpcheck.network.program import forward, jacobian
from fpcheck.network.settled import settled_output
from fpcheck.network.summary import summarise

EXACT = 1e-12
SETTLED = 1e-11  # a state is at rest when a step changes it by rounding alone
MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def saved(module, tmp_path, name="model.pt"):
    torch.save(module.state_dict(), tmp_path / name)
    return tmp_path / name


def stack(kind, **options):
    torch.manual_seed(1)
    return MODULES[kind](3, 5, dtype=torch.float64, **options)


def settled(module, kind, row):
    """What PyTorch's layers give at the end of a long sequence of one row, the deepest last."""
    with torch.no_grad():
        last = module(torch.as_tensor(row).expand(4000, 1, -1))[1]
    return (last[0] if kind == "lstm" else last)[:, 0]


def torch_step(module, kind, suffix, u, state):
    """One step of one cell of a stack by PyTorch's own cell modules. state: (n, size)."""
    cells = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}
    own = {
        word: getattr(module, f"{word}_{suffix}").detach()
        for word in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    cell = cells[kind](own["weight_ih"].shape[1], 5, dtype=torch.float64)
    cell.load_state_dict(own)
    state, held = torch.from_numpy(state), u.expand(len(state), -1)
    if kind == "lstm":
        return torch.cat(cell(held, (state[:, :5], state[:, 5:])), 1).detach().numpy()
    return cell(held, state).detach().numpy()


@pytest.mark.parametrize("kind", MODULES)
def test_every_cell_of_a_stack_is_found_and_steps_as_pytorchs(kind, tmp_path):
    module = stack(kind, num_layers=2, bidirectional=True)
    subject = load(saved(module, tmp_path))
    assert [cell.name for cell in subject.cells] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert {cell.kind for cell in subject.cells} == {kind}
    assert [cell.input_size for cell in subject.cells] == [3, 3, 10, 10]
    zeros = torch.zeros(3, dtype=torch.float64)
    below = settled(module, kind, zeros)[:2].reshape(-1)
    for cell in subject.cells:
        state = np.random.default_rng(0).normal(size=(4, cell.network.program.input_size))
        u = zeros if cell.name.startswith("l0") else below
        exact = torch_step(module, kind, cell.name, u, state)
        assert np.abs(forward(cell.network.program, state) - exact).max() < SETTLED
    assert subject.cells[3].note == "input held at what l0 and l0_reverse settle at from zero"


@pytest.mark.parametrize("kind", MODULES)
def test_a_deeper_layer_is_held_at_what_the_layer_below_settles_at(kind, tmp_path):
    module = stack(kind, num_layers=3)
    row = np.array([0.5, -1.0, 2.0])
    np.save(tmp_path / "u.npy", row)
    cells = load(saved(module, tmp_path), input_choice=str(tmp_path / "u.npy")).cells
    below = settled(module, kind, row)
    inputs = (torch.from_numpy(row), below[0], below[1])
    for cell, u in zip(cells, inputs, strict=True):
        state = np.random.default_rng(0).normal(size=(4, cell.network.program.input_size))
        exact = torch_step(module, kind, cell.name, u, state)
        assert np.abs(forward(cell.network.program, state) - exact).max() < SETTLED
    assert [cell.note for cell in cells] == [
        "input held at u.npy",
        "input held at what l0 settles at from zero",
        "input held at what l1 settles at from zero",
    ]


@pytest.mark.parametrize("below", ["cycles", "rests on a saddle"])
def test_a_layer_above_one_that_does_not_settle_is_held_at_zeros(below):
    # h <- tanh(-3 h + b) has a cycle of period 2 and no other attractor; h <- tanh(3 h) rests at
    # zero, from where the smallest deviation leaves.
    w, b = (-3.0, 0.1) if below == "cycles" else (3.0, 0.0)
    one = np.ones((1, 1))
    tensors = {
        "weight_ih_l0": one, "weight_hh_l0": w * one, "bias_ih_l0": np.array([b]),
        "weight_ih_l1": one, "weight_hh_l1": 0.5 * one, "bias_ih_l1": np.array([0.3]),
    }  # fmt: skip
    deeper = find_cells(tensors).cells[1]
    assert deeper.note == "input held at zeros, as l0 does not settle from zero"
    found = forward(deeper.network.program, np.zeros((1, 1)))[0, 0]
    assert found == pytest.approx(np.tanh(0.3), abs=1e-15)


def test_the_settled_state_is_the_root_of_its_equation():
    one = np.ones((1, 1))
    tensors = {"weight_ih_l0": one, "weight_hh_l0": 0.5 * one, "bias_ih_l0": np.array([1.0])}
    (cell,) = find_cells(tensors).cells
    (h,) = settled_output(cell)
    assert h == pytest.approx(np.tanh(0.5 * h + 1.0), abs=1e-12)


def test_a_projected_lstm_steps_as_pytorchs(tmp_path):
    module = stack("lstm", num_layers=2, proj_size=2)
    row = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    first, second = load(
        saved(module, tmp_path), input_choice=ConstantInput("u", row.numpy())
    ).cells
    assert (first.hidden, first.output_size, first.network.program.input_size) == (5, 2, 7)
    assert second.note == "input held at what l0 settles at from zero"
    rng = np.random.default_rng(0)
    for layer, cell in enumerate((first, second)):
        h, c = rng.normal(size=(2, 1, 2)), rng.normal(size=(2, 1, 5))
        start = np.concatenate([h[layer], c[layer]], axis=1)
        if layer == 0:
            ends = module(row[None, None], (torch.from_numpy(h), torch.from_numpy(c)))[1]
        else:  # the upper layer alone, its input what the lower one settles at
            u = settled(module, "lstm", row)[0][None, None]
            upper = torch.nn.LSTM(2, 5, proj_size=2, dtype=torch.float64)
            upper.load_state_dict(
                {n: getattr(module, n.replace("l0", "l1")) for n in upper._flat_weights_names}
            )
            ends = upper(u, (torch.from_numpy(h[1:]), torch.from_numpy(c[1:])))[1]
        exact = torch.cat([end[0] for end in ends], dim=1).detach().numpy()
        assert np.abs(forward(cell.network.program, start) - exact).max() < SETTLED
        jac = jacobian(cell.network.program, start[0])
        assert jac.shape == (7, 7)


def test_cells_and_readout_of_a_model_are_told_apart(tmp_path):
    module = torch.nn.ModuleDict(
        {"memory": torch.nn.LSTM(3, 4), "one": torch.nn.GRUCell(3, 4), "out": torch.nn.Linear(4, 2)}
    )
    subject = load(saved(module, tmp_path))
    assert [(cell.name, cell.kind) for cell in subject.cells] == [
        ("memory.l0", "lstm"),
        ("one", "gru"),
    ]
    assert subject.network is None
    assert "recurrent cells" in subject.no_network
    assert "out.weight" in subject.tensors
    summary = summarise(subject)
    assert summary.self_map is True
    assert [(cell.name, cell.hidden) for cell in summary.cells] == [("memory.l0", 4), ("one", 4)]
    possible = {answer.question: answer.possible for answer in summary.questions}
    assert possible == {
        "weights": True, "signal": False, "attractors": True, "readout": False, "simplicity": False,
        "escape": False,
    }  # fmt: skip


def test_an_elman_cell_is_taken_with_tanh_and_says_so_unless_told(tmp_path):
    path = saved(torch.nn.RNN(3, 4), tmp_path)
    assumed, told = load(path), load(path, activation="relu")
    assert any("taken with tanh, PyTorch's default" in note for note in assumed.notes)
    assert not any("tanh" in note for note in told.notes)
    state = np.full((1, 4), -2.0)
    assert forward(told.cells[0].network.program, state).min() >= 0.0
    assert forward(assumed.cells[0].network.program, state).max() < 1.0


def test_biases_may_be_missing(tmp_path):
    module = stack("gru", bias=False)
    (cell,) = load(saved(module, tmp_path)).cells
    state = torch.randn(2, 5, dtype=torch.float64)
    exact = module(torch.zeros(1, 2, 3, dtype=torch.float64), state[None])[1][0].detach().numpy()
    assert np.abs(forward(cell.network.program, state.numpy()) - exact).max() < EXACT


@pytest.mark.parametrize("damage", ["no weight_ih", "odd rows", "bias", "projection"])
def test_what_is_no_whole_cell_is_left_out_with_the_reason(damage):
    tensors = {
        "a.weight_ih_l0": np.zeros((12, 3)),
        "a.weight_hh_l0": np.zeros((12, 4)),
        "a.bias_ih_l0": np.zeros(12),
    }
    if damage == "no weight_ih":
        del tensors["a.weight_ih_l0"]
    elif damage == "odd rows":
        tensors["a.weight_hh_l0"] = np.zeros((10, 4))
    elif damage == "bias":
        tensors["a.bias_ih_l0"] = np.zeros(4)
    else:
        tensors["a.weight_hr_l0"] = np.zeros((4, 8))
    found = find_cells(tensors)
    assert found.cells == ()
    (note,) = found.notes
    assert note.startswith("cell 'a.l0' is left out: ")
    words = {"no weight_ih": "no 'a.weight_ih_l0'", "odd rows": "[10, 4]", "bias": "[12]"}
    assert words.get(damage, "its projection 'a.weight_hr_l0' is [4, 8]") in note


@pytest.mark.parametrize("prefix", ["state", "cell", "cell.state", "r", "", "x.drive"])
@pytest.mark.parametrize("gates", [1, 3, 4])
def test_a_cell_may_be_called_anything(prefix, gates):
    own = f"{prefix}." if prefix else ""
    found = find_cells(
        {f"{own}weight_ih": np.ones((2 * gates, 3)), f"{own}weight_hh": np.ones((2 * gates, 2))}
    )
    assert [cell.name for cell in found.cells] == [prefix or "cell"]


def test_a_file_of_very_many_cells_is_cut_with_a_note():
    good = {f"weight_{word}_l{i}": np.ones((1, 1)) for word in ("ih", "hh") for i in range(70)}
    bad = {f"b.weight_hh_l{i}": np.ones((1, 1)) for i in range(20)}
    found = find_cells({**good, **bad})
    assert len(found.cells) == 64
    assert "6 more cells are left out: 64 are taken" in found.notes
    assert "12 more cells are left out" in found.notes


PARTS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "kernel", "recurrent_kernel"]
NAMES = [f"{part}{tail}" for part in PARTS for tail in ("", "_l0", "_l1", "_l0_reverse")] + ["bias"]
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 6, 8, 12]), max_size=3).map(tuple)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), SHAPES, max_size=8), st.sampled_from("fdei?"))
def test_tensors_of_any_shape_are_cells_that_run_or_are_left_out_with_a_note(shapes, code):
    tensors = {name: np.ones(shape, code) for name, shape in shapes.items()}
    found = find_cells(tensors)
    named = sum("weight_hh" in name or "recurrent_kernel" in name for name in tensors)
    candidates = len(found.cells) + sum("left out" in note for note in found.notes)
    assert candidates <= named
    for cell in found.cells:
        size = cell.network.program.input_size
        assert forward(cell.network.program, np.ones((2, size))).shape == (2, size)


def test_a_file_without_cells_is_the_chain_that_it_was(tmp_path):
    path = saved(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 3)), tmp_path)
    subject = load(path, activation="tanh")
    assert subject.cells == ()
    assert subject.network is not None


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "GRU before", "LSTM"])
def test_kerass_weights_step_as_keras_does(kind, tmp_path):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    word = kind.split()[0]
    options = {} if word != "GRU" else {"reset_after": kind == "GRU"}
    keras.utils.set_random_seed(4)
    cell = getattr(keras.layers, f"{word}Cell")(5, bias_initializer="uniform", **options)
    cell.build((None, 3))
    names = {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}
    arrays = {f"layer/{name}": variable.value.detach().numpy() for name, variable in names.items()}
    np.savez(tmp_path / "k.npz", **arrays)
    u = np.array([0.5, -1.0, 2.0])
    (found,) = load(tmp_path / "k.npz", input_choice=ConstantInput("u", u)).cells
    assert found.name == "layer"
    rng = np.random.default_rng(0)
    states = [rng.normal(size=(4, 5)) for _ in range(2 if word == "LSTM" else 1)]
    _, ends = cell(
        keras.ops.convert_to_tensor(np.tile(u, (4, 1)), "float32"),
        [keras.ops.convert_to_tensor(state, "float32") for state in states],
    )
    exact = np.concatenate([end.detach().numpy() for end in ends], axis=1)
    # Keras computes in single precision.
    assert np.abs(forward(found.network.program, np.hstack(states)) - exact).max() < 1e-5


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_the_row_of_a_file_is_read_in_every_format(suffix, tmp_path):
    row, path = np.array([0.5, -1.25, 2.0]), tmp_path / f"row{suffix}"
    if suffix == ".npy":
        np.save(path, row[None])
    elif suffix == ".npz":
        np.savez(path, u=row)
    else:
        path.write_text("a,b,c\n0.5,-1.25,2.0\n")
    assert np.array_equal(constant_input(str(path)).row, row)


def test_the_mean_row_is_over_rows_and_over_time(tmp_path):
    rows = np.random.default_rng(0).normal(size=(6, 4, 3))
    np.savez(tmp_path / "d.npz", X=rows)
    held = mean_row(load_data(tmp_path / "d.npz"))
    assert held.label == "the mean row of d.npz"
    assert np.allclose(held.row, rows.mean(axis=(0, 1)), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3)), "not one row"),
        (np.array([1.0, np.nan]), "not finite"),
        (np.zeros(0), "not one row"),
        (np.array(["a"]), "not real numbers"),
    ],
)
def test_what_is_not_one_row_of_numbers_is_refused(array, words, tmp_path):
    np.save(tmp_path / "u.npy", array)
    with pytest.raises(DataError, match=words):
        constant_input(str(tmp_path / "u.npy"))


def test_a_row_of_another_size_and_a_wrong_word_are_refused(tmp_path):
    path = saved(torch.nn.RNN(3, 4), tmp_path)
    with pytest.raises(DataError, match="u, has 2 entries; cell 'l0' takes 3"):
        load(path, input_choice=ConstantInput("u", np.zeros(2)))
    with pytest.raises(DataError, match="unknown input 'zero'"):
        load(path, input_choice="zero")
    with pytest.raises(DataError, match="there is no file"):
        load(path, input_choice=str(tmp_path / "missing.npy"))
    with pytest.raises(UsageError, match="mean row of the data"):
        load(path, input_choice="mean")
