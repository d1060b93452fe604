"""Fixed points whose place, spectrum and number are known without iterating."""

import itertools

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_maps import attractors_of, kinds, linear, normal_starts, one_layer, total_share

from fpcheck.attractors import listing

# What the issue holds us to; the polished points are a few units in the last place away.
CLOSED_FORM = 1e-12


def tanh_root(gain):
    """The positive root of x = tanh(gain x), to 30 digits before rounding."""
    with mpmath.workdps(30):
        return float(mpmath.findroot(lambda x: x - mpmath.tanh(gain * x), (0.5, 1.0), "anderson"))


def orthogonal(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def test_a_contracting_tanh_has_zero_as_its_only_attractor():
    result = attractors_of(one_layer([[0.5]]))
    (point,) = result.fixed_points
    assert abs(point.point[0]) <= CLOSED_FORM
    assert point.kind == "stable"
    assert_allclose(point.spectral_radius, 0.5, rtol=CLOSED_FORM)
    assert_allclose(point.time_constant, 1 / np.log(2), rtol=CLOSED_FORM)
    assert (point.share, point.index_sign, point.unstable_directions) == (1.0, 1, 0)


@pytest.mark.parametrize("gain", [1.5, 3.0])
def test_an_expanding_tanh_has_two_attractors_and_zero_between_them(gain):
    root = tanh_root(gain)
    starts = normal_starts(1, 1024)
    result = attractors_of(one_layer([[gain]]), starts)
    assert kinds(result) == ["repelling", "stable", "stable"]
    found = sorted(float(point.point[0]) for point in result.fixed_points)
    assert_allclose(found, [-root, 0.0, root], rtol=CLOSED_FORM, atol=CLOSED_FORM)
    for point in result.fixed_points:
        x = float(point.point[0])
        # Absolute at x = 0.99: the slope a (1 - x^2) there is a difference of close numbers.
        assert_allclose(point.spectral_radius, gain * (1 - x * x), atol=CLOSED_FORM)
        if point.kind == "stable":
            assert point.starts == np.count_nonzero(np.sign(starts) == np.sign(x))
            assert point.share_low < point.share < point.share_high
        else:
            assert (point.share, point.found_by, point.index_sign) == (0.0, "search", -1)
    assert result.index_sum == 1


def test_the_tanh_of_slope_one_is_degenerate_and_its_starts_are_unresolved():
    # x_k decays like sqrt(3 / 2k): after 2 000 steps it is still 0.027, and no start has arrived.
    result = attractors_of(one_layer([[1.0]]))
    assert result.unresolved.share == 1.0
    assert result.undiscovered_mass_upper == 1.0
    assert kinds(result) == ["degenerate"]
    (point,) = result.fixed_points
    assert abs(point.point[0]) <= CLOSED_FORM  # odd, so the origin is fixed to the last bit
    assert point.location_error <= 1e-5
    assert (point.index_sign, point.share) == (0, 0.0)
    assert result.index_sum is None


def test_a_tanh_just_below_slope_one_is_marginal_and_not_called_stable():
    result = attractors_of(one_layer([[0.999]]))
    assert kinds(result) == ["marginal"]
    assert_allclose(result.fixed_points[0].spectral_radius, 0.999, rtol=1e-9)
    assert result.unresolved.share == 1.0


def test_a_contracting_linear_map_has_the_solved_fixed_point():
    weight, bias = 0.5 * orthogonal(7, seed=1), np.arange(7.0)
    result = attractors_of(linear(weight, bias))
    (point,) = result.fixed_points
    assert_allclose(point.point, np.linalg.solve(np.eye(7) - weight, bias), rtol=CLOSED_FORM)
    assert_allclose(point.spectral_radius, 0.5, rtol=CLOSED_FORM)
    assert point.index_sign == np.sign(np.linalg.det(np.eye(7) - weight))
    assert point.location_error <= 1e-13


@pytest.mark.parametrize("seed", range(4))
def test_a_linear_map_has_the_spectrum_of_its_matrix(seed):
    weight = np.random.default_rng(seed).standard_normal((6, 6)) * 0.6
    eigenvalues = np.linalg.eigvals(weight)
    result = attractors_of(linear(weight, np.ones(6)), max_steps=5000)
    (point,) = result.fixed_points
    assert_allclose(point.point, np.linalg.solve(np.eye(6) - weight, np.ones(6)), rtol=1e-11)
    assert_allclose(point.spectral_radius, np.abs(eigenvalues).max(), rtol=CLOSED_FORM)
    assert point.unstable_directions == np.count_nonzero(np.abs(eigenvalues) > 1)
    above = np.count_nonzero((np.abs(eigenvalues.imag) < 1e-12) & (eigenvalues.real > 1))
    assert point.index_sign == (-1) ** above
    assert result.diverged.share == (1.0 if point.unstable_directions else 0.0)


def test_a_complex_leading_pair_is_reported_with_its_angle():
    angle, gain = 0.7, 0.9
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    (point,) = attractors_of(linear(gain * np.array(turn))).fixed_points
    leading = complex(point.leading_eigenvalue.real, point.leading_eigenvalue.imag)
    assert abs(leading - gain * np.exp(1j * angle)) <= CLOSED_FORM


def test_transient_growth_does_not_hide_a_stable_point():
    # |J| is 100, so a deviation first grows two hundred times, and then decays like 2^-k.
    result = attractors_of(linear([[0.5, 100.0], [0.0, 0.5]], [1.0, 1.0]))
    (point,) = result.fixed_points
    assert_allclose(point.point, [402.0, 2.0], rtol=CLOSED_FORM)
    assert (point.kind, point.share) == ("stable", 1.0)


@pytest.mark.parametrize("gain", [1e3, 1e7])
def test_a_long_transient_is_not_called_singular(gain):
    # det(I - J) is 0.01 whatever the gain, and sigma_min(I - J) about 0.01 / gain.
    result = attractors_of(linear([[0.9, gain], [0.0, 0.9]], [1.0, 0.0]))
    (point,) = result.fixed_points
    assert_allclose(point.point, [10.0, 0.0], atol=CLOSED_FORM, rtol=CLOSED_FORM)
    assert (point.kind, point.share, point.index_sign) == ("stable", 1.0, 1)


def test_huge_slopes_beside_flat_ones_are_no_continuum():
    result = attractors_of(one_layer(1e200 * np.eye(3)), count=512)
    assert result.continuum is None
    for point in result.fixed_points:
        zeros = int(np.count_nonzero(point.point == 0.0))
        assert (point.unstable_directions, point.index_sign) == (zeros, (-1) ** zeros)


@pytest.mark.parametrize("step", [1e-9, 1e-13])
def test_a_slow_drift_has_no_fixed_point_however_many_starts_seem_at_rest(step):
    # More ends than are polished: what Newton did not see counts no more than what it refused.
    result = attractors_of(linear([[1.0]], [step]), count=600)
    assert result.unresolved.share == 1.0
    assert (result.fixed_points, result.other_fixed_points) == ((), None)


def test_a_diagonal_tanh_stores_every_sign_pattern():
    n, gain = 3, 2.0
    root = tanh_root(gain)
    result = attractors_of(one_layer(gain * np.eye(n)), count=512)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    corners = {tuple(signs) for signs in itertools.product((-1.0, 1.0), repeat=n)}
    assert {tuple(np.sign(point.point)) for point in stable} == corners
    assert len(stable) == 2**n
    for point in result.fixed_points:
        levels = np.abs(point.point)
        zeros = int(np.count_nonzero(levels < 0.5))
        assert_allclose(np.sort(levels), [0.0] * zeros + [root] * (n - zeros), atol=CLOSED_FORM)
        assert point.unstable_directions == zeros
        assert point.index_sign == (-1) ** zeros
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_more_attractors_than_are_listed_are_still_counted(monkeypatch):
    # 2^8 corners from 256 starts: about 160 are met, 64 are listed.
    monkeypatch.setattr(listing, "LISTED", 64)
    result = attractors_of(one_layer(2.0 * np.eye(8)), effort=0.0)
    starts = normal_starts(8)
    met = len({tuple(row) for row in np.sign(starts)})
    assert len(result.fixed_points) == 64
    assert result.other_fixed_points.count == met - 64
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)
    assert result.index_sum is None


