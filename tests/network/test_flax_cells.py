"""Flax's cells, a layer for every gate, are found by their names and step as flax does."""

import numpy as np
import pytest
from files.reference import FOLDER

from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.load import load
from fpcheck.network.load.cells import find_cells
from fpcheck.network.program import forward

SINGLE = 2e-6  # flax computed in float32
FLAX = FOLDER / "flax"
KINDS = {"lstmcell": "lstm", "optimizedlstmcell": "lstm", "grucell": "gru", "simplecell": "rnn"}
LINEN = {
    "LSTMCell_0": "lstm",
    "OptimizedLSTMCell_0": "lstm",
    "GRUCell_0": "gru",
    "SimpleCell_0": "rnn",
}


def stored(name="cells.npz"):
    with np.load(FLAX / name) as file:
        return dict(file)


@pytest.mark.parametrize(("file", "kinds"), [("cells.npz", LINEN), ("cells.safetensors", KINDS)])
def test_every_cell_steps_as_flax_does(file, kinds):
    steps = stored("cell_steps.npz")
    subject = load(FLAX / file, input_choice=ConstantInput("u", steps["u"].astype(np.float64)))
    assert {cell.name: cell.kind for cell in subject.cells} == kinds
    for cell in subject.cells:
        state = steps[f"{cell.name}/state"].astype(np.float64)
        found = forward(cell.network.program, state)
        assert np.abs(found - steps[f"{cell.name}/after"]).max() < SINGLE


@pytest.mark.parametrize("file", ["cells.npz", "cells.safetensors"])
def test_every_tensor_is_kept_under_its_own_name_and_is_used(file):
    subject = load(FLAX / file)
    assert find_cells(subject.tensors).used == set(subject.tensors)


def test_the_committed_steps_are_those_of_the_flax_that_is_here():
    jax = pytest.importorskip("jax")
    linen = pytest.importorskip("flax.linen")
    steps, tensors = stored("cell_steps.npz"), stored()
    for name, kind in LINEN.items():
        own = {k: v for k, v in tensors.items() if k.startswith(f"params/{name}/")}
        params = {}
        for key, value in own.items():
            gate, word = key.split("/")[2:]
            params.setdefault(gate, {})[word] = value
        state = steps[f"{name}/state"]
        carry = (state[:, 4:], state[:, :4]) if kind == "lstm" else state
        cell = getattr(linen, name.removesuffix("_0"))(4)
        after, _ = cell.apply(
            {"params": params}, carry, jax.numpy.tile(steps["u"], (len(state), 1))
        )
        after = np.concatenate(after[::-1], axis=1) if kind == "lstm" else after
        assert np.abs(after - steps[f"{name}/after"]).max() < SINGLE


def test_names_that_end_in_value_are_the_same_cells():
    tensors = {f"{name}/value": tensor for name, tensor in stored().items()}
    assert [cell.name for cell in find_cells(tensors).cells] == sorted(LINEN)


def test_a_minimal_gated_unit_and_gates_of_several_shapes_are_left_out_with_the_reason():
    part = np.ones((3, 3))
    minimal = {f"m/{name}/kernel": part for name in ("if", "in", "hf", "hn")}
    found = find_cells(minimal)
    assert found.cells == ()
    assert found.notes == ("cell 'm' is left out: a minimal gated unit is not supported",)
    uneven = {f"g/{side}{gate}/kernel": part for side in "ih" for gate in "rzn"}
    uneven["g/hz/kernel"] = np.ones((3, 2))
    found = find_cells(uneven)
    assert found.cells == ()
    assert found.notes == ("cell 'g' is left out: its gates are not matrices of one shape",)


@pytest.mark.parametrize("case", ["two layers", "a bias on h", "another shape"])
def test_layers_called_i_and_h_are_no_cell(case):
    tensors = {"i/kernel": np.ones((3, 4)), "h/kernel": np.ones((4, 4)), "i/bias": np.ones(4)}
    if case != "two layers":
        tensors = {f"net/{name}": tensor for name, tensor in tensors.items()}
    if case == "a bias on h":
        tensors["net/h/bias"] = np.ones(4)
    elif case == "another shape":
        tensors["net/h/kernel"] = np.ones((4, 2))
    found = find_cells(tensors)
    assert found.cells == found.notes == ()
