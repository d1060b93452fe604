"""Length maps of alpha-stable weights: limits, characteristic functions, simulation."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import parse_activation
from fpcheck.theory import heavy_tails, moments
from fpcheck.theory.heavy_tails import (
    absolute_moment,
    cauchy_length_map,
    stable_fixed_points,
    stable_length_map,
)
from fpcheck.theory.stable_law import stable_tail, tail
from fpcheck.theory.variance_map import VarianceMap, fixed_points

BOUNDED = ["tanh", "erf", "hardtanh", "sigmoid", "softsign", "crelu(1,1.2)", "cst(1,1)"]


def tail_by_inversion(alpha, x):
    """P(|z| > x) = 1 - (2/pi) int sin(t x)/t exp(-t^alpha / 2) dt."""
    stop = mp.mpf(90) ** (1 / mp.mpf(alpha))
    count = max(8, int(stop * x / math.pi) + 8)
    marks = [stop * mp.mpf(k) / count for k in range(count + 1)]
    value = mp.quad(lambda t: mp.sin(t * x) / t * mp.exp(-(t**alpha) / 2), marks)
    return float(1 - 2 / mp.pi * value)


@pytest.mark.parametrize("alpha", [0.8, 0.95, 1.05, 1.5, 1.9])
@pytest.mark.parametrize("x", [0.05, 0.5, 2.0])
def test_tail_probabilities_invert_the_characteristic_function(alpha: float, x: float):
    assert tail(alpha, np.log([x]))[0] == pytest.approx(tail_by_inversion(alpha, x), abs=1e-11)


@pytest.mark.parametrize("alpha", [0.3, 0.9, 1.1, 1.5, 1.9])
def test_the_table_of_tail_probabilities_is_the_integral(alpha: float):
    log_z = np.linspace(-50.0, 60.0, 400)
    np.testing.assert_allclose(stable_tail(alpha, log_z), tail(alpha, log_z), rtol=0, atol=2e-12)


@pytest.mark.parametrize("alpha", [1.0 - 1e-7, 1.0 + 1e-7, 2.0 - 1e-9])
def test_nothing_happens_where_the_formula_changes(alpha: float):
    log_z = np.log([0.01, 0.5, 2.0, 5.0])
    np.testing.assert_allclose(tail(alpha, log_z), tail(float(round(alpha)), log_z), atol=1e-6)


@pytest.mark.parametrize("q", [1e-6, 0.4, 30.0])
@pytest.mark.parametrize("name", [*BOUNDED, "relu", "gelu"])
def test_at_index_2_it_is_the_variance_map(name: str, q: float):
    f = parse_activation(name)
    v = VarianceMap(f, 1.7**2, 0.3**2)
    assert stable_length_map(f, 2.0, 1.7, 0.3, q) == pytest.approx(v(q), rel=1e-13)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("name", BOUNDED)
def test_the_route_of_stable_laws_gives_the_gaussian_moment_too(name: str, scale: float):
    """By the rise of |phi|^2 and the Gaussian's tail, which shares nothing with the moments."""
    f = parse_activation(name)
    both = [heavy_tails._side(f, 2.0, scale, sign) for sign in (1.0, -1.0)]
    expected = moments.second_moment(f, scale**2)
    assert 0.5 * sum(both) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("name", BOUNDED)
def test_at_index_1_it_is_the_cauchy_map(name: str, scale: float):
    """gamma E |phi(S C)| by tan t: weights (gamma / N) C are sigma_w = 2 gamma, S = q / 2."""
    f, gamma = parse_activation(name), 1.3
    found = stable_length_map(f, 1.0, 2.0 * gamma, 0.0, 2.0 * scale)
    assert found == pytest.approx(2.0 * cauchy_length_map(f, gamma, scale), rel=1e-12)
    marks = sorted({0.0, math.pi / 2, *(math.atan(abs(t) / scale) for t in f.kinks)})
    cuts = [0.0, *(math.atan(2.0**k / scale) for k in range(-20, 20)), math.pi / 2]
    total = mp.mpf(0)
    for sign in (1.0, -1.0):
        total += mp.quad(
            lambda t, sign=sign: abs(float(f.phi(np.array([sign * scale * float(mp.tan(t))]))[0])),
            sorted({*marks, *cuts}),
            maxdegree=3,
        )
    assert found == pytest.approx(2.0 * gamma * float(total) / math.pi, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 0.8, 1.3, 1.7])
@pytest.mark.parametrize("name", ["tanh", "crelu(1,1.2)", "sigmoid"])
def test_simulated_stable_variables_agree(alpha: float, name: str):
    """Draws by Chambers, Mallows and Stuck."""
    rng = np.random.default_rng(5)
    n = 200_000
    u, w = rng.uniform(-math.pi / 2, math.pi / 2, n), rng.exponential(size=n)
    x = np.sin(alpha * u) / np.cos(u) ** (1 / alpha)
    x *= (np.cos((1 - alpha) * u) / w) ** ((1 - alpha) / alpha)
    f, scale = parse_activation(name), 0.7
    powers = np.abs(f.phi(scale * 2.0 ** (-1 / alpha) * x)) ** alpha
    error = powers.std() / math.sqrt(n)
    assert abs(powers.mean() - absolute_moment(f, alpha, scale)) < 4.5 * error


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 1.9])
@pytest.mark.parametrize("sigma_w", [0.3, 1.0, 3.0])
def test_without_biases_there_is_a_positive_fixed_point_for_every_gain(alpha, sigma_w):
    """For alpha < 2; at alpha = 2 tanh needs sigma_w > 1."""
    tanh = parse_activation("tanh")
    points = stable_fixed_points(tanh, alpha, sigma_w, 0.0)
    if sigma_w < 1.0 and alpha > 1.5:  # it is exponentially small there, below the grid
        return
    zero, q = points
    assert zero == 0.0
    assert stable_length_map(tanh, alpha, sigma_w, 0.0, q) == pytest.approx(q, rel=1e-10)


def test_the_fixed_points_at_index_2_are_the_variance_map_s():
    tanh = parse_activation("tanh")
    assert stable_fixed_points(tanh, 2.0, 0.9, 0.0) == (0.0,)
    (point,) = fixed_points(VarianceMap(tanh, 1.5, 0.05))
    (found,) = stable_fixed_points(tanh, 2.0, math.sqrt(1.5), math.sqrt(0.05))
    assert found == pytest.approx(point.q, rel=1e-12)


def test_what_has_no_length_map_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        absolute_moment(parse_activation("relu"), 1.5, 1.0)
    with pytest.raises(UnsupportedOperationError, match="sin"):
        absolute_moment(parse_activation("sin"), 1.5, 1.0)
    with pytest.raises(ValueError, match="alpha"):
        absolute_moment(parse_activation("tanh"), 2.5, 1.0)
