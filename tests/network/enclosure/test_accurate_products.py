"""Products of few rows are exact but for a few units in the last place, and say by how much."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb

from fpcheck.network.enclosure.accurate import product, sliced


def factors():
    rng = np.random.default_rng(0)
    for terms in (1, 2, 3, 64, 500):
        yield rng.standard_normal((2, terms)), rng.standard_normal((terms, 4))
        # Sizes of many orders, single precision, cancellation, zeros.
        yield np.exp(10 * rng.standard_normal((1, terms))), rng.standard_cauchy((terms, 3))
        weight = rng.standard_normal((terms, 3)).astype(np.float32).astype(np.float64)
        yield rng.standard_normal((1, terms)) * 1e-8, np.concatenate([weight, 0 * weight], axis=1)
        x = rng.standard_normal((1, terms))
        yield np.concatenate([x, -x], axis=1), np.ones((2 * terms, 1))
    yield np.full((1, 5), 1e-200), np.full((5, 2), 1e-200)


@pytest.mark.parametrize("case", range(21))
def test_the_exact_product_lies_in_the_ball(case):
    x, weight_t = list(factors())[case]
    ball = product(x, sliced(weight_t))
    for row, column in np.ndindex(len(x), weight_t.shape[1]):
        pairs = zip(x[row], weight_t[:, column], strict=True)
        exact = sum((arb(float(a)) * arb(float(b)) for a, b in pairs), arb(0))
        assert abs(exact - arb(float(ball.mid[row, column]))) <= arb(float(ball.rad[row, column]))


def test_the_ball_is_a_few_roundings_wide_whatever_the_number_of_terms():
    rng = np.random.default_rng(1)
    for terms in (10, 100, 1000):
        x, weight_t = rng.standard_normal((1, terms)), rng.standard_normal((terms, 5))
        ball = product(x, sliced(weight_t))
        assert (ball.rad <= 16 * 2.0**-53 * np.sqrt(terms)).all()


def test_an_overflow_encloses_everything():
    with np.errstate(all="ignore"):
        ball = product(np.full((1, 3), 1e308), sliced(np.full((3, 2), 1e10)))
    assert np.isinf(ball.rad).all()
