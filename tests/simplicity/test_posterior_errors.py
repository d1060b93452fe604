"""Errors of accepted networks: one of them, their majority, and against trained ones."""

import numpy as np
import pytest
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.posterior import accepted_errors, gain, majority_error, vote
from fpcheck.simplicity.violations import violations

EFFORT = Effort(2, 64, 4.0, 2.0**36, 64, 2.0**33)


def test_a_majority_that_is_right_makes_a_vote_that_is():
    rng = np.random.default_rng(0)
    rows = np.zeros((200, 1))
    two = classes(rows, rng.integers(0, 2, 200))
    three = classes(rows, rng.integers(0, 3, 200), 3)
    band = Labelling(rows, "band", None, rng.normal(size=(200, 2)), 0.8)
    for data, outputs in ((two, 1), (three, 3), (band, 2)):
        out = rng.normal(size=(15, 200, outputs))
        right = (violations(out, data) == 0.0).mean(axis=0) > 0.5
        voted = violations(vote(out, data)[None], data)[0] == 0.0
        assert right.any()
        assert voted[right].all()


def test_the_majority_of_accepted_networks_beats_one_and_both_beat_the_commonest_class():
    train, test = planted(rows=30, inputs=4, width=1, test=400, seed=2)
    prior = prior_of(chain(4, 8, 1), train)
    asked = Asked(prior, Settings(threads=1), Monitor())
    found = estimate(asked, train, np.random.default_rng(1), EFFORT, keep=True)
    errors, by_group = accepted_errors(prior, found, train, test, Monitor())
    assert errors.vote_error <= errors.guess_and_check_error < errors.majority_error
    low, high = errors.guess_and_check_error_low, errors.guess_and_check_error_high
    assert low < errors.guess_and_check_error < high
    assert by_group.shape[1] == 400
    nothing, none = accepted_errors(prior, found, train, None, Monitor())
    assert nothing.guess_and_check_error is None
    assert none is None


def test_the_baseline_is_the_training_rows_commonest_class_or_their_mean():
    rows = np.zeros((4, 1))
    assert majority_error(classes(rows, [1, 1, 1, 0]), classes(rows, [0, 0, 0, 1])) == 0.75
    band = Labelling(rows, "band", None, np.array([[0.1], [0.4], [0.6], [-0.7]]), 0.5)
    assert majority_error(band, band) == 0.5
    assert majority_error(band, None) is None


def test_the_gains_interval_holds_the_difference():
    rng = np.random.default_rng(2)
    truth, held = 0.1, 0
    for _ in range(300):
        hard = rng.beta(0.5, 2.0, size=100) * 0.7
        sampled = rng.random((8, 100)) < hard + truth
        trained = rng.random((5, 100)) < hard
        mean, found = gain(sampled.astype(float), trained)
        assert found.low <= mean <= found.high
        held += found.low <= truth <= found.high
    assert held >= 280  # 285 expected


def test_no_difference_seen_is_not_no_difference():
    mean, found = gain(np.zeros((8, 50)), np.zeros((5, 50), bool))
    assert mean == 0.0
    assert found.high == pytest.approx(-found.low)
    assert 0.02 < found.high < 0.08
