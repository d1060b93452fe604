"""Labels without any signal: intervals cover chance and rules keep their false-alarm rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from readout_cases import (
    answered,
    classes,
    gains,
    network,
)

from fpcheck.core.catalogue import default_limits
from fpcheck.core.plain import plain
from fpcheck.readout.rules import judge


class TestNoise:
    """Labels that have nothing to do with the inputs."""

    def noise(self, seed, rows=60):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(rows) % 2)
        return answered(
            network([5, 12, 2], seed=seed), classes(rng.standard_normal((rows, 5)), labels)
        )

    @pytest.mark.parametrize("trials", [60, pytest.param(600, marks=pytest.mark.slow)])
    def test_the_interval_covers_chance_and_the_gain_covers_nothing(self, trials):
        """95 % intervals cover the truth 95 % of the time; 3 sigma below that are allowed."""
        results = [self.noise(seed) for seed in range(trials)]
        least = trials * (0.95 - 3 * math.sqrt(0.95 * 0.05 / trials))
        assert sum(r.last_layer_low <= 0.5 <= r.last_layer_high for r in results) >= least
        over = [gains(r)["majority"] for r in results]
        assert sum(gain.low <= 0.0 <= gain.high for gain in over) >= least
        # Two models that know equally little: is one surely better than the other?
        over = [gains(r)["linear_on_input"] for r in results]
        assert sum(gain.low <= 0.0 <= gain.high for gain in over) >= least

    @pytest.mark.parametrize("trials", [60, pytest.param(600, marks=pytest.mark.slow)])
    def test_rules_whose_limit_is_the_truth_keep_their_false_alarm_rate(self, trials):
        """True gains are 0 here, and so are the limits: at most 2.5 % may fail, plus 3 sigma."""
        limits = {**default_limits(), "max_gain_over_trained": 0.0}
        limits |= {"min_gain_over_majority": 0.0, "min_gain_over_linear": 0.0}
        found = [f for seed in range(trials) for f in judge(plain(self.noise(seed)), limits)]
        most = trials * (0.025 + 3 * math.sqrt(0.025 * 0.975 / trials))
        for code in ("FP301", "FP302", "FP303"):
            assert sum(f.code == code and f.outcome == "fail" for f in found) <= most

    def test_with_enough_rows_the_verdict_is_not_suited(self):
        assert self.noise(3, rows=4000).verdict == "not suited"

    def test_with_few_rows_more_data_are_needed(self):
        assert self.noise(3, rows=40).verdict == "more data needed"
