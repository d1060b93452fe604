"""The rule of the verdict, number by number, and how rarely labels of chance pass it."""

import math

import numpy as np
from test_shuffled_labels import NOTHING, sampled

from fpcheck.simplicity.estimate import Estimate
from fpcheck.simplicity.result import Growth, Skipped
from fpcheck.simplicity.several import mean_bits
from fpcheck.simplicity.shuffled import difference
from fpcheck.simplicity.verdict import verdict

SHUFFLES = (80.0, 84.0, 78.0, 86.0, 82.0)


def grown(exponent=0.6, half=0.1, reason=""):
    known = (exponent, exponent - half, exponent + half) if exponent else (None, None, None)
    return Growth((), *known, None, None, None, None, reason)


def judged(bits, shuffles=SHUFFLES, growth=None, half=0.5, rows=64, **options):
    true = sampled(bits, half) if isinstance(bits, float) else bits
    random = mean_bits([sampled(b, 1.0) for b in shuffles]) if shuffles else None
    apart = difference(true, random, 60.0)
    return verdict(true, random, apart, growth or grown(), rows, **options)


def test_few_bits_that_flatten_are_a_narrow_teacher():
    found = judged(31.0)
    assert (found.answer, found.question) == ("yes", "narrow teacher")
    assert "31.0" in found.reason
    assert "0.60" in found.figure


def test_what_costs_as_shuffled_labels_do_is_none():
    assert judged(79.0).answer == "no"
    assert "look random" in judged(79.0).reason


def test_few_rows_tell_neither():
    assert judged(79.0, rows=15).answer == "cannot tell"
    assert "15 rows are too few" in judged(79.0, rows=15).reason


def test_each_condition_that_fails_leaves_it_open():
    assert judged(55.0).answer == "cannot tell"  # clearly below, but more than half
    assert "not surely less than half" in judged(55.0).reason
    straight = judged(31.0, growth=grown(0.95))
    assert straight.answer == "cannot tell"
    assert "flatten is not shown" in straight.reason
    unknown = judged(31.0, growth=grown(None, reason="too few"))
    assert unknown.answer == "cannot tell"
    assert "too few" in unknown.reason
    assert judged(31.0, growth=Skipped("not asked")).answer == "cannot tell"
    assert judged(31.0, shuffles=None).answer == "cannot tell"
    assert judged(70.0, shuffles=(20.0, 140.0)).answer == "cannot tell"
    assert all(judged(bits).next_step for bits in (55.0, 79.0))


def test_labels_that_almost_any_network_has_right_are_simple():
    growth = grown(None, reason="the bits are below 0.5: almost all networks have the labels right")
    assert judged(0.2, growth=growth, half=0.1).answer == "yes"


def test_labels_that_no_network_has_right_have_no_teacher():
    never = Estimate(
        math.inf, math.inf, math.inf, "exact", "exact", 0, 0, 0, *NOTHING, words="equal rows"
    )
    found = judged(never, least_errors=3)
    assert found.answer == "no"
    assert "equal rows" in found.reason
    assert "--errors 3" in found.next_step


def test_a_bound_from_below_says_nothing_yet():
    bound = Estimate(40.0, 30.0, math.inf, "lower bound", "splitting", 1, 0, 0, *NOTHING)
    assert judged(bound).answer == "cannot tell"


def test_labels_of_chance_are_hardly_ever_called_simple():
    """Null simulation: all labellings alike, two to five shuffles, growth that looks flat."""
    rng = np.random.default_rng(0)
    answers = {"yes": 0, "no": 0, "cannot tell": 0}
    for trial in range(2000):
        bits = 40.0 + rng.choice((2.0, 10.0)) * rng.standard_normal(trial % 4 + 3)
        true = float(max(bits[0], 1.0))
        answers[judged(true, shuffles=np.maximum(bits[1:], 1.0).tolist()).answer] += 1
    assert answers["yes"] <= 10
    assert answers["no"] > 900  # two shuffles often leave it open
