"""How often the probe says what is not so: simulations in which the answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from bias_free import drawn

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.low_rank import low_rank_at, low_rank_layers
from fpcheck.escape.measure import probe
from fpcheck.network.data import load_data

DIGITS = load_data(Path(__file__).parents[2] / "samples" / "digits.npz")
ROWS = 200
HE, GLOROT = 2.0**0.5, 1.0  # standard deviation times sqrt(fan_in) that keeps the size of values
STANDARD = [
    ((64, 16, 10), "relu"),
    ((64, 16, 16, 16, 10), "relu"),
    ((64, 16, 10), "tanh"),
    ((64, 16, 16, 16, 16, 10), "tanh"),
]


def rows(seed, *, labels="own", inputs="own"):
    """200 digits; labels "random": in random order; inputs "same": the first of them again."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(DIGITS.rows, ROWS, replace=False)
    x, y = DIGITS.inputs[chosen], DIGITS.targets[chosen]
    if labels == "random":
        y = rng.permutation(y)
    if inputs == "same":
        x = np.repeat(x[:1], ROWS, axis=0)
    return dataclasses.replace(DIGITS, inputs=x, targets=y)


def probed(widths, function, data, seed, scale=1.0, **settings):
    """The probe of a chain without biases, its weights `scale` times the standard ones."""
    scale *= HE if function == "relu" else GLOROT
    network = drawn(widths, scale, np.random.default_rng(seed), function)
    rng = random_stream(seed, "escape")
    return probe(network, data, Settings(threads=1, **settings), rng, Monitor())


def low_rank(found):
    """The names of the layers in which the escape was low-rank."""
    at = low_rank_at(found.run, found.events.escaped_at)
    layers = () if at is None else low_rank_layers(found.run, at)
    return [layer.name for layer in layers if layer.low_rank]


def count(seeds):
    return [pytest.param(seeds[0]), pytest.param(seeds[1], marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", count([range(2), range(2, 40)]))
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_the_usual_initialisation_trains_at_once_and_shows_no_saddle(optimiser, seeds):
    for seed in seeds:
        for widths, function in STANDARD:
            found = probed(widths, function, rows(seed), seed, probe_optimiser=optimiser)
            assert found.trainability.answer == "trains"
            assert found.events.plateau is None
            assert found.events.escaped_at is None


@pytest.mark.parametrize("seeds", count([range(2), range(2, 20)]))
def test_rows_that_are_all_the_same_are_never_learnt(seeds):
    for seed in seeds:
        for widths, function in STANDARD:
            found = probed(widths, function, rows(seed, inputs="same"), seed)
            assert found.trainability.answer == "does not start"
            assert found.events.escaped_at is None


@pytest.mark.parametrize("seeds", count([range(2), range(2, 20)]))
def test_random_labels_are_no_reason_to_diverge_nor_to_see_a_saddle(seeds):
    for seed in seeds:
        for widths, function in STANDARD:
            found = probed(widths, function, rows(seed, labels="random"), seed)
            assert found.events.diverged_at is None
            assert low_rank(found) == []


@pytest.mark.parametrize("seeds", count([range(3), range(3, 20)]))
def test_a_seventh_of_the_usual_size_shows_plateau_escape_and_low_rank(seeds):
    widths = (64, 16, 16, 16, 16, 10)
    for seed in seeds:
        found = probed(
            widths, "tanh", rows(seed), seed, scale=0.15, probe_optimiser="norm-adaptive"
        )
        assert found.trainability.answer == "trains"
        assert found.events.plateau["from"] == 0
        assert found.events.from_zero
        assert low_rank(found)


@pytest.mark.parametrize(("widths", "function"), STANDARD)
def test_a_rate_far_beyond_the_curvature_diverges(widths, function):
    data = rows(0)
    chosen = probed(widths, function, data, 0)
    assert chosen.events.diverged_at is None
    rate = 1000.0 * chosen.rate.recipe.rate
    assert probed(widths, function, data, 0, probe_rate=rate).trainability.answer == "diverges"
