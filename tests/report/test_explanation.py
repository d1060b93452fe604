from __future__ import annotations

import pytest

from fpcheck.core.catalogue import rules
from fpcheck.core.errors import UsageError
from fpcheck.report.explanation import HEADINGS, explanation, find_rules, rule_table


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.code)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_rule_is_explained_under_fixed_headings_within_the_width(rule, width):
    text = explanation(rule, width)
    assert text.startswith(f"{rule.code} {rule.name}")
    for heading in HEADINGS.values():
        assert f"\n{heading}" in text
    assert max(map(len, text.splitlines())) <= width
    for name in rule.limits:
        assert name in text


def test_a_rule_is_found_by_code_name_or_the_beginning_of_its_code():
    assert [rule.code for rule in find_rules("fp201")] == ["FP201"]
    assert [rule.code for rule in find_rules("unresolved-starts")] == ["FP201"]
    assert all(rule.code.startswith("FP2") for rule in find_rules("FP2"))


@pytest.mark.parametrize(
    ("wanted", "nearest"), [("FP2O1", "FP201"), ("unresolved-start", "unresolved-starts")]
)
def test_an_unknown_rule_suggests_the_nearest(wanted, nearest):
    with pytest.raises(UsageError, match=wanted) as caught:
        find_rules(wanted)
    assert nearest in caught.value.hint


def test_a_blank_code_is_no_rule():
    with pytest.raises(UsageError):
        find_rules("  ")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_table_has_every_code_and_limit_and_fits(width):
    text = rule_table(tuple(rules().values()), width)
    assert all(code in text for code in rules())
    assert all(name in text for rule in rules().values() for name in rule.limits)
    assert max(map(len, text.splitlines())) <= width
