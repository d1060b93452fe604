"""Certificates where the answer is known in closed form, and where there is nothing to prove."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from fpcheck.attractors.certify import certify, inside, same_point
from fpcheck.attractors.polish import Polished, polish
from fpcheck.attractors.selfmap import image, orbit, return_jacobian
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def one_layer(weight, bias=None, name="tanh"):
    weight = np.atleast_2d(np.asarray(weight, dtype=np.float64))
    n = len(weight)
    nodes = (
        Input("x", (n,)),
        Dense("layer", ("x",), n, "weight", "bias"),
        Activation("phi", ("layer",), activation(name)),
    )
    shift = np.zeros(n) if bias is None else np.asarray(bias, dtype=np.float64)
    return Network(Skeleton(nodes), {"weight": weight, "bias": shift})


def at(network, x, period=1):
    """The point as a search would hand it over, not moved by Newton."""
    program = network.program
    points = orbit(program, np.asarray(x, dtype=np.float64), period)
    return Polished(points, 0.0, 0.0, return_jacobian(program, points), 1.0)


def certified(network, x, period=1):
    return certify(network.program, at(network, x, period))


def test_all_81_points_of_a_diagonal_map_are_proved_and_different():
    gain, n = 2.0, 4
    upper = brentq(lambda x: np.tanh(gain * x) - x, 0.1, 1.0, xtol=1e-15)
    network = one_layer(gain * np.eye(n))
    certificates = []
    for signs in itertools.product((-1, 0, 1), repeat=n):
        found = polish(network.program, upper * np.array(signs, dtype=float), 1, Monitor())
        certificate = certify(network.program, found)
        zeros = signs.count(0)
        assert certificate.proved
        assert certificate.unstable_directions == zeros
        assert certificate.index_sign == (-1) ** zeros
        assert certificate.kind == {0: "stable", n: "repelling"}.get(zeros, "saddle")
        assert (certificate.attracting is None) == (zeros > 0)
        certificates.append(certificate)
    assert sum(each.index_sign for each in certificates) == 1
    for a, b in itertools.combinations(certificates, 2):
        assert same_point(a, b) is False
    assert all(same_point(each, each) is True for each in certificates)


def test_the_radius_stops_before_the_next_fixed_point():
    for gain in (1.05, 1.5, 4.0):
        upper = brentq(lambda x, g=gain: np.tanh(g * x) - x, 1e-3, 1.0, xtol=1e-15)
        network = one_layer([[gain]])
        for x in (0.0, upper):
            certificate = certified(network, [x])
            assert certificate.proved
            assert certificate.error < certificate.radius < upper


def test_a_linear_map_has_one_fixed_point_in_as_large_a_ball_as_asked_for():
    rng = np.random.default_rng(0)
    weight = 0.5 * np.linalg.qr(rng.standard_normal((5, 5)))[0]
    bias = np.arange(5.0)
    network = one_layer(weight, bias, "identity")
    exact = np.linalg.solve(np.eye(5) - weight, bias)
    certificate = certified(network, exact)
    assert certificate.radius > 1e5
    assert certificate.error < 1e-13
    assert certificate.spectral_radius_low <= 0.5 <= certificate.spectral_radius_high
    assert certificate.spectral_radius_high - certificate.spectral_radius_low < 1e-12
    assert certificate.attracting.inner_radius > 1e5


def test_a_point_moved_by_more_than_its_error_is_still_proved_for_the_point_as_printed():
    network = one_layer([[2.0]])
    upper = brentq(lambda x: np.tanh(2.0 * x) - x, 0.5, 1.0, xtol=1e-15)
    certificate = certified(network, [upper + 1e-7])
    assert certificate.proved
    assert 1e-7 <= certificate.error < 2e-7


def test_a_point_where_there_is_none_is_not_proved():
    network = one_layer([[2.0]])
    certificate = certified(network, [0.4])
    assert not certificate.proved
    assert certificate.reason
    assert certificate.error is None


@pytest.mark.parametrize(
    ("weight", "bias", "name"),
    [
        ([[1.0]], [0.0], "identity"),  # every point is fixed
        ([[1.0]], [0.0], "tanh"),  # a triple root
        ([[2.0]], [0.0], "relu"),  # slopes 0 and 2 meet at the point: neither can be excluded
    ],
)
def test_degenerate_points_are_not_proved_and_say_why(weight, bias, name):
    certificate = certified(one_layer(weight, bias, name), [0.0])
    assert certificate.status == "numerical"
    assert "singular" in certificate.reason


def test_a_kink_at_the_point_is_proved_where_every_slope_contracts():
    certificate = certified(one_layer([[0.5]], None, "relu"), [0.0])
    assert certificate.proved
    assert certificate.kind == "stable"
    assert certificate.attracting.inner_radius > 1e3


def test_stable_slopes_on_both_sides_of_a_kink_are_no_proof_of_stability():
    """Each piece's spectral radius is below 1, and yet orbits grow: the pieces alternate."""
    weight = np.array([[0.0, 3.0], [0.3, 0.0]])  # radius 0.95, but norm 3
    network = one_layer(weight, None, "leaky_relu")
    certificate = certified(network, [0.0, 0.0])
    if certificate.kind == "stable":
        assert certificate.attracting is not None


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_jordan_blocks_are_counted(gain):
    """One eigenvalue six times over, with one eigenvector."""
    weight = gain * np.eye(6) + np.diag(np.full(5, 1.0), 1)
    certificate = certified(one_layer(weight, None, "identity"), np.zeros(6))
    assert certificate.proved
    assert certificate.unstable_directions == (0 if gain < 1 else 6)


