"""Splits are stratified and disjoint, the interval is Nadeau and Bengio's, scores the peers'."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.readout.scores import accuracy, balanced_accuracy, one_hot, r_squared
from fpcheck.readout.splits import random_split, resampled_interval


@pytest.mark.parametrize("stratified", [False, True])
def test_every_row_is_on_exactly_one_side(stratified):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 103) if stratified else None
    split = random_split(103, 0.25, rng, labels)
    assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(103))
    assert len(split.test) == 26


def test_a_class_gives_its_share_to_within_one_row():
    labels = np.repeat([0, 1, 2], [50, 30, 7])
    for seed in range(20):
        split = random_split(87, 0.3, np.random.default_rng(seed), labels)
        held_out = np.bincount(labels[split.test])
        assert (np.abs(held_out - np.array([15.0, 9.0, 2.1])) <= 1.0).all()
        assert held_out.sum() == 26


def test_the_only_row_of_a_class_stays_for_training():
    labels = np.array([0] * 30 + [1])
    for seed in range(10):
        assert 30 in random_split(31, 0.5, np.random.default_rng(seed), labels).train


def test_every_row_of_a_class_is_equally_likely_to_be_held_out():
    labels = np.repeat([0, 1], [12, 8])
    rng = np.random.default_rng(1)
    counts = np.zeros(20)
    for _ in range(2000):
        counts[random_split(20, 0.25, rng, labels).test] += 1
    assert_allclose(counts / 2000, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 2000))  # 5 sigma


def test_the_interval_is_the_corrected_resampled_t():
    scores = np.array([0.8, 0.9, 0.7, 0.85, 0.75])
    interval = resampled_interval(scores, n_train=75, n_test=25)
    quantile = 2.7764451051977987  # Student's t, 4 degrees of freedom, 0.975
    half = quantile * np.sqrt((1 / 5 + 25 / 75) * scores.var(ddof=1))
    assert_allclose([interval.low, interval.high], [0.8 - half, 0.8 + half], rtol=1e-12)


def test_one_split_bounds_nothing():
    interval = resampled_interval(np.array([0.9]), 75, 25)
    assert (interval.low, interval.high) == (-np.inf, np.inf)


def test_the_scores_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    assert_allclose(accuracy(predicted, labels), metrics.accuracy_score(labels, predicted))
    expected = metrics.balanced_accuracy_score(labels, predicted)
    assert_allclose(balanced_accuracy(predicted, labels), expected, rtol=1e-14)
    targets = rng.standard_normal((200, 3)) * [1.0, 5.0, 0.1]
    guesses = targets + rng.standard_normal((200, 3))
    expected = metrics.r2_score(targets, guesses, multioutput="variance_weighted")
    assert_allclose(r_squared(guesses, targets), expected, rtol=1e-12)


def test_errors_on_an_output_that_does_not_vary_count():
    targets = np.column_stack([[1.0, -1.0, 1.0, -1.0], np.zeros(4)])
    guesses = np.column_stack([targets[:, 0], np.full(4, 0.5)])
    assert_allclose(r_squared(guesses, targets), 1.0 - 4 * 0.25 / 4.0, rtol=1e-15)


def test_targets_that_do_not_vary_have_no_r_squared():
    assert np.isnan(r_squared(np.zeros((4, 1)), np.ones((4, 1))))


def test_one_hot_rows_add_up_to_one():
    rows = one_hot(np.array([2, 0, 1]), 3)
    assert_array_equal(rows.argmax(axis=1), [2, 0, 1])
    assert_array_equal(rows.sum(axis=1), 1.0)


def test_scores_too_far_apart_to_be_squared_have_an_unbounded_interval():
    interval = resampled_interval(np.array([-1e200, 0.5, 0.5]), 75, 25)
    assert (interval.low, interval.high) == (-np.inf, np.inf)
