"""Plain guess and check: the verdicts, redrawing, stopping and the exact interval."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from plain_priors import chain, prior_of, signs
from scipy.special import comb

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Skeleton
from fpcheck.simplicity.checking import hardest_first
from fpcheck.simplicity.exact import exact
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.numbered import counter_key, redraw_many, tables_of
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.sampling import curtailed, sample
from fpcheck.simplicity.violations import violations

ONE = Settings(threads=1)


def line(rows=12, inputs=3, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, inputs))
    return signs(x, x[:, 0] > 0.3)


def convolutions():
    nodes = (
        Input("x", (1, 6)),
        Conv("conv", ("x",), 3, (3,), "conv.weight", "conv.bias"),
        Activation("phi", ("conv",), activation("relu")),
        Flatten("flat", ("phi",)),
        Dense("last", ("flat",), 1, "last.weight", "last.bias"),
    )
    return Skeleton(nodes)


def cases():
    three = Labelling(
        np.random.default_rng(1).normal(size=(10, 3)), "argmax", np.arange(10) % 3,
        classes=("a", "b", "c"),
    )  # fmt: skip
    numbers = Labelling(
        np.random.default_rng(2).normal(size=(9, 3)), "band", None,
        np.random.default_rng(3).normal(size=(9, 2)), 1.5,
    )  # fmt: skip
    images = signs(np.random.default_rng(4).normal(size=(11, 1, 6)), np.arange(11) % 2)
    deep = chain((3, 7, 5, 1))
    for law in ("", "normal", "lattice", "lattice:4", "he_normal", "torch_default"):
        yield f"chain {law}", prior_of(deep, line(), law), line(), 0, True
    yield "scaled", prior_of(deep, line(), "", scaled_neurons=True), line(), 0, True
    yield "no bias", prior_of(chain((3, 9, 1), "tanh", bias=False), line(), ""), line(), 1, True
    yield "argmax", prior_of(chain((3, 9, 3)), three), three, 3, True
    yield "band", prior_of(chain((3, 9, 2), "sin"), numbers), numbers, 2, True
    yield "orthogonal", prior_of(deep, line(), "orthogonal"), line(), 1, False
    yield "convolution", prior_of(convolutions(), images), images, 3, False


CASES = {name: rest for name, *rest in cases()}


@pytest.mark.parametrize("name", CASES)
def test_accepted_networks_are_those_that_have_the_rows_right(name):
    prior, labelling, errors, fused = CASES[name]
    assert (tables_of(prior) is not None) == fused
    tries = 3000 if fused else 300
    found = sample(
        prior, labelling, ONE, 5, errors=errors, successes=tries + 1, most=tries
    )  # never enough
    assert (found.tried, found.stopped) == (tries, "budget")
    parameters = redraw_many(prior, 5, range(tries))
    wrong = (violations(outputs(prior, parameters, labelling.rows), labelling) > 0).sum(axis=1)
    assert found.accepted > 0
    assert (found.indices == np.flatnonzero(wrong <= errors)).all()
    for number in (0, tries - 1):
        assert (redraw_many(prior, 5, (number,))[0] == parameters[number]).all()


@pytest.mark.parametrize("law", ["", "normal", "lattice:5", "he_normal", "torch_default"])
def test_numbered_networks_follow_the_prior(law):
    prior = prior_of(chain((3, 40, 1)), line(), law)
    ours = redraw_many(prior, 1, range(2000))
    theirs = prior.parameters(prior.draw(np.random.default_rng(0), 2000))
    for block in prior.blocks:
        a, b = ours[:, block.place], theirs[:, block.place]
        for power in (1, 2, 4):
            spread = math.sqrt(2.0 / a.size) * (b**power).std()
            assert abs((a**power).mean() - (b**power).mean()) <= 4.5 * spread


def test_numbers_do_not_depend_on_threads_or_on_how_far_one_goes():
    labelling = line()
    prior = prior_of(chain((3, 7, 5, 1)), labelling)
    long = sample(prior, labelling, ONE, 9, successes=10**6, most=9000)
    for settings in (ONE, Settings(threads=3)):
        for most in (1, 129, 3000):
            short = sample(prior, labelling, settings, 9, successes=10**6, most=most)
            assert (short.indices == long.indices[long.indices < most]).all()
        stopped = sample(prior, labelling, settings, 9, successes=7)
        assert (stopped.indices == long.indices[:7]).all()
        assert (stopped.tried, stopped.stopped) == (long.indices[6] + 1, "successes")
    assert (sample(prior, labelling, ONE, 10, successes=7).indices != long.indices[:7]).any()


def test_a_budget_of_work_tries_fewer():
    labelling = line()
    prior = prior_of(chain((3, 7, 5, 1)), labelling)
    few = sample(prior, labelling, ONE, 9, successes=10**6, work=1e6).tried
    many = sample(prior, labelling, ONE, 9, successes=10**6, work=4e6).tried
    assert many == pytest.approx(4 * few, abs=4)


def test_rows_are_put_in_an_order_that_changes_no_verdict():
    labelling = line(30)
    prior = prior_of(chain((3, 7, 5, 1)), labelling)
    order = hardest_first(prior, labelling, counter_key(1), 0, 10**4)
    assert sorted(order) == list(range(30))
    turned = labelling.subset(order[::-1])
    one, other = (
        sample(prior, each, ONE, 1, successes=10**6, most=20000) for each in (labelling, turned)
    )
    assert one.accepted > 0
    assert (one.indices == other.indices).all()


def test_lattice_networks_come_out_as_often_as_counting_all_of_them_says():
    rows = np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])
    labelling = signs(rows, [1, 0, 1])
    prior = prior_of(chain((2, 1), None), labelling, "lattice:5")
    every = np.array(list(product(np.linspace(-1.0, 1.0, 5), repeat=3)))
    right = (violations(outputs(prior, every, rows), labelling) == 0).all(axis=1)
    found = sample(prior, labelling, ONE, 3, successes=10**6, most=40000)
    spread = math.sqrt(right.mean() * (1.0 - right.mean()) / 40000)
    assert abs(found.accepted / 40000 - right.mean()) < 4.0 * spread


def test_sampling_agrees_with_the_share_of_directions():
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(7, 2))
    flat = signs(rows, rows[:, 0] > 0)
    even = signs(np.eye(6), np.arange(6) % 2)
    for labelling, inputs in ((flat, 2), (even, 6)):
        prior = prior_of(chain((inputs, 3, 1), None, bias=False), labelling, "normal")
        known = exact(prior, labelling)
        held = 0
        for key in range(40):
            found = sample(prior, labelling, ONE, key, successes=50)
            held += found.bits_low <= known.bits <= found.bits_high
        assert held >= 34  # of 40 at 95 %: fewer once in 1000


def outcomes(successes, most, p):
    """(probability, accepted, tried, stopped) of every way in which the sampling can end."""
    for tried in range(successes, most + 1):
        ways = comb(tried - 1, successes - 1, exact=True)
        chance = ways * p**successes * (1.0 - p) ** (tried - successes)
        yield chance, successes, tried, "successes"
    for accepted in range(successes):
        ways = comb(most, accepted, exact=True)
        yield ways * p**accepted * (1.0 - p) ** (most - accepted), accepted, most, "budget"


@pytest.mark.parametrize(("successes", "most"), [(1, 30), (3, 40), (10, 60)])
def test_the_interval_holds_p_with_95_percent_by_counting_all_outcomes(successes, most):
    for p in (0.003, 0.02, 0.1, 0.35, 0.7, 0.95):
        total = covered = 0.0
        for chance, accepted, tried, stopped in outcomes(successes, most, p):
            low, high = curtailed(accepted, tried, stopped)
            assert 0.0 <= low <= high
            total += chance
            covered += chance * (low - 1e-12 <= -math.log2(p) <= high + 1e-12)
        assert total == pytest.approx(1.0, abs=1e-9)
        assert covered >= 0.95 - 1e-9


def test_bits_of_a_stopped_sampling_are_nearly_unbiased():
    labelling = signs(np.eye(4), [1, 0, 1, 0])
    prior = prior_of(chain((4, 1), None, bias=False), labelling, "normal")
    found = [sample(prior, labelling, ONE, key, successes=8).bits for key in range(300)]
    assert np.mean(found) == pytest.approx(4.0, abs=4.0 * np.std(found) / math.sqrt(300))


def test_none_accepted_is_a_lower_bound_and_all_accepted_is_no_bit():
    rows = np.ones((2, 2))
    labelling = signs(rows, [0, 1])
    none = sample(prior_of(chain((2, 3, 1)), labelling), labelling, ONE, 0, most=1000)
    assert (none.accepted, none.bits_high, none.stopped) == (0, math.inf, "budget")
    assert none.bits == none.bits_low == pytest.approx(-math.log2(1.0 - 0.05**0.001))
    all_of_them = sample(
        prior_of(chain((2, 3, 1)), labelling), labelling, ONE, 0, errors=2, successes=64
    )
    assert (all_of_them.accepted, all_of_them.tried, all_of_them.bits) == (64, 64, 0.0)
    assert all_of_them.bits_low == 0.0
    assert all_of_them.bits_high == pytest.approx(-math.log2(0.025 ** (1 / 64)))


def test_sampling_stops_when_asked_to():
    monitor = Monitor()
    monitor.stop.set()
    labelling = line()
    with pytest.raises(KeyboardInterrupt):
        sample(prior_of(chain((3, 7, 1)), labelling), labelling, ONE, 0, monitor=monitor)


def test_progress_tells_how_many_fit():
    told = []
    labelling = line()
    prior = prior_of(chain((3, 7, 5, 1)), labelling)
    report = Monitor(report=lambda *words: told.append(words))
    found = sample(prior, labelling, ONE, 0, successes=10**6, most=5000, monitor=report)
    assert told[-1] == (f"simplicity: {found.accepted} of 5000 random networks fit", 5000, 5000)
