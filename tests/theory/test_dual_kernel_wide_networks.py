"""The kernels of wide random networks: their values' (NNGP) and their gradients' (NTK)."""

from __future__ import annotations

import numpy as np
import pytest
from finite_networks import act, conv, dense
from wide_random_networks import (
    alike_rows,
    compared,
    features_kernel,
    random_network,
    scales_of,
    tangent_kernel,
    trials,
)

from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import (
    Add,
    Concat,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Skeleton,
    Slice,
    Transpose,
)
from fpcheck.theory.dual_kernel import dual_kernel

WIDTH, CHANNELS = 512, 192  # of dense layers, of convolutions
# An expectation over networks of width n is off by a few 1 / n.
BIAS = 5.0 / CHANNELS


def cv(name, source, kernel=(3,), channels=CHANNELS, **more):
    return conv(name, source, channels, kernel, **more)


@pytest.mark.parametrize("function", ["relu", "tanh", "gelu", "hardtanh(-1, 1)", "sin"])
def test_one_hidden_layer_of_65536_units_has_the_dual_kernel(function):
    nodes = [Input("x", (8,)), dense("a", "x", 65536), act("pa", "a", function)]
    off, _ = compared(nodes, alike_rows((8,), 6), draws=8, bias=0.0, most=0.003)
    assert off <= 0.008


def test_a_law_without_biases_or_with_another_scale_is_told_apart():
    # The comparison above must be able to fail: 3 % in sigma_w^2 are seen.
    nodes = [Input("x", (8,)), dense("a", "x", 65536), act("pa", "a", "relu")]
    x = alike_rows((8,), 6)
    skeleton = Skeleton(tuple(nodes))
    _, found = trials(nodes, x, draws=8)
    wrong = dual_kernel(skeleton, scales_of(skeleton, (1.8 * 1.03, 0.1)), x, node="pa").nngp
    own = np.sqrt(np.diag(wrong))
    assert np.abs((found.mean(axis=0) - wrong) / np.outer(own, own)).max() > 0.015


SEQUENCE = [Input("x", (2, 9)), cv("a", "x", padding=((1, 1),)), act("pa", "a", "relu"),
            cv("b", "pa", stride=(2,), padding=((1, 0),)), act("pb", "b", "tanh")]  # fmt: skip
PICTURE = [Input("x", (3, 6, 5)), cv("a", "x", (3, 3), padding=((1, 1), (1, 1))),
           act("pa", "a", "relu")]  # fmt: skip

