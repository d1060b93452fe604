"""What the bits are held against: teachers by their width, labels of chance a bit each.

The teachers are ReLU networks of some width on 10 normal inputs, labelled by their own median.
"""

import numpy as np
import pytest
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort
from fpcheck.simplicity.several import Job, estimate_all, pooled

EFFORT = Effort(2, 32, 4.0, 2.0**36, 40, 2.0**30)


def mean_bits_of_teachers(width, rows, seeds, student):
    teachers = [planted(rows=rows, width=width, seed=s, function="relu") for s in seeds]
    prior = prior_of(chain(10, student, 1, function="relu"), teachers[0], law="uniform")
    asked = Asked(prior, Settings(threads=2), Monitor())
    jobs = [Job(one, np.random.default_rng(seed)) for seed, one in enumerate(teachers)]
    return float(pooled(estimate_all(asked, jobs, EFFORT, "")).bits.mean())


def test_a_wider_teacher_costs_more_bits():
    one, four = (mean_bits_of_teachers(width, 40, range(4), 12) for width in (1, 4))
    assert one + 5.0 < four


@pytest.mark.slow
def test_teachers_of_width_1_2_4_and_8_are_ordered_rightly():
    """Means over 16 teachers each: those of 4 and 8 units differ by some bits of some 45."""
    bits = [mean_bits_of_teachers(width, 64, range(16), 24) for width in (1, 2, 4, 8)]
    assert bits == sorted(bits)


def test_balanced_labels_of_chance_cost_a_bit_a_row_once_rows_exceed_parameters():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((30, 2))
    chance = [classes(rows, rng.permutation(np.arange(30) % 2)) for _ in range(2)]
    prior = prior_of(chain(2, 3, 1), chance[0], law="uniform")
    assert prior.drawn == 13
    asked = Asked(prior, Settings(threads=2), Monitor())
    jobs = [Job(one, np.random.default_rng(seed)) for seed, one in enumerate(chance)]
    assert pooled(estimate_all(asked, jobs, EFFORT, "")).bits.min() >= 0.9 * 30
