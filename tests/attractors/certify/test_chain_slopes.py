"""The bound on how far a chain's slopes stray holds for the Jacobians of every point tried."""

from __future__ import annotations

import enclosed_networks
import numpy as np
import pytest

from fpcheck.attractors.certify.chain_slopes import chain_slopes
from fpcheck.attractors.selfmap import orbit, return_jacobian


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "sin", "cst", "leaky_relu", "softplus"])
@pytest.mark.parametrize("period", [1, 2])
def test_jacobians_stray_by_no_more_than_the_bound(name, period):
    rng = np.random.default_rng(0)
    network = enclosed_networks.chain(rng, name, n=4, hidden=6)
    x = rng.normal(size=4)
    slopes = chain_slopes(network.program, x, period)
    left, right = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    bound = slopes.straying(left, right)
    for radius in (1e-6, 1e-2, 0.3):
        allowed = bound(radius)
        for _ in range(50):
            u = rng.normal(size=4)
            point = x + right @ (radius * u / np.linalg.norm(u) * rng.uniform() ** 0.25)
            jacobian = return_jacobian(network.program, orbit(network.program, point, period))
            change = left @ (jacobian - slopes.jacobian.mid) @ right
            assert np.linalg.norm(change, 2) <= allowed * (1 + 1e-9) + 1e-12
    if name in ("tanh", "gelu"):
        assert bound(1e-6) < 1e-2  # and it is no wild exaggeration


def test_the_product_of_norms_bounds_every_slope():
    rng = np.random.default_rng(1)
    network = enclosed_networks.chain(rng, "gelu", n=5)
    slopes = chain_slopes(network.program, np.zeros(5), 1)
    points = rng.normal(size=(100, 5)) * 3
    norms = [
        np.linalg.norm(return_jacobian(network.program, point.reshape(1, -1)), 2)
        for point in points
    ]
    assert max(norms) <= slopes.lipschitz


def test_networks_that_are_no_short_chain_have_none():
    rng = np.random.default_rng(2)
    assert chain_slopes(enclosed_networks.cell(rng, "gru").program, np.zeros(3), 1) is None
    chain = enclosed_networks.chain(rng, "tanh")
    assert chain_slopes(chain.program, np.zeros(4), 100) is None
