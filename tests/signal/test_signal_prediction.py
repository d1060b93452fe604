from __future__ import annotations

import math

import pytest

from fpcheck.network.initializers import parse_law
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import TheoryResult
from fpcheck.theory.propagation import UnitMoments
from fpcheck.theory.variance_map import VarianceMap, settled

START = UnitMoments(q=1.0, k=0.0)


def normal(sigma_w2, sigma_b2):
    return (
        parse_law({"law": "normal", "sigma2": sigma_w2, "scale": "1/sqrt(fan_in)"}),
        parse_law({"law": "normal", "sigma2": sigma_b2}),
    )


def by_law(network, depth, sigma_w2, sigma_b2):
    result = predict(network, START, {f"l{i}": normal(sigma_w2, sigma_b2) for i in range(depth)})
    assert isinstance(result, TheoryResult)
    return result


def test_a_stack_by_its_laws_has_the_fixed_point_of_its_variance_map(chain):
    result = by_law(chain([8, *[8] * 12, 3], "tanh", 1.5, 0.05), 13, 1.5, 0.05)
    assert result.homogeneous
    assert result.basis == "the laws of the spec"
    assert result.q_star == pytest.approx(0.41803720, abs=1e-8)
    assert result.chi1 == pytest.approx(0.93863627, abs=1e-8)
    assert (result.c_star, result.phase) == (1.0, "ordered")
    assert result.depth_scale_c == pytest.approx(15.7910, abs=1e-4)
    assert result.usable_depth == pytest.approx(6 * 15.7910, abs=1e-3)
    assert result.layers[11].q == pytest.approx(result.q_star, rel=1e-2)
    assert result.layers[11].chi1 == pytest.approx(result.chi1, rel=1e-2)


def test_chaotic_and_critical_stacks(chain):
    chaotic = by_law(chain([8, *[8] * 5, 3], "tanh", 3.0, 0.05), 6, 3.0, 0.05)
    assert chaotic.phase == "chaotic"
    assert chaotic.c_star == pytest.approx(0.299318, abs=1e-6)
    assert chaotic.depth_scale_c == pytest.approx(9.0515, abs=1e-4)
    relu = by_law(chain([8, *[8] * 5, 3], "relu", 2.0, 0.0), 6, 2.0, 0.0)
    assert (relu.phase, relu.every_q_fixed, relu.usable_depth) == ("critical", True, math.inf)
    assert relu.q_star == relu.layers[0].q == pytest.approx(2.0, rel=1e-15)


def test_relu_with_too_large_weights_runs_away_and_keeps_its_correlations(chain):
    result = by_law(chain([8, *[8] * 5, 3], "relu", 9.0, 0.0), 6, 9.0, 0.0)
    assert result.q_star is None
    assert result.chi1 == pytest.approx(4.5)
    assert result.phase == "chaotic"
    assert result.usable_depth == math.inf
    assert [row.q for row in result.layers[1:3]] == pytest.approx([40.5, 182.25])


def test_a_fading_stack_has_q_star_zero(chain):
    result = by_law(chain([8, *[8] * 5, 3], "tanh", 0.5, 0.0), 6, 0.5, 0.0)
    assert (result.q_star, result.phase) == (0.0, "ordered")
    assert result.chi1 == pytest.approx(0.5, rel=1e-14)
    assert result.depth_scale_q == pytest.approx(1.0 / math.log(2.0))


def test_unequal_layers_get_geometric_means_and_no_fixed_point(chain):
    network = chain([8, 16, 8, 12, 4], "tanh", 1.0, 0.05)
    result = predict(network, START)
    assert isinstance(result, TheoryResult)
    assert not result.homogeneous
    assert (result.q_star, result.fixed_points) == (None, ())
    growth = math.prod(row.chi1 for row in result.layers[1:])
    assert result.chi1 == pytest.approx(growth ** (1 / 3), rel=1e-12)
    assert "geometric means over 3 maps" in result.notes[0]


def test_a_critical_law_is_called_critical_by_its_draws_too(chain):
    """The band is what the scatter of sigma_w^2 and sigma_b^2 leaves of chi_1."""
    wrong = 0
    for seed in range(20):
        network = chain([30, *[30] * 10, 3], "tanh", 1.76095464, 0.05, seed=seed)
        result = predict(network, START)
        assert isinstance(result, TheoryResult)
        assert result.homogeneous
        wrong += result.phase != "critical"
    assert wrong <= 4  # 5 % of 20 would be 1; P(more than 4) is 0.3 %


def test_ordered_and_chaotic_draws_are_not_called_critical(chain):
    for sigma_w2, phase in ((1.2, "ordered"), (3.0, "chaotic")):
        result = predict(chain([100, *[100] * 10, 3], "tanh", sigma_w2, 0.05), START)
        assert isinstance(result, TheoryResult)
        assert result.phase == phase


def test_layers_drawn_by_different_laws_are_not_one_stack(chain):
    network = chain([50, *[50] * 5, 3], "tanh", 1.0, 0.05)
    parameters = dict(network.parameters)
    parameters["w2"] = parameters["w2"] * 2.0
    result = predict(type(network)(network.skeleton, parameters), START)
    assert isinstance(result, TheoryResult)
    assert not result.homogeneous


def test_the_predicted_layers_follow_the_variance_map(chain):
    result = by_law(chain([8, *[8] * 5, 3], "gelu", 1.7, 0.3), 6, 1.7, 0.3)
    from fpcheck.network.activations import parse_activation

    v = VarianceMap(parse_activation("gelu"), 1.7, 0.3)
    q = 1.7 + 0.3
    for row in result.layers:
        assert row.q == pytest.approx(q, rel=1e-12)
        q = v(q)
    point = settled(v, 2.0)
    assert point is not None
    assert result.q_star == pytest.approx(point.q, rel=1e-9)


@pytest.mark.parametrize("widths", [[8, 8, 8, 8, 3], [8, 16, 4, 3]])
@pytest.mark.parametrize("function", ["relu", "tanh", "sigmoid", "soft_threshold(1)"])
@pytest.mark.parametrize("q", [0.0, 1.0])
def test_zero_weights_and_zero_inputs_are_no_error(chain, widths, function, q):
    for sigma_w2, sigma_b2 in ((0.0, 0.0), (0.0, 0.1), (1.0, 0.0)):
        network = chain(widths, function, sigma_w2, sigma_b2)
        result = predict(network, UnitMoments(q=q, k=0.0))
        assert isinstance(result, TheoryResult)
        assert len(result.layers) == len(widths) - 1
