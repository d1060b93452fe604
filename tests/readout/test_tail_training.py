"""The last layers trained on: their gradient, the descent, and from where it pays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import RING, RING_LABELS, answered, classes, network, numbers

from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton
from fpcheck.readout.descent import descend
from fpcheck.readout.features import last_dense
from fpcheck.readout.result import Skipped, Stages
from fpcheck.readout.tail import Tail, TailLoss, find_tail, flatten, predict, present_weights

RNG = np.random.default_rng(11)


def tail_of(net, count) -> Tail:
    last = last_dense(net.skeleton)
    assert isinstance(last, Dense)
    found = find_tail(net.skeleton, last, count)
    assert isinstance(found, Tail), found
    return found


def own_last(net, count):
    weight, bias = net.parameters[f"w{count}"], net.parameters[f"b{count}"]
    return weight.T, bias


@pytest.mark.parametrize("function", ["tanh", "relu", "gelu"])
def test_a_tail_computes_what_the_network_computes(function):
    net = network([4, 6, 5, 3], function)
    tail = tail_of(net, 3)
    weights = [*present_weights(net, tail), own_last(net, 2)]
    shapes = tuple(weight.shape for weight, _ in weights)
    rows = RNG.standard_normal((20, 4))
    out = predict(tail.activations, shapes, flatten(weights, np.float64), rows)
    assert_allclose(out, forward(net.program, rows), rtol=1e-12, atol=1e-12)
    # In single precision, as it is trained in: a few rounding errors of 6e-8 a layer.
    single = predict(tail.activations, shapes, flatten(weights, np.float32), rows.astype("f4"))
    assert single.dtype == np.float32
    assert_allclose(single, out, atol=1e-5)


@pytest.mark.parametrize("cross_entropy", [False, True])
@pytest.mark.parametrize("function", ["tanh", "softplus", "sin"])
def test_the_gradient_is_that_of_central_differences(function, cross_entropy):
    net = network([4, 6, 5, 3], function)
    tail = tail_of(net, 3)
    weights = [*present_weights(net, tail), own_last(net, 2)]
    point = flatten(weights, np.float64)
    targets = np.eye(3)[RNG.integers(0, 3, 20)]
    loss = TailLoss(
        tail.activations,
        tuple(weight.shape for weight, _ in weights),
        RNG.standard_normal((20, 4)),
        targets if cross_entropy else RNG.standard_normal((20, 3)),
        0.5 * point,
        0.7,
        cross_entropy,
    )
    gradient = loss.value_and_gradient(point)[1]
    step = 1e-5
    for index in RNG.choice(len(point), 25, replace=False):
        ahead, back = point.copy(), point.copy()
        ahead[index] += step
        back[index] -= step
        slope = (loss.value_and_gradient(ahead)[0] - loss.value_and_gradient(back)[0]) / (2 * step)
        assert_allclose(gradient[index], slope, rtol=1e-5, atol=1e-8)


def test_the_descent_solves_a_quadratic_and_never_goes_up():
    basis = np.linalg.qr(RNG.standard_normal((12, 12)))[0]
    matrix = (basis * np.geomspace(1.0, 1e3, 12)) @ basis.T
    wanted = RNG.standard_normal(12)

    def bowl(x):
        left = x - wanted
        return 0.5 * float(left @ matrix @ left), matrix @ left

    points = []
    for point in descend(bowl, np.zeros(12)):
        points.append(point)
        if len(points) == 200:
            break
    values = [bowl(point)[0] for point in points]
    assert all(after < before for before, after in pairwise(values))
    assert_allclose(points[-1], wanted, atol=1e-6)


def test_the_descent_solves_a_valley_as_scipy_does():
    optimize = pytest.importorskip("scipy.optimize")

    def valley(x):
        return optimize.rosen(x), optimize.rosen_der(x)

    points = list(zip(range(400), descend(valley, np.full(4, -1.0)), strict=False))
    assert_allclose(points[-1][1], np.ones(4), atol=1e-4)


def test_at_a_minimum_there_is_nothing_to_do():
    assert list(descend(lambda x: (0.0, np.zeros_like(x)), np.ones(3))) == []


class TestStages:
    """From where the network pays."""

    def test_two_random_units_lose_what_training_them_finds(self):
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((400, 20))
        result = answered(network([20, 2, 2]), classes(inputs, inputs.sum(axis=1) > 0.0))
        assert isinstance(result.stages, Stages)
        first, second = result.stages.stages
        assert second.over_last_low is not None
        assert second.over_last_low > 0.1
        assert (first.layers, second.layers) == (("dense1",), ("dense0", "dense1"))
        assert second.parameters == 20 * 2 + 2 + 2 * 2 + 2
        assert result.stages.pays_from == 2
        assert "first layer" in result.stages.stopped
        assert result.verdict == "promising: tune inner layers"
        assert result.decided_by == "last_2_layers over last_layer"
        assert "train the last 2 layers" in result.next_step

    def test_numbers_are_trained_on_too(self):
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((400, 20))
        targets = np.tanh(inputs[:, :1] + inputs[:, 1:2])
        result = answered(network([20, 4, 1]), numbers(inputs, targets))
        assert isinstance(result.stages, Stages)
        assert result.stages.pays_from == 2
        assert result.stages.stages[1].score > 0.8

    def test_where_the_last_layer_finds_everything_no_stage_pays(self):
        rng = np.random.default_rng(0)
        net = network([6, 40, 2])
        inputs = rng.standard_normal((400, 6))
        result = answered(net, numbers(inputs, forward(net.program, inputs)))
        assert isinstance(result.stages, Stages)
        assert result.stages.pays_from is None
        assert result.stages.stages[0].score > 0.999
        # No step is among the choices: what is lost is what single precision loses.
        assert abs(result.stages.stages[1].over_last or 0.0) < 1e-3

    def test_a_step_function_cannot_be_trained(self):
        result = answered(network([2, 30, 2], "step"), classes(RING, RING_LABELS))
        assert isinstance(result.stages, Skipped)
        assert "no derivative" in result.stages.skipped
        assert {one.name: one.skipped for one in result.models}["last_2_layers"]

    def test_a_way_around_ends_the_chain(self):
        nodes = (
            Input("x", (2,)),
            Dense("a", ("x",), 2, "w"),
            Activation("f", ("a",), activation("tanh")),
            Add("s", ("x", "f")),
            Dense("out", ("s",), 2, "v"),
        )
        net = Network(Skeleton(nodes), {"w": np.eye(2), "v": np.eye(2)})
        result = answered(net, classes(RING, RING_LABELS))
        assert isinstance(result.stages, Skipped)
        assert "(add)" in result.stages.skipped