def test_a_map_that_grows_for_long_before_it_dies_out_is_proved_stable():
    n = 64
    weight = np.diag(np.full(n - 1, 1.2), 1)  # nilpotent: |W^63| = 1.2^63
    certificate = certified(one_layer(weight, None, "identity"), np.zeros(n))
    assert certificate.kind == "stable"
    weight = np.diag(np.ones(n - 1), 1)
    weight[0, 0] = 1.5
    certificate = certified(one_layer(weight, None, "identity"), np.zeros(n))
    assert certificate.unstable_directions == 1


def test_a_saddle_far_from_normal_is_counted():
    weight = np.array([[0.5, 1e3, 0.0], [0.0, 0.5, 1e3], [0.0, 0.0, 2.0]])
    certificate = certified(one_layer(weight, None, "identity"), np.zeros(3))
    assert certificate.unstable_directions == 1
    assert certificate.index_sign == -1


def test_a_rotation_is_neither_stable_nor_unstable():
    angle = 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    certificate = certified(one_layer(turn, None, "identity"), np.zeros(2))
    assert certificate.proved
    assert certificate.unstable_directions is None
    assert certificate.kind is None
    assert certificate.spectral_radius_low <= 1.0 <= certificate.spectral_radius_high


def test_a_cycle_has_its_least_period_proved():
    network = one_layer([[-2.0]])
    upper = brentq(lambda x: np.tanh(2.0 * x) - x, 0.5, 1.0, xtol=1e-15)
    certificate = certified(network, [upper], period=2)
    assert certificate.proved
    assert certificate.kind == "stable"
    other = certified(network, [-upper], period=2)
    assert same_point(certificate, other) is True  # the same orbit, begun elsewhere
    fixed = certified(network, [0.0], period=2)
    assert not fixed.proved
    assert "period of 1" in fixed.reason


def test_a_cycle_of_five_turns():
    angle = 2 * np.pi / 5
    turn = 2.0 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    network = one_layer(turn)
    x = image(network.program, np.array([[0.9, 0.1]]), 5000)[0]
    found = polish(network.program, x, 5, Monitor())
    if found is not None:
        certificate = certify(network.program, found)
        assert certificate.proved
        assert (certificate.orbit_error < 1e-12).all()


def test_all_of_an_attracting_ball_flows_to_its_point():
    rng = np.random.default_rng(3)
    n = 12
    weight = rng.standard_normal((n, n))
    weight *= 0.9 / np.abs(np.linalg.eigvals(weight)).max()
    network = one_layer(weight, 0.1 * rng.standard_normal(n))
    found = polish(network.program, np.zeros(n), 1, Monitor())
    certificate = certify(network.program, found)
    ball = certificate.attracting
    directions = rng.standard_normal((200, n))
    directions /= np.linalg.norm(directions @ ball.transform.T, axis=1, keepdims=True)
    edge = certificate.orbit[0] + 0.999 * ball.radius * directions
    assert inside(ball, certificate.orbit[0], edge).all()
    assert not inside(ball, certificate.orbit[0], edge + 0.01 * ball.radius * directions).any()
    np.testing.assert_allclose(
        image(network.program, edge, 3000), np.tile(certificate.orbit[0], (200, 1)), atol=1e-10
    )
    round_ = rng.standard_normal((200, n))
    round_ *= 0.999 * ball.inner_radius / np.linalg.norm(round_, axis=1, keepdims=True)
    assert inside(ball, certificate.orbit[0], certificate.orbit[0] + round_).all()


def test_a_state_that_is_not_a_number_is_in_no_ball():
    certificate = certified(one_layer([[0.5]]), [0.0])
    states = np.array([[np.nan], [np.inf], [0.0]])
    with np.errstate(invalid="ignore"):
        found = inside(certificate.attracting, np.zeros(1), states)
    assert found.tolist() == [False, False, True]


def test_what_cannot_be_enclosed_is_said():
    certificate = certify(
        one_layer([[0.5]], None, "step").program,
        Polished(np.zeros((1, 1)), 0.0, 0.0, np.zeros((1, 1)), 1.0),
    )
    assert "phi" in certificate.reason
    bare = Polished(np.zeros((1, 1)), 0.0, 0.0)
    assert "Jacobian" in certify(one_layer([[0.5]]).program, bare).reason


@pytest.mark.parametrize("gain", [0.9, 1.5])
def test_wide_random_maps_are_proved(gain):
    _proved_random_map(128, gain)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.9, 1.5])
def test_maps_of_1024_units_are_proved(gain):
    _proved_random_map(1024, gain)


def _proved_random_map(n, gain):
    rng = np.random.default_rng(n)
    weight = rng.standard_normal((n, n)) / np.sqrt(n) * gain
    # A bias that makes a chosen point fixed: atanh(x) = W x + b.
    x = np.tanh(rng.standard_normal(n))
    network = one_layer(weight, np.arctanh(x) - weight @ x)
    found = polish(network.program, x, 1, Monitor())
    certificate = certify(network.program, found)
    moduli = np.abs(np.linalg.eigvals((1 - x**2)[:, None] * weight))
    assert certificate.proved
    assert np.abs(x - found.point).max() < 1e-9
    assert certificate.unstable_directions == np.count_nonzero(moduli > 1)
    assert certificate.spectral_radius_low <= moduli.max() * (1 + 1e-9)
    assert certificate.spectral_radius_high >= moduli.max() * (1 - 1e-9)
    assert certificate.radius > 1e-6
