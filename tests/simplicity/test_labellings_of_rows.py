"""Labellings: rules of an answer, shuffles, and rows that contradict each other."""

from __future__ import annotations

import numpy as np
import pytest
from planted import classes

from fpcheck.simplicity.labelling import Labelling, contradictions, least_errors
from fpcheck.simplicity.violations import TIE, violations


def band(rows, targets, tolerance=0.5):
    targets = np.asarray(targets, float).reshape(len(rows), -1)
    return Labelling(np.asarray(rows, float), "band", None, targets, tolerance)


def naive_violation(out, labelling, row):
    """One row's violation, by the words of the rule."""
    if labelling.rule == "band":
        worst = max(abs(o - t) for o, t in zip(out, labelling.targets[row], strict=True))
        return np.inf if np.isnan(out).any() else max(worst - labelling.tolerance, 0.0)
    label = labelling.labels[row]
    if np.isnan(out).any():
        return np.inf
    if labelling.rule == "sign":
        right = (out[0] > 0) == (label == 1)
        return 0.0 if right else max(abs(out[0]), TIE)
    winner = next(j for j, o in enumerate(out) if o == max(out))
    if winner == label:
        return 0.0
    return TIE if out[label] == max(out) else max(out) - out[label]


@pytest.mark.parametrize("rule", ["sign", "argmax", "band"])
def test_violations_are_what_the_rules_say_for_ties_and_infinities_too(rule):
    rng = np.random.default_rng(3)
    values = np.array([-np.inf, -1.5, -1.0, -0.0, 0.0, 0.25, 1.0, np.inf, np.nan])
    width = {"sign": 1, "argmax": 3, "band": 2}[rule]
    out = values[rng.integers(0, len(values), (400, 5, width))]
    rows = rng.standard_normal((5, 2))
    if rule == "band":
        labelling = band(rows, rng.integers(-2, 3, (5, 2)) / 2)
    else:
        labelling = classes(rows, [0, 1, 1, 0, 1], 2 if rule == "sign" else 3)
    found = violations(out, labelling)
    with np.errstate(invalid="ignore"):
        wanted = [[naive_violation(out[m, i], labelling, i) for i in range(5)] for m in range(400)]
    np.testing.assert_array_equal(found, wanted)


def test_a_dead_network_is_right_for_class_0_alone():
    labelling = classes(np.eye(4), [0, 1, 0, 1])
    found = violations(np.zeros((1, 4, 1)), labelling)
    assert (found[0] == 0).tolist() == [True, False, True, False]


def test_the_sum_of_tiny_wrong_answers_is_not_zero():
    labelling = classes(np.eye(2), [1, 0])
    found = violations(np.array([[[-5e-324], [5e-324]]]), labelling)
    assert (found > 0).all()


def test_a_target_at_the_edge_of_the_band_is_hit():
    labelling = band([[0.0]], [[1.0]], 0.5)
    assert violations(np.array([[[1.5]]]), labelling)[0, 0] == 0
    assert violations(np.array([[[1.5 + 1e-15]]]), labelling)[0, 0] > 0


def test_shuffling_keeps_the_class_balance_and_the_rows():
    labelling = classes(np.random.default_rng(0).standard_normal((50, 3)), np.arange(50) % 5 == 0)
    shuffled = labelling.shuffled(np.random.default_rng(1))
    np.testing.assert_array_equal(shuffled.class_counts, labelling.class_counts)
    np.testing.assert_array_equal(shuffled.rows, labelling.rows)
    assert (shuffled.labels != labelling.labels).any()


def test_every_shuffle_of_the_labels_is_equally_likely():
    labelling = classes(np.eye(4), [1, 1, 0, 0])
    rng = np.random.default_rng(5)
    draws = 6000
    seen = np.zeros(16)
    for _ in range(draws):
        seen[labelling.shuffled(rng).labels @ [8, 4, 2, 1]] += 1
    expected = draws / 6
    chi_square = ((seen[seen > 0] - expected) ** 2 / expected).sum()
    assert (seen > 0).sum() == 6
    assert chi_square < 20.5  # the 99.9 % quantile for 5 degrees of freedom


def test_a_subset_takes_rows_and_answers_together():
    labelling = classes(np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 1, 0])
    part = labelling.subset(np.array([4, 1]))
    assert part.rows[:, 0].tolist() == [8, 2]
    assert part.labels.tolist() == [1, 1]
    assert part.rows.flags.c_contiguous


def test_constant_labels_ask_for_one_class_everywhere():
    assert classes(np.eye(3), [0, 1, 2], 3).constant(2).labels.tolist() == [2, 2, 2]
    assert not band(np.eye(2), [[1.0], [2.0]]).constant(0).targets.any()


def test_outputs_wanted_is_one_a_class_but_one_for_two():
    assert classes(np.eye(2), [0, 1]).outputs_wanted == 1
    assert classes(np.eye(3), [0, 1, 2], 3).outputs_wanted == 3
    assert band(np.eye(2), [[1.0, 2.0], [0.0, 1.0]]).outputs_wanted == 2


class TestContradictions:
    rows = np.array([[1.0, 0.0], [2.0, 1.0], [1.0, -0.0], [2.0, 1.0], [1.0, 0.0]])

    def test_equal_rows_of_other_classes_are_named_zeros_of_both_signs_being_equal(self):
        labelling = classes(self.rows, [0, 1, 1, 1, 0])
        assert contradictions(labelling) == [(0, 2)]
        assert least_errors(labelling) == 1

    def test_the_least_errors_are_the_minorities_of_the_equal_rows(self):
        labelling = classes(self.rows, [0, 1, 1, 0, 1])
        assert contradictions(labelling) == [(0, 2), (0, 4), (1, 3)]
        assert least_errors(labelling) == 2

    def test_different_rows_contradict_nothing(self):
        labelling = classes(np.eye(4), [0, 1, 0, 1])
        assert contradictions(labelling) == []
        assert least_errors(labelling) == 0

    def test_bands_that_meet_are_no_contradiction(self):
        assert contradictions(band(self.rows, [0, 0, 0.9, 1.0, 0.4])) == []

    def test_bands_that_do_not_meet_are_named_by_their_ends(self):
        labelling = band(self.rows, [0.5, 0, 0.0, 0, 1.2])
        assert contradictions(labelling) == [(2, 4)]
        assert least_errors(labelling) == 1
