"""A search that costs too much ends as a lower bound, soon, by what plain sampling tells."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from planted import chain, classes, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.affordable import cheap_effort, true_effort
from fpcheck.simplicity.estimate import Asked, estimate
from fpcheck.simplicity.moves import moves_of


def asked_of(prior):
    return Asked(prior, Settings(threads=1), Monitor())


def test_no_more_work_is_done_than_an_effort_allows():
    rng = np.random.default_rng(0)
    labelling = classes(rng.standard_normal((16, 8)), np.arange(16) % 10, 10)
    prior = prior_of(chain(8, 8, 10), labelling)
    effort = replace(true_effort(Settings()), plain=2.0**21, work=1.0)
    found = estimate(asked_of(prior), labelling, np.random.default_rng(1), effort)
    assert found.status == "lower bound"
    assert math.isinf(found.high)
    # One level alone: each run's sweeps of it are 16 at most.
    runs = effort.particles * (effort.repetitions + 1)
    assert found.work <= 17 * runs * moves_of(prior, labelling, 0).sweep_work + 2.0**22


def test_a_search_given_up_bounds_the_bits_at_least_by_the_networks_looked_at():
    # A linear unit on 24 rows of a plane, opposite labels of neighbours: none has one error alone.
    angles = np.linspace(0.0, math.pi, 24, endpoint=False)
    labelling = classes(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.arange(24) % 2)
    prior = prior_of(chain(2, 1), labelling)
    effort = replace(cheap_effort(Settings()), plain=2.0**21)
    found = estimate(asked_of(prior), labelling, np.random.default_rng(4), effort, errors=1)
    assert found.status == "lower bound"
    assert 8.0 < found.low <= found.bits
