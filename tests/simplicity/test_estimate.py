"""One labelling's bits: the three ways agree, and p = 0 is said to be that."""

import math

import numpy as np
import pytest
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, estimate
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.violations import violations

PLAIN = Effort(4, 64, 4.0, 2.0**36, 100, 2.0**34)
SPLITTING = Effort(6, 96, 4.0, 2.0**36, 100, 0.0)


def asked_of(prior, threads=1):
    return Asked(prior, Settings(threads=threads), Monitor())


def test_plain_sampling_and_splitting_agree():
    data = planted(rows=16, inputs=5, width=1)
    prior = prior_of(chain(5, 8, 1), data, law="uniform")
    ways = [
        estimate(asked_of(prior), data, np.random.default_rng(0), effort)
        for effort in (PLAIN, SPLITTING)
    ]
    assert [way.method for way in ways] == ["sampling", "splitting"]
    assert all(way.low <= way.bits <= way.high and way.known for way in ways)
    assert ways[0].low < ways[1].high
    assert ways[1].low < ways[0].high
    assert ways[0].mixed is None
    assert ways[1].mixed is not None


@pytest.mark.parametrize("effort", [PLAIN, SPLITTING])
def test_the_networks_that_are_kept_have_every_label_right(effort):
    data = planted(rows=12, inputs=4, width=1, seed=3)
    prior = prior_of(chain(4, 6, 1), data)
    found = estimate(asked_of(prior), data, np.random.default_rng(1), effort)
    assert len(found.parameters) == len(found.groups) > 8
    assert not violations(outputs(prior, found.parameters, data.rows), data).any()


def test_a_closed_form_is_exact_and_networks_are_sampled_beside_it():
    data = classes(np.eye(9), np.arange(9) % 2)
    prior = prior_of(chain(9, 1, bias=False), data)
    found = estimate(asked_of(prior), data, np.random.default_rng(2), PLAIN, keep=True)
    assert (found.bits, found.low, found.high) == (9.0, 9.0, 9.0)
    assert (found.status, found.method) == ("exact", "exact")
    assert len(found.parameters) == 64
    alone = estimate(asked_of(prior), data, np.random.default_rng(2), PLAIN)
    assert alone.bits == 9.0
    assert alone.networks == len(alone.parameters) == 0


def test_contradictory_rows_have_no_network_but_for_allowed_errors():
    rows = np.repeat(np.random.default_rng(3).normal(size=(4, 3)), 2, axis=0)
    data = classes(rows, [0, 1, 0, 0, 1, 1, 0, 0])
    prior = prior_of(chain(3, 6, 1), data)
    found = estimate(asked_of(prior), data, np.random.default_rng(4), PLAIN, keep=True)
    assert found.impossible
    assert found.bits == math.inf
    assert found.claim == "proved"
    assert "equal rows" in found.words
    allowed = estimate(asked_of(prior), data, np.random.default_rng(4), PLAIN, errors=1)
    assert allowed.known
    assert allowed.bits < 8.0


def test_no_number_depends_on_the_threads():
    data = planted(rows=14, inputs=5, width=2)
    prior = prior_of(chain(5, 6, 1), data)
    one, two = (
        estimate(asked_of(prior, threads), data, np.random.default_rng(5), SPLITTING)
        for threads in (1, 2)
    )
    assert one.repetitions == two.repetitions
    assert np.array_equal(one.parameters, two.parameters)


def test_a_choice_among_networks_costs_bits():
    data = planted(rows=12, inputs=4, width=1)
    prior = prior_of(chain(4, 6, 1), data)
    for effort in (PLAIN, SPLITTING):
        found = estimate(asked_of(prior), data, np.random.default_rng(6), effort)
        limits = [found.upper(choices) for choices in (1, 2, 8)]
        assert limits == sorted(limits)
        assert limits[0] == found.high < limits[2]
