"""Hermite coefficients and curves over many correlations, against pair moments one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments
from fpcheck.theory.hermite import MOST, hermite_coefficients
from fpcheck.theory.pair_curve import pair_curve
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.quadrature import expectation

SMOOTH = ["tanh", "sigmoid", "elu(0.5)", "selu", "gelu_tanh", "silu", "softplus", "softsign"]
CLOSED = ["relu", "gelu", "erf", "sin", "leaky_relu(0.2)"]
PIECES = ["hardtanh", "hardtanh(-0.1,10)", "crelu(1,1.2)", "crelu(0,6)", "cst(1.28,1.06)",
          "shifted_relu(1)", "soft_threshold(0.5)"]  # fmt: skip
CORRELATIONS = [-0.9, -0.3, 0.0, 0.5, 0.9]


@pytest.mark.parametrize("q", [1e-6, 0.1, 1.0, 20.0])
@pytest.mark.parametrize("name", [*SMOOTH, *CLOSED, *PIECES])
def test_the_hermite_series_is_the_pair_moment(name: str, q: float):
    """sum a_n^2 c^n to 1e-12 for |c| <= 0.9, where 512 terms leave nothing."""
    f = parse_activation(name)
    size = moments.second_moment(f, q)
    if size < 1e-6 * q:
        pytest.skip("all but surely off: coefficients fall too slowly for 512 of them")
    squares = hermite_coefficients(f, q, MOST) ** 2
    for c in CORRELATIONS:
        series = float(squares @ np.power(c, np.arange(MOST)))
        assert abs(series - pair_moment(f, q, q, c)) <= 1e-12 * size


@pytest.mark.parametrize("name", ["tanh", "elu(0.5)", "crelu(1,1.2)", "gelu"])
def test_the_first_coefficients_are_the_mean_and_the_mean_slope(name: str):
    """a_0 = E phi, a_1 = sqrt(q) E phi', a_2 = E[phi (z^2 - 1)] / sqrt 2."""
    f, q = parse_activation(name), 0.7
    a = hermite_coefficients(f, q, 3)
    assert a[0] == pytest.approx(moments.mean(f, q), abs=1e-14)
    assert a[1] == pytest.approx(math.sqrt(q) * moments.mean_slope(f, q), abs=1e-14)
    scale = moments.feature_scale(f)
    second = expectation(lambda x: f.phi(x) * (x * x / q - 1.0), q, f.kinks, scale)
    assert a[2] == pytest.approx(second / math.sqrt(2.0), abs=1e-14)


def test_the_number_of_coefficients_is_bounded():
    with pytest.raises(ValueError, match="coefficients"):
        hermite_coefficients(parse_activation("tanh"), 1.0, MOST + 1)


NEAR_ONE = [1.0 - 10.0**-k for k in range(1, 13)]


@pytest.mark.parametrize("q", [1e-3, 0.57, 4.0, 30.0])
@pytest.mark.parametrize("name", [*SMOOTH, *PIECES, "gelu"])
def test_a_curve_is_the_pair_moments_at_every_correlation(name: str, q: float):
    f = parse_activation(name)
    curve = pair_curve(f, q)
    size, slope_size = moments.second_moment(f, q), moments.slope_moment(f, q)
    for c in [-1.0, -0.99, *CORRELATIONS, *NEAR_ONE, 1.0]:
        assert abs(curve(c) - pair_moment(f, q, q, c)) <= 1e-13 * size
        assert abs(curve.slope(c) - pair_slope_moment(f, q, q, c)) <= 2e-13 * slope_size


def test_a_step_has_a_curve_without_a_slope():
    curve = pair_curve(parse_activation("step"), 2.0)
    assert curve(0.0) == 0.25
    assert curve(1.0) == 0.5


def test_a_curve_without_variance_is_the_value_at_the_origin():
    curve = pair_curve(parse_activation("sigmoid"), 0.0)
    assert curve(0.3) == 0.25
    assert curve.slope(0.3) == 0.0625
