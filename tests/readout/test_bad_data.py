"""Data that a readout cannot be judged on, or only in part: one clear sentence each."""

from __future__ import annotations

import numpy as np
import pytest
from readout_cases import RING, RING_LABELS, answered, classes, network, numbers, run

from fpcheck.core.catalogue import default_limits
from fpcheck.core.errors import DataError
from fpcheck.core.plain import as_section
from fpcheck.network.data import Data, load_data
from fpcheck.readout.result import ReadoutResult, Skipped
from fpcheck.readout.rules import judge
from fpcheck.readout.view import view

NET = network([2, 12, 2])
RNG = np.random.default_rng(11)


def why(data, net=NET) -> str:
    result = run(net, data)
    assert isinstance(result, Skipped), "a score was given"
    return result.skipped


def notes(result: ReadoutResult) -> str:
    return " ".join(result.notes)


def findings(result):
    return {one.code: one for one in judge(as_section(result), default_limits())}


def saved(tmp_path, **arrays):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return path


class TestRefusedWhenRead:
    """What the reader of the data sees, before any network is asked."""

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"X": RING, "y": np.zeros(300, dtype=int)}, "all targets are of one class, '0'"),
            ({"X": RING, "y": np.array(["cat"] * 300)}, "all targets are of one class, 'cat'"),
            ({"X": RING, "y": np.full(300, 2.5)}, "all targets have one value, 2.5"),
            ({"X": np.where(RING > 2.0, np.nan, RING), "y": RING_LABELS},
             r"entries of the inputs are not finite, the first one nan in row \d+, column \d"),
            ({"X": RING, "y": np.where(RING[:, 0] > 2.0, np.nan, RING[:, 1])},
             r"targets are not finite, the first one nan in row \d+"),
            ({"X": RING, "y": RING_LABELS[:200]}, "300 rows of inputs but 200 targets"),
        ],
    )  # fmt: skip
    def test_it_is_one_sentence_with_the_place(self, tmp_path, arrays, message):
        with pytest.raises(DataError, match=message) as caught:
            load_data(saved(tmp_path, **arrays))
        assert "\n" not in caught.value.message

    def test_labels_as_text_are_classes_by_their_names(self, tmp_path):
        names = np.where(RING_LABELS == 1, "outside", "inside")
        data = load_data(saved(tmp_path, X=RING, y=names))
        result = answered(NET, data)
        assert (result.task, result.classes) == ("classification", ("inside", "outside"))
        assert "2 classes (distinct texts)" in notes(result)
        by_number = answered(NET, classes(RING, RING_LABELS))
        assert result.last_layer == by_number.last_layer


class TestRefusedByTheQuestion:
    """Data that come from elsewhere than a file are looked at again."""

    def test_one_class_alone(self):
        assert "of one class, '0': nothing can be told apart" in why(
            classes(RING, np.zeros(300, dtype=int))
        )

    def test_a_constant_target(self):
        assert "one value: there is nothing to predict" in why(
            numbers(RING, np.full((300, 1), 2.0)), network([2, 8, 1])
        )

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_numbers_that_are_none(self, bad):
        broken = RING.copy()
        broken[7, 1] = bad
        assert "holds NaN or Inf" in why(classes(broken, RING_LABELS))
        targets = RING[:, :1].copy()
        targets[3] = bad
        assert "holds NaN or Inf" in why(numbers(RING, targets), network([2, 8, 1]))

    def test_fewer_rows_than_classes(self):
        names = tuple(f"class {index}" for index in range(40))
        data = Data(RING[:30], np.arange(30), "classification", names, "rows.npz")
        assert why(data, network([2, 8, 40])) == "rows.npz has 30 rows for 40 classes"

    @pytest.mark.parametrize("rows", [2, 5, 19])
    def test_fewer_than_twenty_rows_say_what_cannot_be_concluded(self, rows):
        labels = np.arange(rows) % 2
        reason = why(classes(RING[:rows], labels))
        assert f"{rows} rows" in reason
        assert "20" in reason

    def test_twenty_rows_are_answered_and_called_too_few(self):
        result = answered(NET, classes(RING[:20], np.arange(20) % 2))
        assert findings(result)["FP311"].outcome == "fail"
        assert result.verdict == "more data needed"

    def test_every_rule_is_skipped_with_the_reason(self):
        section = {"skipped": why(classes(RING[:5], np.arange(5) % 2))}
        assert {one.message for one in judge(section, default_limits())} == {section["skipped"]}


class TestTold:
    """Data that give scores, with something to know about them."""

    def test_rows_that_occur_twice_are_counted_across_the_splits(self):
        twice = np.concatenate([RING[:100], RING[:100]])
        labels = np.concatenate([RING_LABELS[:100], RING_LABELS[:100]])
        result = answered(NET, classes(twice, labels))
        assert result.duplicates.rows == 100
        # A held-out row's twin is trained on with the chance 150 / 199 of random splits.
        assert result.duplicates.held_out == pytest.approx(150 / 199, abs=0.06)  # 3 sigma of 500
        assert result.duplicates.contradicting == 0
        found = findings(result)["FP310"]
        assert found.outcome == "fail"
        assert "100 of 200 rows equal an earlier one" in found.message
        drawn = view(as_section(result), ()).items
        assert any("have an equal among the training rows" in getattr(i, "text", "") for i in drawn)

    def test_equal_rows_with_unequal_targets_contradict_each_other(self):
        rows = np.concatenate([RING[:60], RING[:3], RING[:1]])
        labels = np.concatenate([RING_LABELS[:60], 1 - RING_LABELS[:3], RING_LABELS[:1]])
        result = answered(NET, classes(rows, labels))
        assert (result.duplicates.rows, result.duplicates.contradicting) == (4, 3)
        assert "3 groups of equal rows" in findings(result)["FP310"].message

    def test_zero_and_minus_zero_are_one_number(self):
        rows = RING[:60].copy()
        rows[0] = [0.0, 1.0]
        rows[1] = [-0.0, 1.0]
        assert answered(NET, classes(rows, RING_LABELS[:60])).duplicates.rows == 1

    def test_a_clean_table_has_no_duplicates(self):
        result = answered(NET, classes(RING, RING_LABELS))
        assert (result.duplicates.rows, result.duplicates.held_out) == (0, 0.0)
        assert findings(result)["FP310"].outcome == "pass"

    def test_a_class_that_is_missing_from_splits_is_named(self):
        labels = np.array([0] * 150 + [1] * 148 + [2] * 2)
        result = answered(network([2, 12, 3]), classes(RING, labels, count=3))
        assert "'2' (2 rows)" in notes(result)
        assert "missing from the held-out rows" in notes(result)
        assert result.class_sizes == (150, 148, 2)

    def test_a_class_of_one_row_is_never_held_out(self):
        labels = np.array([0] * 150 + [1] * 149 + [2])
        result = answered(network([2, 12, 3]), classes(RING, labels, count=3))
        assert "'2' (1 rows)" in notes(result) or "'2' (1 row)" in notes(result)

    def test_a_class_without_rows_is_named(self):
        data = Data(RING, RING_LABELS, "classification", ("in", "out", "none"), "rows.npz")
        result = answered(network([2, 12, 3]), data)
        assert "class 'none' without any row" in notes(result)
