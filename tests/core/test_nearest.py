"""The nearest valid name to a misspelt or shortened one."""

import pytest

from fpcheck.core.catalogue import default_limits
from fpcheck.core.nearest import did_you_mean


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("max_plateu", "max_plateau_share"),
        ("max_plateau", "max_plateau_share"),
        ("max_duplicate", "max_duplicated"),
        ("max_gain_over_traind", "max_gain_over_trained"),
        ("heavy_tail", "heavy_tail_index"),
    ],
)
def test_a_limit_that_is_cut_short_or_misspelt(given, meant):
    assert did_you_mean(given, default_limits()) == f"did you mean '{meant}'?"


def test_letters_in_place_decide_between_equally_alike_names():
    assert did_you_mean("rleu", ["relu", "elu", "gelu"]) == "did you mean 'relu'?"


def test_few_names_are_listed_where_none_is_near():
    assert did_you_mean("xyz", ["one", "two"]) == "known: one, two"
    assert did_you_mean("xyz", [f"name{i}" for i in range(20)]) == ""
