"""Labels without any signal: intervals cover chance and rules keep their false-alarm rate."""

from __future__ import annotations

import math
from functools import cache

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

# Limits at the true gains, which are 0 where nothing can be learned.
LIMITS = {
    **default_limits(),
    "min_gain_over_majority": 0.0,
    "min_gain_over_linear": 0.0,
    "max_gain_over_trained": 0.0,
    "max_gain_of_infinite_width": 0.0,
    "max_gain_of_baseline": 0.0,
    "max_gain_of_earlier_layer": 0.0,
}
TRIALS = [40, pytest.param(600, marks=pytest.mark.slow)]


def noise(seed, rows=60):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 2)
    inputs = rng.standard_normal((rows, 5))
    return answered(network([5, 12, 12, 2], seed=seed), classes(inputs, labels))


small_noise = cache(noise)  # several tests look at the same draws


class TestNoise:
    """Labels that have nothing to do with the inputs."""

    @pytest.mark.parametrize("trials", TRIALS)
    def test_the_interval_covers_chance_and_the_gain_covers_nothing(self, trials):
        """95 % intervals cover the truth 95 % of the time; 3 sigma below that are allowed."""
        results = [small_noise(seed) for seed in range(trials)]
        least = trials * (0.95 - 3 * math.sqrt(0.95 * 0.05 / trials))
        assert sum(r.last_layer_low <= 0.5 <= r.last_layer_high for r in results) >= least
        over = [gains(r)["majority"] for r in results]
        assert sum(gain.low <= 0.0 <= gain.high for gain in over) >= least
        # Two models that know equally little: is one surely better than the other?
        over = [gains(r)["linear_on_input"] for r in results]
        assert sum(gain.low <= 0.0 <= gain.high for gain in over) >= least

    @pytest.mark.parametrize("trials", TRIALS)
    @pytest.mark.parametrize("code", ["FP301", "FP302", "FP303", "FP306", "FP307", "FP308"])
    def test_rules_whose_limit_is_the_truth_keep_their_false_alarm_rate(self, code, trials):
        """True gains are 0 here, and so are the limits: at most 2.5 % may fail, plus 3 sigma."""
        judged = [judge(plain(small_noise(seed)), LIMITS) for seed in range(trials)]
        found = [finding for findings in judged for finding in findings if finding.code == code]
        assert len(found) == trials
        assert not any(finding.outcome == "skipped" for finding in found)
        most = trials * (0.025 + 3 * math.sqrt(0.025 * 0.975 / trials))
        assert sum(finding.outcome == "fail" for finding in found) <= most

    @pytest.mark.parametrize("trials", TRIALS)
    def test_nothing_to_learn_is_never_called_enough_or_promising(self, trials):
        """In 5 % of the draws it might be."""
        said = [small_noise(seed).verdict for seed in range(trials)]
        wrong = [verdict for verdict in said if verdict not in ("not suited", "more data needed")]
        assert len(wrong) <= 0.05 * trials

    @pytest.mark.parametrize("seed", range(5))
    def test_rules_without_chance_do_not_fail_on_clean_rows(self, seed):
        judged = {f.code: f.outcome for f in judge(plain(small_noise(seed)), default_limits())}
        assert judged["FP305"] == judged["FP310"] == "pass"
        assert judged["FP311"] == "fail"  # 60 rows tell a score to within 0.1 at best

    def test_with_enough_rows_the_verdict_is_not_suited(self, monkeypatch):
        monkeypatch.setattr("fpcheck.readout.infinite.KERNEL_ROWS", 1000)  # kernels take their time
        assert noise(3, rows=4000).verdict == "not suited"

    def test_with_few_rows_more_data_are_needed(self):
        assert noise(3, rows=40).verdict == "more data needed"