# Every one ends in the features that a last layer sees: for the NTK that layer is added.
FEATURES = {
    "deep": [Input("x", (8,)), dense("a", "x", WIDTH), act("pa", "a", "relu"),
             dense("b", "pa", WIDTH), act("pb", "b", "gelu"), dense("c", "pb", WIDTH),
             act("pc", "c", "relu")],
    "residual": [Input("x", (8,)), dense("s", "x", WIDTH), act("p", "s", "relu"),
                 dense("r", "p", WIDTH), Add("t", ("s", "r")), act("q", "t", "relu"),
                 dense("u", "q", WIDTH), Add("v", ("t", "u")), act("l", "v", "relu")],
    "branches with means": [Input("x", (8,)), dense("s", "x", WIDTH), act("p", "s", "relu"),
                            dense("r", "p", WIDTH), act("q", "r", "gelu"), Add("t", ("p", "q"))],
    "inputs beside features": [Input("x", (96,)), dense("s", "x", WIDTH), act("p", "s", "relu"),
                               dense("r", "p", 96), act("q", "r", "relu"), Add("t", ("x", "q"))],
    "joined units": [Input("x", (8,)), dense("a", "x", WIDTH), act("pa", "a", "relu"),
                     dense("b", "pa", WIDTH // 2), act("pb", "b", "tanh"),
                     Concat("c", ("pa", "pb", "x"))],
    "layer norms": [Input("x", (8,)), dense("a", "x", WIDTH), LayerNorm("n", ("a",)),
                    act("pa", "n", "relu"), LayerNorm("m", ("pa",)), dense("b", "m", WIDTH),
                    act("pb", "b", "gelu"), RMSNorm("l", ("pb",))],
    "sequence, flattened": [*SEQUENCE, Flatten("f", ("pb",))],
    "sequence, pooled": [*SEQUENCE, Pool("p", ("pb",), "mean", (4,)), Flatten("f", ("p",))],
    "groups": [Input("x", (4, 8)), cv("a", "x", groups=2), act("pa", "a", "relu"),
               cv("b", "pa"), act("pb", "b", "relu"), cv("c", "pb", groups=4),
               act("pc", "c", "relu"), Flatten("f", ("pc",))],
    "picture, pooled twice": [*PICTURE, Pool("p", ("pa",), "mean", (2, 2)), cv("b", "p", (2, 2)),
                              act("pb", "b", "relu"), Pool("q", ("pb",), "mean", (2, 1)),
                              Flatten("f", ("q",))],
    "picture, overlapping windows": [
        *PICTURE, Pool("p", ("pa",), "mean", (3, 3), (1, 1), ((1, 1), (1, 1)), False),
        cv("b", "p", (2, 2), dilation=(2, 1)), act("pb", "b", "relu"), Flatten("f", ("pb",))],
    "norms over positions": [Input("x", (2, 8)), cv("a", "x", padding=((1, 1),)),
                             LayerNorm("n", ("a",)), act("pa", "n", "relu"),
                             GroupNorm("g", ("pa",), 4), cv("b", "g", padding=((1, 1),)),
                             act("pb", "b", "relu"), LayerNorm("m", ("pb",)),
                             Pool("p", ("m",), "mean", (8,)), Flatten("f", ("p",))],
    "units made positions": [Input("x", (8,)), dense("a", "x", 6 * CHANNELS),
                             act("pa", "a", "relu"), Reshape("r", ("pa",), (CHANNELS, 6)),
                             cv("b", "r"), act("pb", "b", "relu"), Pool("p", ("pb",), "mean", (4,)),
                             Flatten("f", ("p",))],
    "tokens": [Input("x", (5, 8)), dense("a", "x", CHANNELS), LayerNorm("n", ("a",), axes=1),
               act("pa", "n", "relu"), Transpose("t", ("pa",), (1, 0)), cv("b", "t"),
               act("pb", "b", "relu"), Pool("p", ("pb",), "mean", (3,)), Flatten("f", ("p",))],
    "some positions": [Input("x", (2, 8)), cv("a", "x"), act("pa", "a", "relu"),
                       Slice("s", ("pa",), 1, 1, 6, 2), cv("b", "s", (2,)),
                       act("pb", "b", "relu"), Flatten("f", ("pb",))],
    "activation behind flattening": [Input("x", (2, 8)), cv("a", "x", padding=((1, 1),)),
                                     Flatten("f", ("a",)), act("pa", "f", "relu")],
}  # fmt: skip


@pytest.mark.parametrize("name", FEATURES)
def test_the_features_of_wide_networks_have_the_kernel(name):
    nodes = FEATURES[name]
    compared(nodes, alike_rows(nodes[0].shape), draws=48, bias=BIAS, most=0.03)


@pytest.mark.parametrize("name", FEATURES)
def test_the_gradients_of_wide_networks_have_the_tangent_kernel(name):
    nodes = [*FEATURES[name], dense("out", FEATURES[name][-1].name, 48)]
    compared(nodes, alike_rows(nodes[0].shape), draws=16, ntk=True, bias=BIAS, most=0.03)


def test_a_transposed_convolution_reaches_every_position_through_its_own_taps():
    up = ConvTranspose("u", ("pa",), CHANNELS, (3,), "u.w", "u.b", stride=(2,), padding=((1, 1),))
    nodes = [Input("x", (2, 5)), cv("a", "x", padding=((1, 1),)), act("pa", "a", "relu"), up,
             act("pu", "u", "relu"), Pool("p", ("pu",), "mean", (9,)),
             Flatten("f", ("p",))]  # fmt: skip
    compared(nodes, alike_rows((2, 5)), draws=64, bias=BIAS)


def test_constants_of_norms_and_scales_are_those_of_the_network():
    rng = np.random.default_rng(3)
    extra = {"n.w": rng.normal(1.0, 0.3, WIDTH), "n.b": rng.normal(0.2, 0.3, WIDTH),
             "s.f": rng.normal(1.0, 0.5, WIDTH), "s.s": rng.normal(0.3, 0.2, WIDTH),
             "m.f": np.full((), 0.7), "m.s": np.full((), 0.4)}  # fmt: skip
    nodes = [Input("x", (8,)), dense("a", "x", WIDTH), act("pa", "a", "relu"),
             LayerNorm("n", ("pa",), "n.w", "n.b"), dense("b", "n", WIDTH), act("pb", "b", "relu"),
             Scale("s", ("pb",), "s.f", "s.s"), dense("c", "s", WIDTH), act("pc", "c", "gelu"),
             Scale("m", ("pc",), "m.f", "m.s"), dense("d", "m", WIDTH)]  # fmt: skip
    x = alike_rows((8,))
    compared(nodes, x, draws=48, bias=BIAS, extra=extra)
    compared(nodes, x, draws=16, bias=BIAS, most=0.03, extra=extra, ntk=True)


def test_the_tangent_kernel_of_one_network_errs_by_one_over_the_root_of_its_width():
    errors = []
    x = alike_rows((8,), 4)
    for width in (256, 2304):  # a ninth: a third of the error
        nodes = [Input("x", (8,)), dense("a", "x", width), act("pa", "a", "relu"),
                 dense("b", "pa", width), act("pb", "b", "relu"), dense("o", "pb", 32)]  # fmt: skip
        kernel, found = trials(nodes, x, draws=3, ntk=True, outputs=1)
        own = np.sqrt(np.diag(kernel.ntk))
        errors.append(np.sqrt(np.mean(((found - kernel.ntk) / np.outer(own, own)) ** 2)))
    # 3 draws of 10 correlated entries leave each error some 30 per cent of doubt.
    assert errors[1] <= 0.04
    assert 1.5 <= errors[0] / errors[1] <= 6.0


def test_gradients_by_hand_are_those_of_finite_differences():
    # What stands on the other side of the comparisons: in parameters omega with W = sigma_w omega /
    # sqrt(fan_in), b = sigma_b omega.
    sigma = (1.8, 0.1)
    skeleton = Skeleton(
        (Input("x", (2, 5)), conv("a", "x", 4, (3,), padding=((1, 1),)), act("pa", "a", "tanh"),
         LayerNorm("n", ("pa",)), Pool("p", ("n",), "mean", (2,), (1,)), Flatten("f", ("p",)),
         dense("o", "f", 2))
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 2, 5))
    network = random_network(skeleton, sigma, rng)
    gradients = []
    fans = {"a": 6, "o": 16}
    for name, tensor in network.parameters.items():
        gain = np.sqrt(sigma[0] / fans[name[0]]) if name.endswith(".w") else np.sqrt(sigma[1])
        for place in np.ndindex(tensor.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = tensor.copy()
                moved[place] += step
                other = Network(skeleton, {**network.parameters, name: moved})
                values.append(forward(other.program, x)[:, 1])
            gradients.append(gain * (values[0] - values[1]) / 2e-5)
    wanted = np.array(gradients).T @ np.array(gradients)
    np.testing.assert_allclose(tangent_kernel(network, x, [1], sigma), wanted, rtol=1e-7)


def test_features_kernels_are_means_over_units():
    skeleton = Skeleton((Input("x", (3,)), Dense("a", ("x",), 2, "w")))
    network = Network(skeleton, {"w": np.eye(2, 3)})
    x = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    assert features_kernel(network, x, "a").tolist() == [[2.5, 1.0], [1.0, 0.5]]
