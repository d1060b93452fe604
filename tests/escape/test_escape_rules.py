"""The rules of the training probe: what fails, what passes, and what is left unjudged."""

from __future__ import annotations

import pytest
from made_up_escape import section

from fpcheck.core.catalogue import default_limits, rules
from fpcheck.escape.rules import ABOUT_RUNS, OF_RUNS, judge


def judged(one=None, **limits):
    one = section() if one is None else one
    return {f.code: f for f in judge(one, {**default_limits(), **limits})}


def test_there_is_one_finding_of_every_rule():
    own = {code for code, rule in rules().items() if rule.question == "escape"}
    assert set(judged()) == own
    assert len(judge(section(), default_limits())) == len(own)


def test_what_is_about_runs_is_left_to_the_trace():
    for code in OF_RUNS:
        assert (judged()[code].outcome, judged()[code].message) == ("skipped", ABOUT_RUNS)


def test_a_skipped_section_judges_nothing():
    found = judge({"skipped": "there are no data"}, default_limits())
    assert {f.outcome for f in found} == {"skipped"}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("trains", "pass"), ("does not start", "fail"), ("cannot tell", "inconclusive"),
     ("diverges", "skipped")],
)  # fmt: skip
def test_the_start_follows_the_answer(answer, outcome):
    assert judged(section(trainability=answer))["FP501"].outcome == outcome


def test_a_dead_start_is_told_once():
    found = judged(section(trainability="does not start", dead_start=True, dead_layer="dense2"))
    assert (found["FP505"].outcome, found["FP505"].where) == ("fail", "'dense2'")
    assert found["FP501"].outcome == found["FP503"].outcome == "skipped"


def test_divergence_names_its_step_and_a_smaller_rate():
    found = judged(section(trainability="diverges", diverged_at=7, end_loss=None))["FP502"]
    assert (found.outcome, found.where) == ("fail", "step 7")
    assert "--lr 70," in found.remedy


def test_a_loss_that_ends_not_finite_never_passes():
    assert judged(section(end_loss=None))["FP502"].outcome == "fail"


def test_a_plateau_is_long_by_its_share_of_the_steps():
    assert judged()["FP503"].found == pytest.approx(149 / 300)
    assert judged()["FP503"].outcome == "pass"
    assert judged(max_plateau_share=0.4)["FP503"].outcome == "fail"
    assert judged(section(plateau=None))["FP503"].found == 0.0


def test_a_low_rank_escape_is_news_and_needs_an_escape():
    found = judged()["FP504"]
    assert (found.outcome, found.severity, found.where) == ("fail", "info", "step 150")
    assert "5 of 5 layers" in found.message
    assert judged(section(low_rank_layers=[]))["FP504"].outcome == "pass"
    assert judged(section(escaped_at=None, low_rank=[]))["FP504"].outcome == "skipped"


def test_lazy_is_a_loss_that_falls_under_weights_that_stay():
    assert judged()["FP506"].outcome == "skipped"
    assert judged(section(fall=0.9, moved=0.05))["FP506"].outcome == "fail"
    assert judged(section(fall=0.9, moved=0.5))["FP506"].outcome == "pass"
    assert judged(section(fall=0.9, moved=None))["FP506"].outcome == "pass"


@pytest.mark.parametrize(
    ("told", "outcome"), [(156.25, "pass"), (60.0, "fail"), (300.0, "fail"), (None, "skipped")]
)
def test_the_predicted_escape_is_held_against_the_measured_one(told, outcome):
    direction = {**section()["direction"], "predicted_escape": told}
    assert judged(section(direction=direction))["FP510"].outcome == outcome


def test_far_from_zero_nothing_is_predicted():
    direction = {**section()["direction"], "near_zero": False}
    assert judged(section(direction=direction))["FP510"].outcome == "skipped"
    assert judged(section(direction={"skipped": "it has biases"}))["FP510"].outcome == "skipped"


def test_mini_batches_are_a_sample_and_all_rows_are_not():
    assert judged()["FP501"].status == "numerical"
    assert judged(section(batch=64))["FP501"].status == "sampled"
