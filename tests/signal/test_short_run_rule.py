"""FP114: a short run of training beside what the rules of the signal foretold."""

import pytest

from fpcheck.core.catalogue import finding
from fpcheck.core.limits import effective_limits
from fpcheck.core.tables import Note
from fpcheck.signal.rules import judge
from fpcheck.signal.short_run import FORETELLING, agreement, does_not_start, foretold
from fpcheck.signal.view import view

RUN = {
    "answer": "trains", "reason": "the loss falls by 60.0% in 300 steps, to 0.9", "fall": 0.6,
    "start_loss": 2.4, "best_loss": 0.9, "constant_loss": 2.3, "steps": 300, "rows": 500,
    "learning_rate": 0.05, "learning_rate_rule": "sgd", "optimiser": "sgd", "status": "numerical",
    "agrees": "agrees", "predicted": "no rule of the signal foretold trouble",
}  # fmt: skip
STUCK = {
    **RUN, "answer": "does not start", "reason": "the loss falls by 0.00% only", "fall": 0.0,
    "best_loss": 2.4,
}  # fmt: skip


def found(code, outcome):
    return finding(code, outcome, where="network", message="", status="numerical")


def notes_of(section, findings):
    return " ".join(i.text for i in view(section, findings).items if isinstance(i, Note))


@pytest.mark.parametrize(
    ("outcomes", "answer", "expected"),
    [
        ({"FP101": "pass", "FP104": "pass"}, "trains", "agrees"),
        ({"FP101": "pass", "FP104": "fail"}, "does not start", "agrees"),
        ({"FP101": "pass", "FP104": "fail"}, "trains", "contradicts"),
        ({"FP101": "pass", "FP104": "pass"}, "does not start", "contradicts"),
        ({"FP101": "pass", "FP104": "inconclusive"}, "trains", "no verdict"),
        ({"FP101": "skipped"}, "trains", "no verdict"),
        ({"FP101": "fail"}, "diverges", "no verdict"),
        ({"FP101": "fail"}, "cannot tell", "no verdict"),
        ({}, "trains", "no verdict"),
        # What is no verdict on training foretells nothing.
        ({"FP101": "pass", "FP110": "fail", "FP113": "fail"}, "trains", "agrees"),
    ],
)
def test_the_run_is_held_against_what_was_foretold(outcomes, answer, expected):
    findings = [found(code, outcome) for code, outcome in outcomes.items()]
    assert agreement(findings, answer)[0] == expected


def test_every_rule_that_failed_is_named_once():
    findings = [found("FP104", "fail"), found("FP104", "fail"), found("FP101", "fail")]
    assert foretold(findings) == (True, "FP101, FP104 foretold trouble")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("trains", "pass"),
        ("does not start", "fail"),
        ("diverges", "inconclusive"),
        ("cannot tell", "inconclusive"),
    ],
)
def test_only_a_loss_that_does_not_fall_is_an_error(answer, outcome):
    each = does_not_start({**RUN, "answer": answer}, ())
    assert (each.outcome, each.severity, each.found) == (outcome, "error", 0.6)
    assert RUN["reason"] in each.message


@pytest.mark.parametrize("run", [None, {"skipped": "not asked", "asked": False}])
def test_without_a_run_the_rule_is_skipped(run):
    assert does_not_start(run, ()).outcome == "skipped"


def test_a_sick_network_that_does_not_start_is_told_that_both_agree(chain, section):
    report = {**section(chain([64, *[64] * 30, 10], "relu", 0.25, 0.0)), "short_run": STUCK}
    findings = judge(report, effective_limits({}))
    (last,) = [each for each in findings if each.code == "FP114"]
    assert last.outcome == "fail"
    assert "FP101, FP104 foretold trouble" in last.message
    text = notes_of(report, findings)
    assert "does not start" in text
    assert "both agree" in text


def test_where_they_disagree_the_view_says_who_is_to_be_believed(chain, section):
    healthy = section(chain([64, 64, 64, 10], "relu", 2.0, 0.0))
    report = {**healthy, "short_run": STUCK}
    text = notes_of(report, judge(report, effective_limits({})))
    assert "they disagree; believe the run" in text
    sick = section(chain([64, *[64] * 30, 10], "relu", 0.25, 0.0))
    report = {**sick, "short_run": RUN}
    assert "they disagree; believe the run" in notes_of(report, judge(report, effective_limits({})))


def test_without_the_findings_of_its_rules_the_view_shows_what_was_found(chain, section):
    healthy = section(chain([64, 64, 64, 10], "relu", 2.0, 0.0))
    stored = {**STUCK, "agrees": "agrees", "predicted": "FP101 foretold trouble"}
    assert "FP101 foretold trouble: both agree" in notes_of({**healthy, "short_run": stored}, ())


def test_a_run_that_nobody_asked_for_is_not_mentioned(chain, section):
    healthy = section(chain([64, 64, 64, 10], "relu", 2.0, 0.0))
    asked = {**healthy, "short_run": {"skipped": "there are no data"}}
    silent = {**healthy, "short_run": {"skipped": "not asked", "asked": False}}
    assert "Short run: there are no data." in notes_of(asked, ())
    assert "Short run" not in notes_of(silent, ())
    assert "Short run" not in notes_of(healthy, ())


def test_rules_that_foretell_are_rules_of_the_signal():
    assert all(code.startswith("FP1") for code in FORETELLING)
