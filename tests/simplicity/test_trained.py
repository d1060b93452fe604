"""Training beside sampling: what the runs reach, what they cost, how sure their error is."""

import itertools

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.simplicity import trained
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.outputs import cost
from fpcheck.simplicity.prior import make_prior
from fpcheck.simplicity.trained import error_interval, train_same

SETTINGS = Settings(threads=1)


def chain(*widths, function="relu"):
    nodes = [Input("x", widths[:1])]
    for index, (_, n_out) in enumerate(itertools.pairwise(widths)):
        before = nodes[-1].name
        nodes.append(Dense(f"d{index}", (before,), n_out, f"w{index}", f"b{index}"))
        if index < len(widths) - 2:
            nodes.append(Activation(f"a{index}", (f"d{index}",), activation(function)))
    return Skeleton(tuple(nodes))


def sides(rows, labels):
    return Labelling(rows, "sign", labels.astype(np.int64), classes=("no", "yes"))


def halves(count, rng, dimensions=10):
    """Rows told apart by one direction."""
    rows = rng.normal(size=(count, dimensions))
    return sides(rows, rows[:, 0] + rows[:, 1] > 0.0)


def run(skeleton, train, test, settings=SETTINGS, seed=5, seeds=5):
    prior = make_prior(skeleton, None, settings, train)
    assert not isinstance(prior, str), prior
    rng = np.random.default_rng(seed)
    return prior, train_same(prior, train, test, settings, rng, Monitor(), seeds)


def test_a_simple_rule_is_learnt_and_holds_on_new_rows():
    rng = np.random.default_rng(0)
    _, found = run(chain(10, 16, 1), halves(80, rng), halves(500, rng))
    assert found.reached == len(found.seeds) == 5
    assert all(seed.train_errors == 0 and 0 < seed.steps < 500 for seed in found.seeds)
    assert found.test_error_low <= found.test_error <= found.test_error_high < 0.25
    assert found.test_error == pytest.approx(np.mean([seed.test_error for seed in found.seeds]))
    assert found.test_wrong.shape == (5, 500)
    assert found.test_wrong.mean() == pytest.approx(found.test_error)


def test_random_labels_are_learnt_and_say_nothing_about_new_rows():
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(580, 10)), rng.integers(0, 2, 580)
    everything = sides(rows, labels)
    train, test = everything.subset(slice(0, 80)), everything.subset(slice(80, None))
    _, found = run(chain(10, 16, 1), train, test)
    assert found.reached == 5
    assert found.test_error_low <= 0.5 <= found.test_error_high


def test_a_run_costs_three_passes_a_step_and_starts_from_the_same_weights_as_sampling():
    rng = np.random.default_rng(2)
    train = halves(40, rng)
    prior, found = run(chain(10, 8, 1), train, None)
    for seed in found.seeds:
        assert seed.multiply_adds == 3 * cost(prior, 40) * (seed.steps + 1)
    assert found.multiply_adds == np.mean([seed.multiply_adds for seed in found.seeds])
    assert found.test_error is found.test_error_low is found.test_wrong is None
    assert {seed.test_error for seed in found.seeds} == {None}


def test_the_same_stream_gives_the_same_runs_whatever_the_threads():
    rng = np.random.default_rng(3)
    train, test = halves(60, rng), halves(50, rng)
    _, one = run(chain(10, 8, 1), train, test)
    _, two = run(chain(10, 8, 1), train, test, Settings(threads=3))
    assert one.seeds == two.seeds
    _, other = run(chain(10, 8, 1), train, test, seed=6)
    assert one.seeds != other.seeds


def test_what_cannot_be_told_apart_ends_at_the_limit(monkeypatch):
    monkeypatch.setattr(trained, "MOST_STEPS", 300)
    rows = np.zeros((20, 10))
    train = sides(rows, np.arange(20) % 4 == 0)
    _, found = run(chain(10, 8, 1), train, train)
    assert found.reached == 0
    assert all(seed.steps == 300 and seed.train_errors >= 5 for seed in found.seeds)
    _, allowed = run(chain(10, 8, 1), train, train, Settings(threads=1, label_errors=5))
    assert allowed.reached == 5


def test_classes_and_numbers_are_learnt_by_their_own_losses():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(60, 6))
    labels = np.argmax(rows[:, :3], axis=1).astype(np.int64)
    classes = Labelling(rows, "argmax", labels, classes=("a", "b", "c"))
    _, found = run(chain(6, 16, 3), classes, classes)
    assert (found.reached, found.test_error) == (5, 0.0)
    targets = np.tanh(rows[:, :2])
    targets = (targets - targets.mean(axis=0)) / targets.std(axis=0)
    numbers = Labelling(rows, "band", None, targets, 0.5)
    _, found = run(chain(6, 16, 2, function="tanh"), numbers, numbers)
    assert (found.reached, found.test_error) == (5, 0.0)


def test_many_rows_go_in_mini_batches(monkeypatch):
    monkeypatch.setattr(trained, "FULL_BATCH", 32)
    rng = np.random.default_rng(7)
    train = halves(100, rng)
    prior, found = run(chain(10, 16, 1), train, None, seeds=2)
    assert found.reached == 2
    assert "32 rows a step" in found.optimiser
    for seed in found.seeds:
        a_pass = seed.steps // 4  # full passes of 4 batches, the last of 4 rows
        assert seed.steps % 4 == 0
        gradients = 100 * a_pass + 32
        assert seed.multiply_adds == cost(prior, 1) * (3 * gradients + 100 * (a_pass + 1))


def test_an_activation_without_a_derivative_cannot_be_trained():
    rng = np.random.default_rng(8)
    _, why = run(chain(10, 8, 1, function="step"), halves(20, rng), None)
    assert "no useful derivative" in why


def test_the_error_interval_holds_the_mean_over_rows_and_starts():
    """Rows differ in hardness, starts in luck: 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(9)
    many = rng.beta(0.5, 2.0, 10**6) * np.exp(0.2 * rng.normal(size=10**6))
    truth = float(np.minimum(1.0, many).mean())
    held, trials = 0, 400
    for _ in range(trials):
        hard = rng.beta(0.5, 2.0, size=80)
        luck = np.exp(0.2 * rng.normal(size=(5, 1)))
        chance = np.minimum(1.0, hard * luck)
        interval = error_interval(rng.random((5, 80)) < chance)
        held += interval.low <= truth <= interval.high
    assert held / trials >= 0.93


def test_no_error_seen_is_not_no_error():
    interval = error_interval(np.zeros((5, 100), dtype=bool))
    assert interval.low == 0.0
    assert 0.03 < interval.high < 0.04
    assert error_interval(np.zeros((1, 100), dtype=bool)).high == 1.0
