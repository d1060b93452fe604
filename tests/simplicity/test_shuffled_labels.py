"""Shuffled labels: their floor, their mean, and how the true ones are held against them."""

import math

import numpy as np
import pytest
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, Estimate
from fpcheck.simplicity.several import MOST_BITS, mean_bits, pooled
from fpcheck.simplicity.shuffled import difference, floor_bits, shuffled

EFFORT = Effort(2, 64, 4.0, 2.0**36, 40, 2.0**32)
NOTHING = np.empty((0, 3)), np.empty(0, np.int64)


def sampled(bits, half=0.0):
    """An estimate of plain sampling with this interval."""
    return Estimate(bits, bits - half, bits + half, "sampled", "sampling", 1, 1, 1, *NOTHING)


def split(*repetitions):
    """An estimate of splitting with these repetitions."""
    mean = float(np.mean([bits for bits in repetitions if bits < math.inf]))
    return Estimate(
        mean, mean - 1, mean + 1, "sampled", "splitting", 1, 0, 1, *NOTHING, repetitions
    )


def test_the_floor_counts_the_labellings():
    rows = np.random.default_rng(0).normal(size=(80, 2))
    eight = floor_bits(classes(rows, np.arange(80) < 8), 0)
    assert eight == pytest.approx(math.log2(math.comb(80, 8)), rel=1e-12)
    assert eight / 80 == pytest.approx(0.43, abs=0.005)
    three = floor_bits(classes(rows[:6], [0, 0, 1, 1, 2, 2], 3), 0)
    assert three == pytest.approx(math.log2(90))
    assert floor_bits(classes(rows, np.arange(80) < 8), 1) == pytest.approx(eight - math.log2(81))
    assert floor_bits(classes(rows[:4], [0, 1, 0, 1]), 4) == 0.0


def test_shuffled_labels_cost_their_floor_at_least_and_a_teacher_less():
    data = planted(rows=24, inputs=4, width=1)
    prior = prior_of(chain(4, 12, 1), data)
    asked = Asked(prior, Settings(threads=1, label_shuffles=4), Monitor())
    found = shuffled(asked, data, np.random.default_rng(0), EFFORT, 0)
    assert found.found.known
    assert found.found.high > floor_bits(data, 0)
    for labelling in found.labellings:
        assert np.array_equal(labelling.class_counts, data.class_counts)


def test_labels_that_are_shuffled_themselves_are_rarely_told_apart():
    """Null simulation: `low` above 0 in at most 1 of 40 cases, whatever the number of shuffles."""
    rng = np.random.default_rng(1)
    for shuffles, noise in ((2, 0.0), (3, 2.0), (5, 4.0), (5, 0.5)):
        alarms = 0
        for _ in range(2000):
            bits = 80.0 + 6.0 * rng.standard_normal(shuffles + 1)
            others = [sampled(b + noise * rng.standard_normal()) for b in bits[1:]]
            true = sampled(bits[0] + 0.5 * rng.standard_normal(), 1.0)
            alarms += difference(true, mean_bits(others), 60.0).low > 0.0
        # 50 are expected of the shuffles alone; four standard deviations more is a fault.
        assert alarms <= 50 + 28


def test_a_clear_difference_is_seen():
    random = mean_bits([sampled(b, 1.0) for b in (80.0, 84.0, 78.0, 86.0, 82.0)])
    found = difference(sampled(31.0, 0.5), random, 60.0)
    assert found.bits == pytest.approx(51.0)
    assert 40.0 < found.low < found.bits < found.high < 62.0


def test_where_shuffles_are_only_bounded_the_floor_decides():
    bound = Estimate(
        90.0, 5.0, math.inf, "lower bound", "splitting", 1, 0, 0, *NOTHING, (90.0, 80.0)
    )
    random = mean_bits([bound, bound, sampled(300.0)])
    assert not random.known
    assert random.high == math.inf
    # The mean of p^, 2^-90 and 2^-80, is 2^-81 but for a hair.
    assert random.values[0] == pytest.approx(81.0, abs=0.01)
    found = difference(sampled(31.0, 0.5), random, 60.0)
    assert found.bits is None
    assert found.high is None
    assert found.low == pytest.approx(60.0 - math.log2(40.0) - 31.5)


def test_labels_without_any_network_count_as_the_most_bits():
    never = Estimate(math.inf, math.inf, math.inf, "exact", "exact", 0, 0, 0, *NOTHING)
    random = mean_bits([never, never])
    assert random.impossible == 2
    assert random.values == (MOST_BITS, MOST_BITS)
    assert difference(never, random, 60.0).low is None


def test_the_repetitions_spread_is_corrected_for_together():
    """E p^ of a log-normal p^ is above the median: the bits are unbiased after the correction."""
    rng = np.random.default_rng(2)
    sd = 1.5
    runs = [split(*(50.0 + sd * rng.standard_normal(2)).tolist()) for _ in range(4000)]
    found = pooled(runs)
    wanted = 50.0 - 0.5 * math.log(2.0) * sd**2
    assert found.bits.mean() == pytest.approx(wanted, abs=0.08)
    assert found.errors.mean() == pytest.approx(sd / math.sqrt(2.0), rel=0.03)
    assert found.freedom == 4000


def test_a_repetition_that_died_out_halves_p():
    found = pooled([split(40.0, 40.0), split(40.0, math.inf)])
    assert found.bits.tolist() == pytest.approx([40.0, 41.0])
    assert found.errors[1] > 1.0
