"""The bits of the commonest class alone have an interval, though two repetitions tell little."""

from __future__ import annotations

import numpy as np
import pytest
from planted import chain, classes, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.affordable import cheap_effort
from fpcheck.simplicity.estimate import Asked, estimate
from fpcheck.simplicity.parts import majority_labels


@pytest.fixture(scope="module")
def estimates():
    """Of one class alone and of two shuffles: each row reads one uniform weight, a bit a row."""
    data = classes(np.eye(24), np.arange(24) % 2)
    rng = np.random.default_rng(0)
    prior = prior_of(chain(24, 1, bias=False), data, law="uniform")
    asked = Asked(prior, Settings(threads=1), Monitor())
    effort = cheap_effort(Settings())
    labellings = [data.shuffled(rng), data.shuffled(rng), data.constant(0)]
    return [estimate(asked, each, rng, effort) for each in labellings]


def test_the_others_repetitions_narrow_it(estimates):
    *shuffles, constant = estimates
    alone, together = majority_labels(constant), majority_labels(constant, shuffles)
    assert alone.majority_status == together.majority_status == "sampled"
    assert together.majority_bits_low <= 24.0 <= together.majority_bits_high
    width = together.majority_bits_high - together.majority_bits_low
    assert width < alone.majority_bits_high - alone.majority_bits_low
