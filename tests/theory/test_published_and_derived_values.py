"""Every value of the edge of chaos and off it that the project keeps, to the digits kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import activation, parse_activation
from fpcheck.theory.correlation_map import CorrelationMap, correlation_depth, stable_correlation
from fpcheck.theory.edge_of_chaos import clip_height, edge_of_chaos, sparse_threshold
from fpcheck.theory.heavy_tails import cauchy_fixed_scales, cauchy_length_map
from fpcheck.theory.moments import second_moment, second_moment_slope, slope_moment
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.quadrature import expectation, gaussian_rule
from fpcheck.theory.variance_map import VarianceMap, fixed_points, settled


def printed(value: float, text: str) -> bool:
    """Whether `value` rounds to `text`: within half a last digit, and what rounding that adds."""
    decimals = len(text.partition(".")[2])
    return abs(value - float(text)) <= 0.52 * 10.0**-decimals


# kind, sparsity, V', m, sigma_w^2, sigma_b^2, V'' at q* = 1. [Price et al. 2024, our derivation]
SPARSE = [
    ("crelu", 0.70, 0.5, "1.0511", "4.12493", "0.46528", "-0.36922"),
    ("crelu", 0.70, 0.7, "1.4469", "3.62770", "0.39283", "-0.30657"),
    ("crelu", 0.70, 0.9, "2.0540", "3.38940", "0.34650", "-0.03618"),
    ("crelu", 0.85, 0.5, "0.8095", "8.50694", "0.66049", "-0.14410"),
    ("crelu", 0.85, 0.7, "1.1704", "7.33482", "0.59534", "0.02291"),
    ("crelu", 0.85, 0.9, "1.7395", "6.79128", "0.55080", "0.40549"),
    ("cst", 0.80, 0.5, "0.7217", "6.45787", "0.72277", "0.00525"),
    ("cst", 0.80, 0.7, "1.0632", "5.52606", "0.66282", "0.23738"),
    ("cst", 0.80, 0.9, "1.6106", "5.09753", "0.62043", "0.68849"),
]


@pytest.mark.parametrize(("kind", "sparsity", "slope", "m", "w2", "b2", "curvature"), SPARSE)
def test_sparse_activations_on_the_edge_of_chaos(kind, sparsity, slope, m, w2, b2, curvature):
    height = clip_height(kind, sparsity, slope)
    f = activation(kind, {"tau": sparse_threshold(kind, sparsity), "m": height})
    (point,) = edge_of_chaos(f, q_star=1.0)
    assert printed(height, m)
    assert printed(point.sigma_w2, w2)
    assert printed(point.sigma_b2, b2)
    assert point.slope == pytest.approx(slope, abs=1e-12)
    assert point.curvature is not None
    assert printed(point.curvature, curvature)
    assert point.stable


@pytest.mark.parametrize(
    ("kind", "sparsity", "tau"),
    [("crelu", 0.7, "0.5244"), ("crelu", 0.85, "1.0364"), ("cst", 0.8, "1.2816")],
)
def test_thresholds_give_the_sparsity(kind, sparsity, tau):
    assert printed(sparse_threshold(kind, sparsity), tau)
    assert sparse_threshold(kind, sparsity, 4.0) == pytest.approx(
        2 * sparse_threshold(kind, sparsity)
    )


@pytest.mark.parametrize(
    ("q", "slope"), [(0.5, "0.880"), (1.0, "0.700"), (2.0, "0.511"), (4.0, "0.357")]
)
def test_a_larger_q_star_with_the_same_clip_flattens_the_variance_map(q, slope):
    f = activation("crelu", {"tau": sparse_threshold("crelu", 0.85, q), "m": 1.1704})
    (point,) = edge_of_chaos(f, q_star=q)
    assert printed(point.slope, slope)


def test_scaling_tau_and_m_with_sqrt_q_changes_only_units():
    for q in (0.25, 9.0):
        f = activation("cst", {"tau": 1.2816 * math.sqrt(q), "m": 0.7217 * math.sqrt(q)})
        (scaled,), (unit,) = (
            edge_of_chaos(f, q_star=q),
            edge_of_chaos(activation("cst", {"tau": 1.2816, "m": 0.7217}), q_star=1.0),
        )
        assert scaled.slope == pytest.approx(unit.slope, rel=1e-12)
        assert scaled.sigma_w2 == pytest.approx(unit.sigma_w2, rel=1e-12)
        assert scaled.curvature * q == pytest.approx(unit.curvature, abs=1e-9)


@pytest.mark.parametrize("kind", ["shifted_relu", "soft_threshold"])
@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.9])
def test_unclipped_sparse_activations_have_slope_one_at_the_edge(kind, sparsity):
    f = activation(kind, {"tau": sparse_threshold(kind, sparsity)})
    (point,) = edge_of_chaos(f, q_star=1.0)
    assert point.sigma_w2 == pytest.approx(1.0 / (1.0 - sparsity), rel=1e-12)
    assert point.slope == pytest.approx(1.0, abs=1e-12)
    assert not point.stable
    tau = f.parameters[0]
    sides = 2 if kind == "soft_threshold" else 1
    density = math.exp(-0.5 * tau * tau) / math.sqrt(2.0 * math.pi)
    assert point.curvature == pytest.approx(sides * point.sigma_w2 * tau * density / 2.0, abs=1e-12)


def test_cst_with_slope_0_9_has_two_more_fixed_points_and_crelu_1_74_none():
    f = activation("cst", {"tau": 1.2815515655446004, "m": clip_height("cst", 0.8, 0.9)})
    (edge,) = edge_of_chaos(f, q_star=1.0)
    points = fixed_points(VarianceMap(f, edge.sigma_w2, edge.sigma_b2))
    assert [round(p.q, 4) for p in points] == [1.0, 1.399, 3.4745]
    assert [p.stable for p in points] == [True, False, True]
    f = activation("crelu", {"tau": sparse_threshold("crelu", 0.85), "m": 1.7395})
    (edge,) = edge_of_chaos(f, q_star=1.0)
    assert len(fixed_points(VarianceMap(f, edge.sigma_w2, edge.sigma_b2))) == 1


def test_crelu_1_74_returns_slowly_through_a_bottleneck():
    """Layers until q is within 5 % of q* = 1, and chi_1 where it starts."""
    f = activation("crelu", {"tau": sparse_threshold("crelu", 0.85), "m": 1.7395})
    (edge,) = edge_of_chaos(f, q_star=1.0)
    v = VarianceMap(f, edge.sigma_w2, edge.sigma_b2)
    for start, layers, chi1 in ((1.3, 24, "1.18"), (2.0, 50, "1.41"), (4.0, 62, "1.49")):
        q, taken = start, 0
        while abs(q - 1.0) > 0.05:
            q, taken = v(q), taken + 1
        assert taken == layers
        assert printed(v.chi1(start), chi1)


@pytest.mark.parametrize(("slope", "spread"), [(0.5, "0.113"), (0.7, "0.152"), (0.9, "0.280")])
def test_the_stationary_spread_of_q_at_width_300(slope, spread):
    """sd(q)^2 = (sigma_w^4 Var(phi^2) / (1 - V'^2) + 2 q^2) / N."""
    height = clip_height("crelu", 0.85, slope)
    f = activation("crelu", {"tau": sparse_threshold("crelu", 0.85), "m": height})
    (edge,) = edge_of_chaos(f, q_star=1.0)
    fourth = expectation(lambda x: f.phi(x) ** 4, 1.0, f.kinks)
    variance = fourth - second_moment(f, 1.0) ** 2
    square = (edge.sigma_w2**2 * variance / (1.0 - edge.slope**2) + 2.0) / 300
    assert printed(math.sqrt(square), spread)


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


def test_torch_default_scale_with_relu_forgets_in_half_a_layer():
    v = VarianceMap(parse_activation("relu"), 1.0 / 3.0, 0.1)
    (point,) = fixed_points(v)
    assert point.chi1 == pytest.approx(1.0 / 6.0, rel=1e-15)
    assert printed(correlation_depth(CorrelationMap(v, point.q), 1.0), "0.56")
    slope = pair_slope_moment(parse_activation("relu"), point.q, point.q, 1.0)
    assert slope == pytest.approx(0.5, rel=1e-15)
