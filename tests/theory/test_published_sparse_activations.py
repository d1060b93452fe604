"""Every value of sparse activations on the edge of chaos that the project keeps, to the digits."""

from __future__ import annotations

import math

import pytest

from fpcheck.network.activations import activation
from fpcheck.theory.edge_of_chaos import (
    clip_height,
    edge_of_chaos,
    sparse_edge,
    sparse_threshold,
)
from fpcheck.theory.moments import mean, second_moment
from fpcheck.theory.quadrature import expectation
from fpcheck.theory.variance_map import VarianceMap, fixed_points


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


@pytest.mark.parametrize(("kind", "sparsity", "slope", "m", "w2", "b2", "curvature"), SPARSE)
def test_sparsity_and_the_printed_clip_give_both_sigmas(
    kind, sparsity, slope, m, w2, b2, curvature
):
    """From m with its four printed digits, so within what its last digit moves."""
    found = sparse_edge(kind, sparsity, float(m))
    assert found is not None
    assert found.point.sigma_w2 == pytest.approx(float(w2), rel=2e-4)
    assert found.point.sigma_b2 == pytest.approx(float(b2), rel=2e-4)
    assert found.point.slope == pytest.approx(slope, abs=1e-4)


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


@pytest.mark.parametrize("t", [-0.7, 0.0, 1.3])
@pytest.mark.parametrize("q", [0.2, 1.0, 9.0])
def test_moments_of_a_shifted_relu_in_closed_form(t, q):
    """I2 = (q + t^2) Phi(-t/sqrt q) - t sqrt q pdf, I1 = sqrt q pdf - t Phi(-t/sqrt q)."""
    f, a = activation("shifted_relu", {"tau": t}), t / math.sqrt(q)
    above = 0.5 * math.erfc(a / math.sqrt(2.0))
    density = math.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
    second = (q + t * t) * above - t * math.sqrt(q) * density
    assert second_moment(f, q) == pytest.approx(second, rel=1e-13)
    assert mean(f, q) == pytest.approx(math.sqrt(q) * density - t * above, rel=1e-12)
