"""The probe of deep linear networks, whose modes grow by known laws at known times."""

import numpy as np
import pytest
from probed_networks import mlp
from scipy.integrate import solve_ivp

from fpcheck.core.progress import Monitor
from fpcheck.escape.events import curve_of, find_events
from fpcheck.escape.low_rank import depth_law, low_rank_at, low_rank_layers
from fpcheck.escape.probe import run_probe
from fpcheck.escape.problem import Problem
from fpcheck.escape.record import record_run
from fpcheck.network.network import Network
from fpcheck.network.training import MEAN_SQUARED_ERROR, Recipe

SIZE = 5
MODES = np.array([4.0, 1.0])  # singular values of the map that is to be learnt
# Of a mode's strength: gradient descent lags behind the flow by a share rate x growth / 2 of the
# time, 3 % here, where the sigmoid is steepest.
FLOW = 0.06


def task(depth, start, rate, steps, spread=0.0):
    """Run, records, curve and events of a balanced linear network on whitened rows.

    Rows have X^T X = n I, so that the loss is |W_L ... W_1 - A|^2 / SIZE plus nothing, and every
    mode moves alone: da/dt = (2 / SIZE) a^(L-1) (s - a^L) in each layer's singular value a.
    """
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0] for _ in range(2))
    strengths = np.zeros(SIZE)
    strengths[: len(MODES)] = MODES
    rows = np.sqrt(SIZE) * np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    targets = rows @ (left * strengths @ right.T).T
    turns = [right, *(np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0] for _ in range(depth - 1))]
    turns.append(left)
    sizes = start * (1.0 + spread * np.arange(SIZE))
    network = mlp((SIZE,) * (depth + 1), function="identity")
    parameters = {
        name: turns[index + 1] * sizes @ turns[index].T
        for index, name in enumerate(network.parameters)
    }
    network = Network(network.skeleton, parameters)
    constant = float(np.mean(np.square(targets - targets.mean(axis=0))))
    problem = Problem(network, rows, targets, MEAN_SQUARED_ERROR, 0, constant, "", np.arange(SIZE))
    recipe = Recipe(loss=MEAN_SQUARED_ERROR, rate=rate, steps=steps)
    run = run_probe(problem, recipe, rng, Monitor(), threads=1)
    records = record_run(run, problem, rng, 1, Monitor())
    return run, records, find_events(curve_of(run, records), constant, steps)


def test_two_layers_grow_each_mode_along_its_sigmoid_at_its_time():
    """a(t) = s e^(2st') / (e^(2st') - 1 + s / a_0), t' = 2 t / SIZE. [Saxe et al. 2014]"""
    start = 0.003
    run, records, events = task(2, start, 0.02, 900)
    for mode, strength in enumerate(MODES):
        time = np.array([record.time for record in records])
        # The product of two layers' equal singular values, the largest first.
        seen = np.array([record.layers[0].singular_values[mode] ** 2 for record in records])
        grown = np.exp(2.0 * strength * 2.0 * time / SIZE)
        exact = strength * grown / (grown - 1.0 + strength / start**2)
        assert np.abs(seen - exact).max() <= FLOW * strength
    halves = np.log(MODES / start**2 - 1.0) / (2.0 * MODES) * SIZE / 2.0 / 0.02
    assert halves == pytest.approx([203.0, 726.0], abs=1.0)
    # The loss is sum (s - a)^2 / SIZE^2 here: it has fallen by a tenth of all where a = 0.055 s.
    assert events.plateau["from"] == 0
    assert halves[0] * 0.5 < events.escaped_at < halves[0]
    assert events.from_zero
    assert events.next_saddle is not None
    assert halves[0] < events.next_saddle["from"] < events.next_saddle["to"] < halves[1]
    assert run.steps == 900


def test_the_escape_of_two_layers_is_dated_to_the_step():
    """Where the exact modes have lowered the loss by a tenth of its fall."""
    start, rate, steps = 0.03, 0.02, 600
    _, _, events = task(2, start, rate, steps)
    time = 2.0 * rate * np.arange(steps + 1) / SIZE
    grown = np.exp(2.0 * MODES[:, None] * time)
    exact = MODES[:, None] * grown / (grown - 1.0 + MODES[:, None] / start**2)
    loss = np.sum((MODES[:, None] - exact) ** 2, axis=0)
    dated = int(np.argmax(loss <= loss[0] - 0.1 * (loss[0] - loss.min())))
    assert abs(events.escaped_at - dated) <= FLOW * dated


def test_the_norm_grows_by_the_fastest_mode_on_the_plateau():
    """Both layers' a grows as e^(2 s t / SIZE) there; the other modes hold the norm back."""
    _, _, events = task(2, 1e-4, 0.02, 900)
    # Behind the middle of the plateau the first mode is e^3 of the second: its rate is |theta|'s.
    assert events.growth_rate == pytest.approx(2.0 * MODES[0] / SIZE, rel=0.1)


@pytest.mark.parametrize("depth", [3, 4])
def test_deeper_networks_follow_the_equation_of_their_modes(depth):
    rate, start = 0.01, 0.35
    _, records, events = task(depth, start, rate, 900)
    time = np.array([record.time for record in records])
    for mode, strength in enumerate(MODES):

        def slope(_, a, strength=strength):
            return 2.0 / SIZE * a ** (depth - 1) * (strength - a**depth)

        exact = solve_ivp(slope, (0.0, time[-1]), [start], t_eval=time, rtol=1e-10, atol=1e-12)
        seen = np.array([record.layers[1].singular_values[mode] for record in records])
        assert np.abs(seen - exact.y[0]).max() <= FLOW * strength
    assert (events.escaped_at is None) == (depth == 3)  # 0.35^3 of 4 is no long plateau


def test_the_escape_along_one_mode_is_low_rank_in_every_layer():
    run, _, events = task(4, 0.2, 0.02, 1200)
    at = low_rank_at(run, events.escaped_at)
    found = low_rank_layers(run, at)
    assert all(one.low_rank and one.dominated for one in found)
    assert all(one.share_of_change > 0.99 for one in found)
    assert all(one.change_rest < 0.01 for one in found)
    # All layers are alike, so the ratio does not depend on the depth.
    law = depth_law(found)
    assert law.exponent == pytest.approx(0.0, abs=1e-6)
    assert law.exponent_low <= 0.0 <= law.exponent_high or abs(law.exponent) < 1e-6


def test_three_layers_are_too_few_for_a_power_of_the_depth():
    run, _, events = task(3, 0.2, 0.02, 600)
    found = low_rank_layers(run, low_rank_at(run, events.escaped_at))
    assert "needs 4" in depth_law(found).skipped
    assert "no escape" in depth_law(()).skipped
