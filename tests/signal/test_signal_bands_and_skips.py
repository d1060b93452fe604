"""What the prediction says of finite width, of skip connections and of convolutions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from fpcheck.core.plain import plain
from fpcheck.network.activations import parse_activation
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Add, Conv, Dense, Input, Skeleton, stored_shape
from fpcheck.signal.input_moments import input_moments, input_scatter
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import TheoryResult
from fpcheck.theory.propagation import UnitMoments

START = UnitMoments(q=1.0, k=0.0)


def network(nodes, sigma_w2, seed=0):
    skeleton, rng = Skeleton(tuple(nodes)), np.random.default_rng(seed)
    parameters = {}
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv):
            shape = stored_shape(node, skeleton.shapes[node.inputs[0]])
            spread = math.sqrt(sigma_w2 / math.prod(shape[1:]))
            parameters[node.weight] = rng.standard_normal(shape) * spread
    return Network(skeleton, parameters)


def residual(width, blocks, sigma_w2, function="relu"):
    nodes, stream = [Input("x", (width,)), Dense("stem", ("x",), width, "stem.w")], "stem"
    for i in range(blocks):
        nodes += [
            Activation(f"p{i}", (stream,), parse_activation(function)),
            Dense(f"r{i}", (f"p{i}",), width, f"r{i}.w"),
            Add(f"s{i}", (stream, f"r{i}")),
        ]
        stream = f"s{i}"
    return network(nodes, sigma_w2)


def predicted(net, **kwargs):
    result = predict(net, START, **kwargs)
    assert isinstance(result, TheoryResult)
    return result


def test_every_layer_has_its_band_in_plain_data(chain):
    result = predicted(chain([64, *[64] * 5, 3], "tanh", 1.5, 0.05), inputs=64)
    rows = plain(result)["layers"]
    for row in rows:
        assert row["q_low"] < row["q"] < row["q_high"]
        assert row["c_low"] < row["c"] < row["c_high"]
    for row in rows[:-1]:
        assert row["gradient_norm_low"] < row["gradient_norm"] < row["gradient_norm_high"]
        assert row["active_fraction"] == 1.0
    # Of the last layer's gradient u there is only one length, and only its rounding.
    assert rows[-1]["gradient_norm"] == pytest.approx(1 / math.sqrt(3), rel=1e-12)


def test_bands_narrow_with_width_and_with_inputs(chain):
    def breadth(width, inputs):
        net = chain([64, *[width] * 4, 3], "relu", 2.0, 0.0)
        row = predicted(net, inputs=inputs).layers[3]
        return math.log(row.q_high / row.q_low)

    assert breadth(256, 64) == pytest.approx(0.5 * breadth(64, 64), rel=0.1)
    assert breadth(64, 256) < breadth(64, 8)


def test_a_single_input_has_no_correlation_but_a_band_of_q(chain):
    row = predicted(chain([8, 8, 8, 3], "relu", 2.0, 0.0), inputs=1).layers[1]
    assert (row.c_low, row.c_high) == (None, None)
    assert row.q_low < row.q < row.q_high


def test_residual_relu_networks_are_critical_and_lose_contrast_as_a_power_of_the_depth():
    """Squared differences grow as q does, so relative to it they stay; 1 - c ~ 1 / depth^2."""
    result = predicted(residual(16, 40, 0.2))
    assert result.phase == "critical"
    assert result.chi1 > 1.05
    assert result.depth_scale_c is None
    assert "the power" in result.notes[0]
    # Early exponents are below the 2 that they tend to, so deeper networks tell of less depth.
    deeper = predicted(residual(16, 160, 0.2))
    assert 161 < deeper.usable_depth < result.usable_depth


def test_residual_networks_keep_q_growing():
    result = predicted(residual(16, 10, 0.5))
    q = [row.q for row in result.layers[1:]]
    assert all(b > a for a, b in pairwise(q))
    # x + relu branch with sigma_w^2 = s: q grows by 1 + s/2 from block to block.
    scales = [row.sigma_w2 for row in result.layers[1:]]
    assert q[-1] / q[0] == pytest.approx(math.prod(1 + s / 2 for s in scales[1:]), rel=1e-9)


def test_a_padded_convolution_says_that_q_is_a_mean_over_positions():
    nodes = [Input("x", (2, 6)), Conv("a", ("x",), 4, (3,), "a.w", padding=((1, 1),)),
             Activation("pa", ("a",), parse_activation("relu"))]  # fmt: skip
    row = predicted(network(nodes, 2.0)).layers[0]
    assert "mean over positions" in row.note
    assert row.q == pytest.approx(row.sigma_w2 * (4 * 3 + 2 * 2) / (6 * 3), rel=1e-12)


def test_the_inputs_own_positions_are_measured():
    rng = np.random.default_rng(0)
    white = input_moments(rng.standard_normal((400, 2, 9)))
    assert white.places is not None
    np.testing.assert_allclose(white.places.own[1:], 0.0, atol=0.06)
    np.testing.assert_allclose(white.places.q, 1.0, atol=0.2)
    constant = input_moments(np.repeat(rng.standard_normal((400, 2, 1)), 9, axis=2))
    assert constant.places is not None
    np.testing.assert_allclose(constant.places.own, 1.0, atol=1e-12)
    wave = np.cos(np.arange(9) * math.pi)[None, None] * np.ones((400, 2, 1))
    alternating = input_moments(wave)
    assert alternating.places is not None
    np.testing.assert_allclose(alternating.places.own, np.cos(np.arange(9) * math.pi), atol=1e-12)


def test_the_scatter_of_gaussian_inputs_is_that_of_their_dimension():
    """Var |x|^2 / n^2 = 2 / n and E cos^2 = 1 / n; of images, that of 3 x 3 patches."""
    rng = np.random.default_rng(1)
    spread, cosine = input_scatter(rng.standard_normal((500, 50)))
    assert spread == pytest.approx(2 / 50, rel=0.3)
    assert cosine == pytest.approx(1 / 50, rel=0.05)
    spread, cosine = input_scatter(rng.standard_normal((500, 2, 8, 8)))
    assert spread == pytest.approx(2 / 18, rel=0.1)
    assert cosine == pytest.approx(1 / 18, rel=0.05)
    assert input_scatter(np.ones((1, 4))) == (0.0, 0.0)


def test_the_layers_that_a_residual_block_ends_are_known_by_their_sum():
    net = residual(8, 2, 0.5)
    assert [layer.preactivation for layer in layers(net.skeleton)] == ["stem", "s0", "s1"]
