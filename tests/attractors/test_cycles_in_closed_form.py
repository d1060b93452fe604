"""Cycles whose period, place and multiplier are known without iterating."""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_maps import attractors_of, linear, normal_starts, one_layer, total_share

CLOSED_FORM = 1e-12


def test_a_negative_diagonal_tanh_has_a_period_two_orbit_for_every_pair_of_corners():
    n, gain = 3, 2.0
    with mpmath.workdps(30):
        root = mpmath.findroot(lambda x: x - mpmath.tanh(gain * x), (0.5, 1.0), "anderson")
        slope = float(gain * (1 - root**2))
    starts = normal_starts(n, 512)
    result = attractors_of(one_layer(-gain * np.eye(n)), starts)
    assert len(result.cycles) == 2 ** (n - 1)
    for cycle in result.cycles:
        assert cycle.period == 2
        assert_allclose(np.abs(cycle.point), float(root), rtol=CLOSED_FORM)
        assert cycle.point[0] < 0  # the orbit begins with its smallest state
        assert_allclose(cycle.spectral_radius, slope**2, rtol=1e-10)
        assert_allclose(cycle.lyapunov, np.log(slope), rtol=1e-10)
        same = np.all(np.sign(starts) == np.sign(cycle.point), axis=1)
        mirrored = np.all(np.sign(starts) == -np.sign(cycle.point), axis=1)
        assert cycle.starts == np.count_nonzero(same | mirrored)
    assert result.cycling.share == 1.0
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_every_start_of_a_rotation_by_a_fifth_is_a_cycle_of_its_own():
    angle = 2 * np.pi / 5
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    result = attractors_of(linear(turn), count=200)
    assert {cycle.period for cycle in result.cycles} == {5}
    assert len(result.cycles) == 64
    assert result.other_cycles.count == 200 - 64
    assert {cycle.kind for cycle in result.cycles} == {"degenerate"}
    assert result.undiscovered_mass_upper == 1.0
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)
    (centre,) = result.fixed_points
    assert centre.kind == "marginal"
    assert_allclose(centre.point, 0.0, atol=CLOSED_FORM)


def test_starts_at_different_phases_of_one_orbit_are_one_cycle():
    # The cyclic shift of three units through a steep tanh: the phases of the orbit of (+, -, -).
    shift = 3.0 * np.roll(np.eye(3), 1, axis=0)
    phases = np.array([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    result = attractors_of(one_layer(shift), np.repeat(phases, 10, axis=0))
    (cycle,) = result.cycles
    assert (cycle.period, cycle.share) == (3, 1.0)


def test_a_slow_oscillation_onto_a_fixed_point_is_not_a_cycle():
    # x -> -0.9999 x: from 1e-8 two steps move by less than the tolerance while one still moves by
    # more, which to iteration alone looks like period 2.
    starts = np.full((20, 1), 1e-8) * np.array([[1.0], [-1.0]]).repeat(10, axis=0)
    result = attractors_of(linear([[-0.9999]]), starts, max_steps=50)
    assert result.cycles == ()
    (point,) = result.fixed_points
    assert (point.kind, abs(float(point.point[0])) <= CLOSED_FORM) == ("marginal", True)


def test_a_cycle_of_a_residual_map_has_the_multiplier_of_its_orbit():
    # Period 2 of x -> tanh(-3 x + 0.5): the multiplier is the product of both slopes.
    result = attractors_of(one_layer([[-3.0]], [0.5]))
    (cycle,) = result.cycles
    low = float(cycle.point[0])
    high = np.tanh(-3 * low + 0.5)
    assert_allclose(np.tanh(-3 * high + 0.5), low, rtol=CLOSED_FORM)
    assert_allclose(cycle.spectral_radius, 9 * (1 - low**2) * (1 - high**2), rtol=1e-10)
    assert_allclose(cycle.lyapunov, np.log(cycle.spectral_radius) / 2, rtol=CLOSED_FORM)
