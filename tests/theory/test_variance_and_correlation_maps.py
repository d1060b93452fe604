from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.theory.correlation_map import (
    CorrelationMap,
    correlation_depth,
    phase_of,
    stable_correlation,
    usable_depth,
)
from fpcheck.theory.edge_of_chaos import clip_height, edge_of_chaos
from fpcheck.theory.heavy_tails import cauchy_absolute_moment
from fpcheck.theory.variance_map import (
    VarianceMap,
    depth_scale,
    every_q_is_fixed,
    fixed_points,
    settled,
)


def variance_map(name: str, w2: float, b2: float) -> VarianceMap:
    return VarianceMap(parse_activation(name), w2, b2)


def test_relu_with_unit_weight_variance_halves_the_variance():
    v = variance_map("relu", 1.0, 0.0)
    assert (v(3.0), v.slope(3.0), v.chi1(3.0), v.curvature(3.0)) == (1.5, 0.5, 0.5, 0.0)
    (zero,) = fixed_points(v)
    assert (zero.q, zero.stable) == (0.0, True)


def test_relu_with_biases_has_the_fixed_point_of_a_straight_line():
    (point,) = fixed_points(variance_map("relu", 1.5, 0.2))
    assert point.q == pytest.approx(0.2 / (1.0 - 0.75), rel=1e-15)
    assert fixed_points(variance_map("relu", 2.0, 0.1)) == ()


def test_relu_at_criticality_fixes_every_q():
    v = variance_map("relu", 2.0, 0.0)
    assert every_q_is_fixed(v)
    assert fixed_points(v) == ()
    assert not every_q_is_fixed(variance_map("relu", 2.0, 1e-3))
    assert not every_q_is_fixed(variance_map("tanh", 1.0, 0.0))


@pytest.mark.parametrize(
    ("name", "w2", "b2"),
    [("tanh", 2.0, 0.1), ("sigmoid", 3.0, 0.01), ("gelu", 1.5, 0.3), ("crelu(1,1)", 8.0, 0.5),
     ("softplus", 0.3, 0.1), ("selu", 1.0, 0.0), ("sin", 4.0, 0.2)],
)  # fmt: skip
def test_fixed_points_satisfy_their_equation(name, w2, b2):
    v = variance_map(name, w2, b2)
    points = fixed_points(v)
    assert points
    for point in points:
        assert v(point.q) == pytest.approx(point.q, rel=1e-12)
        assert point.stable == (abs(point.slope) < 1.0)


@pytest.mark.parametrize("start", [0.01, 1.2, 1.5, 30.0])
def test_the_settled_point_is_where_plain_iteration_ends(start):
    v = variance_map("cst(1.2815515655446004,1.6105503363856675)", 5.0975346495, 0.6204295097)
    point = settled(v, start)
    q = start
    for _ in range(3000):
        q = v(q)
    assert point is not None
    assert point.q == pytest.approx(q, rel=1e-6)


def test_a_map_that_does_not_increase_is_followed_step_by_step():
    """A clip below zero makes E phi^2 fall with q: the bracket argument would be wrong."""
    v = variance_map("crelu(-1,1)", 3.0, 0.1)
    point = settled(v, 0.5)
    q = 0.5
    for _ in range(500):
        q = v(q)
    assert point is not None
    assert point.slope < 0.0
    assert point.q == pytest.approx(q, rel=1e-9)


def test_growth_without_bound_settles_nowhere():
    assert settled(variance_map("silu", 1.718**2, 0.04), 1.0) is None
    assert settled(variance_map("relu", 2.5, 0.0), 1.0) is None


def test_the_depth_scale_is_the_decay_length():
    assert depth_scale(math.exp(-0.1)) == pytest.approx(10.0)
    assert depth_scale(0.0) == 0.0
    assert depth_scale(1.0) == math.inf


