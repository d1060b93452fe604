"""Intervals against null simulations, and the share of dead units that needs explaining."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.signal.dead_units import dead_excess, off_on_all
from fpcheck.signal.statistics import _positive_mean, _share


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_intervals_of_skewed_positive_means_cover_at_their_rate(spread: float):
    rng = np.random.default_rng(5)
    truth, missed, draws = math.exp(0.5 * spread**2), 0, 1000
    for _ in range(draws):
        values = np.exp(spread * rng.standard_normal(256))
        mean, interval = _positive_mean([values[:100], values[100:]])
        assert mean == pytest.approx(values.mean(), rel=1e-12)
        missed += not interval.low <= truth <= interval.high
    # 5 % of 1000 is 50 with a standard deviation of 7; skew costs the heavier law a little.
    assert 25 <= missed <= 85


def test_intervals_of_shares_stay_inside_and_are_never_empty():
    mean, interval = _share([np.zeros(100)])
    assert (mean, interval.low) == (0.0, 0.0)
    assert interval.high == pytest.approx(1.0 - 0.05**0.01, rel=1e-12)
    mean, interval = _share([np.ones(50), np.ones(50)])
    assert (mean, interval.high) == (1.0, 1.0)
    assert interval.low == pytest.approx(0.05**0.01, rel=1e-12)


def test_means_of_values_near_the_end_of_the_range_keep_their_interval():
    mean, interval = _positive_mean([np.array([1.0, 2.0, 3.0]) * 1e200])
    assert mean == pytest.approx(2e200)
    assert math.isfinite(interval.high)
    mean, interval = _positive_mean([np.zeros(5)])
    assert (mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("active", "c"), [(0.5, 0.0), (0.15, 0.5), (0.3, 0.9)])
def test_the_chance_to_be_off_on_all_inputs_agrees_with_simulation(active: float, c: float):
    from statistics import NormalDist

    rng = np.random.default_rng(8)
    inputs, units = 12, 40_000
    values = math.sqrt(c) * rng.standard_normal((units, 1)) + math.sqrt(
        1 - c
    ) * rng.standard_normal((units, inputs))
    off = np.all(values <= NormalDist().inv_cdf(1.0 - active), axis=1).mean()
    error = math.sqrt(off * (1 - off) / units) + 1e-4
    assert abs(off_on_all(active, c, inputs) - off) < 4.5 * error


def test_independent_inputs_and_parallel_ones_are_the_two_ends():
    assert off_on_all(0.4, 0.0, 10) == pytest.approx(0.6**10, rel=1e-10)
    assert off_on_all(0.4, 1.0, 10) == pytest.approx(0.6)
    assert off_on_all(1.0, 0.3, 10) == 0.0


@pytest.mark.parametrize("extra", [0.0, 0.3, 0.8])
def test_the_excess_is_solved_for(extra: float):
    active, c, n = 0.2, 0.5, 256
    dead = extra + (1.0 - extra) * off_on_all(active, c, n)
    found = dead_excess(dead, (1.0 - extra) * active, c, n)
    assert found == pytest.approx(extra, abs=1e-6)


def test_an_excess_that_cannot_be_told_is_not_given():
    assert dead_excess(0.5, 0.4, 0.99, 512) is None  # inputs arrive nearly parallel
    assert dead_excess(0.5, 0.4, 0.1, 8) is None  # too few inputs
    assert dead_excess(1.0, 0.0, 0.99, 8) == 1.0  # a layer that is off is off
    assert dead_excess(0.0, 0.4, 0.1, 512) == 0.0
