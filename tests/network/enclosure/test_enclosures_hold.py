"""Enclosures against 200-bit ball arithmetic: what they hold is the exact map, at every point."""

from __future__ import annotations

import math

import enclosed_networks
import exact_activations
import exact_maps
import exact_numbers
import numpy as np
import pytest
from flint import arb

from fpcheck.network.activations import activation
from fpcheck.network.enclosure import Ball, enclosable, enclose, enclose_jacobian
from fpcheck.network.network import Network
from fpcheck.network.program import forward, jacobian
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

LABELS = [label for label, _ in enclosed_networks.all_networks(np.random.default_rng(0))]


def network_of(label):
    return dict(enclosed_networks.all_networks(np.random.default_rng(7)))[label]


def holds(ball, exact):
    """Whether every exact number surely lies in the ball's entry."""
    mid, rad, flat = ball.mid.reshape(-1), ball.rad.reshape(-1), exact.reshape(-1)
    return all(
        math.isinf(r) or abs(x - arb(float(m))) <= arb(float(r))
        for m, r, x in zip(mid, rad, flat, strict=True)
    )


def points_of(rng, centre, radius, count):
    """Points of the box, every second one a corner.

    Centres, radii and shares are short binary fractions, so that the points are exact.
    """
    signs = rng.choice([-1.0, 1.0], size=(count, *centre.shape))
    within = rng.integers(-16, 17, size=signs.shape) / 16
    return centre + np.where(np.arange(count)[:, None] % 2, signs, within) * radius


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("radius", [0.0, 2.0**-30, 2.0**-10, 0.25])
def test_values_and_jacobians_of_every_point_of_a_box_are_held(label, radius):
    rng = np.random.default_rng(1)
    network = network_of(label)
    n = network.program.input_size
    centre = np.round(rng.normal(size=n) * 1024) / 1024
    radii = np.full(n, radius)
    box = Ball(centre[None], radii[None])
    values = enclose(network.program, box)
    tightened, slopes = enclose_jacobian(network.program, box)
    assert holds_shape(network, values, tightened, slopes)
    for point in points_of(rng, centre, radii, 2 if label == "image" else 6):
        assert (np.abs(point - centre) <= radii).all()
        exact = exact_maps.run(network, exact_numbers.slopes(point, np.zeros(n))).reshape(-1)
        image = np.array([each.centre for each in exact])
        assert holds(values, image)
        assert holds(tightened, image)
        assert holds(slopes, np.array([each.tangents for each in exact]))


def holds_shape(network, values, tightened, slopes):
    n, out = network.program.input_size, network.program.output_size
    return (
        values.shape == (1, *network.skeleton.output_shape)
        and tightened.shape == (1, out)
        and slopes.shape == (1, out, n)
    )