@pytest.mark.parametrize(
    ("name", "w2", "b2"), [("tanh", 1.5, 0.05), ("tanh", 3.0, 0.05), ("gelu", 1.5, 0.3)]
)
def test_the_correlation_map_fixes_one_with_slope_chi_1(name, w2, b2):
    v = variance_map(name, w2, b2)
    point = settled(v, 1.0)
    assert point is not None
    m = CorrelationMap(v, point.q)
    assert m(1.0) == pytest.approx(1.0, abs=1e-12)
    assert m.slope(1.0) == pytest.approx(point.chi1, rel=1e-12)
    h = 1e-5
    assert m.slope(0.4) == pytest.approx((m(0.4 + h) - m(0.4 - h)) / (2 * h), rel=1e-8)


@pytest.mark.parametrize("w2", [1.2, 1.5, 2.5, 6.0])
def test_iterated_correlations_end_on_the_stable_one_at_its_rate(w2):
    v = variance_map("tanh", w2, 0.05)
    point = settled(v, 1.0)
    assert point is not None
    m = CorrelationMap(v, point.q)
    c_star = stable_correlation(m)
    c, before = 0.6, math.inf
    while abs(c - c_star) > 1e-5:
        before, c = abs(c - c_star), m(c)
    rate = -1.0 / math.log(abs(m(c) - c_star) / abs(c - c_star))
    assert before < 1e-3  # the linear range has been reached
    assert rate == pytest.approx(correlation_depth(m, c_star), rel=1e-3)


def test_odd_functions_without_biases_decorrelate_fully_in_the_chaotic_phase():
    v = variance_map("tanh", 4.0, 0.0)
    point = settled(v, 1.0)
    assert point is not None
    assert stable_correlation(CorrelationMap(v, point.q)) == 0.0


def test_just_inside_chaos_the_stable_correlation_is_just_below_one():
    (edge,) = edge_of_chaos(parse_activation("tanh"), sigma_b2=0.05)
    v = variance_map("tanh", edge.sigma_w2 * 1.0001, 0.05)
    point = settled(v, 1.0)
    assert point is not None
    c_star = stable_correlation(CorrelationMap(v, point.q))
    assert 0.99 < c_star < 1.0


def test_phases():
    assert [phase_of(x) for x in (0.9, 1.0, 1.002, 1.1)] == [
        "ordered", "critical", "critical", "chaotic",
    ]  # fmt: skip
    assert phase_of(0.9, band=0.2) == "critical"
    assert usable_depth(10.0) == 60.0
    assert usable_depth(math.inf) == math.inf


@pytest.mark.parametrize("name", ["tanh", "gelu", "selu", "softsign", "sin", "cst(1,1)"])
def test_every_edge_point_is_a_fixed_point_with_chi_1_one(name):
    f = parse_activation(name)
    points = edge_of_chaos(f, sigma_b2=0.2)
    for edge in points:
        v = VarianceMap(f, edge.sigma_w2, edge.sigma_b2)
        assert v(edge.q_star) == pytest.approx(edge.q_star, rel=1e-10)
        assert v.chi1(edge.q_star) == pytest.approx(1.0, rel=1e-12)
    assert points


def test_an_edge_point_that_would_need_negative_bias_variance_is_not_given():
    assert edge_of_chaos(parse_activation("softplus"), q_star=0.01) == ()
    with pytest.raises(ValueError, match="sigma_b2 or q_star"):
        edge_of_chaos(parse_activation("tanh"))


def test_a_clip_cannot_have_slope_one_on_the_edge():
    with pytest.raises(ValueError, match="0 < V"):
        clip_height("crelu", 0.8, 1.0)


def test_cauchy_moments_agree_with_the_substitution_by_the_tangent():
    """E |tanh(s C)| = (2/pi) int_0^(pi/2) tanh(s tan t) dt, by a fine midpoint rule."""
    t = (np.arange(2_000_000) + 0.5) * (0.5 * math.pi / 2_000_000)
    for s in (0.01, 0.5, 40.0):
        expected = 2.0 / math.pi * float(np.tanh(s * np.tan(t)).mean()) * 0.5 * math.pi
        found = cauchy_absolute_moment(parse_activation("tanh"), s)
        assert found == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="infinite"):
        cauchy_absolute_moment(parse_activation("relu"), 1.0)


def test_the_absolute_moment_of_an_uneven_function_takes_both_sides():
    s = cauchy_absolute_moment(parse_activation("sigmoid"), 1e8)
    assert s == pytest.approx(0.5, abs=1e-6)
