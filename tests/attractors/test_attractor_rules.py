"""When FP201 to FP213 pass, fail, stay inconclusive or are skipped."""

import numpy as np
import pytest
from scipy.special import bdtrc
from small_maps import attractors_of, linear, one_layer

from fpcheck.attractors.result import AttractorsResult
from fpcheck.attractors.rules import CODES, judge
from fpcheck.core.catalogue import default_limits, rules
from fpcheck.core.findings import outcome_above
from fpcheck.core.intervals import wilson
from fpcheck.core.plain import as_section


def outcomes(network, starts=None, *, limits=None, **settings):
    result = attractors_of(network, starts, **settings)
    found = judge(as_section(AttractorsResult((result,))), {**default_limits(), **(limits or {})})
    assert {finding.code for finding in found} == set(CODES)
    return {code: [f for f in found if f.code == code] for code in CODES}


def outcome_of(network, code, starts=None, **settings):
    (finding,) = outcomes(network, starts, **settings)[code]
    return finding.outcome


TAME = one_layer([[0.5]])
CRITICAL = one_layer([[1.0]])
GROWING = linear([[2.0]], [1.0])
FLIPPING = one_layer([[-2.0]])
STORING = one_layer([[2.0]])
TURNING = one_layer(1.5 * np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]]))
ABOUT_DATA = ("FP211", "FP213")


@pytest.mark.parametrize("code", [code for code in CODES if code not in ABOUT_DATA])
def test_a_contracting_network_passes_every_rule_but_that_it_forgets(code):
    assert outcome_of(TAME, code, count=512) == ("fail" if code == "FP208" else "pass")


@pytest.mark.parametrize("code", ABOUT_DATA)
def test_what_is_said_of_data_is_skipped_without_any(code):
    assert outcome_of(STORING, code) == "skipped"


def test_rows_that_are_fixed_points_are_reproduced_and_no_attractor_is_spurious():
    stored = np.repeat([[0.9575040240772687], [-0.9575040240772687]], 100, axis=0)
    for code in ABOUT_DATA:
        assert outcome_of(STORING, code, rows=stored) == "pass"


def test_rows_far_from_every_attractor_are_not_reproduced_and_make_it_spurious():
    far = np.linspace(8.0, 9.0, 100)[:, None]
    for code in ABOUT_DATA:
        assert outcome_of(STORING, code, rows=far) == "fail"


@pytest.mark.parametrize(
    ("code", "network"),
    [
        ("FP201", CRITICAL),
        ("FP202", GROWING),
        ("FP203", FLIPPING),
        ("FP204", one_layer([[0.999]])),
        ("FP205", STORING),
        ("FP206", FLIPPING),
        ("FP207", linear([[0.5, 1000.0], [0.0, 0.5]])),
        ("FP208", TAME),
        ("FP210", TURNING),
    ],
)
def test_every_rule_has_a_network_that_fails_it(code, network):
    assert outcome_of(network, code) == "fail"


def test_the_index_sum_proves_that_a_list_without_the_saddle_is_incomplete():
    (finding,) = outcomes(STORING, effort=0.0)["FP212"]
    assert (finding.outcome, finding.status, finding.found) == ("fail", "proved", 2.0)
    assert outcome_of(STORING, "FP212") == "pass"


def test_a_memory_does_not_forget_its_input():
    assert outcome_of(STORING, "FP208", count=512) == "pass"


@pytest.mark.parametrize("code", ["FP201", "FP202", "FP203"])
def test_too_few_starts_leave_a_share_inconclusive(code):
    # 0 of 64: the interval reaches to 5.7 %, past the limit of 1 %.
    assert outcome_of(TAME, code, count=64) == "inconclusive"
    assert outcome_of(TAME, code, count=64, limits={rule_limit(code): 0.06}) == "pass"


def rule_limit(code):
    (name,) = rules()[code].limits
    return name


def test_the_false_alarm_rate_is_the_one_that_the_rules_state():
    # Exact, by the binomial tail: the share is at the limit, and the rule fails.
    def false_alarm(starts, limit=0.01):
        fails = (
            k for k in range(starts + 1) if outcome_above(*_bounds(k, starts), limit) == "fail"
        )
        return bdtrc(next(fails) - 1, starts, limit)

    assert false_alarm(1024) == pytest.approx(0.03, abs=0.005)
    assert max(false_alarm(starts) for starts in range(8, 600)) <= 0.16
    assert wilson(0, 381).high <= 0.01 < wilson(0, 380).high


def _bounds(successes, trials):
    interval = wilson(successes, trials)
    return interval.low, interval.high


def test_a_marginal_point_is_named_and_a_wider_band_names_more():
    network = one_layer(np.diag([0.999, 0.5]))
    (finding,) = outcomes(network)["FP204"]
    assert (finding.where, finding.found) == ("fixed point A", pytest.approx(0.999))
    narrow = outcome_of(network, "FP204", limits={"neutral_band": 1e-4})
    # Its kind is set by the measurement's own band; the limit alone decides the finding.
    assert narrow == "pass"


def test_many_degenerate_points_are_a_few_findings():
    found = outcomes(linear(np.eye(2)))["FP204"]
    assert len(found) == 3
    assert found[-1].message.endswith(" more")


def test_no_fixed_point_skips_the_marginal_rule():
    (finding,) = outcomes(linear([[1.0]], [1.0]))["FP204"]
    assert finding.outcome == "skipped"


def test_a_continuum_fails_the_rule_on_several_attractors():
    (finding,) = outcomes(linear(np.eye(2)))["FP205"]
    assert finding.outcome == "fail"
    assert "infinitely many" in finding.message


def test_unresolved_starts_keep_one_attractor_from_passing_as_the_only_one():
    assert outcome_of(CRITICAL, "FP205") == "inconclusive"


def test_a_step_network_has_no_radius_to_judge():
    network = one_layer([[1.0, -2.0], [-2.0, 1.0]], [-0.5, -0.5], name="step")
    (finding,) = outcomes(network)["FP204"]
    assert finding.outcome == "inconclusive"
    assert "no derivative" in finding.message


def test_a_skipped_section_skips_every_rule_with_its_reason():
    found = judge({"skipped": "not a self-map: 64 to 10"}, default_limits())
    assert [f.code for f in found] == list(CODES)
    assert {(f.outcome, f.message) for f in found} == {("skipped", "not a self-map: 64 to 10")}


@pytest.mark.parametrize("code", CODES)
def test_every_text_of_the_rule_table_says_something(code):
    rule = rules()[code]
    for text in (rule.checks, rule.why, rule.decides, rule.harmless, rule.remedy, rule.source):
        assert len(text) > 15
    for limit in rule.limits:
        assert limit in rule.decides


def test_points_that_attract_nothing_are_not_called_attracting():
    (found,) = outcomes(linear(-np.eye(2)), count=300)["FP205"]
    assert found.outcome == "fail"
    assert "that attract or that starts ended on" in found.message
    (found,) = outcomes(STORING)["FP205"]
    assert found.message == "2 attracting fixed points and cycles found"