def test_the_identity_has_a_continuum_of_fixed_points():
    result = attractors_of(linear(np.eye(2)))
    assert set(kinds(result)) == {"degenerate"}
    assert result.continuum.dimension == 2
    assert "infinitely many" in result.continuum.note
    assert len(result.fixed_points) == 64
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)
    assert result.undiscovered_mass_upper == 1.0


def test_a_line_of_fixed_points_is_one_dimensional_and_its_points_lie_on_it():
    result = attractors_of(linear([[1.0, 0.0], [0.0, 0.5]], [0.0, 1.0]))
    assert set(kinds(result)) == {"degenerate"}
    assert result.continuum.dimension == 1
    second = [point.point[1] for point in result.fixed_points]
    # Newton leaves the direction of the line alone and closes the gap in the other one.
    assert_allclose(second, 2.0, rtol=CLOSED_FORM)


def fold(gain=2.0, gap=0.0):
    """tanh(gain x + b) with a double root at sqrt(1 - 1/gain), moved apart or closed by `gap`."""
    x = np.sqrt(1 - 1 / gain)
    return x, one_layer([[gain]], [np.arctanh(x) - gain * x + gap])


def test_a_double_root_is_one_degenerate_point_and_not_several():
    x, network = fold()
    starts = np.concatenate([np.full((40, 1), x), np.linspace(-1, 1, 60)[:, None]])
    result = attractors_of(network, starts)
    near = [point for point in result.fixed_points if abs(point.point[0] - x) < 1e-4]
    assert [point.kind for point in near] == ["degenerate"]
    away = [point for point in result.fixed_points if point not in near]
    assert [point.kind for point in away] == ["stable"]
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_a_slow_passage_is_not_a_fixed_point():
    # A gap of 1e-11 is left where the double root was: one step there is below the tolerance,
    # so iteration stops, but there is nothing to stop at.
    x, network = fold(gap=-1e-11)
    passing = np.full((50, 1), x)
    residual = np.abs(np.tanh(network.parameters["weight"] * x + network.parameters["bias"]) - x)
    assert 0 < residual < 1e-9 * x
    result = attractors_of(network, passing)
    assert result.unresolved.share == 1.0
    assert all(abs(point.point[0] - x) > 0.1 for point in result.fixed_points)


def test_a_start_on_a_saddle_is_reported_there_and_not_called_attracted():
    starts = np.concatenate([np.zeros((8, 2)), normal_starts(2, 92)])
    result = attractors_of(one_layer(2.0 * np.eye(2)), starts)
    (origin,) = [point for point in result.fixed_points if not np.any(np.abs(point.point) > 0.5)]
    assert (origin.kind, origin.share, origin.found_by) == ("repelling", 0.08, "starts")


def test_a_point_so_steep_that_no_double_near_it_is_at_rest_is_listed():
    """x = tanh(1e6 (x - 0.3)) has a root near 0.3, where f moves by 1e6 times the rounding of x."""
    result = attractors_of(one_layer([[1e6]], [-3e5 - 0.1]))
    assert kinds(result) == ["repelling", "stable", "stable"]
    assert {point.status for point in result.fixed_points} == {"proved"}
