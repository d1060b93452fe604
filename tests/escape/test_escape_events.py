"""Events read from curves whose events are known."""

import numpy as np
import pytest

from fpcheck.escape.events import Curve, find_events

STEPS = np.arange(301.0)
CONSTANT = 2.3


def curve(loss, norm=None):
    steps = np.arange(float(len(loss)))
    return Curve(steps, np.asarray(loss), np.ones(len(loss)) if norm is None else norm, 0.1 * steps)


def sigmoid(at, width=5.0):
    return 1.0 / (1.0 + np.exp(-(STEPS - at) / width))


def test_an_exponential_decay_has_no_plateau_at_any_rate():
    for half_time in (3.0, 20.0, 100.0, 400.0):
        loss = CONSTANT * 2.0 ** (-STEPS / half_time)
        events = find_events(curve(loss), CONSTANT, 300)
        assert events.plateau is None
        assert events.escaped_at is None


def test_a_straight_fall_has_no_plateau():
    assert find_events(curve(CONSTANT * (1.0 - STEPS / 900.0)), CONSTANT, 300).plateau is None


def test_a_loss_that_rises_for_good_has_no_plateau():
    for loss in (0.7 + 0.02 * STEPS, 0.7 + 6.5 * (1.0 - np.exp(-STEPS / 100.0))):
        assert find_events(curve(loss), CONSTANT, 300).plateau is None


def test_a_plateau_ends_where_the_loss_rises_for_good():
    events = find_events(curve(CONSTANT + 2.0 * sigmoid(200.0, 3.0)), CONSTANT, 300)
    assert events.plateau["from"] == 0
    assert 180 < events.plateau["to"] < 200
    assert events.escaped_at is None


def test_a_short_bump_does_not_end_a_plateau():
    loss = CONSTANT + 0.5 * ((STEPS > 60) & (STEPS < 80)) - 2.0 * sigmoid(200.0)
    noisy = CONSTANT + 1e-3 * np.sin(STEPS) + 0.2 * (STEPS == 300)
    assert find_events(curve(loss), CONSTANT, 300).plateau["to"] > 150
    assert find_events(curve(noisy), CONSTANT, 300).plateau == {"from": 0, "to": 299}


def test_a_plateau_and_its_escape_are_dated():
    loss = CONSTANT - 2.0 * sigmoid(150.0)
    norm = 1.0 + 2.0 * sigmoid(150.0)
    events = find_events(curve(loss, norm), CONSTANT, 300)
    tenth = 150.0 + 5.0 * np.log(0.1 / 0.9)  # where the sigmoid is a tenth
    assert events.escaped_at == pytest.approx(tenth, abs=1.0)
    assert events.escaped_time == pytest.approx(0.1 * tenth, abs=0.1)
    assert events.plateau["from"] == 0
    assert tenth - 10 < events.plateau["to"] < events.escaped_at
    assert events.from_zero
    assert events.norm_growth == pytest.approx(1.2, abs=0.05)  # a step goes by 0.04


def test_growth_on_the_plateau_is_the_norm_s_exponent():
    loss = CONSTANT - 2.0 * sigmoid(200.0)
    events = find_events(curve(loss, np.exp(0.02 * STEPS)), CONSTANT, 300)
    assert events.growth_rate == pytest.approx(0.2, rel=1e-9)  # time goes by 0.1 a step


def test_a_plateau_at_a_constant_s_loss_comes_after_the_output_biases_have_learnt():
    loss = CONSTANT + 0.5 * np.exp(-STEPS / 5.0) - 1.8 * sigmoid(200.0)
    events = find_events(curve(loss), CONSTANT, 300)
    assert 5 < events.plateau["from"] < 30
    assert 170 < events.escaped_at < 200


def test_a_plateau_that_is_not_left_reaches_the_end():
    events = find_events(curve(CONSTANT - 1e-5 * STEPS), CONSTANT, 300)
    assert events.plateau == {"from": 0, "to": 300}
    assert events.escaped_at is None


def test_the_second_plateau_is_the_next_saddle():
    loss = CONSTANT - 1.0 * sigmoid(80.0) - 1.0 * sigmoid(220.0)
    events = find_events(curve(loss), CONSTANT, 300)
    assert 60 < events.escaped_at < 80
    assert 95 < events.next_saddle["from"] < 125
    assert 180 < events.next_saddle["to"] < 215


def test_the_slow_end_of_a_run_is_no_saddle():
    loss = CONSTANT / (1.0 + np.exp((STEPS - 60.0) / 5.0)) + 0.05 + 1e-5 * (300.0 - STEPS)
    assert find_events(curve(loss), CONSTANT, 300).next_saddle is None


@pytest.mark.parametrize("end", [np.nan, np.inf, 40.0])
def test_a_loss_that_blows_up_diverges_at_its_step(end):
    loss = np.full(100, 2.0)
    loss[60:] = end
    assert find_events(curve(loss), CONSTANT, 300).diverged_at == 60


def test_a_loss_that_jumps_above_its_start_has_spiked():
    loss = CONSTANT * np.exp(-STEPS / 60.0) + 2.5 * (STEPS == 120)
    assert find_events(curve(loss), CONSTANT, 300).spike_at == 120
    assert find_events(curve(loss - 0.4 * (STEPS == 120)), CONSTANT, 300).spike_at is None
    assert find_events(curve(1e3 * CONSTANT * (STEPS > 200) + 1.0), CONSTANT, 300).spike_at is None


def test_a_loss_that_comes_back_has_not_diverged():
    loss = CONSTANT * 2.0 ** (-STEPS / 50.0)
    loss[5:8] = 500.0
    assert find_events(curve(loss), CONSTANT, 300).diverged_at is None


def test_a_run_that_dies_behind_its_blow_up_has_diverged():
    loss = np.full(100, CONSTANT)
    loss[3] = 5000.0
    assert find_events(curve(loss), CONSTANT, 300).diverged_at == 3


def test_events_before_a_divergence_are_told():
    loss = CONSTANT - 2.0 * sigmoid(100.0)
    loss[250:] = np.inf
    events = find_events(curve(loss), CONSTANT, 300)
    assert events.diverged_at == 250
    assert 80 < events.escaped_at < 100
