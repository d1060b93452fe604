"""Nearest neighbours against scikit-learn and against looking at every distance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.core.progress import Monitor
from fpcheck.readout.distances import (
    first_columns,
    from_a_row,
    nearest_rows,
    squared_distances,
    standardised,
)
from fpcheck.readout.neighbours import NEIGHBOURS, nearest_trials
from fpcheck.readout.problem import Problem
from fpcheck.readout.scores import one_hot
from fpcheck.readout.splits import Split, random_split


def classes(labels, count):
    names = tuple(str(index) for index in range(count))
    return Problem("accuracy", one_hot(labels, count), labels, names, "classes")


def numbers(targets):
    return Problem("r2", targets, None, (), "numbers")


def clouds(rows=300, width=5, count=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, count, rows)
    return rng.standard_normal((rows, width)) + 1.5 * np.eye(count, width)[labels], labels


def splits_of(rows, labels=None, count=4, share=0.25):
    return [random_split(rows, share, np.random.default_rng(i), labels) for i in range(count)]


@pytest.mark.parametrize("count", NEIGHBOURS)
def test_predictions_are_scikit_learns(count):
    neighbors = pytest.importorskip("sklearn.neighbors")
    rows, labels = clouds()
    splits = splits_of(300, labels)
    trials = nearest_trials(rows, classes(labels, 4), splits, (count,))
    for trial, split in zip(trials, splits, strict=True):
        peer = neighbors.KNeighborsClassifier(count).fit(rows[split.train], labels[split.train])
        assert trial.neighbours == count
        assert_array_equal(trial.held_out, peer.predict_proba(rows[split.test]))
        assert_array_equal(trial.held_out.argmax(axis=1), peer.predict(rows[split.test]))


def test_numbers_are_scikit_learns_means():
    neighbors = pytest.importorskip("sklearn.neighbors")
    rows, _ = clouds()
    targets = np.column_stack([np.sin(rows[:, 0]), rows.sum(axis=1), np.ones(300)])
    splits = splits_of(300)
    for trial, split in zip(nearest_trials(rows, numbers(targets), splits), splits, strict=True):
        peer = neighbors.KNeighborsRegressor(trial.neighbours)
        peer.fit(rows[split.train], targets[split.train])
        assert_allclose(trial.held_out, peer.predict(rows[split.test]), rtol=1e-12)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_their_number_has_the_least_leave_one_out_error(kind):
    rows, labels = clouds(rows=120)
    problem = classes(labels, 4) if kind == "classes" else numbers(rows[:, :1] ** 2)
    splits = splits_of(120)
    for trial, split in zip(nearest_trials(rows, problem, splits), splits, strict=True):
        errors = {}
        for count in NEIGHBOURS:
            missed = []
            for row in split.train:
                others = split.train[split.train != row]
                far = np.square(rows[others] - rows[row]).sum(axis=1)
                mean = problem.targets[others[np.argsort(far)[:count]]].mean(axis=0)
                wrong = problem.labels is not None and mean.argmax() != problem.labels[row]
                square = np.mean(np.square(mean - problem.targets[row]))
                missed.append(float(wrong) if problem.labels is not None else square)
            errors[count] = np.mean(missed)
        assert_allclose(trial.loo_error, min(errors.values()), rtol=1e-12)
        assert_allclose(errors[trial.neighbours], trial.loo_error, rtol=1e-12)


def test_all_neighbours_are_the_majority():
    rows, labels = clouds(rows=40)
    split = splits_of(40)[0]
    (trial,) = nearest_trials(rows, classes(labels, 4), [split], (len(split.train) - 1,))
    counts = np.bincount(labels[split.train], minlength=4)
    assert (np.abs(trial.held_out * (len(split.train) - 1) - counts) <= 1.0).all()


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_whole_numbers_and_rows_given_many_times_go_by_their_order(offset):
    """Of equal distances the lower index is nearer, even where most distances are equal."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 3, (200, 2)) + offset
    labels = rng.integers(0, 3, 200)
    splits = splits_of(200)
    trials = nearest_trials(rows, classes(labels, 3), splits, (5,))
    for trial, split in zip(trials, splits, strict=True):
        for row, shares in zip(split.test, trial.held_out, strict=True):
            far = np.square(rows[split.train] - rows[row]).sum(axis=1)
            near = split.train[np.argsort(far, kind="stable")[:5]]
            assert_array_equal(shares, np.bincount(labels[near], minlength=3) / 5)


