"""The edge of chaos as a curve, and the points that are recommended on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments
from fpcheck.theory.edge_of_chaos import (
    HELD,
    best_edge_point,
    edge_curve,
    edge_of_chaos,
    sparse_edge,
)
from fpcheck.theory.variance_map import VarianceMap, fixed_points

NAMES = ["tanh", "sigmoid", "elu", "selu", "gelu", "gelu_tanh", "silu", "softsign", "erf",
         "hardtanh", "crelu(1,1.2)", "cst(1.28,1.06)", "shifted_relu(1)"]  # fmt: skip
QS = [float(q) for q in np.geomspace(1e-2, 1e4, 200)]


@pytest.mark.parametrize("name", NAMES)
def test_every_point_of_a_curve_is_a_fixed_point_with_chi_1_one(name: str):
    f = parse_activation(name)
    points = edge_curve(f, QS)
    assert len(points) == 200
    found = [point for point in points if point is not None]
    assert found
    for point in found[::7]:
        if point.sigma_w2 > 1e12:
            continue  # a layer that is all but surely off: 1 / E phi'^2 is astronomic
        v = VarianceMap(f, point.sigma_w2, point.sigma_b2)
        assert v(point.q_star) == pytest.approx(point.q_star, rel=1e-9)
        assert v.chi1(point.q_star) == pytest.approx(1.0, rel=1e-12)
        assert v.slope(point.q_star) == pytest.approx(point.slope, rel=1e-12)


def test_a_curve_is_none_where_the_biases_would_need_a_negative_variance():
    for name in ("softplus", "sigmoid"):
        f = parse_activation(name)
        for q, point in zip(QS, edge_curve(f, QS), strict=True):
            bias = q - moments.second_moment(f, q) / moments.slope_moment(f, q)
            assert (point is None) == (bias < -1e-9 * q)


def test_given_the_bias_variance_of_a_point_the_curve_gives_the_point_back():
    for name in ("tanh", "elu", "softsign", "erf"):
        f = parse_activation(name)
        (there,) = edge_of_chaos(f, q_star=0.8)
        (back,) = edge_of_chaos(f, sigma_b2=there.sigma_b2)
        assert back.q_star == pytest.approx(0.8, rel=1e-9)
        assert back.sigma_w2 == pytest.approx(there.sigma_w2, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_best_point_holds_its_variance_wherever_one_does(name: str):
    f = parse_activation(name)
    best = best_edge_point(f)
    assert best is not None
    others = [point for point in edge_curve(f, QS) if point is not None]
    assert best.stable == any(point.stable for point in others)
    if best.slope > HELD:
        assert best.slope <= min(point.slope for point in others) + 1e-3
    if best.stable:
        points = fixed_points(VarianceMap(f, best.sigma_w2, best.sigma_b2))
        assert any(abs(p.q - best.q_star) <= 1e-6 * best.q_star and p.stable for p in points)


def test_the_best_point_is_at_unit_variance_where_that_is_held():
    for name in ("tanh", "elu", "selu", "erf", "softsign", "cst(1.28,1.06)"):
        best = best_edge_point(parse_activation(name))
        assert best is not None
        assert best.q_star == 1.0
    gelu = best_edge_point(parse_activation("gelu"))
    assert gelu is not None
    assert gelu.sigma_b2 > 0.416**2


def test_no_edge_of_chaos_no_best_point_and_relu_keeps_every_variance():
    assert best_edge_point(parse_activation("softplus")) is None
    relu = best_edge_point(parse_activation("relu"))
    assert relu is not None
    assert (relu.sigma_w2, relu.sigma_b2, relu.slope, relu.stable) == (2.0, 0.0, 1.0, False)


@pytest.mark.parametrize(("name", "sides"), [("crelu", 1), ("cst", 2)])
@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.85, 0.95])
@pytest.mark.parametrize("q", [0.5, 2.0])
def test_sparsity_and_clip_give_both_sigmas(name, sides, sparsity, q):
    found = sparse_edge(name, sparsity, 1.3, q)
    assert found is not None
    zero = math.erf(found.tau / math.sqrt(2.0 * q))
    share = zero if sides == 2 else 0.5 + 0.5 * zero
    assert share == pytest.approx(sparsity, rel=1e-12)
    v = VarianceMap(found.function, found.point.sigma_w2, found.point.sigma_b2)
    assert v(q) == pytest.approx(q, rel=1e-12)
    assert v.chi1(q) == pytest.approx(1.0, rel=1e-12)
    assert found.function.parameters == (found.tau, 1.3)


def test_a_clip_is_asked_for_where_there_is_one_and_only_there():
    unclipped = sparse_edge("shifted_relu", 0.7)
    assert unclipped is not None
    assert unclipped.m is None
    with pytest.raises(ValueError, match="needs a clip"):
        sparse_edge("crelu", 0.7)
    with pytest.raises(ValueError, match="no clip"):
        sparse_edge("soft_threshold", 0.7, 1.0)


def test_where_no_input_reaches_a_slope_there_is_no_point():
    far = parse_activation("crelu(30, 1)")
    assert edge_of_chaos(far, q_star=0.1) == ()
    assert edge_curve(far, (1e-6, 0.1)) == (None, None)
    best = best_edge_point(far)
    assert best is not None
    assert best.q_star > 1.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sigma_b2", [0.0, 0.05, 1.0])
def test_the_point_has_the_bias_variance_that_was_asked_for(name, sigma_b2):
    for point in edge_of_chaos(parse_activation(name), sigma_b2=sigma_b2):
        assert point.sigma_b2 == sigma_b2  # not 1e-14 beside it, and never below 0
