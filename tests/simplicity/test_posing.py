"""The choice of training rows."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.data import Data
from fpcheck.simplicity.posing import AUTOMATIC_ROWS, MOST_TEST_ROWS, Posed, pose


def labelled(counts, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    names = tuple(f"c{index}" for index in range(len(counts)))
    rows = np.column_stack([np.arange(len(labels)), rng.standard_normal((len(labels), 2))])
    return Data(rows, labels, "classification", names, "data.npz")


def posed_of(data, rows=0, **options) -> Posed:
    posed = pose(data, Settings(label_rows=rows), random_stream(0, "simplicity"), **options)
    assert isinstance(posed, Posed), posed
    return posed


def test_training_and_test_rows_are_different_rows_of_the_data():
    data = labelled([150, 50])
    posed = posed_of(data, 80)
    assert (posed.train.count, posed.test.count) == (80, 120)
    assert sorted(posed.order) == list(range(200))
    np.testing.assert_array_equal(posed.train.rows, data.inputs[posed.order[:80]])
    np.testing.assert_array_equal(posed.test.labels, data.targets[posed.order[80:]])


@pytest.mark.parametrize("counts", [[50, 150], [37, 5, 158], [99, 101]])
def test_every_beginning_of_the_order_has_each_class_share_to_within_a_row(counts):
    posed = posed_of(labelled(counts), 150)
    labels = np.concatenate([posed.train.labels, posed.test.labels])
    shares = np.array(counts) / sum(counts)
    for n in range(1, 201):
        found = np.bincount(labels[:n], minlength=len(counts))
        assert np.abs(found - n * shares).max() <= 1.0 + 1e-9


def test_every_class_is_among_the_training_rows_where_there_is_room():
    posed = posed_of(labelled([990, 3, 4, 3]), 20)
    assert sorted(set(posed.train.labels.tolist())) == [0, 1, 2, 3]
    assert len(set(posed.order.tolist())) == len(posed.order)


def test_a_row_is_chosen_as_often_as_any_other_of_its_class():
    data = labelled([30, 10])
    chosen = np.zeros(40)
    for block in range(400):
        posed = pose(data, Settings(label_rows=20), random_stream(0, "simplicity", block))
        chosen[posed.order[:20]] += 1
    assert np.abs(chosen / 400 - 0.5).max() < 5 * 0.025  # five standard errors


def test_left_to_itself_it_takes_at_most_64_rows_and_leaves_a_quarter():
    assert posed_of(labelled([500, 500])).train.count == AUTOMATIC_ROWS
    posed = posed_of(labelled([20, 20]))
    assert (posed.train.count, posed.test.count) == (30, 10)


def test_the_test_rows_are_at_most_2000():
    posed = posed_of(labelled([1500, 1500]), 10)
    assert posed.test.count == MOST_TEST_ROWS
    assert len(posed.order) == MOST_TEST_ROWS + 10


def test_more_rows_than_there_are_is_said_and_leaves_no_test():
    posed = posed_of(labelled([5, 5]), 100)
    assert posed.test is None
    assert posed.notes == (
        "100 training rows were asked for; data.npz has 10",
        "no rows are left to test on",
    )


def test_two_classes_are_answered_by_sign_and_by_argmax_of_two_outputs():
    assert posed_of(labelled([5, 5]), 4).train.rule == "sign"
    assert posed_of(labelled([5, 5]), 4, outputs=2).train.rule == "argmax"
    assert posed_of(labelled([5, 5, 5]), 6).train.rule == "argmax"


def test_numbers_are_in_standard_deviations_of_the_training_rows():
    rng = np.random.default_rng(0)
    targets = np.column_stack([5 + 3 * rng.standard_normal(90), np.arange(90.0)])
    data = Data(rng.standard_normal((90, 4)), targets, "regression", (), "data.npz")
    posed = posed_of(data, 60)
    assert (posed.train.rule, posed.train.tolerance) == ("band", 0.5)
    np.testing.assert_allclose(posed.train.targets.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(posed.train.targets.std(axis=0), 1, rtol=1e-12)
    back = np.polyfit(targets[posed.order, 0], np.vstack(
        [posed.train.targets, posed.test.targets])[:, 0], 1)  # fmt: skip
    np.testing.assert_allclose(back[0] * targets[posed.order[:60], 0].std(), 1, rtol=1e-9)


class TestWhyNot:
    def test_no_targets(self):
        assert "no targets" in pose(Data(np.eye(3), None, None, (), "x.npz"), Settings(), None)

    def test_one_class(self):
        data = Data(np.eye(3), np.zeros(3, np.int64), "classification", ("a", "b"), "x.npz")
        assert "same" in pose(data, Settings(), None)

    def test_not_finite(self):
        rows = np.array([[1.0], [np.nan]])
        data = Data(rows, np.array([0, 1]), "classification", ("a", "b"), "x.npz")
        assert "NaN" in pose(data, Settings(), None)

    def test_one_training_row(self):
        why = pose(labelled([5, 5]), Settings(label_rows=1), random_stream(0, "simplicity"))
        assert "one class" in why
