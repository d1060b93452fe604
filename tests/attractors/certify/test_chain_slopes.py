"""The bound on how far a chain's slopes stray holds for all pairs of points tried."""

from __future__ import annotations

import itertools

import enclosed_networks
import numpy as np
import pytest

from fpcheck.attractors.certify.chain_slopes import chain_layers, chain_slopes
from fpcheck.attractors.selfmap import return_jacobian


def slopes_of(network, points, period):
    return chain_slopes(chain_layers(network.program, period), points)


def within(rng, n, radius):
    """Displacements of length up to `radius`."""
    u = rng.normal(size=n)
    return radius * u / np.linalg.norm(u) * rng.uniform() ** 0.25


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "sin", "cst", "leaky_relu", "softplus"])
@pytest.mark.parametrize("period", [1, 2])
def test_slopes_to_the_point_stray_by_no_more_than_the_bound(name, period):
    """Slopes between two points: f^p(a) - f^p(b) = J (a - b) with the activations' chords."""
    rng = np.random.default_rng(0)
    network = enclosed_networks.chain(rng, name, n=4, hidden=6)
    points = rng.normal(size=(3, 4))
    slopes = slopes_of(network, points, period)
    left, right = rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 4, 4))
    for error in (0.0, 1e-3):
        bound = slopes.straying(left, right, np.full(3, error))
        for radius in (1e-6, 1e-2, 0.3):
            allowed = bound(np.full(3, radius), np.arange(3))
            for row, _ in itertools.product(range(3), range(50)):
                first = points[row] + right[row] @ within(rng, 4, min(error, radius))
                second = points[row] + right[row] @ within(rng, 4, radius)
                jacobian = chord(network, first, second, period)
                change = left[row] @ (jacobian - slopes.jacobian.mid[row]) @ right[row]
                assert np.linalg.norm(change, 2) <= allowed[row] * (1 + 1e-9) + 1e-7
        if name in ("tanh", "gelu") and error == 0.0:
            assert (bound(np.full(3, 1e-6), np.arange(3)) < 1e-2).all()  # no wild exaggeration


def chord(network, first, second, period):
    """D_L W_L .. D_1 W_1 with the activations' difference quotients between both points."""
    slope, a, b = np.eye(len(first)), first, second
    for layer in chain_layers(network.program, period):
        za, zb = a @ layer.weight_t + layer.bias, b @ layer.weight_t + layer.bias
        a, b = layer.function.phi(za), layer.function.phi(zb)
        apart = np.abs(za - zb) > 1e-9
        quotient = (a - b) / np.where(apart, za - zb, 1.0)
        quotient = np.where(apart, quotient, layer.function.derivative(zb))
        slope = quotient[:, None] * (layer.weight @ slope)
    return slope


def test_the_product_of_norms_bounds_every_slope():
    rng = np.random.default_rng(1)
    network = enclosed_networks.chain(rng, "gelu", n=5)
    slopes = slopes_of(network, np.zeros((1, 5)), 1)
    points = rng.normal(size=(100, 5)) * 3
    norms = [
        np.linalg.norm(return_jacobian(network.program, point.reshape(1, -1)), 2)
        for point in points
    ]
    assert max(norms) <= slopes.lipschitz


def test_networks_that_are_no_short_chain_have_none():
    rng = np.random.default_rng(2)
    assert chain_layers(enclosed_networks.cell(rng, "gru").program, 1) is None
    chain = enclosed_networks.chain(rng, "tanh")
    assert chain_layers(chain.program, 100) is None
