"""The second-order bound on how far a chain strays from its slope holds, and is the smaller one."""

from __future__ import annotations

import itertools

import enclosed_networks
import numpy as np
import pytest
from small_maps import one_layer

from fpcheck.attractors.certify.bends import CURVES
from fpcheck.attractors.certify.chain_slopes import chain_layers, chain_slopes
from fpcheck.attractors.certify.norms import apart_norms
from fpcheck.attractors.selfmap import image
from fpcheck.network.activations import ACTIVATIONS, ActivationFunction
from fpcheck.network.enclosure.ball import Ball
from fpcheck.network.enclosure.matrices import point

KNOWN = [name for name, kind in ACTIVATIONS.items() if kind.opcode in CURVES]


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("period", [1, 2])
def test_images_part_from_the_slope_by_no_more_than_the_bound(name, period):
    """|left (f^p(a) - f^p(b) - J* (a - b))| <= bound |w|, a - b = right w, b near the point."""
    rng = np.random.default_rng(0)
    network = enclosed_networks.chain(rng, name, n=4, hidden=6)
    points = rng.normal(size=(3, 4))
    slopes = chain_slopes(chain_layers(network.program, period), points)
    left, right = rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 4, 4))
    closest = 0.0
    for error, radius in itertools.product((0.0, 1e-3), (1e-3, 1e-2, 0.1, 0.5)):
        allowed = slopes.departing(left, right, np.full(3, error))(np.full(3, radius), np.arange(3))
        for row in range(3):
            units = rng.normal(size=(2, 400, 4))
            units /= np.linalg.norm(units, axis=2, keepdims=True)
            first = points[row] + min(error, radius) * units[0] @ right[row].T
            second = points[row] + radius * units[1] @ right[row].T
            moved = image(network.program, second, period) - image(network.program, first, period)
            linear = (second - first) @ slopes.jacobian.mid[row].T
            w = np.linalg.solve(right[row], (second - first).T).T
            ratio = np.linalg.norm((moved - linear) @ left[row].T, axis=1)
            ratio /= np.linalg.norm(w, axis=1)
            assert (ratio <= allowed[row] * (1 + 1e-9) + 1e-10).all()
            closest = max(closest, float(ratio.max() / allowed[row]))
    assert closest > 0.2  # no wild exaggeration


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_it_is_several_times_smaller_for_wide_layers(name):
    rng = np.random.default_rng(1)
    network = enclosed_networks.chain(rng, name, n=24, hidden=32)
    slopes = chain_slopes(chain_layers(network.program, 1), rng.normal(size=(2, 24)))
    zero, small, rows = np.zeros(2), np.full(2, 1e-4), np.arange(2)
    first = slopes.straying(None, None, zero)(small, rows)
    assert (2.5 * slopes.departing(None, None, zero)(small, rows) < first).all()


def test_without_a_known_second_derivative_it_is_the_first_order_bound():
    rng = np.random.default_rng(2)
    slopes = chain_slopes(
        chain_layers(enclosed_networks.chain(rng, "relu", n=4).program, 1), rng.normal(size=(2, 4))
    )
    assert slopes.bends is None
    way = np.full(2, 0.1), np.arange(2)
    bounds = [slopes.departing(None, None, np.zeros(2)), slopes.straying(None, None, np.zeros(2))]
    np.testing.assert_array_equal(bounds[0](*way), bounds[1](*way))


@pytest.mark.parametrize("name", ["identity", "tanh"])
def test_one_layer_and_linear_ones_have_a_bound_at_every_point(name):
    weight = 0.9 * np.eye(3)
    slopes = chain_slopes(
        chain_layers(one_layer(weight, name=name).program, 1), 0.1 * np.ones((4, 3))
    )
    bound = slopes.departing(None, None, np.zeros(4))(np.full(4, 0.1), np.arange(4))
    assert bound.shape == (4,)
    assert (bound < 0.1).all()


@pytest.mark.parametrize("name", KNOWN)
def test_curves_hold_half_the_second_derivative_and_thirds_bound_the_third(name):
    """By differences of the slope, whose own error is of order h^2 phi'''' = 1e-8."""
    function = ActivationFunction(name, ())
    curve, third = CURVES[function.opcode]
    x = np.linspace(-6.0, 6.0, 4001)
    h = 1e-4
    half = (function.derivative(x + h) - function.derivative(x - h)) / (4.0 * h)
    held = curve(function, Ball(x[None], np.full((1, len(x)), 1e-6)))
    assert (np.abs(held.mid[0] - half) <= held.rad[0] + 1e-7).all()
    assert (held.rad < 1e-5).all()
    largest = np.abs(np.diff(half) / np.diff(x)).max() * 2.0
    assert 0.99 * third < largest <= third * (1 + 1e-5)


def test_norms_with_the_slow_part_apart_contract_and_are_long_in_its_direction():
    rng = np.random.default_rng(3)
    n = 12
    basis = rng.normal(size=(4, n, n))
    # One slowest direction, a slowest pair, three of one size, and one that grows.
    values = np.linspace(0.1, 0.8, n) * np.ones((4, 1))
    values[0, 0], values[2, :3], values[3, 0] = 0.98, 0.98, 1.02
    blocks = np.array([np.diag(each) for each in values])
    blocks[1, :2, :2] = 0.97 * np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    stack = basis @ blocks @ np.linalg.inv(basis)
    rows, norms = apart_norms(point(stack))
    assert rows.tolist() == [0, 1]
    for place, row in enumerate(rows):
        turned = norms.transform[place] @ stack[row] @ norms.axes[place]
        assert np.linalg.norm(turned, 2) <= norms.size[place] < 0.99
    slow = basis[0][:, 0] / np.linalg.norm(basis[0][:, 0])
    shortest = np.linalg.svd(norms.transform[0], compute_uv=False)[-1]
    assert np.linalg.norm(norms.transform[0] @ slow) <= 2.0 * shortest


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_a_matrix_that_is_not_finite_has_no_slow_part_and_takes_none_from_the_others(value):
    matrix = np.diag([0.9, 0.3, 0.2])
    broken = matrix.copy()
    broken[0, 1] = value
    with np.errstate(all="ignore"):
        rows, norms = apart_norms(point(np.stack([matrix, broken])))
    assert rows.tolist() == [0]
    assert norms.size[0] < 1.0
