"""Findings follow from the plain section of a report alone."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from readout_section import section

from fpcheck.core.catalogue import default_limits, rules
from fpcheck.core.plain import plain
from fpcheck.readout.result import Duplicates
from fpcheck.readout.rules import CODES, judge
from fpcheck.readout.view import view

LIMITS = default_limits()


def judged(one, **limits):
    return {finding.code: finding for finding in judge(one, {**LIMITS, **limits})}


def outcomes(one, **limits):
    return {code: finding.outcome for code, finding in judged(one, **limits).items()}


def changed(over, low, high):
    gains = [one for one in section()["gains"] if one["over"] != over]
    return section(gains=[*gains, {"over": over, "gain": (low + high) / 2, "low": low,
                                   "high": high}])  # fmt: skip


def part(key, **changes):
    """The section with keys of one part of it changed."""
    return section(**{key: {**section()[key], **changes}})


def repaired(gain, half, model="last_layer", over="rbf", splits=20):
    """The section with one pair changed: `model` minus `over`."""
    pairs = [
        {**pair, "gain": gain, "low": gain - half, "high": gain + half, "splits": splits}
        if (pair["model"], pair["over"]) == (model, over)
        else pair
        for pair in section()["paired"]
    ]
    return section(paired=pairs)


def test_a_sound_readout_passes_every_rule_once():
    found = judge(section(), LIMITS)
    assert tuple(finding.code for finding in found) == CODES
    assert {finding.outcome for finding in found} == {"pass"}


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
        found = outcomes(changed(over, *bounds))
        assert found[code] == outcome
        assert sum(value == "pass" for value in found.values()) == len(CODES) - 1


def test_limits_move_the_outcome():
    found = outcomes(
        section(), min_gain_over_linear=0.07, max_condition=1e3, min_kernel_spread=0.5,
        max_gain_of_infinite_width=0.0, max_gain_of_baseline=-0.1, max_gain_of_earlier_layer=-0.1,
        max_duplicated=-1.0, max_score_error=0.001,
    )  # fmt: skip
    assert {code for code, outcome in found.items() if outcome == "fail"} == set(CODES) - {
        "FP301",
        "FP303",
    }


@pytest.mark.parametrize("missing", [None, math.nan])
def test_an_interval_without_bounds_never_passes(missing):
    open_ended = {"over": "majority", "gain": 0.5, "low": missing, "high": missing}
    gains = [open_ended, *section()["gains"][1:]]
    assert outcomes(section(gains=gains))["FP301"] == "inconclusive"
    infinite = section()["infinite_width"]
    nngp = {**infinite["nngp"], "gain": 0.01, "gain_low": missing, "gain_high": missing}
    assert outcomes(part("infinite_width", nngp=nngp))["FP306"] == "inconclusive"
    assert outcomes(part("probes", gain_low=missing, gain_high=missing))["FP308"] == "inconclusive"
    assert outcomes(section(last_layer_low=missing))["FP311"] == "fail"


def test_an_infinite_condition_fails():
    fits = [{**section()["fits"][0], "condition": None, "condition_status": "inf"}]
    found = judged(section(fits=fits))["FP304"]
    assert (found.outcome, found.found) == ("fail", math.inf)


class TestKernel:
    """FP305 and FP306."""

    def depths(self, *spreads):
        one = section()["kernel"]["depths"][0]
        return [
            {**one, "node": f"node{depth}", "depth": depth, "off_diagonal_sd": spread}
            for depth, spread in enumerate(spreads)
        ]

    def test_a_kernel_whose_spread_is_lost_with_depth_fails_and_says_where(self):
        found = judged(part("kernel", depths=self.depths(0.3, 0.01, 0.002)))["FP305"]
        assert (found.outcome, found.where, found.status) == ("fail", "node node2", "numerical")
        assert found.found == pytest.approx(0.002 / 0.3)

    def test_a_spread_that_is_no_number_never_passes(self):
        assert outcomes(part("kernel", depths=self.depths(0.3, None)))["FP305"] == "fail"

    def test_a_kernel_that_ends_before_the_last_layer_is_not_said_to_pass(self):
        stopped = "the limit of max pooling is not known"
        found = judged(part("kernel", stopped=stopped))["FP305"]
        assert (found.outcome, found.message) == ("skipped", stopped)
        lost = part("kernel", stopped=stopped, depths=self.depths(0.3, 1e-5))
        assert outcomes(lost)["FP305"] == "fail"

    def test_rows_that_are_equally_alike_from_the_start_are_not_blamed_on_depth(self):
        assert outcomes(part("kernel", depths=self.depths(0.0, 0.0)))["FP305"] == "skipped"

    @pytest.mark.parametrize(
        ("low", "high", "outcome"),
        [(0.06, 0.2, "fail"), (0.0, 0.1, "inconclusive"), (-0.2, 0.04, "pass")],
    )
    def test_what_infinite_width_gains_is_held_against_its_limit(self, low, high, outcome):
        nngp = {**section()["infinite_width"]["nngp"], "gain": (low + high) / 2,
                "gain_low": low, "gain_high": high}  # fmt: skip
        found = judged(part("infinite_width", nngp=nngp))["FP306"]
        assert found.outcome == outcome
        assert "mean of 5 random networks" in found.message

    def test_without_a_limit_or_without_draws_the_reason_is_told(self):
        why = {"skipped": "max pooling has no known limit"}
        for one in (section(infinite_width=why), part("infinite_width", nngp=why)):
            assert judged(one)["FP306"].message == why["skipped"]
        nngp = {**section()["infinite_width"]["nngp"], "gain": None}
        assert outcomes(part("infinite_width", nngp=nngp))["FP306"] == "skipped"
        assert judged(section(kernel=why))["FP305"].message == why["skipped"]


class TestBaselines:
    """FP307 and FP308."""

    def test_the_best_baseline_is_named_when_it_beats_the_network(self):
        found = judged(repaired(-0.06, 0.02))["FP307"]
        assert found.outcome == "fail"
        assert "RBF ridge" in found.message
        assert found.found == pytest.approx(0.06)

    def test_the_interval_is_that_of_the_best_of_three(self):
        """A baseline 0.03 ± 0.008 better fails at 0.02 by itself, not as the best of three."""
        assert outcomes(repaired(-0.03, 0.008))["FP307"] == "inconclusive"
        found = judged(repaired(-0.03, 0.0078))["FP307"]
        assert (found.outcome, found.high - found.found) == ("fail", pytest.approx(1.26 * 0.0078))

    @pytest.mark.parametrize("splits", [2, 3, 5, 10, 20, 50])
    def test_the_widening_is_that_of_students_quantiles(self, splits):
        special = pytest.importorskip("scipy.special")
        found = judged(repaired(-0.03, 0.01, splits=splits))["FP307"]
        exact = special.stdtrit(splits - 1, 1 - 0.025 / 3) / special.stdtrit(splits - 1, 0.975)
        factor = (found.high - found.found) / 0.01
        assert exact - 2e-3 <= factor <= exact + 0.03  # never less; 2e-3 by the digits it has

    def test_an_earlier_layer_that_reads_out_better_is_named(self):
        better = part("probes", best="act0", gain=0.05, gain_low=0.03, gain_high=0.07)
        found = judged(better)["FP308"]
        assert found.outcome == "fail"
        assert "from 'act0' at depth 1" in found.message
        assert outcomes(part("probes", best="act0", gain=0.02, gain_low=-0.01,
                             gain_high=0.05))["FP308"] == "inconclusive"  # fmt: skip

    def test_a_reconstruction_is_not_told_that_the_input_knows_itself(self):
        better = {**section()["probes"], "best": "act0", "gain": 0.5, "gain_low": 0.4}
        one = section(probes=better, target="the input row itself")
        assert outcomes(one)["FP308"] == "skipped"

    def test_without_baselines_or_probes_the_reason_is_told(self):
        models = [{**one, "score": None, "skipped": "it would copy"} for one in section()["models"]]
        assert judged(section(paired=[], models=models))["FP307"].message == "it would copy"
        assert judged(section(probes={"skipped": "one layer"}))["FP308"].message == "one layer"


class TestRows:
    """FP310 and FP311."""

    def test_duplicated_rows_are_told_with_their_share_and_contradictions(self):
        found = judged(section(duplicates=plain(Duplicates(90, 0.04, 2))))["FP310"]
        assert (found.outcome, found.found, found.status) == ("fail", 0.04, "numerical")
        assert "90 of 1797 rows equal an earlier one; 2 groups" in found.message

    def test_few_duplicates_pass_and_no_number_does_not(self):
        assert outcomes(section(duplicates=plain(Duplicates(1, 0.005, 0))))["FP310"] == "pass"
        broken = {**plain(Duplicates(1, 0.0, 0)), "held_out": math.nan}
        assert outcomes(section(duplicates=broken))["FP310"] == "fail"

    def test_a_wide_interval_is_too_few_rows(self):
        found = judged(section(last_layer_low=0.8, last_layer_high=1.0))["FP311"]
        assert (found.outcome, found.found) == ("fail", pytest.approx(0.1))


def test_models_that_are_not_there_are_skipped_with_the_reason():
    bare = section(
        gains=section()["gains"][:1],
        linear_on_input=None,
        linear_on_input_skipped="the network has one layer",
        trained=None,
        trained_skipped="it has 5 outputs for 2 classes",
    )
    found = judged(bare)
    assert (found["FP302"].outcome, found["FP302"].message) == (
        "skipped",
        "the network has one layer",
    )
    assert found["FP303"].message == "it has 5 outputs for 2 classes"


def test_a_skipped_question_skips_every_rule():
    found = judge({"skipped": "there are no data"}, LIMITS)
    assert tuple(finding.code for finding in found) == CODES
    assert {finding.outcome for finding in found} == {"skipped"}
    assert view({"skipped": "there are no data"}, found).caption == "skipped"


def test_a_report_of_an_older_version_is_judged_by_what_it_has():
    old = {key: value for key, value in section().items() if key not in ("models", "paired")}
    assert [finding.code for finding in judge(old, LIMITS)] == list(CODES[:4])
    assert "analyze it again" in view(old, ()).items[-1].text


def test_every_rule_is_in_the_table_with_its_texts():
    assert [code for code in rules() if code.startswith("FP3")] == list(CODES)
    for code in CODES:
        rule = rules()[code]
        assert all((rule.checks, rule.why, rule.decides, rule.harmless, rule.remedy, rule.source))


def test_judging_and_drawing_need_no_numerics():
    code = (
        "import sys, fpcheck.readout.rules, fpcheck.readout.view, fpcheck.readout.figures_view;"
        "print([m for m in ('numpy', 'numba', 'scipy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