def test_training_rows_far_from_everything_are_found():
    """The neighbours found for all splits at once are other held-out rows: they do not suffice."""
    rng = np.random.default_rng(2)
    rows = np.vstack([rng.standard_normal((150, 2)), rng.standard_normal((50, 2)) + 100.0])
    labels = np.repeat([0, 1], [150, 50])
    split = Split(np.arange(60, 200), np.arange(60))
    wide = Split(np.arange(150, 200), np.arange(150))
    for trial in nearest_trials(rows, classes(labels, 2), [split, wide], (3,))[1:]:
        assert_array_equal(trial.held_out, np.tile([0.0, 1.0], (150, 1)))


@pytest.mark.parametrize("scale", [2.0**-700, 2.0**700])
def test_squares_beyond_the_range_of_doubles_are_no_obstacle(scale):
    rows, labels = clouds(rows=100)
    splits = splits_of(100)
    before = nearest_trials(rows, classes(labels, 4), splits)
    after = nearest_trials(scale * rows, classes(labels, 4), splits)
    for one, other in zip(before, after, strict=True):
        assert_array_equal(one.held_out, other.held_out)
    assert_allclose(standardised(scale * rows), standardised(rows), rtol=1e-12)


@pytest.mark.parametrize("train_rows", [1, 2, 4])
def test_few_training_rows_are_enough(train_rows):
    rows, labels = clouds(rows=12)
    split = Split(np.arange(train_rows), np.arange(train_rows, 12))
    (trial,) = nearest_trials(rows, classes(labels, 4), [split])
    assert trial.neighbours <= max(1, train_rows - 1)
    if train_rows == 1:
        assert_array_equal(trial.held_out, one_hot(np.full(11, labels[0]), 4))


def test_no_training_rows_are_refused():
    rows, labels = clouds(rows=12)
    with pytest.raises(ValueError, match="without training rows"):
        nearest_trials(rows, classes(labels, 4), [Split(np.arange(0), np.arange(12))])


def test_a_class_missing_from_the_training_rows_gets_no_share():
    rows, labels = clouds(rows=80)
    split = Split(np.flatnonzero(labels != 2), np.flatnonzero(labels == 2))
    (trial,) = nearest_trials(rows, classes(labels, 4), [split])
    assert_array_equal(trial.held_out[:, 2], 0.0)


def test_no_number_depends_on_the_threads():
    rows, labels = clouds(rows=700)
    splits = splits_of(700, labels)
    one, two = (nearest_trials(rows, classes(labels, 4), splits, threads=count) for count in (1, 2))
    for left, right in zip(one, two, strict=True):
        assert_array_equal(left.held_out, right.held_out)


class TestDistances:
    """What the neighbours are made of."""

    @pytest.mark.parametrize("offset", [0.0, 1e8])
    def test_distances_are_those_of_the_differences(self, offset):
        rows = np.random.default_rng(3).standard_normal((60, 7)) + offset
        moved, unit = from_a_row(rows)
        expected = np.square(rows[:, None] - rows[None]).sum(axis=2)
        found = unit * unit * squared_distances(moved, moved)
        assert_allclose(found, expected, atol=1e-12 * expected.max())

    @pytest.mark.parametrize("count", [1, 7, 49, 99])
    @pytest.mark.parametrize("values", [3, 10**9])
    def test_first_columns_are_a_stable_sorts(self, count, values):
        table = np.random.default_rng(4).integers(0, values, (50, 100)).astype(float)
        expected = np.argsort(table, axis=1, kind="stable")[:, :count]
        assert_array_equal(first_columns(table, count), expected)

    def test_a_row_is_not_near_itself(self):
        rows = np.zeros((10, 2))  # all equal: the order alone decides
        near = nearest_rows(rows, np.arange(10), np.arange(10), 2, 1, Monitor())
        assert_array_equal(near[:3], [[1, 2], [0, 2], [0, 1]])

    def test_columns_in_other_units_become_equal(self):
        rng = np.random.default_rng(5)
        rows = rng.standard_normal((50, 3)) * [1.0, 1e-9, 1e9] + [0.0, 1.0, 5.0]
        scaled = standardised(np.column_stack([rows, np.full(50, 0.1)]))
        assert_allclose(scaled[:, :3].std(axis=0), 1.0, rtol=1e-6)
        assert_array_equal(scaled[:, 3], 0.0)
