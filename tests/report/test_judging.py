from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fpcheck.core.catalogue import default_limits
from fpcheck.core.errors import UsageError
from fpcheck.core.settings import Settings
from fpcheck.report.report import exit_code, findings_of, judge_document, report_of, saved_settings


def codes(report, outcome="fail"):
    return [finding.code for finding in report.findings if finding.outcome == outcome]


def test_findings_stand_in_one_order_failures_first_then_by_severity(judged):
    assert [(f.outcome, f.severity, f.code) for f in judged.findings] == [
        ("fail", "error", "FP202"),
        ("fail", "warning", "FP201"),
        ("inconclusive", "info", "FP205"),
        ("pass", "info", "FP206"),
        ("skipped", "warning", "FP204"),
    ]
    assert judged.verdict == "fail"


def test_the_document_holds_what_the_report_says(judged):
    assert judged.document["verdict"] == "fail"
    assert findings_of(judged.document) == judged.findings
    assert report_of(judged.document) == judged
    assert judged.document["settings"]["limits"] == dict(default_limits())


def test_judging_again_changes_nothing(judged):
    assert judge_document(judged.document, Settings()) == judged


def test_ignored_and_unselected_findings_vanish(document):
    assert codes(judge_document(document, Settings(ignore=("FP202",)))) == ["FP201"]
    only = judge_document(document, Settings(select=("FP201",)))
    assert [finding.code for finding in only.findings] == ["FP201"]
    assert only.verdict == "warn"


def test_a_level_changes_a_severity_or_turns_a_rule_off(document):
    levels = {"FP201": "error", "FP202": "off"}
    report = judge_document(document, Settings(levels=levels))
    assert codes(report) == ["FP201"]
    assert report.verdict == "fail"
    assert report.document["settings"]["levels"] == levels


def test_a_limit_reaches_the_rule_and_the_document(document):
    report = judge_document(document, Settings(limits={"max_unresolved": 0.1}))
    assert codes(report) == ["FP202"]
    assert report.document["settings"]["limits"]["max_unresolved"] == 0.1


def test_an_unknown_limit_is_refused(document):
    with pytest.raises(UsageError, match="max_nothing"):
        judge_document(document, Settings(limits={"max_nothing": 1.0}))


@pytest.mark.parametrize(
    ("ignore", "fail_on", "expected"),
    [
        ((), "error", 1),
        ((), "never", 0),
        (("FP202",), "error", 0),  # a warning is left
        (("FP202",), "warning", 1),
        (("FP202",), "info", 1),
        (("FP202", "FP201"), "info", 0),  # inconclusive and passed
    ],
)
def test_the_exit_code_follows_the_gate(document, ignore, fail_on, expected):
    report = judge_document(document, Settings(ignore=ignore))
    assert exit_code(report, fail_on) == expected


def test_an_unknown_gate_is_refused(judged):
    with pytest.raises(UsageError, match="fatal"):
        exit_code(judged, "fatal")


def test_what_was_asked_by_name_and_could_not_be_judged_exits_with_3(document):
    document["settings"]["questions"] = ["readout"]
    settings = Settings(questions=("readout",), ignore=("FP2",), select=("FP206", "FP201"))
    report = judge_document(document, replace(settings, ignore=("FP201",)))
    assert codes(report, "pass") == ["FP206"]  # the weights are always looked at
    assert report.verdict == "not judged"
    assert exit_code(report, "error") == 3


def test_a_failure_elsewhere_still_counts_when_nothing_asked_could_be_judged(document):
    document["settings"]["questions"] = ["readout"]
    report = judge_document(document, Settings(questions=("readout",)))
    assert report.verdict == "fail"
    assert exit_code(report, "error") == 1


def test_a_report_in_which_everything_is_skipped_is_not_judged(document):
    document["weights"] = document["attractors"] = {"skipped": "no weights"}
    report = judge_document(document, Settings())
    assert (report.verdict, exit_code(report, "error")) == ("not judged", 3)


def test_saved_settings_come_back_from_the_document(document):
    settings = Settings(ignore=("FP2",), limits={"max_cycling": 0.5}, fail_on="warning")
    again = saved_settings(judge_document(document, settings).document)
    assert (again.ignore, again.fail_on) == (("FP2",), "warning")
    assert again.limits["max_cycling"] == 0.5
    assert judge_document(document, again) == judge_document(document, settings)


def test_a_limit_that_this_version_does_not_know_is_dropped_from_saved_settings(document):
    document["settings"]["limits"]["from_the_future"] = 1.0
    assert "from_the_future" not in saved_settings(document).limits


def test_a_number_that_was_not_finite_comes_back_from_its_word(document):
    entry = dict.fromkeys(("low", "high", "limit"), None) | {
        "code": "FP202", "name": "x", "severity": "error", "outcome": "fail", "where": "",
        "message": "", "found": None, "found_status": "inf", "status": "numerical",
        "remedy": "", "reference": "",
    }  # fmt: skip
    (finding,) = findings_of({"findings": [entry]})
    assert finding.found == math.inf
    assert finding.low is None
