"""Bands of linear layers, norms, few units and sparse ones, and where numbers end.

Healthy networks leave their bands with 1 % probability: of 60 draws 4 leave in 1 of 300 runs.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from finite_networks import SCALES, act, chain, conv, dense, drawn, laws, trial

from fpcheck.network.activations import parse_activation
from fpcheck.network.skeleton import Add, Concat, Flatten, Input, LayerNorm, Skeleton
from fpcheck.theory.finite_width import bands
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.noise_moments import pair_noise, unit_noise
from fpcheck.theory.noise_state import skewing
from fpcheck.theory.pairs import MOMENT_LINEAR_FROM, pair_moment
from fpcheck.theory.propagation import UnitMoments, propagate
from fpcheck.theory.quantiles import log_gamma_range

DRAWS, ALLOWED = 60, 3


def stacked(width, depth, outputs=8, function=None, inputs=16):
    """Dense layers, with the same function behind each but the last, or with none."""
    nodes, last = [Input("x", (inputs,))], "x"
    for i in range(depth):
        nodes.append(dense(f"d{i}", last, width))
        last = f"d{i}"
        if function is not None:
            nodes.append(act(f"a{i}", last, function))
            last = f"a{i}"
    return Skeleton((*nodes, dense("out", last, outputs)))


def stream():
    """x + W relu(V x), the first layer linear."""
    nodes, last = [Input("x", (32,)), dense("stem", "x", 32)], "stem"
    for i in range(5):
        nodes += [
            dense(f"v{i}", last, 32),
            act(f"a{i}", f"v{i}", "relu"),
            dense(f"w{i}", f"a{i}", 32),
            Add(f"s{i}", (last, f"w{i}")),
        ]
        last = f"s{i}"
    return Skeleton((*nodes, dense("out", last, 8)))


def leaving(skeleton, scales, draws=DRAWS):
    return sum(bool(trial(skeleton, scales, seed)) for seed in range(draws))


def banded(skeleton, sigma, start, inputs=16, seed=0):
    network = drawn(skeleton, *sigma, np.random.default_rng(seed))
    scales = layer_scales(network, laws(skeleton, *sigma))
    return bands(network, scales, propagate(network, scales, start), inputs)


@pytest.mark.parametrize("function", [None, "identity"])
@pytest.mark.parametrize("sigma", [(1.0, 0.0), (1.0, 0.3)])
def test_linear_layers_behind_each_other_stay_inside(function, sigma):
    assert leaving(stacked(24, 6, function=function), sigma) <= ALLOWED


def test_linear_layers_add_their_noise():
    """log q of a linear network is a sum of logs of chi^2 / N: variance 2/N a layer."""
    found = banded(stacked(64, 12, inputs=64), (1.0, 0.0), UnitMoments(q=1.0, k=1.0), inputs=1)
    width = [math.log(band.q_high / band.q_low) for band in found.values()][:12]
    assert (width[11] / width[1]) ** 2 == pytest.approx(12 / 2, rel=0.05)


def test_residual_streams_with_linear_layers_stay_inside():
    assert leaving(stream(), (1.0, 0.0)) <= ALLOWED


def test_joined_linear_layers_keep_their_noise():
    nodes = [Input("x", (16,)), dense("a", "x", 8), dense("b", "x", 24), Concat("j", ("a", "b")),
             dense("c", "j", 24), act("p", "c", "tanh"), dense("out", "p", 8)]  # fmt: skip
    assert leaving(Skeleton(tuple(nodes)), (1.0, 0.0)) <= ALLOWED


def test_normalised_layers_stay_inside():
    """What a norm makes 1 is inside although its epsilon makes it a little less."""
    nodes, last = [Input("x", (32,))], "x"
    for i in range(4):
        nodes += [dense(f"d{i}", last, 32), LayerNorm(f"n{i}", (f"d{i}",)),
                  act(f"a{i}", f"n{i}", "relu")]  # fmt: skip
        last = f"a{i}"
    assert leaving(Skeleton((*nodes, dense("out", last, 8))), (2.0, 0.0)) <= ALLOWED


def test_active_shares_follow_the_scatter_of_q():
    """Soft thresholds of V' > 1: q scatters over the inputs, and the mean share falls with it."""
    skeleton = stacked(64, 6, function="soft_threshold(1.0)", inputs=32)
    assert leaving(skeleton, (3.2, 0.4), 40) <= ALLOWED
    found = banded(skeleton, (3.2, 0.4), UnitMoments(q=1.0, k=0.0), inputs=64)
    assert found["d1"].active_low is not None
    assert found["d5"].active_low is None  # too much of it for a second order


