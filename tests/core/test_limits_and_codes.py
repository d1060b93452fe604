from __future__ import annotations

import pytest

from fpcheck.core.catalogue import default_limits, rules
from fpcheck.core.errors import UsageError
from fpcheck.core.limits import (
    check_level,
    check_prefixes,
    effective_limits,
    parse_limit,
    selected,
)


def test_limits_without_overrides_are_the_table_s_own():
    assert effective_limits({}) == dict(default_limits())


def test_an_override_replaces_its_default_only():
    changed = effective_limits({"max_unresolved": 0.5})
    assert changed["max_unresolved"] == 0.5
    assert {n: v for n, v in changed.items() if n != "max_unresolved"} == {
        n: v for n, v in default_limits().items() if n != "max_unresolved"
    }


def test_a_misspelt_limit_names_the_nearest():
    with pytest.raises(UsageError, match="max_unresolvd") as caught:
        parse_limit("max_unresolvd=0.1")
    assert "max_unresolved" in caught.value.hint
    assert caught.value.where == "--limit"


@pytest.mark.parametrize("text", ["max_unresolved", "=1", "max_unresolved=", ""])
def test_a_limit_that_is_not_name_equals_value_is_refused(text):
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_limit(text)


@pytest.mark.parametrize("value", ["many", "nan", "inf", "-inf"])
def test_a_limit_is_a_finite_number(value):
    with pytest.raises(UsageError, match="number"):
        parse_limit(f"max_unresolved={value}")


def test_codes_are_taken_in_either_case_and_by_prefix():
    assert check_prefixes(["fp2", "FP201"]) == ("FP2", "FP201")


def test_an_unknown_code_names_the_nearest():
    with pytest.raises(UsageError, match="FP291") as caught:
        check_prefixes(["FP291"])
    assert "FP2" in caught.value.hint


def test_a_level_is_error_warning_info_or_off():
    assert check_level("fp205", "off") == ("FP205", "off")
    with pytest.raises(UsageError, match="fatal"):
        check_level("FP205", "fatal")
    with pytest.raises(UsageError, match="FP999"):
        check_level("FP999", "off")


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        ((), (), True),
        (("FP2",), (), True),
        (("FP1",), (), False),
        ((), ("FP2",), False),
        (("FP201",), ("FP2",), True),  # the longer prefix decides
        (("FP2",), ("FP201",), False),
        (("FP201",), ("FP201",), False),  # a tie is ignored
    ],
)
def test_the_longest_prefix_decides_whether_a_code_is_selected(select, ignore, expected):
    assert selected("FP201", select, ignore) is expected


def test_every_limit_belongs_to_one_rule_so_that_a_flag_means_one_thing():
    names = [name for rule in rules().values() for name in rule.limits]
    assert len(names) == len(set(names))
