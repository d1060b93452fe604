"""Findings, verdict and tables follow from the plain section of a report alone."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from fpcheck.core.catalogue import default_limits, rules
from fpcheck.readout.result import Gain
from fpcheck.readout.rules import CODES, judge
from fpcheck.readout.verdict import judge_scores
from fpcheck.readout.view import view


def gain(over, low, high):
    return {"over": over, "gain": (low + high) / 2, "low": low, "high": high}


def section(**changes):
    """A section in which every rule passes."""
    fit = {
        "score_train": 0.99,
        "penalty": 0.5,
        "relative_penalty": 0.01,
        "penalty_at_edge": False,
        "degrees_of_freedom": 30.0,
        "condition": 3.1e4,
        "rank": 64,
        "effective_rank": 37.2,
    }
    return {
        "metric": "accuracy",
        "task": "classification",
        "target": "10 classes",
        "rows": 1797,
        "test_rows": 449,
        "splits": 20,
        "interval": "95 %",
        "layer": "out",
        "feature_source": "act",
        "last_layer": 0.95,
        "last_layer_low": 0.94,
        "last_layer_high": 0.96,
        "linear_on_input": 0.9,
        "linear_on_input_low": 0.89,
        "linear_on_input_high": 0.91,
        "linear_on_input_skipped": "",
        "linear_rank": None,
        "majority": 0.1,
        "majority_low": 0.09,
        "majority_high": 0.11,
        "trained": 0.95,
        "trained_low": 0.94,
        "trained_high": 0.96,
        "trained_skipped": "",
        "balanced_accuracy": {"last_layer": 0.94, "majority": 0.1},
        "fits": [
            {"model": "last_layer", "features": 64, **fit},
            {"model": "linear_on_input", "features": 28, **fit},
        ],
        "gains": [
            gain("majority", 0.84, 0.86),
            gain("linear_on_input", 0.04, 0.06),
            gain("trained", -0.005, 0.005),
        ],
        "verdict": "enough",
        "verdict_because": "last layer minus the linear model is +0.05",
        "notes": ["inputs scaled: multiplied by 0.0625"],
        **changes,
    }


def outcomes(judged):
    return {finding.code: finding.outcome for finding in judged}


def changed(over, low, high):
    gains = [one for one in section()["gains"] if one["over"] != over]
    return section(gains=[*gains, gain(over, low, high)])


def test_a_sound_readout_passes_every_rule_once():
    judged = judge(section(), default_limits())
    assert tuple(finding.code for finding in judged) == CODES
    assert set(outcomes(judged).values()) == {"pass"}


@pytest.mark.parametrize(
    ("code", "over", "fails", "undecided"),
    [
        ("FP301", "majority", (-0.05, 0.015), (-0.1, 0.3)),
        ("FP302", "linear_on_input", (-0.05, 0.005), (-0.02, 0.04)),
        ("FP303", "trained", (0.02, 0.05), (-0.01, 0.03)),
    ],
)
def test_a_gain_fails_beyond_its_limit_and_is_open_across_it(code, over, fails, undecided):
    for bounds, outcome in ((fails, "fail"), (undecided, "inconclusive")):
        judged = outcomes(judge(changed(over, *bounds), default_limits()))
        assert judged[code] == outcome
        assert sum(value == "pass" for value in judged.values()) == 3


def test_limits_move_the_outcome():
    limits = {**default_limits(), "min_gain_over_linear": 0.07, "max_condition": 1e3}
    judged = outcomes(judge(section(), limits))
    assert judged["FP302"] == "fail"
    assert judged["FP304"] == "fail"


@pytest.mark.parametrize("missing", [None, math.nan])
def test_an_interval_without_bounds_never_passes(missing):
    open_ended = {"over": "majority", "gain": 0.5, "low": missing, "high": missing}
    gains = [open_ended, *section()["gains"][1:]]
    assert outcomes(judge(section(gains=gains), default_limits()))["FP301"] == "inconclusive"


def test_an_infinite_condition_fails():
    fits = [{**section()["fits"][0], "condition": None, "condition_status": "inf"}]
    (finding,) = (f for f in judge(section(fits=fits), default_limits()) if f.code == "FP304")
    assert finding.outcome == "fail"
    assert finding.found == math.inf


def test_models_that_are_not_there_are_skipped_with_the_reason():
    bare = section(
        gains=section()["gains"][:1],
        linear_on_input=None,
        linear_on_input_skipped="the network has one layer",
        trained=None,
        trained_skipped="it has 5 outputs for 2 classes",
    )
    judged = {finding.code: finding for finding in judge(bare, default_limits())}
    assert (judged["FP302"].outcome, judged["FP302"].message) == (
        "skipped",
        "the network has one layer",
    )
    assert judged["FP303"].message == "it has 5 outputs for 2 classes"
    assert {note.text for note in view(bare, ()).items[1:]} >= {
        "Not scored, network as it is: it has 5 outputs for 2 classes."
    }


def test_a_skipped_question_skips_every_rule():
    judged = judge({"skipped": "there are no data"}, default_limits())
    assert tuple(finding.code for finding in judged) == CODES
    assert {finding.outcome for finding in judged} == {"skipped"}
    assert view({"skipped": "there are no data"}, judged).caption == "skipped"


def test_every_rule_is_in_the_table_with_its_texts():
    for code in CODES:
        rule = rules()[code]
        assert all((rule.checks, rule.why, rule.decides, rule.harmless, rule.remedy, rule.source))


@pytest.mark.parametrize(
    ("majority", "linear", "verdict"),
    [
        ((-0.01, 0.015), (0.3, 0.4), "not suited"),
        ((0.0, 0.3), (0.3, 0.4), "more data needed"),
        ((0.3, 0.4), None, "enough"),
        ((0.3, 0.4), (0.001, 0.2), "enough"),
        ((0.3, 0.4), (-0.2, -0.03), "not suited"),
        ((0.3, 0.4), (-0.03, 0.03), "more data needed"),
        ((0.3, 0.4), (-0.01, 0.01), "promising: tune inner layers"),
        ((0.3, 0.4), (-0.03, 0.01), "promising: tune inner layers"),
        ((math.nan, math.nan), (0.1, 0.2), "more data needed"),
        ((0.3, 0.4), (math.nan, math.nan), "more data needed"),
        ((0.3, 0.4), (-math.inf, math.inf), "more data needed"),
    ],
)
def test_the_verdict_follows_the_intervals(majority, linear, verdict):
    over_linear = linear and Gain("linear_on_input", sum(linear) / 2, *linear)
    found, because = judge_scores(Gain("majority", sum(majority) / 2, *majority), over_linear)
    assert found == verdict
    assert because.startswith("last layer minus")


class TestView:
    """The table of the terminal report."""

    def table(self, one, limits=None):
        return view(one, judge(one, limits or default_limits())).items[0]

    def test_one_row_a_model_with_score_interval_and_rule(self):
        table = self.table(changed("trained", 0.02, 0.05))
        cells = {row[0]: dict(zip((c.title for c in table.columns), row, strict=True))
                 for row in table.rows}  # fmt: skip
        assert cells["last layer refit"]["accuracy held out"] == "0.950"
        assert cells["last layer refit"]["95% CI"] == "0.940–0.960"
        assert cells["last layer refit"]["eff. rank"] == "37 / 64"
        assert cells["last layer refit"]["cond"] == "3.1e+04"
        assert cells["last layer refit"]["rule"] == "ok"
        assert cells["network as it is"]["rule"] == "FP303"
        assert cells["network as it is"]["penalty"] == "-"
        assert cells["majority class"]["rule"] == "-"

    def test_what_is_undecided_is_marked(self):
        table = self.table(changed("linear_on_input", -0.02, 0.04))
        assert next(row for row in table.rows if row[0] == "linear on input")[-1] == "FP302?"

    def test_numbers_have_no_balanced_column_and_a_mean(self):
        table = self.table(section(metric="r2", balanced_accuracy={}))
        assert "balanced" not in {column.title for column in table.columns}
        assert table.rows[-1][0] == "mean only"

    def test_the_verdict_the_preprocessing_and_an_edge_are_told(self):
        fits = [{**section()["fits"][0], "penalty_at_edge": True}]
        texts = [item.text for item in view(section(fits=fits), ()).items[1:]]
        assert texts[0].startswith("Verdict: enough. Last layer minus")
        assert any("edge of its grid" in text for text in texts)
        assert any("multiplied by 0.0625" in text for text in texts)


def test_judging_and_drawing_need_no_numerics():
    code = (
        "import sys, fpcheck.readout.rules, fpcheck.readout.view;"
        "print([m for m in ('numpy', 'numba', 'scipy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
