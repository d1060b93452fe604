"""The probe's learning rate in deep networks: of the network as it is, where that is alive."""

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.problem import pose_problem
from fpcheck.escape.rate import choose_rate, largest_curvature, rescaled
from fpcheck.network.activations import parse_activation
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.program import trace
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

SPARSE = ("crelu(1.0364,0.8095)", 8.50694, 0.66049)  # on the edge of chaos at q* = 1


def chain(depth, function, sigma_w2, sigma_b2, width=32, seed=0):
    rng = np.random.default_rng(seed)
    nodes, parameters = [Input("x", (8,))], {}
    for index in range(depth):
        fan_in, units = (8 if index == 0 else width), (3 if index == depth - 1 else width)
        weight = rng.normal(size=(units, fan_in)) * (sigma_w2 / fan_in) ** 0.5
        parameters |= {f"w{index}": weight, f"b{index}": rng.normal(size=units) * sigma_b2**0.5}
        nodes.append(Dense(f"d{index}", (nodes[-1].name,), units, f"w{index}", f"b{index}"))
        if index < depth - 1:
            nodes.append(Activation(f"a{index}", (f"d{index}",), parse_activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def problem_of(network):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(64, 8))
    data = Data(x, x[:, :3].argmax(axis=1), "classification", ("a", "b", "c"), "d")
    return pose_problem(network, data, rng)


def test_a_deep_network_on_the_edge_of_chaos_steps_by_its_own_curvature():
    problem = problem_of(chain(60, *SPARSE))
    rng = np.random.default_rng(2)
    rate = choose_rate(problem, Settings(), rng, Monitor())
    assert rate.rule.endswith("here")
    curvature, _ = largest_curvature(
        problem.network, problem.inputs, problem.targets, problem.loss, rng, Monitor()
    )
    # Power steps end near the largest curvature, from whatever they begin at.
    assert rate.recipe.rate == pytest.approx(1.0 / curvature, rel=0.1)


def test_near_zero_the_rate_is_that_of_the_larger_network():
    problem = problem_of(chain(4, "relu", 0.01, 0.0))
    rate = choose_rate(problem, Settings(), np.random.default_rng(2), Monitor())
    assert rate.rule.endswith("with layers scaled to size 1")


def test_a_dead_network_that_would_be_chaotic_at_size_one_keeps_its_own_rate():
    problem = problem_of(chain(100, SPARSE[0], 2.0, 0.0, width=64))
    rate = choose_rate(problem, Settings(), np.random.default_rng(2), Monitor())
    assert rate.recipe.rate > 1e-6


def test_small_layers_are_scaled_up_beside_their_biases_and_others_stay():
    network = chain(3, "relu", 0.01, 0.04)
    network = Network(network.skeleton, {**network.parameters, "w1": network.parameters["w1"] * 90})
    x = np.random.default_rng(1).normal(size=(64, 8))
    values = trace(rescaled(network, x).program, x)
    sizes = [float(np.mean(values[f"d{index}"] ** 2)) for index in range(3)]
    # Weights and biases are as good as independent: their sum's square is a little off.
    assert sizes[0] == pytest.approx(1.0, abs=0.3)
    large = chain(3, "relu", 9.0, 0.0)
    found = rescaled(large, x).parameters
    assert all(np.array_equal(found[name], large.parameters[name]) for name in found)