@pytest.mark.parametrize("outputs", [1, 2, 8])
def test_cosines_of_few_units_stay_inside(outputs):
    """Close inputs' contrast is large where the few units' mean square is small."""
    assert leaving(stacked(32, 5, outputs, "softplus"), (1.0, 0.0)) <= ALLOWED


def test_one_unit_has_no_band_of_its_cosine():
    found = banded(stacked(16, 2, 1, "tanh"), (1.0, 0.0), UnitMoments(q=1.0, k=0.0))
    assert found["out"].c_low is None
    assert found["d1"].c_low is not None


def sparse_corner():
    nodes = [Input("x", (2, 1)), conv("a", "x", 3, (3,), padding=((1, 1),)),
             act("pa", "a", "shifted_relu(1.0)"), conv("b", "pa", 3, (3,), padding=((1, 1),)),
             act("pb", "b", "shifted_relu(1.0)"), Flatten("f", ("pb",)),
             dense("c", "f", 4)]  # fmt: skip
    return Skeleton(tuple(nodes))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e-3, 0.05, 0.4, 1.0, 1e3, 1e150, 1e300])
@pytest.mark.parametrize(
    "function", ["shifted_relu(1.0)", "soft_threshold(0.7)", "relu", "softplus"]
)
def test_signals_at_the_ends_of_numbers_have_bands_or_none(function, scale):
    """No exception and no warning (which are errors here), and no end that is not a number."""
    corner = (sparse_corner(), Skeleton((*sparse_corner().nodes[:4], Flatten("f", ("b",)))))
    for skeleton in (*corner, stacked(7, 10, 3, function), stacked(7, 5)):
        for bias in (0.0, 1.0):
            start = UnitMoments(q=scale, k=0.3 * scale)
            for sigma_w2 in (scale, 1.0):
                for band in banded(skeleton, (min(sigma_w2, 1e300), bias), start).values():
                    ends = (band.q_low, band.q_high, band.c_low, band.c_high, band.active_low,
                            band.active_high, band.gradient_norm_low)  # fmt: skip
                    assert all(end is None or math.isfinite(end) for end in ends)


def test_a_single_linear_layer_is_a_chain_without_activations():
    found = banded(Skeleton((Input("x", (3,)), dense("d", "x", 3))), (1.0, 0.1),
                   UnitMoments(q=1.0, k=0.0))  # fmt: skip
    assert found["d"].q_low < found["d"].q_high
    assert found["d"].active_low is None


@pytest.mark.parametrize("function", ["relu", "tanh", "leaky_relu(-0.5)"])
def test_opposite_inputs_have_a_pairs_noise(function):
    """Two rows by chance have a contrast up to 2, at which the pair's mean has no variance."""
    for contrast in (1.5, 2.0, 2.0 + 1e-9, 4.0):
        pair = pair_noise(parse_activation(function), 1.0, contrast)
        assert pair is not None
        assert math.isfinite(pair.by_contrast)


def test_what_no_layer_has_a_unit_for_has_no_expansion():
    assert unit_noise(parse_activation("shifted_relu(1.0)"), 0.01) is None
    assert unit_noise(parse_activation("relu"), 1e200) is None


@pytest.mark.parametrize("freedom", [2, 4, 16])
def test_the_third_cumulant_of_a_mean_of_squares(freedom):
    from scipy.special import polygamma

    assert skewing(2.0 / freedom) == pytest.approx(-float(polygamma(2, freedom / 2.0)), rel=0.05)


def test_an_inverse_has_the_inverse_range():
    laws_of = np.array([0.3]), np.array([0.2]), np.array([-0.04])
    low, high = log_gamma_range(*laws_of, 1e-4)
    below, above = log_gamma_range(-laws_of[0], laws_of[1], -laws_of[2], 1e-4)
    assert below * high == pytest.approx(1.0, rel=1e-12)
    assert above * low == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("function", ["softplus", "silu", "gelu_tanh"])
@pytest.mark.parametrize("c", [-0.9, 0.3, 0.999])
def test_moments_beyond_the_limit_join_those_below(function, c):
    """The asymptote's moment by q, above the limit, is the quadrature's below it."""
    f = parse_activation(function)
    below, above = 0.99 * MOMENT_LINEAR_FROM, 1.01 * MOMENT_LINEAR_FROM
    one, other = pair_moment(f, below, below, c) / below, pair_moment(f, above, above, c) / above
    assert one == pytest.approx(other, abs=2e-13)


def test_tanh_chains_stay_inside_still():
    assert leaving(chain("tanh", 32, 8), SCALES["tanh"]) <= ALLOWED
