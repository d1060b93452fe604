"""The effective width of convolutions, against simulated ones: 3 x 3, circular borders."""

import math

import numpy as np
import pytest

from fpcheck.theory.conv_width import effective_width
from fpcheck.theory.edge_of_chaos import sparse_edge
from fpcheck.theory.finite_width_law import survival
from fpcheck.theory.variance_map import VarianceMap

torch = pytest.importorskip("torch")


def sparse_map(name, sparsity, m=None):
    edge = sparse_edge(name, sparsity, m)
    return VarianceMap(edge.function, edge.point.sigma_w2, edge.point.sigma_b2)


def clipped(x, f):
    if f.name == "crelu":
        return (x - f.p0).clamp(0.0, f.p1)
    return torch.sign(x) * (x.abs() - f.p0).clamp(0.0, f.p1)


def simulated(v, channels, side, depth, draws, seed=4):
    """Q, a mean over positions (depth, draws); log squared gradient, first layer over last."""
    torch.manual_seed(seed)
    qs, logs = np.empty((depth, draws)), np.empty(draws)
    gain = math.sqrt(v.sigma_w2 / (9 * channels))
    for draw in range(draws):
        first = torch.randn(1, channels, side, side, requires_grad=True)
        h = first
        for layer in range(depth):
            phi = clipped(h, v.function)
            qs[layer, draw] = v.sigma_b2 + v.sigma_w2 * float((phi * phi).mean().detach())
            padded = torch.nn.functional.pad(phi, (1, 1, 1, 1), mode="circular")
            weight = gain * torch.randn(channels, channels, 3, 3)
            bias = math.sqrt(v.sigma_b2) * torch.randn(channels)
            h = torch.nn.functional.conv2d(padded, weight, bias)
        u = torch.randn(h.shape)
        (gradient,) = torch.autograd.grad((h * u).sum(), first)
        logs[draw] = math.log(float((gradient**2).sum()) / float((u**2).sum()))
    return qs, logs


def assert_predicted(v, channels, side, depth, draws):
    """Spread of q within 20 %; log G within half its spread, and its spread within 40 %.

    The last two are what the approximation of the gradient's places is good for.
    """
    qs, logs = simulated(v, channels, side, depth, draws)
    s = survival(v, channels, depth, q_star=1.0, positions=side * side)
    units = effective_width(v, 1.0, channels, side * side, depth)
    inner = math.sqrt(s.q_sd**2 - 2.0 / units)
    assert inner == pytest.approx(qs[depth // 2 :].std(), rel=0.2)
    assert abs(s.mean_log_gradient - logs.mean()) <= 0.5 * logs.std()
    assert s.sd_log_gradient == pytest.approx(logs.std(), rel=0.4)


@pytest.mark.parametrize(("name", "sparsity", "m"), [("crelu", 0.7, 1.0), ("cst", 0.6, 1.2)])
def test_a_small_convolution(name, sparsity, m):
    assert_predicted(sparse_map(name, sparsity, m), channels=40, side=4, depth=16, draws=80)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "draws"), [(100, 150), (300, 40)])
@pytest.mark.parametrize(
    ("name", "sparsity", "m"), [("crelu", 0.85, 1.17), ("cst", 0.8, 1.0632), ("crelu", 0.7, 1.45)]
)
def test_a_deep_convolution(name, sparsity, m, channels, draws):
    assert_predicted(sparse_map(name, sparsity, m), channels, 6, 50, draws)


def test_the_effective_width_lies_between_channels_and_channels_times_positions():
    v = sparse_map("crelu", 0.85, 1.17)
    shallow = effective_width(v, 1.0, 100, 64, 1)
    deep = [effective_width(v, 1.0, 100, 64, depth) for depth in (2, 10, 50, 200)]
    assert shallow == pytest.approx(6400.0)  # white input: every position counts
    assert deep == sorted(deep, reverse=True)
    assert 100.0 < deep[-1] < 103.0  # far down all positions are alike


def test_one_position_is_a_dense_layer():
    v = sparse_map("crelu", 0.85, 1.17)
    assert effective_width(v, 1.0, 100, 1, 50) == pytest.approx(100.0)


def test_a_convolution_is_safer_than_a_dense_network_of_as_many_units():
    v = sparse_map("crelu", 0.85, 1.5)
    dense = survival(v, 200, 60, q_star=1.0)
    conv = survival(v, 200, 60, q_star=1.0, positions=64)
    assert conv.lost < dense.lost
    assert conv.q_sd == pytest.approx(dense.q_sd, rel=0.05)
