"""The law of q and of the gradient at finite width, against simulated networks.

`simulated` draws whole networks, weights and biases, and goes forward and backward through them;
`reduced` draws only what the law of a network depends on (given a layer, the pre-activations of
the next and a perturbation of them are Gaussian pairs with the covariance of this layer), which is
exact as well and thousands of times cheaper.
"""

import math

import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import activation
from fpcheck.theory.edge_of_chaos import edge_of_chaos, sparse_edge
from fpcheck.theory.finite_width_law import return_time, survival
from fpcheck.theory.q_chain import q_law
from fpcheck.theory.variance_map import VarianceMap

OUT = 100.0
TOO_FAR = 4.0 * math.log(10.0)


def sparse_map(name, sparsity, m=None):
    edge = sparse_edge(name, sparsity, m)
    return VarianceMap(edge.function, edge.point.sigma_w2, edge.point.sigma_b2)


def edge_map(name, q_star=1.0):
    f = activation(name)
    (point,) = edge_of_chaos(f, q_star=q_star)
    return VarianceMap(f, point.sigma_w2, point.sigma_b2)


def reduced(v, width, depth, draws, seed=1, q0=1.0):
    """Q (depth, draws) and the accumulated log G (depth, draws) of a perturbation."""
    rng, f = np.random.default_rng(seed), v.function
    q, log_g = np.full(draws, q0), np.zeros(draws)
    rho = rng.standard_normal(draws) / math.sqrt(width)
    qs, logs = [], []
    for _ in range(depth):
        z, y = rng.standard_normal((2, draws, width))
        h = np.sqrt(q)[:, None] * z
        g = rho[:, None] * z + np.sqrt(1.0 - rho**2)[:, None] * y
        phi, moved = f.phi(h), f.derivative(h) * g
        growth = v.sigma_w2 * (moved**2).mean(axis=1)
        q = v.sigma_b2 + v.sigma_w2 * (phi**2).mean(axis=1)
        rho = v.sigma_w2 * (phi * moved).mean(axis=1) / np.sqrt(np.maximum(q * growth, 1e-300))
        rho = np.clip(rho, -1.0, 1.0)
        log_g = log_g + np.log(np.maximum(growth, 1e-300))
        qs.append(q)
        logs.append(log_g)
    return np.array(qs), np.array(logs)


def simulated(v, width, depth, draws, seed=2):
    """Measured q (depth, draws) and the log squared gradient norm, first layer over last."""
    rng, f = np.random.default_rng(seed), v.function
    qs, logs = np.empty((depth, draws)), np.empty(draws)
    for draw in range(draws):
        h = rng.standard_normal(width)
        weights, slopes = [], []
        for layer in range(depth):
            w = rng.standard_normal((width, width)) * math.sqrt(v.sigma_w2 / width)
            weights.append(w)
            slopes.append(f.derivative(h))
            h = w @ f.phi(h) + math.sqrt(v.sigma_b2) * rng.standard_normal(width)
            qs[layer, draw] = (h * h).mean()
        u, total = rng.standard_normal(width), 0.0
        u /= math.sqrt(u @ u)
        for w, slope in zip(weights[::-1], slopes[::-1], strict=True):
            u = slope * (w.T @ u)
            size = max(float(u @ u), 1e-300)
            total, u = total + math.log(size), u / math.sqrt(size)
        logs[draw] = total
    return qs, logs


def assert_share(found, expected, draws, bias):
    """A share within four binomial standard errors, and the law's own approximation."""
    error = math.sqrt(max(expected * (1.0 - expected), 1.0 / draws) / draws)
    assert abs(found - expected) <= 4.0 * error + bias


