"""Plain callables whose attractors are textbook matter: Henon, Newton's map, a rotation."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_maps import attractors_of

import fpcheck
from fpcheck.core.intervals import wilson
from fpcheck.core.settings import Settings
from fpcheck.network.load import load

# Jacobians of a callable are central differences: 1e-10 of the entries.
DIFFERENCES = 1e-8
A, B = 1.4, 0.3
EXPONENT = 0.41922  # of the Henon attractor, per step [Sprott 2003]


def henon(x):
    return np.stack([1.0 - A * x[:, 0] ** 2 + x[:, 1], B * x[:, 0]], axis=1)


def newton_of_cube_roots(x):
    """z <- z - (z^3 - 1) / (3 z^2) of z = x + iy."""
    z = x[:, 0] + 1j * x[:, 1]
    with np.errstate(all="ignore"):
        z = (2.0 * z**3 + 1.0) / (3.0 * z**2)
    return np.stack([z.real, z.imag], axis=1)


ANGLE = 2 * np.pi / 5
TURN = np.array([[np.cos(ANGLE), np.sin(ANGLE)], [-np.sin(ANGLE), np.cos(ANGLE)]])


def turned(x):
    """A turn by a fifth, and every radius halfway to 1: the unit circle attracts."""
    radius = np.linalg.norm(x, axis=1, keepdims=True)
    return (x @ TURN) * (0.5 + 0.5 / np.maximum(radius, 1e-300))


def network_of(function):
    return load(function, input_shape=(2,)).network


def square(half, count, seed=0):
    return np.random.default_rng(seed).uniform(-half, half, (count, 2))


@cache
def henon_on(half):
    return attractors_of(network_of(henon), square(half, 2048))


def test_the_fixed_points_of_the_henon_map_are_the_roots_of_its_quadratic():
    # x = 1 - A x^2 + B x; both are saddles, and det J = -B.
    result = henon_on(2.0)
    roots = np.roots([A, 1.0 - B, -1.0])
    found = {round(float(point.point[0]), 4): point for point in result.fixed_points}
    assert sorted(found) == sorted(np.round(roots, 4)) == [-1.1314, 0.6314]
    for root in roots:
        point = found[round(float(root), 4)]
        assert_allclose(point.point, [root, B * root], rtol=DIFFERENCES)
        eigenvalues = np.roots([1.0, 2 * A * root, -B])
        assert_allclose(point.spectral_radius, np.abs(eigenvalues).max(), rtol=DIFFERENCES)
        assert (point.kind, point.unstable_directions, point.share) == ("saddle", 1, 0.0)


@pytest.mark.parametrize(("half", "share"), [(2.0, 0.43), (2.5, 0.30)])
def test_the_henon_attractor_draws_the_known_share_of_a_square(half, share):
    # The share is given to two digits.
    result = henon_on(half)
    stay = len(square(half, 2048)) - result.diverged.starts
    interval = wilson(stay, result.starts)
    assert interval.low - 0.005 <= share <= interval.high + 0.005
    assert result.aperiodic.starts + result.unresolved.starts == stay
    assert not [point for point in result.fixed_points if point.kind == "stable"]
    assert result.cycles == ()


def test_the_henon_attractor_is_chaotic_with_the_known_exponent():
    result = henon_on(2.0)
    assert result.aperiodic.starts == result.aperiodic.chaotic > 0
    assert result.unresolved.starts == 0
    assert 0.0 < result.aperiodic.lyapunov_low <= EXPONENT <= result.aperiodic.lyapunov_high
    assert result.aperiodic.lyapunov_high - result.aperiodic.lyapunov_low < 0.2


def test_the_roots_of_unity_attract_a_third_of_the_plane_each():
    # Turning the plane by a third maps the map and the normal law to themselves.
    result = attractors_of(network_of(newton_of_cube_roots), count=2048)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    assert len(stable) == len(result.fixed_points) == 3
    for root in roots:
        distances = [abs(complex(*point.point) - root) for point in stable]
        near = stable[int(np.argmin(distances))]
        assert min(distances) < 1e-9
        # Newton's method converges quadratically: the slope at a root is zero.
        assert near.spectral_radius < DIFFERENCES
        assert near.share_low <= 1 / 3 <= near.share_high
    assert sum(point.share for point in stable) == pytest.approx(1.0, abs=0.01)


def test_the_smallest_perturbation_that_leaves_a_root_of_unity_is_near_the_known_one():
    # The least one is 0.622 long; what a search finds bounds it from above.
    result = attractors_of(network_of(newton_of_cube_roots), count=512)
    distances = [boundary.distance for boundary in result.boundaries]
    assert len(distances) == 3
    assert all(0.6215 <= distance <= 0.67 for distance in distances)


@pytest.mark.parametrize("function", [lambda x: x @ TURN, turned], ids=["plane", "circle"])
def test_a_turn_by_a_fifth_has_cycles_of_period_five_alone(function):
    result = attractors_of(network_of(function), count=48)
    assert {cycle.period for cycle in result.cycles} == {5}
    for cycle in result.cycles:
        # Along the circle nothing moves; across it every step of the second map halves.
        assert_allclose(cycle.spectral_radius, 1.0, atol=1e-6)
        if function is turned:
            assert_allclose(np.linalg.norm(cycle.point), 1.0, rtol=1e-8)
    # Every point is neutral along its circle, and differences cannot tell neutral from nearly so:
    # not every end is confirmed, but none is anything else.
    assert result.cycling.starts + result.unresolved.starts == 48
    assert result.cycling.starts >= 16
    assert all(point.share == 0.0 for point in result.fixed_points)


def test_the_public_interface_takes_a_callable():
    settings = Settings(questions=("attractors",), starts=256)
    report = fpcheck.analyze(newton_of_cube_roots, input_shape=(2,), settings=settings)
    (one,) = report.document["attractors"]["maps"]
    assert sorted(point["kind"] for point in one["fixed_points"]) == ["stable"] * 3
