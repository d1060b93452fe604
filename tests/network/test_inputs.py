"""The law of inputs: its distributions, defaults and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from fpcheck.core.errors import SpecError
from fpcheck.network.inputs import InputLaw, draw_inputs, second_moment

ROWS = 2000
# 1.95 / sqrt(20 000): the Kolmogorov-Smirnov bound at level 1e-3; seeds are fixed.
KS_BOUND = 1.95 / math.sqrt(10 * ROWS)


def rows(law: InputLaw, shape: tuple[int, ...] = (2, 5)) -> np.ndarray:
    return draw_inputs(law, ROWS, shape, np.random.default_rng(3))


@pytest.mark.parametrize(
    ("law", "reference"),
    [
        (InputLaw(), stats.norm()),
        (InputLaw("normal", {"mean": 2.0, "std": 0.5}), stats.norm(2.0, 0.5)),
        (InputLaw("uniform"), stats.uniform(-1, 2)),
        (InputLaw("uniform", {"low": 0.0}), stats.uniform(0, 1)),
    ],
)
def test_entries_follow_the_law(law, reference):
    x = rows(law)
    assert x.shape == (ROWS, 2, 5)
    assert stats.kstest(x.ravel(), reference.cdf).statistic < KS_BOUND


def test_a_sphere_s_rows_have_its_radius_which_is_sqrt_n_by_default():
    assert_allclose(
        np.linalg.norm(rows(InputLaw("sphere")).reshape(ROWS, -1), axis=1), math.sqrt(10)
    )
    small = rows(InputLaw("sphere", {"radius": 0.25}))
    assert_allclose(np.linalg.norm(small.reshape(ROWS, -1), axis=1), 0.25)


def test_a_sphere_s_directions_are_uniform():
    """An entry z of a uniform direction in n dimensions has z^2 ~ Beta(1/2, (n - 1)/2)."""
    first = rows(InputLaw("sphere", {"radius": 1.0}))[:, 0, 0]
    assert stats.kstest(first**2, stats.beta(0.5, 4.5).cdf).statistic < 1.95 / math.sqrt(ROWS)
    assert stats.binomtest(int((first > 0).sum()), ROWS).pvalue > 1e-3


@pytest.mark.parametrize(
    ("law", "label"),
    [
        (InputLaw(), "N(0, 1)"),
        (InputLaw("normal", {"std": 2.0}), "N(0, 4)"),
        (InputLaw("uniform"), "U(-1, 1)"),
        (InputLaw("sphere"), "sphere of radius sqrt(n)"),
        (InputLaw("sphere", {"radius": 2.0}), "sphere of radius 2"),
    ],
)
def test_a_law_of_inputs_has_a_label(law, label):
    assert law.label == label


@pytest.mark.parametrize(
    ("name", "parameters", "fact", "hint"),
    [
        ("nomal", {}, "unknown law of inputs 'nomal'", "did you mean 'normal'?"),
        ("uniform", {"lo": 0.0}, "has no key 'lo'", "did you mean 'low'?"),
        ("normal", {"std": 0.0}, "'std' must be positive", ""),
        ("normal", {"mean": math.nan}, "finite number", ""),
        ("uniform", {"low": 2.0}, "'low' must lie below 'high'", ""),
        ("sphere", {"radius": -1.0}, "'radius' must be positive", ""),
    ],
)
def test_a_law_of_inputs_that_cannot_be_is_refused(name, parameters, fact, hint):
    with pytest.raises(SpecError) as caught:
        InputLaw(name, parameters)
    assert fact in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "law",
    [
        InputLaw(),
        InputLaw("normal", {"mean": 0.5, "std": 2.0}),
        InputLaw("uniform", {"low": -0.3, "high": 1.7}),
        InputLaw("sphere"),
        InputLaw("sphere", {"radius": 3.0}),
    ],
    ids=lambda law: law.label,
)
def test_the_second_moment_is_that_of_the_draws(law):
    drawn = draw_inputs(law, 20_000, (8,), np.random.default_rng(1))
    assert second_moment(law, 8) == pytest.approx(float(np.mean(drawn**2)), rel=0.02)
