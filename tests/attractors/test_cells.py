"""Recurrent cells whose attractors are known, and cells against brute-force iteration."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from small_maps import total_share

from fpcheck.attractors.measure import measure
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.recurrent import elman_cell, gru_cell, input_drive, lstm_cell

STARTS = 256
# An iteration that has settled repeats itself to rounding; polished points are exact to it too.
SETTLED = 1e-12
LOGISTIC_ONE = 1.0 / (1.0 + np.exp(-1.0))


def attractors(cell, starts):
    settings = Settings(starts=len(starts))
    rng = np.random.default_rng(0)
    return measure(cell.network, starts, "N(0, 1)", None, settings, rng, Monitor()).maps[0]


def normal_starts(size, seed=0):
    return np.random.default_rng(seed).standard_normal((STARTS, size))


def brute_force(step, starts):
    """(ends of the starts after many steps of PyTorch's cell, how many starts each has)."""
    states = torch.from_numpy(starts)
    with torch.no_grad():
        for _ in range(3000):
            states = step(states)
        moved = (step(states) - states).abs().max()
    assert moved < 1e-9
    ends, counts = np.unique(states.numpy().round(6), axis=0, return_counts=True)
    return ends, counts


def assert_agrees_with_brute_force(cell, step, starts, least):
    """The stable points and their shares are where PyTorch's iteration ends and how often, and
    their spectral radii those of PyTorch's own Jacobians."""
    result = attractors(cell, starts)
    ends, counts = brute_force(step, starts)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    assert len(stable) == len(ends) >= least
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)
    for point in stable:
        nearest = np.abs(ends - point.point).max(axis=1).argmin()
        assert np.abs(ends[nearest] - point.point).max() < 2e-6
        assert point.share == counts[nearest] / len(starts)
        at = torch.from_numpy(np.array(point.point))
        matrix = torch.autograd.functional.jacobian(lambda x: step(x[None])[0], at).numpy()
        assert_allclose(point.spectral_radius, np.abs(np.linalg.eigvals(matrix)).max(), rtol=1e-9)
        assert point.spectral_radius < 1.0


FLIP_FLOP = np.array([[2.0, 0.1, -0.05], [0.05, 1.8, 0.1], [-0.1, 0.05, 2.2]])
PULSES = 3.0 * np.eye(3)  # what sets each bit


def flip_flop(u):
    drive = input_drive(PULSES, None, np.asarray(u, dtype=np.float64))
    return elman_cell("flip-flop", FLIP_FLOP, drive, input_size=3)


def torch_flip_flop(u):
    module = torch.nn.RNNCell(3, 3, dtype=torch.float64)
    values = {"weight_ih": PULSES, "weight_hh": FLIP_FLOP, "bias_ih": 0.0, "bias_hh": 0.0}
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.as_tensor(value))
    held = torch.as_tensor(u, dtype=torch.float64)
    return lambda states: module(held.expand(len(states), -1), states)


def test_a_three_bit_flip_flop_without_input_keeps_all_eight_corners():
    starts = normal_starts(3)
    result = attractors(flip_flop([0, 0, 0]), starts)
    corners = {tuple(np.sign(p.point)) for p in result.fixed_points if p.kind == "stable"}
    assert len(corners) == 8
    assert_agrees_with_brute_force(flip_flop([0, 0, 0]), torch_flip_flop([0.0, 0, 0]), starts, 8)


@pytest.mark.parametrize(("u", "left"), [([1, 0, 0], 4), ([1, -1, 0], 2), ([1, -1, 1], 1)])
def test_a_constant_pulse_on_a_bit_leaves_the_corners_that_it_sets(u, left):
    result = attractors(flip_flop(u), normal_starts(3))
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    assert len(stable) == left
    for point in stable:
        for bit, pulse in enumerate(u):
            assert pulse == 0 or np.sign(point.point[bit]) == pulse


