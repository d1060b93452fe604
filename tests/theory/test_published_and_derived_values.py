"""Every value of the edge of chaos and off it that the project keeps, to the digits kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.theory.correlation_map import CorrelationMap, correlation_depth, stable_correlation
from fpcheck.theory.edge_of_chaos import (
    edge_of_chaos,
)
from fpcheck.theory.heavy_tails import (
    cauchy_fixed_scales,
    cauchy_length_map,
    stable_fixed_points,
)
from fpcheck.theory.moments import second_moment, second_moment_slope, slope_moment
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.quadrature import gaussian_rule
from fpcheck.theory.variance_map import VarianceMap, fixed_points, settled


def printed(value: float, text: str) -> bool:
    """Whether `value` rounds to `text`: within half a last digit, and what rounding that adds."""
    decimals = len(text.partition(".")[2])
    return abs(value - float(text)) <= 0.52 * 10.0**-decimals


# activation, sigma_b^2, q*, sigma_w^2
EDGE = [
    ("tanh", 1e-3, "0.10729236", "1.18918959"),
    ("tanh", 0.05, "0.57004788", "1.76095464"),
    ("tanh", 0.25, "1.31793900", "2.40148924"),
    ("erf", 0.05, "0.51717684", "1.37583901"),
    ("hardtanh", 0.05, "0.46386397", "1.16554469"),
]


@pytest.mark.parametrize(("name", "sigma_b2", "q_star", "sigma_w2"), EDGE)
def test_edge_of_chaos_of_saturating_activations(name, sigma_b2, q_star, sigma_w2):
    (point,) = edge_of_chaos(parse_activation(name), sigma_b2=sigma_b2)
    assert printed(point.q_star, q_star)
    assert printed(point.sigma_w2, sigma_w2)
    assert point.sigma_b2 == pytest.approx(sigma_b2, rel=1e-10)
    assert point.slope < 1.0


def test_edge_of_chaos_in_closed_form():
    (relu,) = edge_of_chaos(parse_activation("relu"), sigma_b2=0.0)
    assert (relu.sigma_w2, relu.sigma_b2) == (2.0, 0.0)
    (leaky,) = edge_of_chaos(parse_activation("leaky_relu(0.3)"), sigma_b2=0.0)
    assert leaky.sigma_w2 == pytest.approx(2.0 / (1.0 + 0.3**2), rel=1e-15)
    (erf,) = edge_of_chaos(parse_activation("erf"), sigma_b2=0.0)
    assert erf.sigma_w2 == pytest.approx(math.pi / 4.0, rel=1e-15)
    (tanh,) = edge_of_chaos(parse_activation("tanh"), sigma_b2=0.0)
    assert (tanh.q_star, tanh.sigma_w2) == (0.0, 1.0)
    assert edge_of_chaos(parse_activation("relu"), sigma_b2=0.1) == ()


def test_edge_of_chaos_of_elu():
    (point,) = edge_of_chaos(parse_activation("elu"), sigma_b2=0.04)
    assert printed(point.q_star, "1.106931")
    assert printed(math.sqrt(point.sigma_w2), "1.229251")


def test_published_pairs_are_a_hair_off_the_edge():
    for name, sigma_b, sigma_w in (("elu", 0.2, 1.227), ("tanh", 0.2, 1.302)):
        v = VarianceMap(parse_activation(name), sigma_w**2, sigma_b**2)
        point = settled(v, 1.0)
        assert point is not None
        assert point.chi1 is not None
        assert 1e-5 < abs(point.chi1 - 1.0) < 5e-3


# tanh off the edge: sigma_w^2, sigma_b^2, q*, chi_1, V', xi_c, c*
@pytest.mark.parametrize(
    ("w2", "b2", "q_star", "chi1", "slope", "xi_c", "c_star"),
    [
        (1.5, 0.05, "0.41803720", "0.93863627", "0.551983", "15.7910", "1.000000"),
        (3.0, 0.05, "1.42800846", "1.20893442", "0.382820", "9.0515", "0.299318"),
    ],
)
def test_tanh_off_the_edge(w2, b2, q_star, chi1, slope, xi_c, c_star):
    v = VarianceMap(parse_activation("tanh"), w2, b2)
    (point,) = fixed_points(v)
    assert printed(point.q, q_star)
    assert point.chi1 is not None
    assert printed(point.chi1, chi1)
    assert printed(point.slope, slope)
    m = CorrelationMap(v, point.q)
    c = stable_correlation(m)
    assert printed(c, c_star)
    assert printed(correlation_depth(m, c), xi_c)


def test_swish_at_the_published_pair_has_no_finite_fixed_point():
    assert fixed_points(VarianceMap(parse_activation("swish"), 1.718**2, 0.2**2)) == ()


@pytest.mark.parametrize("sigma_b", [0.1, 0.2, 0.35, 0.5])
def test_every_edge_point_of_swish_with_small_biases_is_unstable(sigma_b):
    points = edge_of_chaos(parse_activation("silu"), sigma_b2=sigma_b**2)
    assert points
    assert all(point.slope > 1.0 and not point.stable for point in points)


def test_gelu_on_the_edge_is_stable_from_sigma_b_0_416_on():
    gelu = parse_activation("gelu")
    below = edge_of_chaos(gelu, sigma_b2=0.415**2)
    above = edge_of_chaos(gelu, sigma_b2=0.417**2)
    assert below
    assert above
    assert not any(point.stable for point in below)
    assert all(point.stable for point in above)


@pytest.mark.parametrize(("name", "boundary"), [("gelu", "0.2470671687"), ("silu", "0.6819686773")])
def test_without_biases_gelu_and_swish_fall_to_zero_or_run_away(name, boundary):
    v = VarianceMap(parse_activation(name), 3.0, 0.0)
    zero, middle = fixed_points(v)
    assert zero.q == 0.0
    assert zero.stable
    assert printed(middle.q, boundary)
    assert not middle.stable
    assert settled(v, 0.99 * middle.q) == zero
    assert settled(v, 1.01 * middle.q) is None


def test_gelu_with_he_gain_loses_its_variance():
    v = VarianceMap(parse_activation("gelu"), 2.0, 0.0)
    q = 1.0
    sizes = []
    for _ in range(20):
        q = v(q)
        sizes.append(q)
    assert sizes[12] == pytest.approx(0.004, rel=0.15)
    assert sizes[19] == pytest.approx(3e-5, rel=0.15)


# E phi^2, C(0), C'(1) normalised by E phi^2, at q = 1
@pytest.mark.parametrize(
    ("name", "second", "at_zero", "slope"),
    [
        ("tanh", "0.394294490398", "0.0", "1.177807232304"),
        ("gelu", "0.425221482570", "0.187143582363", "1.072031598436"),
        ("silu", "0.355775519817", "0.119997640211", "1.066634241242"),
        ("erf", "0.464559054398", "0.0", "1.225700003786"),
    ],
)
def test_unit_variance_values(name, second, at_zero, slope):
    f = parse_activation(name)
    assert printed(second_moment(f, 1.0), second)
    assert printed(pair_moment(f, 1.0, 1.0, 0.0) / second_moment(f, 1.0), at_zero)
    assert printed(slope_moment(f, 1.0) / second_moment(f, 1.0), slope)


def test_derivative_of_the_second_moment_of_tanh_at_one():
    assert printed(second_moment_slope(parse_activation("tanh"), 1.0), "0.181797688141")


@pytest.mark.parametrize(
    ("name", "factor", "dual"),
    [
        ("identity", 1.0, "0.30000000"),
        ("relu", 2.0, "0.48274428"),
        ("step", 2.0, "0.59698668"),
        ("erf", 1.0, "0.12818843"),
        ("sin", 1.0, "0.11202676"),
    ],
)
def test_dual_activations_at_correlation_0_3(name, factor, dual):
    assert printed(factor * pair_moment(parse_activation(name), 1.0, 1.0, 0.3), dual)


@pytest.mark.parametrize(
    ("phi", "dual"),
    [
        (lambda x: (x * x - 1.0) / math.sqrt(2.0), "0.09000000"),
        (lambda x: np.exp(x - 1.0), "0.49658530"),
    ],
)
def test_dual_activations_of_functions_outside_the_registry(phi, dual):
    """E phi(X) phi(Y) at correlation 0.3, X = sqrt(0.3) w + sqrt(0.7) z, Y with a z of its own."""
    w, outer = gaussian_rule(0.3)
    z, inner = gaussian_rule(0.7)
    assert printed(float(outer @ (phi(w[:, None] + z) @ inner) ** 2), dual)


def test_relu_dual_kernels_by_depth():
    relu, rho, values = parse_activation("relu"), 0.0, []
    for _ in range(10):
        rho = 2.0 * pair_moment(relu, 1.0, 1.0, rho)
        values.append(rho)
    for depth, text in (
        (1, "0.31830989"),
        (2, "0.49373109"),
        (5, "0.73594635"),
        (10, "0.87153552"),
    ):
        assert printed(values[depth - 1], text)


def test_relu_correlation_at_criticality_approaches_one_as_depth_squared():
    """1 - c ~ (9 pi^2 / 2) / l^2, still 20 % off at l = 100."""
    relu, rho = parse_activation("relu"), 0.0
    gaps = {}
    for depth in range(1, 2001):
        rho = 2.0 * pair_moment(relu, 1.0, 1.0, rho)
        gaps[depth] = (1.0 - rho) * depth**2 / (4.5 * math.pi**2)
    assert 0.75 < gaps[100] < 0.85
    assert gaps[2000] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("gamma", "scale"), [(0.5, "0.09609556"), (1.0, "0.51206999"), (2.0, "1.50352486")]
)
def test_cauchy_length_map_of_tanh(gamma, scale):
    tanh = parse_activation("tanh")
    (found,) = cauchy_fixed_scales(tanh, gamma)
    assert printed(found, scale)
    assert cauchy_length_map(tanh, gamma, found) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("name", ["relu", "shifted_relu(0.4)", "soft_threshold(0.4)"])
@pytest.mark.parametrize("q", [0.1, 1.0, 10.0])
def test_v_prime_is_chi_1_for_relu_and_the_unclipped_sparse_ones(name, q):
    v = VarianceMap(parse_activation(name), 1.7, 0.1)
    assert v.slope(q) == pytest.approx(v.chi1(q), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "q", "sign"),
    [("tanh", 0.5, -1), ("erf", 0.5, -1), ("hardtanh", 0.5, -1), ("crelu(1,1)", 0.5, -1),
     ("silu", 0.1, 1), ("silu", 3.0, 1), ("gelu", 0.1, 1)],
)  # fmt: skip
def test_v_prime_is_below_chi_1_for_saturating_and_above_for_swish_and_small_gelu(name, q, sign):
    v = VarianceMap(parse_activation(name), 1.0, 0.0)
    assert sign * (v.slope(q) - v.chi1(q)) > 1e-4


@pytest.mark.parametrize("beta", [0.0, 0.2, 0.7])
def test_a_bias_shifts_the_correlation_of_a_dual(beta):
    """Weights N(0, 1 - beta), bias N(0, beta): the dual at (1 - beta) rho + beta."""
    relu, rho = parse_activation("relu"), 0.3
    v = VarianceMap(relu, 2.0 * (1.0 - beta), beta)
    shared = 2.0 * pair_moment(relu, 1.0, 1.0, rho)
    assert v(1.0) == pytest.approx(1.0)
    assert CorrelationMap(v, 1.0)(rho) == pytest.approx((1.0 - beta) * shared + beta, rel=1e-14)


@pytest.mark.parametrize("alpha", [1.2, 1.8])
def test_heavy_tails_have_a_positive_length_at_every_gain(alpha):
    zero, q = stable_fixed_points(parse_activation("tanh"), alpha, 1.0, 0.0)
    assert zero == 0.0
    assert q > 0.0


def test_torch_default_scale_with_relu_forgets_in_half_a_layer():
    v = VarianceMap(parse_activation("relu"), 1.0 / 3.0, 0.1)
    (point,) = fixed_points(v)
    assert point.chi1 == pytest.approx(1.0 / 6.0, rel=1e-15)
    assert printed(correlation_depth(CorrelationMap(v, point.q), 1.0), "0.56")
    slope = pair_slope_moment(parse_activation("relu"), point.q, point.q, 1.0)
    assert slope == pytest.approx(0.5, rel=1e-15)
