"""Expectations over correlated pairs, against closed forms, Price's theorem and simulation."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.piecewise_linear import pieces, smoothed
from fpcheck.theory.polar import polar_expectation
from fpcheck.theory.quadrature import expectation
from fpcheck.theory.shared_part import shared_expectation

CLOSED = ["relu", "leaky_relu(0.2)", "gelu", "erf", "sin"]
QUADRATURE = ["tanh", "silu", "elu", "softsign", "hardtanh", "crelu(1,1.25)", "soft_threshold(0.5)"]
SMOOTH = ["tanh", "sigmoid", "elu", "selu", "gelu_tanh", "silu", "softplus", "softsign"]
PAIRS = [(1e-8, 1e-8), (0.3, 0.3), (1.0, 4.0), (50.0, 50.0), (1e8, 1e6)]
CORRELATIONS = [-1.0, -0.4, 0.3, 0.95, 1.0 - 1e-9]


def size(f, q1, q2, *, slope):
    """The largest that |E g(x) g(y)| can be."""
    moment = moments.slope_moment if slope else moments.second_moment
    return math.sqrt(moment(f, q1) * moment(f, q2))


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.2)", "gelu"])
@pytest.mark.parametrize("c", CORRELATIONS)
def test_polar_coordinates_give_the_closed_forms(name: str, c: float, slope: bool):
    f = parse_activation(name)
    forms = closed_forms(f)
    assert forms is not None
    assert forms.pair_slope is not None
    form, g = (forms.pair_slope, f.derivative) if slope else (forms.pair, f.phi)
    for q1, q2 in [*PAIRS, (1e12, 1e12), (1e-12, 3e-12)]:
        found = polar_expectation(g, (q1, q2), c, 1.0)
        assert abs(found - form(q1, q2, c, f.p0)) <= 1e-14 * size(f, q1, q2, slope=slope)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.2)"])
@pytest.mark.parametrize("c", CORRELATIONS)
def test_the_split_into_shared_and_private_parts_gives_the_closed_forms(name, c, slope):
    f = parse_activation(name)
    forms, p = closed_forms(f), pieces(f)
    form = forms.pair_slope if slope else forms.pair
    for q1, q2 in PAIRS:
        found = shared_expectation(p, q1, q2, c, slope=slope)
        assert abs(found - form(q1, q2, c, f.p0)) <= 1e-13 * size(f, q1, q2, slope=slope)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("q", [1e-12, 1e-4, 1.0, 1e4, 1e8, 1e12])
def test_the_ends_c_1_and_minus_1_are_reached_without_cancellation(name, q, slope):
    """At c = 1 the pair is one Gaussian; at c = -1 it is x and -x, one integral too."""
    f = parse_activation(name)
    g = f.derivative if slope else f.phi
    scale = moments.feature_scale(f)
    both = expectation(lambda x: g(x) * g(x), q, f.kinks, scale)
    against = expectation(lambda x: g(x) * g(-x), q, f.kinks, scale)
    allowed = 1e-13 * size(f, q, q, slope=slope)
    assert abs(polar_expectation(g, (q, q), 1.0, scale) - both) <= allowed
    assert abs(polar_expectation(g, (q, q), -1.0, scale) - against) <= allowed


@pytest.mark.parametrize("name", [*QUADRATURE, *CLOSED, "identity"])
@pytest.mark.parametrize(("q1", "q2"), [(0.3, 0.3), (1.0, 4.0), (50.0, 20.0)])
def test_the_slope_is_the_derivative_with_respect_to_the_covariance(name: str, q1, q2):
    """Price's theorem."""
    f, h = parse_activation(name), 1e-4
    for c in (-0.6, 0.1, 0.8):
        quotient = (pair_moment(f, q1, q2, c + h) - pair_moment(f, q1, q2, c - h)) / (2 * h)
        assert pair_slope_moment(f, q1, q2, c) * math.sqrt(q1 * q2) == pytest.approx(
            quotient, rel=3e-6, abs=1e-9
        )


@pytest.mark.parametrize("name", QUADRATURE)
def test_full_correlation_gives_the_second_moment_and_none_the_squared_mean(name: str):
    f = parse_activation(name)
    for q in (1e-6, 0.5, 40.0):
        near = pair_moment(f, q, q, 1.0 - 1e-14)
        assert near == pytest.approx(moments.second_moment(f, q), rel=1e-9)
        assert pair_moment(f, q, q, 1.0) == moments.second_moment(f, q)
        assert pair_moment(f, q, q, 0.0) == pytest.approx(moments.mean(f, q) ** 2, abs=1e-14)
        tiny = pair_moment(f, q, q, 1e-12)
        assert tiny == pytest.approx(moments.mean(f, q) ** 2, abs=1e-11 * max(1.0, q))


