"""Maps on which a search may hang, lie or die: it must do none of that."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from searching import chain, places, searched

from fpcheck.attractors.search.explore import _exhausted


def test_a_double_root_is_found_once_and_is_degenerate():
    # tanh(x) touches the diagonal at 0, with a triple root.
    result = searched(chain([(np.eye(1), np.zeros(1))]), starts=64)
    assert len(result.found) == 1
    assert result.found[0].degenerate
    assert_allclose(result.found[0].point, 0.0, atol=1e-4)


def test_the_identity_is_a_continuum():
    result = searched(chain([(np.eye(3), np.zeros(3))], "identity"), starts=64)
    assert "continuum" in result.stopped
    assert all(point.degenerate for point in result.found)


def test_a_line_of_fixed_points_is_a_continuum():
    result = searched(chain([(np.diag([1.0, 0.5]), np.zeros(2))], "identity"), starts=64)
    assert "continuum" in result.stopped
    assert_allclose(places(result)[:, 1], 0.0, atol=1e-10)


def test_a_continuum_is_said_only_where_most_points_are_singular():
    assert "continuum" in _exhausted(8, 15)
    assert _exhausted(8, 16) == "singular points kept turning up"


def test_a_map_without_fixed_points_gives_none():
    result = searched(chain([(np.eye(2), np.ones(2))], "identity"), starts=64)
    assert result.found == ()
    assert result.stopped


def test_a_map_that_overflows_is_survived():
    result = searched(chain([(1e200 * np.eye(2), np.zeros(2))] * 2, "identity"), starts=16)
    assert result.found == ()


def test_a_ghost_of_two_lost_points_is_a_slow_point_and_no_fixed_point():
    # Two fixed points of tanh(1.5 x + b) meet at b = 0.2075, x = -0.577.
    slope, shift = 1.5, 0.23
    result = searched(chain([(np.array([[slope]]), np.array([shift]))]), starts=64)
    assert len(result.found) == 1
    (ghost,) = result.slow_points
    grid = np.linspace(-0.9, 0.0, 200_001)
    gap = np.abs(np.tanh(slope * grid + shift) - grid)
    assert_allclose(ghost.point[0], grid[gap.argmin()], atol=1e-4)
    assert_allclose(ghost.speed, gap.min(), rtol=1e-6)
    assert_allclose(ghost.spectral_radius, 1.0, rtol=1e-3)


def test_a_step_has_no_derivative_to_search_with():
    result = searched(chain([(np.eye(2), np.zeros(2))], "step"))
    assert result.found == ()
    assert result.stopped == "an activation has no useful derivative"
