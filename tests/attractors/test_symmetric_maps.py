"""Maps whose fixed points are all known, and what symmetries do to the whole list of them."""

import itertools

import many_newton
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from small_maps import attractors_of, linear, one_layer, total_share

from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

CLOSED_FORM = 1e-11
# Points that two maps of one family have: both are polished to rounding, times the conditioning.
SAME = 1e-9


def root_of(gain):
    """The positive root of x = tanh(gain x)."""
    return brentq(lambda x: x - np.tanh(gain * x), 1e-3, 1.0, xtol=1e-16)


def count_of(result):
    others = result.other_fixed_points
    return len(result.fixed_points) + (others.count if others else 0)


@pytest.mark.parametrize("gain", [0.3, 0.9, 1.2, 2.0, 5.0])
def test_the_scalar_tanh_has_one_point_up_to_slope_one_and_three_beyond(gain):
    result = attractors_of(one_layer([[gain]]), count=256)
    expected = [0.0] if gain <= 1 else [-root_of(gain), 0.0, root_of(gain)]
    found = sorted(float(point.point[0]) for point in result.fixed_points)
    assert_allclose(found, expected, atol=CLOSED_FORM)
    for point in result.fixed_points:
        slope = gain * (1 - float(point.point[0]) ** 2)
        assert_allclose(point.spectral_radius, slope, rtol=1e-9)
        assert (point.kind == "stable") == (slope < 1)
    assert result.index_sum == 1


@pytest.mark.parametrize(
    ("n", "gain"),
    [(2, 2.0), (4, 1.5), (4, 3.0), pytest.param(8, 2.0, marks=pytest.mark.slow)],
)
def test_a_diagonal_map_has_three_points_a_unit(n, gain):
    result = attractors_of(one_layer(gain * np.eye(n)), count=1024)
    assert count_of(result) == 3**n
    root = root_of(gain)
    for point in result.fixed_points:
        signs = np.round(point.point / root)
        assert_allclose(point.point, signs * root, atol=CLOSED_FORM)
        zeros = int(np.count_nonzero(signs == 0))
        assert (point.unstable_directions, point.index_sign) == (zeros, (-1) ** zeros)
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_a_contracting_diagonal_map_has_one_point():
    result = attractors_of(one_layer(0.95 * np.eye(6)), count=64)
    (point,) = result.fixed_points
    assert_allclose(point.point, 0.0, atol=1e-9)


def test_units_with_gains_of_their_own_have_their_own_points():
    # tanh(d_i x_i): three points where d_i > 1, one elsewhere.
    gains = np.array([0.5, 1.5, 2.5, -0.7])
    result = attractors_of(one_layer(np.diag(gains)), count=512)
    levels = [[0.0] if d <= 1 else [-root_of(d), 0.0, root_of(d)] for d in gains]
    expected = np.array(list(itertools.product(*levels)))
    found = np.array([point.point for point in result.fixed_points])
    assert len(found) == len(expected) == 9
    assert many_newton.missing(expected, found, CLOSED_FORM) == 0
    assert result.index_sum == 1


@pytest.mark.parametrize("n", [3, 6])
def test_prescribed_points_their_negatives_and_zero_are_found(n):
    # W = atanh(V) V^-1: W v = atanh(v) for every column v of V.
    columns = np.random.default_rng(n).uniform(-0.9, 0.9, (n, n))
    weight = np.arctanh(columns) @ np.linalg.inv(columns)
    result = attractors_of(one_layer(weight), count=256)
    expected = np.vstack([columns.T, -columns.T, np.zeros(n)])
    found = np.array([point.point for point in result.fixed_points])
    assert many_newton.missing(expected, found, SAME) == 0
    assert_allclose(np.tanh(found @ weight.T), found, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_newton_from_many_starts_finds_no_other_point(seed):
    n, gain = 10, (0.9, 1.5, 3.0)[seed]
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, n))
    weight *= gain / np.abs(np.linalg.eigvals(weight)).max()
    bias = 0.1 * rng.standard_normal(n)
    result = attractors_of(one_layer(weight, bias), count=256)
    expected = many_newton.of_tanh(weight, bias, rng.uniform(-1, 1, (4000, n)))
    found = np.array([point.point for point in result.fixed_points])
    assert many_newton.missing(expected, found) == 0
    assert_allclose(np.tanh(found @ weight.T + bias), found, atol=1e-12)


def unlike(n, seed, gain=1.9, bias=0.2):
    rng = np.random.default_rng(seed)
    return gain * rng.standard_normal((n, n)) / np.sqrt(n), bias * rng.standard_normal(n)