@pytest.mark.parametrize("name", [*QUADRATURE, *CLOSED, "identity"])
@pytest.mark.parametrize("q", [1e-6, 0.5, 40.0])
def test_the_slope_of_independent_pairs_is_the_squared_mean_slope(name: str, q: float):
    f = parse_activation(name)
    expected = expectation(f.derivative, q, f.kinks, moments.feature_scale(f)) ** 2
    largest = moments.slope_moment(f, q)
    assert abs(pair_slope_moment(f, q, q, 0.0) - expected) <= 1e-13 * largest
    assert abs(pair_slope_moment(f, q, q, 1e-14) - expected) <= 1e-12 * largest


def test_the_slope_at_no_variance_is_that_at_the_origin():
    for name in ("tanh", "elu", "crelu(-0.5,1.25)"):
        assert pair_slope_moment(parse_activation(name), 0.0, 0.0, 0.3) == 1.0


def conditional_mean(f, mu, v):
    """E phi(mu + sqrt(v) z), by panels ending at the kinks."""
    spread = math.sqrt(v)
    bends = tuple((t - mu) / spread for t in f.kinks)
    return expectation(lambda z: f.phi(mu + spread * z), 1.0, bends, 0.5)


@pytest.mark.parametrize("name", ["tanh", "crelu(1,1.25)", "gelu"])
def test_pairs_of_unequal_variance_agree_with_a_double_integral(name: str):
    f = parse_activation(name)
    q1, q2, c = 0.8, 2.5, 0.45

    marks = sorted({-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, *(t / math.sqrt(q1) for t in f.kinks)})

    def inner(z):
        """phi(x) times the mean of phi(y) given x, which is another split than pair_moment's."""
        x, mean = math.sqrt(q1) * float(z), c * math.sqrt(q2) * float(z)
        given = conditional_mean(f, mean, q2 * (1 - c * c))
        return float(f.phi(np.array([x]))[0]) * given * mp.npdf(z)

    expected = mp.quad(inner, marks, maxdegree=5)
    assert pair_moment(f, q1, q2, c) == pytest.approx(float(expected), rel=1e-8)


def test_simulated_pairs_of_tanh_agree():
    rng = np.random.default_rng(3)
    q1, q2, c, n = 1.3, 0.6, -0.7, 400_000
    z = rng.standard_normal((2, n))
    x, y = math.sqrt(q1) * z[0], math.sqrt(q2) * (c * z[0] + math.sqrt(1 - c * c) * z[1])
    products = np.tanh(x) * np.tanh(y)
    error = products.std() / math.sqrt(n)
    assert abs(products.mean() - pair_moment(parse_activation("tanh"), q1, q2, c)) < 4.5 * error


@pytest.mark.parametrize("v", [0.0, 1e-10, 0.3, 25.0, 1e10])
@pytest.mark.parametrize("name", ["hardtanh", "soft_threshold(0.5)", "crelu(1,1.25)"])
def test_a_smoothed_function_averages_to_the_function_s_mean(name: str, v: float):
    """E over mu ~ N(0, q - v) of the smoothed function is E phi at q."""
    f = parse_activation(name)
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    spread = 0.1 * math.sqrt(v) if v else 1.0
    if v == 0.0:  # nothing is smoothed
        np.testing.assert_allclose(smoothed(pieces(f), nodes, v), f.phi(nodes), atol=1e-13)
        return
    average = float(weights @ smoothed(pieces(f), spread * nodes, v)) / math.sqrt(2.0 * math.pi)
    largest = math.sqrt(moments.second_moment(f, v + spread**2))
    assert abs(average - moments.mean(f, v + spread**2)) <= 1e-9 * largest + 1e-300


def test_bad_arguments_are_refused():
    f = parse_activation("tanh")
    with pytest.raises(ValueError, match="correlation"):
        pair_moment(f, 1.0, 1.0, 1.5)
    with pytest.raises(ValueError, match="variances"):
        pair_moment(f, -1.0, 1.0, 0.5)
    with pytest.raises(UnsupportedOperationError, match="not defined"):
        pair_slope_moment(parse_activation("step"), 1.0, 1.0, 0.5)