@pytest.mark.parametrize("label", LABELS)
def test_a_thin_box_gives_the_floating_point_map_to_many_digits(label):
    rng = np.random.default_rng(2)
    network = network_of(label)
    program = network.program
    x = rng.normal(size=(3, program.input_size))
    values, slopes = enclose_jacobian(program, Ball(x, np.zeros_like(x)))
    rows = x.reshape(3, *program.skeleton.input_shape)
    assert values.rad.max() < 1e-10
    assert slopes.rad.max() < 1e-9
    np.testing.assert_allclose(
        values.mid, forward(program, rows).reshape(3, -1), rtol=0, atol=1e-11
    )
    for row, slope in zip(rows, slopes.mid, strict=True):
        np.testing.assert_allclose(slope, jacobian(program, row), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", enclosed_networks.SMOOTH_OR_KINKED)
def test_ranges_of_an_activation_and_its_slope_hold_every_value(name):
    """On intervals of all sizes, ends on kinks and turns included."""
    function = activation(name, enclosed_networks.PARAMETERS.get(name))
    network = Network(
        Skeleton((Input("x", (1,)), Dense("d", ("x",), 1, "w"), Activation("a", ("d",), function))),
        {"w": np.ones((1, 1))},
    )
    rng = np.random.default_rng(3)
    ends = np.concatenate([[-8.0, -1.0, 0.0, 0.1, 1.0, 8.0], rng.normal(0, 2, 12), function.kinks])
    low, high = (grid.reshape(-1) for grid in np.meshgrid(ends, ends))
    keep = low <= high
    mid = 0.5 * (low[keep] + high[keep])
    rad = np.maximum(high[keep] - mid, mid - low[keep])
    values, slopes = enclose_jacobian(network.program, Ball(mid[:, None], rad[:, None]))
    value, slope = exact_activations.activation_pair(function)
    for k, share in ((k, s) for k in range(len(mid)) for s in (0.0, 0.25, 0.5, 0.75, 1.0)):
        x = arb(float(low[keep][k])) * (1 - share) + arb(float(high[keep][k])) * share
        x = arb(float(x.mid())) if share in (0.25, 0.5, 0.75) else x
        assert holds(Ball(values.mid[k], values.rad[k]), np.array([value(x)]))
        hull = slope(x)
        if hull.rad() > 0.01:  # on a kink; radii of arb have 30 bits, rounded up
            hull = arb(hull.mid(), float(hull.rad()) * (1 - 1e-8))
        assert holds(Ball(slopes.mid[k], slopes.rad[k]), np.array([hull]))


def curvature_sign(name, x):
    """phi''(x) divided by something positive, so that its sign shows far out too."""
    if name == "gelu":  # (2 - x^2) times the normal density
        return 2 - x * x
    if name == "silu":  # v = x; f'' = s'(v) (2 v' + x ((1 - 2 s) v'^2 + v''))
        return 2 + x * (1 - 2 * exact_activations.sigmoid(x))
    scale = 2 * (2 / arb.pi()).sqrt()
    cubic = arb(0.044715)
    first, second = scale * (1 + 3 * cubic * x * x), scale * 6 * cubic * x
    bend = 1 - 2 * exact_activations.sigmoid(exact_activations.gelu_tanh_inner(x))
    return 2 * first + x * (bend * first * first + second)


def proved_sign(name, low, high, sign, depth=0):
    """Whether phi'' has this sign on all of [low, high], by bisection."""
    value = curvature_sign(name, arb((low + high) / 2, (high - low) / 2)) * sign
    if value > 0:
        return True
    mid = (low + high) / 2
    return depth < 60 and all(
        proved_sign(name, *part, sign, depth + 1) for part in ((low, mid), (mid, high))
    )


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu"])
def test_curved_activations_turn_only_where_the_table_says(name):
    """phi'' is even and changes its sign at one place above 0; then phi' has one zero: phi' falls
    from 0 to its least value and rises from there on until it is positive."""
    from fpcheck.network.enclosure.activation import SLOPE_TURNS, VALUE_TURNS

    function = activation(name)
    _, upper = SLOPE_TURNS[function.opcode]
    assert proved_sign(name, 0.0, upper.at - 0.5 * upper.blur, 1)
    assert proved_sign(name, upper.at + 0.5 * upper.blur, 200.0, -1)
    (lowest,) = VALUE_TURNS[function.opcode]
    _, slope = exact_activations.SMOOTH[name]
    assert slope(arb(lowest.at - 0.5 * lowest.blur)) < 0
    assert slope(arb(lowest.at + 0.5 * lowest.blur)) > 0


def test_infinite_and_overflowing_inputs_enclose_everything():
    network = enclosed_networks.chain(np.random.default_rng(4), "tanh")
    n = network.program.input_size
    box = Ball(np.array([[0.0] * n, [1e308] * n]), np.array([[np.inf] * n, [1e308] * n]))
    values, slopes = enclose_jacobian(network.program, box)
    assert not np.isnan(values.mid).any()
    assert not np.isnan(values.rad).any()
    for scale in (1.0, 1e3, 1e300):
        image = forward(network.program, scale * np.random.default_rng(5).normal(size=(20, n)))
        assert (np.abs(image - values.mid[0]) <= values.rad[0]).all()
    assert not np.isnan(slopes.rad).any()


def test_nan_never_encloses():
    network = enclosed_networks.chain(np.random.default_rng(4), "relu")
    network.parameters["A"][0, 0] = np.nan
    n = network.program.input_size
    values = enclose(network.program, Ball(np.zeros((1, n)), np.zeros((1, n))))
    assert np.isinf(values.rad).any()
    assert not np.isnan(values.mid).any()


def test_what_cannot_be_enclosed_is_named():
    nodes = (Input("x", (2,)), Activation("jump", ("x",), activation("step")))
    assert "jump" in enclosable(Network(Skeleton(nodes), {}).program)
    assert enclosable(network_of("gru").program) == ""


def test_many_boxes_are_the_same_boxes_one_by_one():
    network = network_of("gelu")
    rng = np.random.default_rng(5)
    n = network.program.input_size
    boxes = Ball(rng.normal(size=(50, n)), rng.uniform(0, 0.1, size=(50, n)))
    values, slopes = enclose_jacobian(network.program, boxes)
    for k in (0, 17, 49):
        one = Ball(boxes.mid[k : k + 1], boxes.rad[k : k + 1])
        value, slope = enclose_jacobian(network.program, one)
        np.testing.assert_allclose(value.rad[0], values.rad[k], rtol=1e-9)
        np.testing.assert_allclose(slope.rad[0], slopes.rad[k], rtol=1e-9)


def test_no_boxes_give_no_enclosures():
    network = network_of("image")
    none = Ball(np.zeros((0, 32)), np.zeros((0, 32)))
    assert enclose(network.program, none).shape == (0, 48)
    values, slopes = enclose_jacobian(network.program, none)
    assert (values.shape, slopes.shape) == ((0, 48), (0, 48, 32))
