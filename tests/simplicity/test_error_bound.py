"""The bound by the volume of the networks that fit: closed forms, the kl form, and a world where
every network's error is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr

from fpcheck.simplicity.bound import error_bound, log_tail


def kl(a: float, b: float) -> float:
    """The divergence of two coins."""
    first = a * math.log(a / b) if a > 0 else 0.0
    second = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return first + second


def test_no_errors_allowed_gives_the_closed_form() -> None:
    bound = error_bound(20.0, 100, delta=0.05)
    assert bound.error == pytest.approx(1 - (2.0**-20 * 0.025) ** (1 / 100), rel=1e-14)
    assert bound.vote == pytest.approx(2 * bound.error)
    # The linear form of the same bound is larger.
    assert bound.error < (20 * math.log(2) + math.log(1 / 0.025)) / 100


def test_no_network_needed_leaves_the_price_of_delta_alone() -> None:
    assert error_bound(0.0, 1000).error == pytest.approx(1 - 0.025 ** (1 / 1000), rel=1e-12)


def test_unknown_p_bounds_nothing() -> None:
    assert error_bound(math.inf, 50).error == 1.0
    assert error_bound(math.inf, 50, 3).error == 1.0


@given(st.floats(0.0, 1000.0), st.integers(2, 400), st.floats(0.0, 0.45), st.floats(0.01, 0.2))
def test_allowed_errors_solve_the_binomial_tail_and_stay_below_the_kl_form(
    bits: float, rows: int, share: float, delta: float
) -> None:
    errors = int(share * rows)
    error = error_bound(bits, rows, errors, delta=delta).error
    log_share = -bits * math.log(2) + math.log(delta / 2)
    assert errors / rows <= error <= 1.0
    if error < 1 - 1e-9:
        assert log_tail(error, rows, errors) == pytest.approx(log_share, rel=1e-6, abs=1e-6)
        # F(e) <= exp(-n kl(k/n || e)): the kl form allows at least this error.
        assert rows * kl(errors / rows, error) <= -log_share * (1 + 1e-6) + 1e-6


@given(st.integers(1, 300), st.floats(0.001, 0.999), st.floats(0.0, 1.0))
def test_the_logarithm_of_the_tail_is_scipys(rows: int, error: float, share: float) -> None:
    errors = min(rows - 1, int(share * rows))
    expected = float(bdtr(errors, rows, error))
    if expected > 1e-290:
        assert log_tail(error, rows, errors) == pytest.approx(math.log(expected), abs=1e-8)


def test_more_bits_errors_or_choices_give_a_larger_bound() -> None:
    assert error_bound(10, 50).error < error_bound(11, 50).error
    assert error_bound(10, 50, 1).error < error_bound(10, 50, 2).error
    assert error_bound(10, 50).error < error_bound(10, 50, choices=8).error


@pytest.mark.parametrize("errors", [0, 2])
def test_the_bound_holds_where_every_error_is_known(errors: int) -> None:
    """Networks are thresholds t on [0, 1], the truth is t = 0.3: |t - 0.3| is the error."""
    rng = np.random.default_rng(5)
    rows, delta, failures, worlds = 40, 0.2, 0, 4000
    thresholds = np.arange(2001) / 2000  # the truth is among them
    for _ in range(worlds):
        x = np.sort(rng.random(rows))
        # The rows between threshold and truth are wrong.
        wrong = np.abs(np.searchsorted(x, thresholds) - np.searchsorted(x, 0.3))
        fits = wrong <= errors
        gibbs = np.abs(thresholds[fits] - 0.3).mean()
        bits = -math.log2(fits.mean())
        # p is exact here, so that all of delta / 2 is the rows'.
        failures += bool(gibbs > error_bound(bits, rows, errors, delta=2 * delta).error)
    assert failures / worlds <= delta


@pytest.mark.parametrize(
    ("bits", "rows", "errors", "delta"),
    [(1.0, 0, 0, 0.05), (1.0, 5, 6, 0.05), (1.0, 5, 0, 0.0), (math.nan, 5, 0, 0.05)],
)
def test_senseless_arguments_are_refused(bits: float, rows: int, errors: int, delta: float) -> None:
    with pytest.raises(ValueError, match=r"errors of|not a number"):
        error_bound(bits, rows, errors, delta=delta)
