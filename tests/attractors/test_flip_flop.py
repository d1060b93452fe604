"""The trained 3-bit flip-flop networks of the samples: a cube of memories and its saddles."""

import collections
import itertools
from functools import cache
from pathlib import Path

import many_newton
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.numpy import load_file

import fpcheck
from fpcheck.core.settings import Settings

SAMPLES = Path(__file__).parents[2] / "samples"
CORNERS = set(itertools.product((-1, 0, 1), repeat=3))
# Outputs of a trained network at its fixed points: the bits, and between them zero.
TRAINED = 0.25
REFERENCE_STARTS = 4000


@cache
def analysed(cell):
    """The one map of the sample, as the report has it."""
    settings = Settings(questions=("attractors",))
    report = fpcheck.analyze(str(SAMPLES / f"flip_flop_{cell}.safetensors"), settings=settings)
    (one,) = report.document["attractors"]["maps"]
    return one


@cache
def stored(cell):
    return {
        name: tensor.astype(np.float64)
        for name, tensor in load_file(SAMPLES / f"flip_flop_{cell}.safetensors").items()
    }


def bits(cell, point):
    """What the readout makes of a state: three numbers."""
    tensors = stored(cell)
    return tensors["readout.weight"] @ np.array(point) + tensors["readout.bias"]


def stable_points(cell):
    return [point for point in analysed(cell)["fixed_points"] if point["kind"] == "stable"]


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_every_word_of_three_bits_is_a_stable_point_and_there_is_no_other(cell):
    words = [bits(cell, point["point"]) for point in stable_points(cell)]
    assert len(words) == 8
    assert {tuple(np.sign(word).astype(int)) for word in words} == {
        corner for corner in CORNERS if 0 not in corner
    }
    assert_allclose(np.abs(words), 1.0, atol=TRAINED)
    assert_allclose(sum(point["share"] for point in stable_points(cell)), 1.0, atol=1e-12)
    assert analysed(cell)["unresolved"]["starts"] == 0


def test_the_unstable_points_are_the_middles_of_edges_and_faces_and_of_the_cube():
    # 12 edges, 6 faces, 1 centre, with as many unstable directions as bits that are undecided.
    points = analysed("rnn")["fixed_points"]
    places = {}
    for point in points:
        word = bits("rnn", point["point"])
        nearest = tuple(np.round(word).astype(int))
        assert_allclose(word, nearest, atol=TRAINED)
        places[nearest] = point["unstable_directions"]
    assert places == {corner: corner.count(0) for corner in CORNERS}
    assert len(points) == 27
    assert analysed("rnn")["index_sum"] == 1
    assert collections.Counter(places.values()) == {0: 8, 1: 12, 2: 6, 3: 1}


@pytest.mark.parametrize("count", [REFERENCE_STARTS, pytest.param(100_000, marks=pytest.mark.slow)])
def test_newton_from_many_starts_finds_no_other_point(count):
    tensors = stored("rnn")
    bias = tensors["rnn.bias_ih_l0"] + tensors["rnn.bias_hh_l0"]
    starts = np.random.default_rng(0).uniform(-1.0, 1.0, (count, 16))
    expected = many_newton.of_tanh(tensors["rnn.weight_hh_l0"], bias, starts)
    found = [point["point"] for point in analysed("rnn")["fixed_points"]]
    assert len(expected) == 27
    assert many_newton.missing(expected, found) == 0
    assert many_newton.missing(np.array(found), expected) == 0


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_no_point_lies_outside_of_the_cube_that_the_states_fill(cell):
    # At rest h = n = tanh(..) in every unit of a GRU: its update gate never closes altogether,
    # though far away it does so to rounding, where a residual of zero means nothing.
    for point in analysed(cell)["fixed_points"]:
        assert np.abs(point["point"]).max() < 1.0
        assert point["kind"] != "degenerate"


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_spectra_are_those_of_pytorch(cell):
    tensors = stored(cell)
    units = tensors["readout.weight"].shape[1]
    made = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell}[cell]
    module = made(3, units, dtype=torch.float64)
    state = {name.removeprefix("rnn.").removesuffix("_l0"): torch.from_numpy(tensor)
             for name, tensor in tensors.items() if name.startswith("rnn.")}  # fmt: skip
    module.load_state_dict(state)
    held = torch.zeros(1, 3, dtype=torch.float64)
    for point in analysed(cell)["fixed_points"]:
        at = torch.tensor(point["point"], dtype=torch.float64)
        assert_allclose(module(held, at[None])[0].detach().numpy(), at.numpy(), atol=1e-13)
        jac = torch.autograd.functional.jacobian(lambda x: module(held, x[None])[0], at)
        moduli = torch.linalg.eigvals(jac).abs()
        assert_allclose(point["spectral_radius"], float(moduli.max()), rtol=1e-9)
        assert point["unstable_directions"] == int((moduli > 1).sum())


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_a_pulse_sets_its_bit_and_leaves_the_others(cell):
    # Of the network as it was trained, not of the fixed points alone: each stored word, one pulse,
    # ten steps of rest, and the word with that bit changed is reached.
    tensors = stored(cell)
    units = tensors["readout.weight"].shape[1]
    module = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell](3, units, dtype=torch.float64)
    module.load_state_dict({name.removeprefix("rnn."): torch.from_numpy(tensor)
                            for name, tensor in tensors.items()
                            if name.startswith("rnn.")})  # fmt: skip
    words = {tuple(np.sign(bits(cell, point["point"])).astype(int)): point["point"]
             for point in stable_points(cell)}  # fmt: skip
    for word, state in words.items():
        for line, pulse in itertools.product(range(3), (-1, 1)):
            inputs = torch.zeros(11, 3, dtype=torch.float64)
            inputs[0, line] = pulse
            with torch.no_grad():
                _, last = module(inputs, torch.tensor(state, dtype=torch.float64)[None])
            expected = tuple(pulse if i == line else bit for i, bit in enumerate(word))
            assert tuple(np.sign(bits(cell, last[0].numpy())).astype(int)) == expected