def assert_same_points(first, second, carry):
    """The second map's whole list is the first one's, carried over, with the same spectra."""
    assert len(first.fixed_points) == len(second.fixed_points) > 0
    assert first.index_sum == second.index_sum
    states = np.array([point.point for point in second.fixed_points])
    for point in first.fixed_points:
        moved = carry(point.point)
        distances = np.linalg.norm(states - moved, axis=1)
        nearest = second.fixed_points[int(distances.argmin())]
        assert distances.min() <= SAME * max(1.0, np.linalg.norm(moved))
        assert_allclose(nearest.spectral_radius, point.spectral_radius, rtol=1e-8)
        assert nearest.unstable_directions == point.unstable_directions
        assert (nearest.index_sign, nearest.kind) == (point.index_sign, point.kind)


@pytest.mark.parametrize("seed", range(2))
def test_permuted_units_permute_the_whole_list(seed):
    weight, bias = unlike(6, seed)
    order = np.random.default_rng(seed).permutation(6)
    plain = attractors_of(one_layer(weight, bias), count=128, max_steps=500)
    moved = attractors_of(
        one_layer(weight[np.ix_(order, order)], bias[order]), count=128, max_steps=500
    )
    assert_same_points(plain, moved, lambda x: x[order])


@pytest.mark.parametrize("seed", range(2))
def test_flipped_signs_flip_the_whole_list(seed):
    weight, bias = unlike(6, seed)
    flip = np.random.default_rng(seed).choice([-1.0, 1.0], 6)
    plain = attractors_of(one_layer(weight, bias), count=128, max_steps=500)
    moved = attractors_of(
        one_layer(flip[:, None] * weight * flip, flip * bias), count=128, max_steps=500
    )
    assert_same_points(plain, moved, lambda x: flip * x)


def two_layers(inner, outer, bias):
    """x -> V tanh(W x + b)."""
    n, hidden = outer.shape
    nodes = (
        Input("x", (n,)),
        Dense("in", ("x",), hidden, "W", "b"),
        Activation("phi", ("in",), activation("tanh")),
        Dense("out", ("phi",), n, "V"),
    )
    return Network(Skeleton(nodes), {"W": inner, "b": bias, "V": outer})


@pytest.mark.parametrize("seed", range(2))
def test_a_change_of_basis_carries_the_whole_list_over(seed):
    # z = T x: z -> (T V) tanh((W T^-1) z + b), the same map in other coordinates.
    rng = np.random.default_rng(seed)
    inner, outer = rng.standard_normal((6, 4)), 0.8 * rng.standard_normal((4, 6))
    bias = rng.standard_normal(6)
    basis = rng.standard_normal((4, 4)) + 3 * np.eye(4)
    starts = rng.standard_normal((128, 4))
    plain = attractors_of(two_layers(inner, outer, bias), starts, max_steps=500)
    moved = attractors_of(
        two_layers(inner @ np.linalg.inv(basis), basis @ outer, bias),
        starts @ basis.T,
        max_steps=500,
    )
    assert_same_points(plain, moved, lambda x: basis @ x)
    assert [cycle.period for cycle in plain.cycles] == [cycle.period for cycle in moved.cycles]
    assert plain.unresolved.starts == moved.unresolved.starts


@pytest.mark.parametrize("seed", range(2))
def test_the_list_of_an_odd_map_is_its_own_mirror_image(seed):
    weight, _ = unlike(7, seed, gain=2.5)
    result = attractors_of(one_layer(weight), count=128, max_steps=500)
    assert_same_points(result, result, lambda x: -x)
    assert any(not point.point.any() for point in result.fixed_points)


def test_two_symmetric_wells_have_half_of_the_starts_each():
    result = attractors_of(one_layer([[1.8]]), count=4096, effort=0.0)
    wells = [point for point in result.fixed_points if point.kind == "stable"]
    assert len(wells) == 2
    for well in wells:
        assert well.share_low <= 0.5 <= well.share_high


def test_a_rotation_by_a_fifth_that_shrinks_has_its_centre_alone():
    angle = 2 * np.pi / 5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    result = attractors_of(linear(0.9 * turn), count=64)
    (point,) = result.fixed_points
    assert_allclose(point.spectral_radius, 0.9, rtol=1e-12)
    assert_allclose(
        abs(complex(point.leading_eigenvalue.real, point.leading_eigenvalue.imag)), 0.9, rtol=1e-12
    )
    assert result.cycles == ()


@pytest.mark.parametrize("n", [2, 3])
def test_a_negative_diagonal_map_oscillates_with_period_two_around_its_one_point(n):
    gain = 1.7
    result = attractors_of(one_layer(-gain * np.eye(n)), count=512)
    (centre,) = result.fixed_points
    assert_allclose(centre.point, 0.0, atol=1e-12)
    assert (centre.index_sign, centre.unstable_directions) == (1, n)
    assert len(result.cycles) == 2 ** (n - 1)
    for cycle in result.cycles:
        assert cycle.period == 2
        assert_allclose(np.abs(cycle.point), root_of(gain), rtol=CLOSED_FORM)
