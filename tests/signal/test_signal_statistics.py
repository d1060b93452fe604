"""Intervals against null simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest

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
