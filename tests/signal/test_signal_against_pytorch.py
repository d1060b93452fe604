"""Gradient norms and Jacobians against PyTorch's autograd in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Skeleton
from fpcheck.signal.measure import measure

torch = pytest.importorskip("torch")

EXACT = 1e-11  # both sum in double precision, in different orders
FUNCTIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "elu": torch.nn.functional.elu,
}


def drawn(inputs, outputs):
    """The inputs in the order in which they are measured, and the directions u they get."""
    rng = random_stream(0, "signal")
    order = rng.permutation(inputs)
    directions = rng.standard_normal((inputs, outputs))
    return order, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def measured(network, x):
    return measure(network, x, "rows", Settings(), random_stream(0, "signal"), Monitor())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_norms_of_a_dense_network_are_autograd_s(chain, name):
    network = chain([12, 40, 30, 20, 5], name, 1.8, 0.2)
    x = np.random.default_rng(3).standard_normal((50, 12))
    order, directions = drawn(50, 5)
    h, held = torch.tensor(x[order]), []
    for i in range(4):
        weight = torch.tensor(network.parameters[f"w{i}"])
        h = h @ weight.T + torch.tensor(network.parameters[f"b{i}"])
        h.requires_grad_() if i == 0 else h.retain_grad()
        held.append(h)
        h = h if i == 3 else FUNCTIONS[name](h)
    torch.sum(h * torch.tensor(directions)).backward()
    for layer, pre in zip(measured(network, x).measured.layers, held, strict=True):
        expected = float(torch.sqrt(torch.mean(pre.grad**2)))
        assert layer.gradient_norm == pytest.approx(expected, rel=EXACT)


def test_gradient_norms_of_a_convolution_are_autograd_s():
    rng = np.random.default_rng(0)
    nodes = (Input("x", (2, 12)),
             Conv("c", ("x",), 6, (3,), "w", "b", padding=((1, 1),)),
             Activation("r", ("c",), parse_activation("relu")),
             Flatten("f", ("r",)), Dense("d", ("f",), 4, "v"))  # fmt: skip
    parameters = {"w": rng.standard_normal((6, 2, 3)), "b": rng.standard_normal(6),
                  "v": rng.standard_normal((4, 72))}  # fmt: skip
    x = rng.standard_normal((30, 2, 12))
    order, directions = drawn(30, 4)
    p = {key: torch.tensor(value) for key, value in parameters.items()}
    pre = torch.nn.functional.conv1d(torch.tensor(x[order]), p["w"], p["b"], padding=1)
    pre.requires_grad_()
    out = torch.relu(pre).flatten(1) @ p["v"].T
    torch.sum(out * torch.tensor(directions)).backward()
    first = measured(Network(Skeleton(nodes), parameters), x).measured.layers[0]
    expected = float(torch.sqrt(torch.mean(pre.grad**2)))
    assert first.gradient_norm == pytest.approx(expected, rel=EXACT)


def test_layer_wise_singular_values_are_those_of_autograd_s_jacobians(chain):
    network = chain([10, 16, 12, 6], "tanh", 1.6, 0.1)
    x = np.random.default_rng(5).standard_normal((4, 10))
    order, _ = drawn(4, 6)
    p = {key: torch.tensor(value) for key, value in network.parameters.items()}

    def from_first(h):
        h = torch.tanh(h) @ p["w1"].T + p["b1"]
        return torch.tanh(h) @ p["w2"].T + p["b2"]

    squares, spreads, ranks = [], [], []
    for row in torch.tensor(x[order]):
        jacobian = torch.autograd.functional.jacobian(from_first, row @ p["w0"].T + p["b0"])
        s = torch.linalg.svdvals(jacobian).numpy()
        squares.append(np.mean(s**2))
        spreads.append(np.std(np.log(s)))
        ranks.append(np.sum(s**2) ** 2 / np.sum(s**4))
    found = measured(network, x).jacobian.layers[0]
    assert found.name == "l0"
    assert found.isometry.mean_square == pytest.approx(np.mean(squares), rel=EXACT)
    assert found.isometry.log_spread == pytest.approx(np.mean(spreads), rel=1e-9)
    assert found.isometry.effective_rank == pytest.approx(np.mean(ranks), rel=EXACT)
