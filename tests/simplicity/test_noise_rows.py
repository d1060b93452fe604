"""Allowed errors: each saves bits, and the rows with flipped labels are found by what they cost."""

import numpy as np
from planted import chain, classes, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, estimate
from fpcheck.simplicity.noise import allowed_errors, noise

EFFORT = Effort(2, 64, 8.0, 2.0**36, 40, 2.0**32)


def test_errors_double_up_to_an_eighth_of_the_rows():
    assert allowed_errors(64) == [0, 1, 2, 4, 8]
    assert allowed_errors(20) == [0, 1, 2]
    assert allowed_errors(7) == [0]


def test_flipped_labels_come_out_on_top():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(48, 5))
    labels = rows[:, 0] > 0.0
    flipped = np.flatnonzero(np.abs(rows[:, 0]) > 0.8)[:3]  # far from where the classes meet
    labels[flipped] ^= True
    data = classes(rows, labels)
    prior = prior_of(chain(5, 12, 1), data)
    asked = Asked(prior, Settings(threads=1), Monitor())
    rng = np.random.default_rng(0)
    true = estimate(asked, data, rng, EFFORT)
    numbers = 1000 + np.arange(48)
    found = noise(asked, data, true, rng, EFFORT, numbers)
    assert {one.row - 1000 for one in found.expensive[:3]} == set(flipped.tolist())
    shares = [one.wrong_share for one in found.expensive]
    assert shares == sorted(shares, reverse=True)
    assert shares[2] > 0.5 > shares[3]
    assert [point.errors for point in found.errors_curve] == [0, 1, 2, 4]
    bits = [point.bits for point in found.errors_curve]
    assert bits == sorted(bits, reverse=True)
    assert "at most 4 of 48" in found.expensive_at or "at most 2 of 48" in found.expensive_at
