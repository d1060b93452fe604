"""Networks with prescribed points, memories, random networks of both tails."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import fsolve, root
from small_maps import attractors_of, linear, one_layer, total_share

from fpcheck.attractors.polish import polish
from fpcheck.core.progress import Monitor


def test_newton_recovers_every_prescribed_fixed_point():
    # W = atanh(V) V^-1 maps every column of V to itself under x -> tanh(W x).
    n = 8
    prescribed = np.random.default_rng(3).uniform(-0.9, 0.9, (n, n))
    network = one_layer(np.arctanh(prescribed) @ np.linalg.inv(prescribed))
    for column in prescribed.T:
        found = polish(network.program, column + 1e-6, 1, Monitor())
        # The exact point of the rounded W differs from the column by what W's rounding moves it.
        assert_allclose(found.point, column, atol=1e-11)
        assert found.error <= 1e-11


@pytest.mark.parametrize("seed", range(3))
def test_every_listed_point_of_a_random_tanh_network_is_one_and_none_is_listed_twice(seed):
    n, gain = 10, 3.0
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, n))
    weight *= gain / np.abs(np.linalg.eigvals(weight)).max()
    result = attractors_of(one_layer(weight), count=128, seed=seed)
    points = [point.point for point in result.fixed_points]
    for point in points:
        assert_allclose(np.tanh(weight @ point), point, atol=1e-13)
        # Independently: SciPy's hybrid method comes back to it from beside it.
        beside = point + 1e-5 * rng.standard_normal(n)
        again = root(lambda x: np.tanh(weight @ x) - x, beside, tol=1e-11)
        assert_allclose(again.x, point, atol=1e-9)
    for first, point in enumerate(points):
        for other in points[:first]:
            assert np.linalg.norm(point - other) > 1e-6
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_one_stored_pattern_has_two_mirrored_attractors_and_a_saddle_at_zero():
    # W = beta p p^T / n: x = m p with m = tanh(beta m), and J(0) has the one eigenvalue beta.
    n, beta = 64, 2.0
    pattern = np.random.default_rng(5).choice([-1.0, 1.0], n)
    result = attractors_of(one_layer(beta * np.outer(pattern, pattern) / n), count=512)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    overlaps = sorted(float(point.point @ pattern) / n for point in stable)
    (magnetisation,) = fsolve(lambda m: m - np.tanh(beta * m), 0.9, xtol=1e-13)
    assert_allclose(overlaps, [-magnetisation, magnetisation], rtol=1e-12)
    assert sum(point.share for point in stable) == 1.0
    (origin,) = [point for point in result.fixed_points if point.kind == "saddle"]
    assert (origin.unstable_directions, origin.index_sign) == (1, -1)
    assert_allclose(origin.spectral_radius, beta, rtol=1e-12)
    assert result.index_sum == 1


@pytest.mark.parametrize("patterns", [2, 3])
def test_a_hopfield_network_stores_its_patterns(patterns):
    n = 64
    stored = np.random.default_rng(patterns).choice([-1.0, 1.0], (patterns, n))
    result = attractors_of(one_layer(2.0 * stored.T @ stored / n), count=512)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    for sign in (1.0, -1.0):
        for pattern in stored:
            best = max(float(np.mean(np.sign(point.point) == sign * pattern)) for point in stable)
            assert best == 1.0
    assert result.unresolved.share == 0.0


def test_a_relu_network_that_dies_has_its_dead_state_as_the_only_attractor():
    weight = -np.abs(np.random.default_rng(0).standard_normal((6, 6)))
    (point,) = attractors_of(one_layer(weight, -np.ones(6), "relu")).fixed_points
    assert not point.point.any()
    # No unit is active there, so the Jacobian is zero: the best attraction there is.
    assert (point.kind, point.spectral_radius, point.time_constant) == ("stable", 0.0, 0.0)


@pytest.mark.parametrize("n", [16, 64])
def test_a_logistic_network_with_light_tails_has_one_attractor(n):
    rng = np.random.default_rng(n)
    weight, bias = rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n) / np.sqrt(n)
    result = attractors_of(one_layer(weight, bias, "sigmoid"))
    (point,) = result.fixed_points
    assert (point.kind, point.share) == ("stable", 1.0)


def test_logistic_networks_with_unscaled_cauchy_weights_have_several_attractors_and_cycles():
    counts, cycling = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        weight, bias = rng.standard_cauchy((16, 16)), rng.standard_cauchy(16)
        result = attractors_of(one_layer(weight, bias, "sigmoid"), count=64)
        stable = [point for point in result.fixed_points if point.kind == "stable"]
        counts.append(len([point for point in stable if point.share > 0]))
        cycling.append(result.cycling.share)
        assert total_share(result) == pytest.approx(1.0, abs=1e-12)
    # papers.md, section 1: from none to several fixed points a draw, and cycles in many of them.
    assert max(counts) >= 2
    assert min(counts) == 0
    assert sum(share > 0.2 for share in cycling) >= 2


def test_a_chaotic_network_moves_without_end_and_no_false_point_is_listed():
    n = 64
    weight = 2.5 * np.random.default_rng(1).standard_normal((n, n)) / np.sqrt(n)
    result = attractors_of(one_layer(weight), count=64, max_steps=300)
    assert result.aperiodic.share > 0.9
    assert result.aperiodic.chaotic == result.aperiodic.starts
    assert result.aperiodic.lyapunov_low > 0.0
    for point in result.fixed_points:
        assert_allclose(np.tanh(weight @ point.point), point.point, atol=1e-13)
        assert (point.kind, point.found_by) == ("saddle", "search")


def test_an_expanding_map_diverges_and_its_repelling_point_is_still_found():
    result = attractors_of(linear(2.0 * np.eye(3), np.ones(3)))
    assert result.diverged.share == 1.0
    (point,) = result.fixed_points
    assert_allclose(point.point, -1.0, rtol=1e-12)
    assert (point.kind, point.unstable_directions, point.index_sign) == ("repelling", 3, -1)
