"""The recursion through convolutions, pools, joins and norms, against wide random networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from finite_networks import act, conv, dense, drawn, laws, measured, outside

from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.program import trace
from fpcheck.network.skeleton import (
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    Pool,
    RMSNorm,
    Scale,
    Skeleton,
    Slice,
)
from fpcheck.signal.input_moments import input_moments, input_scatter
from fpcheck.theory.curves import correlations, second_moments
from fpcheck.theory.finite_width import bands
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.moments import second_moment
from fpcheck.theory.pairs import pair_moment
from fpcheck.theory.positions import coverage, tap_means, tap_shares
from fpcheck.theory.propagation import UnitMoments, propagate

CHANNELS = 256
SIGMA = (1.8, 0.1)


def compared(nodes, names, *, rel, draws=3, inputs=32, sigma=SIGMA):
    """Measured q and k (neighbouring inputs) by node, averaged over draws, against the recursion.

    A second moment over 256 channels, and few positions, scatters by some per cent.
    """
    skeleton = Skeleton(tuple(nodes))
    found = {name: [] for name in names}
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((inputs, *skeleton.input_shape))
        network = drawn(skeleton, *sigma, rng)
        values = trace(network.program, x)
        known = propagate(network, layer_scales(network), input_moments(x))
        for name in names:
            v, m = values[name].reshape(inputs, -1), known[name]
            assert isinstance(m, UnitMoments), m
            found[name].append((np.mean(v * v), np.mean(v[::2] * v[1::2]), m.q, m.k))
    for name, rows in found.items():
        q, k, q_theory, k_theory = np.mean(rows, axis=0)
        assert q == pytest.approx(q_theory, rel=rel), name
        assert k == pytest.approx(k_theory, rel=rel, abs=rel * q), name


def test_zero_padding_is_followed_position_by_position():
    nodes = [Input("x", (8, 7)), conv("a", "x", CHANNELS, (3,), padding=((1, 1),)),
             act("pa", "a", "relu"), conv("b", "pa", CHANNELS, (3,), padding=((2, 0),)),
             act("pb", "b", "tanh"), conv("c", "pb", CHANNELS, (5,), padding=((2, 2),)),
             Flatten("f", ("c",)), dense("d", "f", CHANNELS)]  # fmt: skip
    compared(nodes, ["a", "pa", "b", "pb", "c", "d"], rel=0.06)


def test_the_profile_of_q_over_positions_is_that_of_wide_networks():
    nodes = [Input("x", (16, 6)), conv("a", "x", 512, (3,), padding=((1, 1),)),
             act("pa", "a", "tanh"), conv("b", "pa", 512, (3,), padding=((1, 1),))]  # fmt: skip
    skeleton, rng = Skeleton(tuple(nodes)), np.random.default_rng(0)
    x = rng.standard_normal((64, 16, 6))
    network = drawn(skeleton, *SIGMA, rng)
    m = propagate(network, layer_scales(network), input_moments(x))["b"]
    assert isinstance(m, UnitMoments)
    assert m.places is not None
    found = np.mean(trace(network.program, x)["b"] ** 2, axis=(0, 1))
    np.testing.assert_allclose(found, m.places.q, rtol=0.08)
    assert found[0] < 0.8 * found[3]  # and the borders do have less


def test_strides_dilations_and_mean_pools_are_followed():
    nodes = [Input("x", (4, 8, 8)), conv("a", "x", CHANNELS, dilation=(2, 1)),
             act("pa", "a", "relu"), Pool("pool", ("pa",), "mean", (2, 2)),
             conv("b", "pool", CHANNELS, (2, 2), stride=(1, 2)), act("pb", "b", "tanh"),
             Pool("all", ("pb",), "mean", (1, 1)), Flatten("f", ("all",)),
             dense("d", "f", CHANNELS)]  # fmt: skip
    compared(nodes, ["pa", "pool", "b", "pb", "d"], rel=0.06)


def test_the_mean_over_all_positions_keeps_what_they_share():
    """Inputs that are constant over positions keep q through a pool, independent ones lose it."""
    nodes = [Input("x", (8, 12)), conv("a", "x", CHANNELS, (3,)), act("pa", "a", "relu"),
             Pool("pool", ("pa",), "mean", (10,)), Flatten("f", ("pool",)),
             dense("d", "f", CHANNELS)]  # fmt: skip
    compared(nodes, ["pa", "pool", "d"], rel=0.06)
    skeleton, rng = Skeleton(tuple(nodes)), np.random.default_rng(1)
    x = np.broadcast_to(rng.standard_normal((32, 8, 1)), (32, 8, 12))
    network = drawn(skeleton, *SIGMA, rng)
    known = propagate(network, layer_scales(network), input_moments(x))
    before, after = known["pa"], known["pool"]
    assert isinstance(before, UnitMoments)
    assert isinstance(after, UnitMoments)
    assert after.q == pytest.approx(before.q, rel=1e-9)


def test_a_transposed_convolution_meets_every_stride_th_tap():
    up = ConvTranspose("u", ("pa",), CHANNELS, (3,), "u.w", "u.b", stride=(2,), padding=((1, 1),))
    nodes = [Input("x", (16, 6)), conv("a", "x", CHANNELS, (3,), padding=((1, 1),)),
             act("pa", "a", "relu"), up, act("pu", "u", "relu"),
             conv("b", "pu", CHANNELS, (2,))]  # fmt: skip
    compared(nodes, ["u", "pu", "b"], rel=0.09)


def test_units_of_several_kinds_side_by_side_are_followed():
    nodes = [Input("x", (64,)), dense("a", "x", CHANNELS), act("pa", "a", "relu"),
             dense("b", "pa", CHANNELS // 2), Concat("both", ("a", "b")), act("pc", "both", "tanh"),
             dense("c", "pc", CHANNELS), Slice("half", ("c",), 0, 0, CHANNELS // 2),
             act("ph", "half", "relu")]  # fmt: skip
    compared(nodes, ["both", "pc", "c", "half", "ph"], rel=0.08)


def test_sums_of_independent_activations_keep_the_product_of_their_means():
    """x + relu(W x): the two are independent unit by unit, but neither has mean zero."""
    nodes = [Input("x", (64,)), dense("a", "x", CHANNELS), act("pa", "a", "relu"),
             dense("b", "pa", CHANNELS), act("pb", "b", "relu"), Add("sum", ("pa", "pb")),
             dense("c", "sum", CHANNELS)]  # fmt: skip
    compared(nodes, ["sum", "c"], rel=0.14)  # what all inputs share scatters most


def test_norms_are_followed():
    nodes = [Input("x", (8, 6)), conv("a", "x", CHANNELS, (3,), padding=((1, 1),)),
             GroupNorm("g", ("a",), 4), act("pg", "g", "relu"), RMSNorm("r", ("pg",)),
             conv("b", "r", CHANNELS, (3,)), LayerNorm("l", ("b",)), act("pl", "l", "relu"),
             LayerNorm("after", ("pl",))]  # fmt: skip
    compared(nodes, ["g", "pg", "r", "b", "l", "pl", "after"], rel=0.06)


def test_a_common_factor_is_followed_and_entries_of_the_input_are_not():
    nodes = (Input("x", (6,)), Scale("s", ("x",), factor="f"))
    skeleton = Skeleton(nodes)
    start = UnitMoments(q=1.0, k=0.3)
    half = propagate(Network(skeleton, {"f": np.full(1, 0.5)}), {}, start)["s"]
    assert isinstance(half, UnitMoments)
    assert (half.q, half.k) == (0.25, 0.075)
    mixed = propagate(Network(skeleton, {"f": np.arange(6.0)}), {}, start)["s"]
    assert "one by one" in getattr(mixed, "reason", "")


def cases():
    wide = [Input("x", (64,)), dense("a", "x", 4096), act("pa", "a", "tanh"),
            dense("b", "pa", 4096), act("pb", "b", "gelu"), dense("c", "pb", 10)]  # fmt: skip
    skip = [Input("x", (64,)), dense("a", "x", 4096), act("pa", "a", "relu"),
            dense("b", "pa", 4096), Add("s", ("a", "b")), LayerNorm("n", ("s",)),
            act("pn", "n", "relu"), dense("c", "pn", 10)]  # fmt: skip
    image = [Input("x", (3, 6, 6)), conv("a", "x", 1024, padding=((1, 1), (1, 1))),
             act("pa", "a", "relu"), conv("b", "pa", 1024, stride=(2, 2)), act("pb", "b", "relu"),
             Pool("pool", ("pb",), "mean", (2, 2)), Flatten("f", ("pool",)),
             dense("c", "f", 10)]  # fmt: skip
    return [wide, skip, image]


@pytest.mark.parametrize("case", range(3))
def test_networks_of_width_4096_and_of_1024_channels_stay_in_their_band(case):
    skeleton, rng = Skeleton(tuple(cases()[case])), np.random.default_rng(case)
    x = rng.standard_normal((32, *skeleton.input_shape))
    network = drawn(skeleton, *SIGMA, rng)
    scales = layer_scales(network, laws(skeleton, *SIGMA))
    known = propagate(network, scales, input_moments(x))
    predicted = bands(network, scales, known, len(x), scatter=input_scatter(x))
    assert outside(measured(network, x, rng), predicted) == []
    hidden = predicted["b"]
    assert hidden.q_high < 1.25 * hidden.q_low


@pytest.mark.parametrize("stride", [1, 2])
def test_shares_of_taps_are_the_adjoint_of_their_means(stride):
    rng = np.random.default_rng(0)
    node = Conv("c", ("x",), 1, (3, 2), "w", stride=(stride, 1), padding=((1, 0), (0, 1)))
    after = ((7 + 1 - 3) // stride + 1, 5 + 1 - 2 + 1)
    x, y = rng.standard_normal((7, 5)), rng.standard_normal(after)
    there, back = tap_means(x, node, after), tap_shares(y, node, (7, 5))
    assert np.sum(there * y) == pytest.approx(np.sum(x * back), rel=1e-12)
    assert 0.0 < coverage(node, (7, 5), after) < 1.0


@pytest.mark.parametrize("function", ["tanh", "relu", "crelu(1,1)", "gelu"])
def test_curves_agree_with_their_moments(function):
    f = parse_activation(function)
    q, c = np.geomspace(0.05, 4.0, 60), np.linspace(-0.9, 1.0, 60)
    exact = np.array([second_moment(f, float(x)) for x in q])
    # Far below the bend the moment is a difference of numbers of size q: a few ulp of those.
    np.testing.assert_allclose(second_moments(f, q), exact, rtol=1e-8, atol=1e-15)
    norm = second_moment(f, 1.3)
    pairs = np.array([pair_moment(f, 1.3, 1.3, float(x)) for x in c]) / norm
    np.testing.assert_allclose(correlations(f, 1.3, c), pairs, atol=1e-8)


def test_independent_positions_stay_independent():
    """The covariance between positions of independent inputs comes from biases alone."""
    nodes = (Input("x", (4, 9)), conv("a", "x", 8, (3,)))
    skeleton = Skeleton(nodes)
    network = drawn(skeleton, 2.0, 0.0, np.random.default_rng(0))
    scales = layer_scales(network, laws(skeleton, 2.0, 0.5))
    m = propagate(network, scales, UnitMoments(q=1.0, k=0.0))["a"]
    assert isinstance(m, UnitMoments)
    assert m.places is not None
    assert m.places.own[0] == 1.0
    np.testing.assert_allclose(m.places.own[1:], 0.5 / 2.5, rtol=1e-12)
    assert math.isclose(m.q, 2.5)
