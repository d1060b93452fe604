"""Findings on the simplicity of labels follow from the plain section of a report alone."""

from __future__ import annotations

import math

import pytest
from simplicity_section import IMPOSSIBLE, LOWER_BOUND, SECTION, part, section

from fpcheck.core.catalogue import default_limits
from fpcheck.simplicity.rules import CODES, judge

LIMITS = default_limits()


def judged(one, **limits):
    return {finding.code: finding for finding in judge(one, {**LIMITS, **limits})}


def outcomes(one, **limits):
    return {code: finding.outcome for code, finding in judged(one, **limits).items()}


def test_a_planted_teacher_passes_every_rule_once():
    found = judge(section(), LIMITS)
    assert tuple(finding.code for finding in found) == CODES
    assert {finding.outcome for finding in found} == {"pass"}


def test_limits_move_the_outcome():
    found = outcomes(
        section(), min_label_saving=0.9, max_bound_over_majority=0.1, max_gain_of_training=-0.1,
        max_row_wrong=0.1, max_bits_per_doubling=0.001, max_contradictions=-1.0,
    )  # fmt: skip
    assert {code for code, outcome in found.items() if outcome == "fail"} == set(CODES) - {
        "FP402",
        "FP405",
    }


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-10.0, 18.0, "fail"), (-10.0, 30.0, "inconclusive"), (28.0, 30.0, "pass"),
     (None, -5.0, "fail"), (30.0, None, "pass"), (None, None, "inconclusive")],
)  # fmt: skip
def test_the_saving_is_a_share_of_what_shuffled_labels_cost(low, high, outcome):
    """92 bits of shuffled labels times 0.3 are 27.6."""
    assert outcomes(part("difference", low=low, high=high))["FP401"] == outcome


def test_labels_that_cost_more_than_could_be_searched_are_told_as_a_lower_bound():
    found = judged(section(**LOWER_BOUND))
    assert found["FP402"].outcome == "fail"
    assert "at least 118.0 (stalled at level 40)" in found["FP402"].message
    assert found["FP402"].status == "sampled"
    assert found["FP401"].outcome == "fail"
    assert (found["FP403"].outcome, found["FP403"].found) == ("fail", math.inf)


def test_labels_that_no_network_can_have_are_called_proved_and_no_longer_search_is_advised():
    found = judged(section(**IMPOSSIBLE))
    assert (found["FP402"].outcome, found["FP402"].status) == ("fail", "proved")
    assert "every function has at least 1 wrong" in found["FP402"].message
    assert "--effort" not in found["FP402"].remedy
    assert found["FP408"].message.startswith("1 row equal in every entry")
    assert "12 ≠ 3" in found["FP408"].message
    assert found["FP401"].outcome == found["FP405"].outcome == "skipped"


def test_a_search_that_has_not_mixed_warns_with_its_reason():
    found = judged(section(mixed=False, mixing="the repetitions differ by 6.0 bits"))["FP405"]
    assert (found.outcome, found.message) == ("fail", "the repetitions differ by 6.0 bits")
    assert found.found == pytest.approx(0.41, abs=0.02)  # the spread of SECTION's repetitions
    lost = section(mixed=False, mixing="lost", repetitions=[None, None, 40.0])
    assert judged(lost)["FP405"].found is None


def test_plain_sampling_has_no_chain_to_mix():
    found = judged(section(mixed=None, method="sampling"))["FP405"]
    assert found.outcome == "skipped"
    assert "independently" in found.message


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.03, 0.09, "fail"), (-0.01, 0.05, "inconclusive"), (-0.09, 0.01, "pass"),
     (None, None, "inconclusive")],
)  # fmt: skip
def test_what_training_gains_is_held_against_its_limit(low, high, outcome):
    assert outcomes(part("training", gain_low=low, gain_high=high))["FP404"] == outcome


def test_without_training_or_test_rows_the_reason_is_told():
    why = {"skipped": "not asked; leave --no-label-training out"}
    assert judged(section(training=why))["FP404"].message == why["skipped"]
    one = part("training", gain=None, gain_low=None, gain_high=None)
    assert judged(one)["FP404"].message == "no network that fits was sampled"
    one["test_rows"] = 0
    assert judged(one)["FP404"].message == "there are no test rows"


def test_the_bound_is_held_against_the_training_rows_where_there_are_no_others():
    found = judged(section(majority_error=None, test_rows=0))["FP403"]
    assert found.found == pytest.approx(0.381 / (30 / 64))
    band = section(majority_error=None, classes=None, rule="band")
    assert judged(band)["FP403"].outcome == "skipped"


def test_rows_that_nearly_every_network_gives_up_are_named():
    rows = [{"row": n, "label": "1", "wrong_share": 0.99 - 0.001 * n} for n in range(7)]
    found = judged(section(expensive=[*rows, *SECTION["expensive"]]))["FP406"]
    assert (found.outcome, found.found) == ("fail", 0.99)
    assert found.message.startswith("rows 0, 1, 2, 3, 4 and 2 more, counted from 0: wrong in 99%")
    assert outcomes(section(expensive=[]))["FP406"] == "skipped"
    broken = section(expensive=[{"row": 1, "label": "0", "wrong_share": math.nan}])
    assert outcomes(broken)["FP406"] == "fail"


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(3.3, 9.0, "fail"), (3.0, 9.0, "inconclusive"), (-1.0, 3.1, "pass")],
)
def test_width_is_held_against_bits_a_row(low, high, outcome):
    """0.05 bits a row are 3.2 of 64 rows."""
    assert outcomes(section(scan_slope={"bits": 5.0, "low": low, "high": high}))["FP407"] == outcome


def test_without_a_scan_or_a_slope_the_reason_is_told():
    why = {"skipped": "not asked; pass --label-scan width"}
    assert judged(section(scan=why))["FP407"].message == why["skipped"]
    open_slope = section(scan_slope={"bits": None, "low": None, "high": None})
    assert outcomes(open_slope)["FP407"] == "skipped"


def test_a_skipped_section_skips_every_rule():
    found = judge({"skipped": "there are no data"}, LIMITS)
    assert tuple(finding.code for finding in found) == CODES
    assert {finding.message for finding in found} == {"there are no data"}


def test_missing_bits_never_pass():
    nothing = section(bits=None, difference={"bits": None, "low": None, "high": None})
    assert outcomes(nothing)["FP401"] == "inconclusive"
    assert outcomes(section(random_label_bits=0.0))["FP401"] == "skipped"
    assert outcomes(section(random_label_bits=None))["FP401"] == "skipped"
