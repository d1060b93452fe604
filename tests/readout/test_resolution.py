"""Intervals of few rows: never finer than the rows themselves can tell, whatever the splits say."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from fpcheck.core.intervals import Interval
from fpcheck.readout.comparison import mean_interval, paired, score_interval
from fpcheck.readout.features import prepared
from fpcheck.readout.models import Scored, scored
from fpcheck.readout.problem import Problem, score
from fpcheck.readout.resolution import finest, resolution
from fpcheck.readout.scores import class_losses, one_hot, squared_losses
from fpcheck.readout.splits import random_split, simultaneous
from fpcheck.readout.trial import Models, run_trial

special = pytest.importorskip("scipy.special")
ROWS = np.arange(40)
TRIALS, SPLITS = 60, 6


def losses(wrong, rows=ROWS):
    labels = np.zeros(len(rows), dtype=np.int64)
    return class_losses(np.isin(rows, wrong).astype(np.intp), labels, rows)


class TestResolution:
    """Half the interval of a mean over held-out rows."""

    def test_of_matched_pairs_it_is_agresti_and_mins(self):
        """6 rows are right by the one alone, 2 by the other: of 42 rows 6.5 and 2.5 then."""
        one, other = losses([0, 1]), losses([2, 3, 4, 5, 6, 7])
        more, less = 6.5 / 42, 2.5 / 42
        error = math.sqrt((more + less - (6 / 40 - 2 / 40) ** 2 * 40 / 42) / 42)
        expected = special.stdtrit(39, 0.975) * error
        assert resolution([one], [other]) == pytest.approx(expected, rel=1e-12)

    def test_where_no_row_differs_it_is_that_of_one_further_row(self):
        same = resolution([losses([1, 2])], [losses([1, 2])])
        assert same == pytest.approx(special.stdtrit(39, 0.975) / 42, rel=1e-12)
        assert same == finest(40)

    def test_looking_again_at_the_same_rows_tells_no_more(self):
        one, other = losses([0, 1]), losses([2, 3, 4, 5])
        assert resolution([one] * 9, [other] * 9) == pytest.approx(resolution([one], [other]))

    def test_of_numbers_it_is_in_units_of_their_variance(self):
        rng = np.random.default_rng(0)
        targets, guess = rng.standard_normal((2, 40, 1))
        one = resolution([squared_losses(guess, targets, ROWS)])
        again = resolution([squared_losses(1e3 * guess, 1e3 * targets, ROWS)])
        assert one == pytest.approx(again, rel=1e-12)
        near = resolution([squared_losses(targets + 1e-3 * guess, targets, ROWS)])
        assert near < 1e-5  # a fit that is all but exact is not called unsure

    def test_without_rows_it_bounds_nothing(self):
        assert resolution([]) == 0.0
        assert resolution([losses([], ROWS[:1])]) == 0.0


def test_an_interval_for_several_is_students_at_bonferronis_level():
    found = simultaneous(Interval(-1.0, 3.0), 1.0, splits=5, comparisons=3)
    half = 2.0 * special.stdtrit(4, 1 - 0.025 / 3) / special.stdtrit(4, 0.975)
    assert (found.low, found.high) == pytest.approx((1.0 - half, 1.0 + half))
    assert simultaneous(Interval(-1.0, 3.0), 1.0, 5, 1) == Interval(-1.0, 3.0)


def problem(targets) -> Problem:
    if targets.dtype == np.int64:
        return Problem("accuracy", one_hot(targets, 2), targets, ("a", "b"), "")
    return Problem("r2", targets[:, None], None, (), "")


def test_three_rare_rows_of_twenty_five_make_no_certain_difference():
    """Both always answer the frequent class: every split says 0, and 25 rows cannot."""
    labels = np.array([1] * 3 + [0] * 22)
    asked = problem(labels)
    splits = [random_split(25, 0.25, np.random.default_rng(seed), labels) for seed in range(20)]
    answer = np.tile([1.0, 0.0], (25, 1))
    model, other = (
        scored(name, [score(asked, answer[s.test], s.test) for s in splits]) for name in "ab"
    )
    gain = paired(model, other, splits[0])
    assert gain.low == pytest.approx(-0.076, abs=0.001)
    assert gain.high == pytest.approx(0.076, abs=0.001)


@cache
def exchangeable(kind, rows, seed):
    """One map of either half of the inputs, which tell the same of the targets: neither gains."""
    rng = np.random.default_rng([seed, rows])
    inputs = rng.standard_normal((rows, 8))
    told = inputs[:, 0] + inputs[:, 4] + 0.3 * rng.standard_normal(rows)
    targets = {
        "labels": lambda: rng.integers(0, 2, rows),
        "rare": lambda: np.maximum(rng.random(rows) < 0.12, np.arange(rows) < 2).astype(np.int64),
        "learned": lambda: (told > 0.0).astype(np.int64),
        "numbers": lambda: rng.standard_normal(rows),
        "curve": lambda: told,
    }[kind]()
    asked = problem(targets)
    splits = [random_split(rows, 0.25, rng, asked.labels) for _ in range(SPLITS)]
    weights = rng.standard_normal((4, 5))
    tables = [prepared(np.tanh(half @ weights)) for half in (inputs[:, :4], inputs[:, 4:])]
    models = Models(tables[0], tables[1], "none")
    trials = [run_trial(asked, models, split) for split in splits]
    left, right = (
        scored(name, [trial[name].held_out for trial in trials])
        for name in ("last_layer", "linear_on_input")
    )
    return asked, left, right, splits[0]


@pytest.mark.parametrize("kind", ["labels", "rare", "learned", "numbers", "curve"])
@pytest.mark.parametrize("rows", [24, 60])
def test_intervals_of_few_rows_cover_a_true_gain_of_nothing(kind, rows):
    """95 % intervals cover 0 as often, to 3 sigma; those of the splits alone are no wider."""
    covered = 0
    for seed in range(TRIALS):
        _, left, right, split = exchangeable(kind, rows, seed)
        gain = paired(left, right, split)
        alone = mean_interval(left.values - right.values, split)
        assert gain.low <= alone.low <= alone.high <= gain.high
        covered += gain.low <= 0.0 <= gain.high
    assert covered >= TRIALS * (0.95 - 3 * math.sqrt(0.95 * 0.05 / TRIALS))


@pytest.mark.parametrize("kind", ["learned", "curve"])
def test_of_many_rows_the_splits_decide_alone(kind):
    """Where models do differ, intervals of 400 rows grow by less than a tenth in the mean."""
    wider = []
    for seed in range(20):
        asked, left, right, split = exchangeable(kind, 400, seed)
        gain = paired(left, right, split)
        alone = mean_interval(left.values - right.values, split)
        wider.append((gain.high - gain.low, alone.high - alone.low))
        if asked.labels is None:
            bare = Scored("bare", left.values)
            shown = score_interval(asked, left.values, split, left.details)
            assert shown.low <= score_interval(asked, bare.values, split).low
    total = np.sum(wider, axis=0)
    assert total[0] < 1.1 * total[1]