def assert_law_agrees(v, width, depth, draws, *, bias=0.03):
    qs, logs = reduced(v, width, depth, draws)
    law = q_law(v, width, depth, 1.0, low=1.0 / OUT, high=OUT)
    left = (qs.max(axis=0) > OUT) | (qs.min(axis=0) < 1.0 / OUT)
    assert_share(left.mean(), law.too_low + law.too_high, draws, bias)
    s = survival(v, width, depth, q_star=1.0)
    assert_share((~left & (np.abs(logs[-1]) > TOO_FAR)).mean(), s.lost_gradient, draws, bias)
    if left.mean() < 0.01:  # else the moments are those of a few draws
        half = qs[depth // 2 :]
        assert law.mean_q[depth // 2 :].mean() == pytest.approx(half.mean(), rel=0.04)
        assert math.sqrt(law.variance_q[depth // 2 :].mean()) == pytest.approx(half.std(), rel=0.1)
        error = logs[-1].std() / math.sqrt(draws)
        assert abs(s.mean_log_gradient - logs[-1].mean()) <= 4.0 * error + 0.06 * logs[-1].std()
        assert s.sd_log_gradient == pytest.approx(logs[-1].std(), rel=0.12)


SPARSE = (
    ("crelu", 0.85, 0.8095),
    ("crelu", 0.85, 1.1704),
    ("crelu", 0.85, 1.7395),
    ("crelu", 0.7, 2.054),
    ("crelu", 0.5, 1.0),
    ("cst", 0.8, 1.0632),
    ("cst", 0.8, 1.6106),
    ("shifted_relu", 0.5, None),
    ("shifted_relu", 0.6, None),
    ("shifted_relu", 0.7, None),
    ("soft_threshold", 0.6, None),
)


@pytest.mark.parametrize(("name", "sparsity", "m"), SPARSE)
def test_the_law_is_that_of_simulated_networks(name, sparsity, m):
    assert_law_agrees(sparse_map(name, sparsity, m), width=100, depth=40, draws=400)


@pytest.mark.slow
@pytest.mark.parametrize("width", [100, 300, 1000])
@pytest.mark.parametrize(("name", "sparsity", "m"), SPARSE)
def test_the_law_is_that_of_simulated_networks_at_depth_100(name, sparsity, m, width):
    # At width 100 a layer of sparsity 0.85 has 12 units with a slope: log G is 1.5 too high there.
    bias = 0.1 if width == 100 else 0.03
    v = sparse_map(name, sparsity, m)
    if width > 100:
        assert_law_agrees(v, width, 100, draws=600, bias=bias)
        return
    qs, logs = reduced(v, width, 100, 600)
    left = (qs.max(axis=0) > OUT) | (qs.min(axis=0) < 1.0 / OUT)
    s = survival(v, width, 100, q_star=1.0)
    assert_share((left | (np.abs(logs[-1]) > TOO_FAR)).mean(), s.lost, 600, bias)


@pytest.mark.parametrize("name", ["tanh", "erf", "softsign", "hardtanh"])
def test_the_law_holds_for_any_activation_with_a_stable_variance(name):
    assert_law_agrees(edge_map(name), width=100, depth=40, draws=400)


@pytest.mark.parametrize(("name", "sparsity", "m"), [("crelu", 0.5, 1.0), ("cst", 0.6, 1.2)])
def test_networks_with_all_their_weights_have_the_reduced_law(name, sparsity, m):
    v, width, depth, draws = sparse_map(name, sparsity, m), 64, 12, 300
    qs, logs = simulated(v, width, depth, draws)
    inner, reduced_logs = reduced(v, width, depth, draws)
    # The measured q has the 2 q^2 / N of its own layer on top of Q.
    spread = math.sqrt(inner[-1].var() + 2.0 * (inner[-1] ** 2).mean() / width)
    assert qs[-1].std() == pytest.approx(spread, rel=0.2)
    assert qs[-1].mean() == pytest.approx(inner[-1].mean(), abs=4.0 * spread / math.sqrt(draws))
    error = reduced_logs[-1].std() * math.sqrt(2.0 / draws)
    assert abs(logs.mean() - reduced_logs[-1].mean()) <= 4.0 * error
    assert logs.std() == pytest.approx(reduced_logs[-1].std(), rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "draws"), [(100, 200), (300, 200)])
@pytest.mark.parametrize(("name", "sparsity", "m"), SPARSE[:3])
def test_networks_with_all_their_weights_are_lost_as_often_as_predicted(
    name, sparsity, m, width, draws
):
    v = sparse_map(name, sparsity, m)
    _, logs = simulated(v, width, 100, draws)
    s = survival(v, width, 100, q_star=1.0)
    assert_share((np.abs(logs) > TOO_FAR).mean(), s.lost, draws, 0.1 if width == 100 else 0.03)


@pytest.mark.parametrize(
    ("slope_m", "predicted"), [(0.80953, 0.113), (1.17037, 0.152), (1.73949, 0.280)]
)
def test_linear_spread_of_q_at_width_300(slope_m, predicted):
    s = survival(sparse_map("crelu", 0.85, slope_m), 300, 100, q_star=1.0)
    assert s.q_sd_linear == pytest.approx(predicted, abs=5e-4)


def test_the_spread_of_q_goes_beyond_the_linear_one_where_the_return_is_slow():
    narrow = survival(sparse_map("crelu", 0.85, 0.80953), 300, 100, q_star=1.0)
    wide = survival(sparse_map("crelu", 0.85, 1.73949), 300, 100, q_star=1.0)
    assert narrow.q_sd == pytest.approx(narrow.q_sd_linear, rel=0.01)
    assert wide.q_sd > 1.2 * wide.q_sd_linear


def test_layers_to_return_from_above():
    v = sparse_map("crelu", 0.85, 1.73949)
    assert [return_time(v, 1.0, q) for q in (1.3, 2.0, 4.0)] == [24, 50, 62]
    assert survival(v, 300, 100, q_star=1.0).return_layers == (24, 50, 62)
    assert survival(sparse_map("shifted_relu", 0.7), 300, 10, q_star=1.0).return_layers == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("name", "sparsity", "m", "verdict"),
    [
        ("crelu", 0.85, 1.7395, "unsafe"),
        ("crelu", 0.85, 1.17, "safe"),
        ("crelu", 0.85, 0.81, "safe"),
        ("shifted_relu", 0.5, None, "safe"),
        ("shifted_relu", 0.7, None, "unsafe"),
        ("soft_threshold", 0.7, None, "unsafe"),
    ],
)
def test_verdicts_at_width_300_and_depth_100_are_what_training_found(name, sparsity, m, verdict):
    assert survival(sparse_map(name, sparsity, m), 300, 100, q_star=1.0).verdict == verdict


def test_probabilities_add_up_over_the_grid():
    law = q_law(sparse_map("shifted_relu", 0.7), 200, 60, 1.0, low=0.01, high=100.0)
    assert law.density[-1].sum() + law.too_low + law.too_high + law.silent == pytest.approx(1.0)


def test_the_mean_of_q_follows_the_variance_map_while_the_width_is_large():
    v, q = sparse_map("crelu", 0.85, 1.17), 2.0
    law = q_law(v, 100_000, 8, q, low=0.01, high=100.0)
    for mean in law.mean_q:
        q = v(q)
        assert mean == pytest.approx(q, rel=3e-3)


def test_a_wider_network_is_lost_less_often_and_a_deeper_one_more():
    v = sparse_map("crelu", 0.9, 1.0)
    chances = [survival(v, n, 100, q_star=1.0).lost for n in (100, 200, 400, 800)]
    assert chances == sorted(chances, reverse=True)
    chances = [survival(v, 200, depth, q_star=1.0).lost for depth in (10, 30, 100, 300)]
    assert chances == sorted(chances)


def test_layers_without_a_single_live_unit_are_counted():
    v, width, depth = sparse_map("crelu", 0.95, 0.5), 60, 40
    _, logs = reduced(v, width, depth, 1000)
    law = q_law(v, width, depth, 1.0, low=0.01, high=100.0)
    assert_share((logs[-1] < -300.0).mean(), law.silent, 1000, 0.03)


def test_a_network_without_a_fixed_point_is_lost_against_its_start():
    relu = activation("relu")
    vanishing = survival(VarianceMap(relu, 0.5, 0.0), 256, 20, start_q=1.0)
    assert vanishing.lost_signal == pytest.approx(1.0)
    assert vanishing.verdict == "unsafe"
    assert survival(VarianceMap(relu, 9.0, 0.0), 256, 20).lost_signal == pytest.approx(1.0)
    assert survival(VarianceMap(relu, 2.0, 0.0), 256, 20).verdict == "safe"


def test_an_input_far_outside_loses_the_signal_at_once():
    s = survival(edge_map("tanh"), 256, 20, start_q=1e3, q_star=1.0)
    assert (s.lost_signal, s.lost, s.verdict) == (1.0, 1.0, "unsafe")


def test_a_step_passes_no_gradient():
    with pytest.raises(UnsupportedOperationError):
        survival(VarianceMap(activation("step"), 2.0, 0.0), 100, 10)


@pytest.mark.parametrize("width", [4096, 16384, 65536])
def test_wide_networks_have_the_linear_spread(width):
    for v in (sparse_map("crelu", 0.85, 1.17), edge_map("tanh")):
        s = survival(v, width, 100, q_star=1.0)
        assert s.q_sd == pytest.approx(s.q_sd_linear, rel=0.01)
        assert s.verdict == "safe"
