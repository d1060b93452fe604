from __future__ import annotations

import re

import pytest

from fpcheck.core.catalogue import Rule, rules
from fpcheck.core.limits import SEVERITIES

FAMILIES = {
    "weights": "FP0",
    "signal": "FP1",
    "attractors": "FP2",
    "readout": "FP3",
    "simplicity": "FP4",
    "escape": "FP5",
}
TEXTS = ("checks", "why", "decides", "harmless", "remedy", "source")


def test_every_question_has_rules():
    assert {rule.question for rule in rules().values()} == set(FAMILIES)


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.code)
def test_a_rule_is_named_placed_and_documented_in_full(rule: Rule):
    assert re.fullmatch(r"FP\d{3}", rule.code)
    assert rule.code.startswith(FAMILIES[rule.question])
    assert not rule.code.endswith("09"), "x09 is reserved for 'worse than the baseline'"
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.severity in SEVERITIES
    for text in TEXTS:
        assert len(getattr(rule, text)) >= 10, text


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.code)
def test_a_rule_s_limits_are_named_where_it_says_how_it_decides(rule: Rule):
    for name in rule.limits:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name in f"{rule.decides} {rule.checks}", name


def test_no_two_rules_have_one_name():
    names = [rule.name for rule in rules().values()]
    assert len(names) == len(set(names))
