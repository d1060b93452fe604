"""Intervals against null simulations: they hold the truth about as often as they say."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.signal.measure import measure
from fpcheck.signal.sampling import excess_kurtosis, median, positive_mean, share
from fpcheck.signal.unit_counts import OFTEN, UnitCounts

MEANS = (
    "mean", "variance", "q", "c", "contrast", "active_fraction", "saturated_fraction",
    "gradient_norm",
)  # fmt: skip
SKEWED = ("kurtosis",)  # fourth powers of skewed values: a little below
# 95 % of 400 draws is 20 misses with a standard deviation of 4.4; t on skewed means costs a little.
MOST_MISSED, MOST_SKEWED = 40, 48


def of(network, x, seed):
    rng = random_stream(seed, "signal")
    return measure(network, x, "x", Settings(samples=len(x)), rng, Monitor())


@cache
def draws(chain, function, sigma_w2, sigma_b2):
    """(the truth on 40 000 inputs, 400 results on 128 inputs each)."""
    network = chain([16, 48, 48, 48, 5], function, sigma_w2, sigma_b2)
    rng = np.random.default_rng(5)
    truth = of(network, rng.standard_normal((40_000, 16)), 0)
    return truth, [of(network, rng.standard_normal((128, 16)), seed) for seed in range(400)]


def missed(truth, found, key):
    low = sum(getattr(each, f"{key}_low") > truth for each in found)
    return low + sum(getattr(each, f"{key}_high") < truth for each in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "law", [("relu", 2.0, 0.0), ("crelu(1,1)", 6.0, 0.5), ("tanh", 9.0, 0.05)], ids=lambda x: x[0]
)
def test_a_layer_s_intervals_cover_at_their_rate(chain, law):
    truth, found = draws(chain, *law)
    for place in (0, 2):
        layers = [each.measured.layers[place] for each in found]
        true = truth.measured.layers[place]
        for key in (*MEANS, *SKEWED):
            value = getattr(true, key)
            if value is None or (key, value) == ("active_fraction", 1.0):
                continue
            most = MOST_SKEWED if key in SKEWED else MOST_MISSED
            assert missed(value, layers, key) <= most, (place, key)
        for key in ("dead_share", "saturated_share"):
            shares = [getattr(each, key) for each in layers]
            if shares[0] is not None and max(shares) > 0.02:
                assert missed(np.mean(shares), layers, key) <= MOST_MISSED, (place, key)


@pytest.mark.slow
def test_the_jacobian_s_intervals_cover_at_their_rate(chain):
    _, found = draws(chain, "tanh", 9.0, 0.05)
    spectra = [each.jacobian for each in found]
    for key in ("mean_square", "log_spread", "effective_rank"):
        parts = [each.isometry for each in spectra]
        truth = np.mean([getattr(each, key) for each in parts])  # of 3200 points
        assert missed(truth, parts, key) <= MOST_MISSED, key
    for key in ("smallest", "largest", "condition"):
        truth = np.median([getattr(each, key) for each in spectra])
        assert missed(truth, spectra, key) <= MOST_MISSED, key


def test_a_layer_s_q_and_active_share_cover_in_a_hundred_draws(chain):
    """The reduced form: 5 % of 100 is 5, and 13 are exceeded once in 3000 times."""
    network = chain([8, 16, 4], "relu", 2.0, 0.1)
    rng = np.random.default_rng(1)
    truth = of(network, rng.standard_normal((20_000, 8)), 0).measured.layers[0]
    found = [
        of(network, rng.standard_normal((64, 8)), seed).measured.layers[0] for seed in range(100)
    ]
    for key in ("mean", "q", "contrast", "active_fraction", "gradient_norm"):
        assert missed(getattr(truth, key), found, key) <= 13, key


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_intervals_of_skewed_positive_means_cover_at_their_rate(spread: float):
    rng = np.random.default_rng(5)
    truth, misses, trials = math.exp(0.5 * spread**2), 0, 1000
    for _ in range(trials):
        values = np.exp(spread * rng.standard_normal(256))
        mean, interval = positive_mean(values)
        assert mean == pytest.approx(values.mean(), rel=1e-12)
        misses += not interval.low <= truth <= interval.high
    # 5 % of 1000 is 50 with a standard deviation of 7; skew costs the heavier law a little.
    assert 25 <= misses <= 85


def test_the_range_of_eight_values_holds_the_median():
    rng = np.random.default_rng(2)
    misses = 0
    for _ in range(1000):
        _, interval = median(np.exp(rng.standard_normal(8)))
        misses += not interval.low <= 1.0 <= interval.high
    assert misses <= 22  # 2 / 2^8 of 1000 is 8, with a standard deviation of 3


def test_kurtosis_over_units_and_inputs_is_the_plain_ratio():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((40, 30)) * np.exp(rng.standard_normal((40, 1))) + 2.0
    powers = np.stack([np.mean(x**k, axis=1) for k in (2, 3, 4)], axis=1)
    found, interval = excess_kurtosis(x.mean(axis=1), powers)
    about = x - x.mean()
    expected = np.mean(about**4) / np.mean(about**2) ** 2 - 3.0
    assert found == pytest.approx(expected, rel=1e-10)
    assert interval.low < found < interval.high


def test_intervals_of_shares_stay_inside_and_are_never_empty():
    mean, interval = share(np.zeros(100))
    assert (mean, interval.low) == (0.0, 0.0)
    assert interval.high == pytest.approx(1.0 - 0.05**0.01, rel=1e-12)
    mean, interval = share(np.ones(100))
    assert (mean, interval.high) == (1.0, 1.0)
    assert interval.low == pytest.approx(0.05**0.01, rel=1e-12)


def test_means_of_values_near_the_end_of_the_range_keep_their_interval():
    mean, interval = positive_mean(np.array([1.0, 2.0, 3.0]) * 1e200)
    assert mean == pytest.approx(2e200)
    assert math.isfinite(interval.high)
    mean, interval = positive_mean(np.zeros(5))
    assert (mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_the_spread_of_staying_units_is_the_jackknife_s():
    """Against leaving out one input after another."""
    rng = np.random.default_rng(4)
    away = rng.random((30, 200)) < np.exp(-8.0 * rng.random(200))
    counts = UnitCounts()
    counts.add(away[:11])
    counts.add(away[11:])
    found, interval = counts.staying_share()
    assert counts.staying() == int(np.sum(~away.any(axis=0)))
    without = np.array([np.mean(~np.delete(away, i, axis=0).any(axis=0)) for i in range(30)])
    jackknife = 29 / 30 * np.sum((without - without.mean()) ** 2)
    from scipy.special import stdtrit

    half = stdtrit(29, 0.975) * math.sqrt(jackknife + 1.0 / 200**2)
    assert interval.high - found == pytest.approx(half, rel=1e-12)


def test_units_that_leave_often_leave_no_doubt():
    counts = UnitCounts()
    counts.add(np.ones((OFTEN, 5), dtype=bool))
    found, interval = counts.staying_share()
    assert (found, interval.low, interval.high) == (0.0, 0.0, 0.0)