def test_a_gru_of_zero_weights_halves_its_state_towards_its_candidate():
    # z = 1/2 and n = tanh(a): h <- (n + h) / 2, so h* = n and every eigenvalue is 1/2.
    n = 5
    inner = np.linspace(-1.0, 1.0, n)
    drive = np.concatenate([np.zeros(2 * n), inner])
    result = attractors(gru_cell("g", np.zeros((3 * n, n)), drive, input_size=2), normal_starts(n))
    (point,) = result.fixed_points
    assert_allclose(point.point, np.tanh(inner), atol=SETTLED)
    assert_allclose(point.spectral_radius, 0.5, rtol=SETTLED)
    assert (point.kind, point.share) == ("stable", 1.0)


def test_a_gru_with_its_update_gate_open_remembers_as_long_as_its_bias_says():
    # h <- (1 - z) n + z h with z = sigma(1): the eigenvalue is sigma(1).
    n = 3
    drive = np.concatenate([np.zeros(n), np.ones(n), np.zeros(n)])
    (point,) = attractors(
        gru_cell("g", np.zeros((3 * n, n)), drive, input_size=2), normal_starts(n)
    ).fixed_points
    assert_allclose(point.spectral_radius, LOGISTIC_ONE, rtol=SETTLED)


def test_an_lstm_with_a_forget_bias_forgets_at_its_rate_and_keeps_its_input():
    # c <- sigma(1) c + sigma(0) tanh(a), h = sigma(0) tanh(c): c* = tanh(a) / 2 / (1 - sigma(1)).
    n = 3
    a = np.array([-0.5, 0.1, 0.8])
    drive = np.concatenate([np.zeros(n), np.ones(n), a, np.zeros(n)])
    cell = lstm_cell("l", np.zeros((4 * n, n)), drive, input_size=2)
    (point,) = attractors(cell, normal_starts(2 * n)).fixed_points
    memory = np.tanh(a) / 2 / (1 - LOGISTIC_ONE)
    assert_allclose(point.point, np.concatenate([np.tanh(memory) / 2, memory]), rtol=1e-11)
    assert_allclose(point.spectral_radius, LOGISTIC_ONE, rtol=SETTLED)


def test_an_lstm_that_feeds_itself_back_is_a_one_bit_memory():
    # One unit, g = tanh(w h), all gates at sigma(b): c (1 - s) = s tanh(w s tanh(c)), s = sigma(b).
    s, w = 1.0 / (1.0 + np.exp(-2.0)), 1.5
    recurrent = np.array([[0.0], [0.0], [w], [0.0]])
    cell = lstm_cell("l", recurrent, np.array([2.0, 2.0, 0.0, 2.0]), input_size=1)
    result = attractors(cell, normal_starts(2))
    memory = brentq(lambda c: c * (1 - s) - s * np.tanh(w * s * np.tanh(c)), 0.5, 20, xtol=1e-14)
    stable = sorted(
        (point for point in result.fixed_points if point.kind == "stable"),
        key=lambda point: float(point.point[1]),
    )
    assert_allclose([float(point.point[1]) for point in stable], [-memory, memory], rtol=1e-11)
    assert sum(point.share for point in stable) == 1.0
    assert any(point.kind == "saddle" for point in result.fixed_points)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_shares_and_stability_are_those_of_brute_force_iteration(kind):
    torch.manual_seed(2)
    hidden = 4
    made = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[kind]
    module = made(2, hidden, dtype=torch.float64)
    with torch.no_grad():
        # Every unit excites its own candidate: each is a bit of memory.
        module.weight_hh.mul_(0.4)
        module.weight_hh[2 * hidden : 3 * hidden] += 4.0 * torch.eye(hidden)
        module.bias_hh.zero_()
        module.bias_ih.zero_()
    u = torch.tensor([0.1, -0.2], dtype=torch.float64)

    def step(states):
        held = u.expand(len(states), -1)
        if kind == "gru":
            return module(held, states)
        return torch.cat(module(held, (states[:, :hidden], states[:, hidden:])), 1)

    w = {name: value.detach().numpy() for name, value in module.named_parameters()}
    drive = input_drive(w["weight_ih"], w["bias_ih"], u.numpy())
    if kind == "gru":
        cell = gru_cell("g", w["weight_hh"], drive, w["bias_hh"], input_size=2)
    else:
        cell = lstm_cell("l", w["weight_hh"], drive + w["bias_hh"], input_size=2)
    starts = normal_starts(cell.network.program.input_size, seed=3)
    assert_agrees_with_brute_force(cell, step, starts, 4)
