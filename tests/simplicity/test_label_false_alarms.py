"""How often FP401 is wrong: on labels that save nothing, and on labels that save just enough."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from planted import chain, classes, prior_of
from simplicity_section import section

from fpcheck.core.catalogue import default_limits
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, estimate
from fpcheck.simplicity.result import DifferenceBits
from fpcheck.simplicity.rules import judge
from fpcheck.simplicity.several import mean_bits
from fpcheck.simplicity.shuffled import difference, shuffled

LIMIT = default_limits()["min_label_saving"]
SHUFFLES = 5
# Plain sampling alone: 6 rows cost some 7 bits, which 40 successes know to half a bit.
PLAIN = Effort(2, 64, patience=4.0, work=2.0**30, successes=40, plain=2.0**31)


@pytest.fixture(scope="module")
def known():
    """Makes an estimate of given bits with a given standard error."""
    posed = classes(np.eye(4)[:2], [0, 1])
    prior = prior_of(chain(4, 4, 1), posed, law="uniform")
    made = estimate(Asked(prior, Settings(threads=1), Monitor()), posed, generator(0), PLAIN)

    def of(bits, error):
        return replace(made, bits=bits, low=bits - 1.96 * error, high=bits + 1.96 * error)

    return of


def generator(seed):
    return np.random.default_rng(seed)


def outcome(true, random, limit):
    """What FP401 says of an estimate beside those of shuffled labels."""
    apart = difference(true, random, None)
    one = section(
        bits=true.bits,
        random_label_bits=random.mean,
        difference=plain(DifferenceBits(apart.bits, apart.low, apart.high)),
    )
    return judge(one, {**default_limits(), "min_label_saving": limit})[0].outcome


def rates(known, saving, limit, sets, seed):
    """The shares of fail and pass where the labels truly save this share; shuffles of sd 5 bits."""
    rng = generator(seed)
    found = []
    for _ in range(sets):
        others = [known(rng.normal(80.0, 5.0), 0.5) for _ in range(SHUFFLES)]
        # Without a saving the labels are one more shuffle; with one their bits are what they are.
        own = rng.normal(80.0, 5.0) if saving == 0.0 else 80.0 * (1.0 - saving)
        found.append(outcome(known(own + rng.normal(0.0, 0.4), 0.4), mean_bits(others), limit))
    return found.count("fail") / sets, found.count("pass") / sets


def most(rate, sets):
    """The largest share that a true rate leaves room for, at four standard errors."""
    return rate + 4.0 * math.sqrt(rate * (1.0 - rate) / sets)


@pytest.mark.parametrize("sets", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_the_rule_errs_as_rarely_as_it_says(known, sets):
    fails, _ = rates(known, LIMIT, LIMIT, sets, seed=1)
    assert fails <= most(0.025, sets)
    _, passes = rates(known, 0.0, 0.0, sets, seed=2)
    assert passes <= most(0.025, sets)
    _, passes = rates(known, 0.0, LIMIT, sets, seed=3)
    assert passes <= most(0.001, sets)


@pytest.mark.parametrize("sets", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_labels_drawn_at_random_are_not_said_to_save(sets):
    """Real networks: the labels are one more random order of themselves."""
    rows = generator(7).standard_normal((6, 4))
    settings = Settings(threads=1, label_shuffles=SHUFFLES)
    passed = 0
    for seed in range(sets):
        rng = generator(seed)
        posed = classes(rows, rng.permutation(np.arange(6) % 2))
        asked = Asked(prior_of(chain(4, 4, 1), posed, law="uniform"), settings, Monitor())
        true = estimate(asked, posed, rng, PLAIN)
        random = shuffled(asked, posed, rng, PLAIN, 0)
        passed += outcome(true, random.found, 0.0) == "pass"
    assert passed <= most(0.025, sets) * sets
