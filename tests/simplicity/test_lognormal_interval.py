"""The interval from the logarithms of unbiased estimates covers what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.simplicity.lognormal import log_mean


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0, 2.0])
def test_eight_log_normal_estimates_hold_their_mean_in_95_percent(spread: float) -> None:
    # Estimates with mean 1 have logs of mean -s^2 / 2. Of 200, 89 % is four errors below 95 %.
    rng = np.random.default_rng(0)
    runs = rng.normal(-0.5 * spread**2, spread, (200, 8))
    found = [log_mean(run) for run in runs]
    # The upper limit is cut at ln 1 = 0, where the mean itself lies: both limits are shifted away.
    shifted = [log_mean(run - 50.0) for run in runs]
    held = np.mean([one.low <= -50.0 <= one.high for one in shifted])
    assert held >= 0.89
    assert all(one.high <= 0.0 for one in found)


def test_for_a_small_spread_it_is_the_logarithm_of_the_mean() -> None:
    logs = -30.0 + np.random.default_rng(1).normal(0.0, 0.05, 8)
    mean = math.log(np.exp(logs + 30.0).mean()) - 30.0
    assert log_mean(logs).log == pytest.approx(mean, abs=1e-3)


def test_lost_repetitions_widen_it_and_lower_the_estimate() -> None:
    logs = np.full(8, -20.0) + np.linspace(-0.1, 0.1, 8)
    all_there = log_mean(logs)
    logs[:2] = -math.inf
    some_lost = log_mean(logs)
    assert some_lost.log == pytest.approx(all_there.log + math.log(6 / 8), abs=0.1)
    assert some_lost.low < all_there.low
    assert some_lost.high - some_lost.low > all_there.high - all_there.low


def test_the_interval_holds_the_mean_where_estimates_are_lost() -> None:
    # Each is lost with probability 0.3 and else log-normal: the mean is 0.7 e^-50.
    rng = np.random.default_rng(2)
    logs = rng.normal(-50.0 - 0.5 * 0.25, 0.5, (300, 8))
    logs[rng.random(logs.shape) < 0.3] = -math.inf
    found = [log_mean(run) for run in logs]
    held = np.mean([one.low <= math.log(0.7) - 50.0 <= one.high for one in found])
    assert held >= 0.93


@pytest.mark.parametrize("left", [0, 1])
def test_with_fewer_than_two_estimates_nothing_is_claimed(left: int) -> None:
    logs = np.full(8, -math.inf)
    logs[:left] = -7.0
    found = log_mean(logs)
    assert found.low == -math.inf
    assert found.high == 0.0


def test_a_spread_below_what_is_possible_is_not_believed() -> None:
    logs = np.full(8, -20.0)
    assert log_mean(logs, 0.5).high - log_mean(logs, 0.5).low > 1.0
