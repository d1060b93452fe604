from __future__ import annotations

import numpy as np
import pytest
from basin_maps import (
    MONITOR,
    SETTINGS,
    cube_root_traps,
    cube_roots,
    tanh_map,
    trap_at,
    well,
    wells,
)

from fpcheck.attractors.basins.boundary import boundary
from fpcheck.attractors.basins.widening import widened
from fpcheck.core.plain import as_section

# The outer end of the last bracket: a few hundredths beyond the border on its line.
BRACKET = 1.05
# Newton's map of z^3 - 1: the least push out of a root's basin. [a dense grid: see the test]
CRITICAL_SHOCK = 0.622


def bounds(program, traps, saddles=(), seed=0):
    rng = np.random.default_rng(seed)
    wide = widened(program, traps)
    return boundary(program, wide, saddles, settings=SETTINGS, rng=rng, monitor=MONITOR)


@pytest.mark.parametrize("gain", [1.3, 2.0, 4.0])
def test_two_wells_are_left_at_the_origin(gain):
    program, traps, saddles = wells(1, gain)
    for found in bounds(program, traps, saddles):
        assert well(gain) <= found.distance <= BRACKET * well(gain)
        assert found.stays <= well(gain)
        assert found.edge == "S0"  # the origin
        assert found.leads_to in {"T0", "T1"} - {found.id}
        assert found.relative == pytest.approx(found.distance / well(gain))


@pytest.mark.parametrize("n", [2, 4, 5])
def test_among_2_to_the_n_wells_the_nearest_border_is_the_face_in_between(n):
    """The basin of (+-x, ..., +-x) is its orthant: its border is at distance x, along an axis."""
    program, traps, saddles = wells(n, 1.5)
    some = traps[:4]
    for found in bounds(program, traps, saddles)[: len(some)]:
        assert well(1.5) <= found.distance <= BRACKET * well(1.5)
        assert np.abs(found.direction).max() > 0.98
        assert found.inner_radius <= found.distance


def test_the_critical_shock_of_the_cube_roots_is_found():
    program, traps = cube_root_traps()
    for found in bounds(program, traps):
        assert CRITICAL_SHOCK <= found.distance <= 1.15 * CRITICAL_SHOCK


def test_a_dense_ring_of_pushes_has_no_smaller_one_than_the_critical_shock():
    angles = np.linspace(0.0, 2.0 * np.pi, 4001)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for radius, leaves in ((0.99 * CRITICAL_SHOCK, False), (1.02 * CRITICAL_SHOCK, True)):
        ends = np.array([1.0, 0.0]) + radius * ring
        for _ in range(200):
            ends = cube_roots(ends)
        assert (np.linalg.norm(ends - np.array([1.0, 0.0]), axis=1) > 1e-6).any() == leaves


def test_the_push_that_was_found_leaves_and_ends_where_it_says():
    program, traps = cube_root_traps()
    for found, trap in zip(bounds(program, traps), traps, strict=True):
        state = trap.found.point + found.distance * found.direction
        for _ in range(300):
            state = cube_roots(state[None])[0]
        named = {each.id: each.found.point for each in traps}
        assert np.linalg.norm(state - named[found.leads_to]) < 1e-8
        assert found.leads_to != trap.id


def test_the_only_attractor_is_not_left_however_far_it_is_pushed():
    program = tanh_map(0.5 * np.eye(3), np.full(3, 0.1))
    (found,) = bounds(program, [trap_at(program, "A", np.zeros(3))])
    assert found.distance is None
    assert found.direction is None
    assert found.directions >= 2
    assert found.farthest > 1.0
    assert as_section(found)["inner_radius_status"] == "proved"


def test_a_change_of_signs_changes_no_distance():
    rng = np.random.default_rng(8)
    weight = 1.8 * np.eye(5) + 0.15 * rng.standard_normal((5, 5))
    flip = np.diag([1.0, -1.0, 1.0, -1.0, -1.0])
    plain, flipped = tanh_map(weight), tanh_map(flip @ weight @ flip)
    begins = list(rng.standard_normal((8, 5)))
    ends = []
    for program, turn in ((plain, np.eye(5)), (flipped, flip)):
        traps = []
        for start in begins:
            state = turn @ start
            for _ in range(3000):
                state = np.tanh((turn @ weight @ turn) @ state)
            image = np.tanh((turn @ weight @ turn) @ state)
            near = [np.linalg.norm(state - trap.found.point) for trap in traps]
            if np.linalg.norm(image - state) < 1e-10 and min(near, default=1.0) > 1e-6:
                traps.append(trap_at(program, f"T{len(traps)}", state))
        ends.append((program, traps))
    assert len(ends[0][1]) == len(ends[1][1]) >= 2
    least = [min(found.distance for found in bounds(*each, seed=1)) for each in ends]
    assert least[0] == pytest.approx(least[1], rel=0.1)


def test_no_attractor_has_no_border():
    program = tanh_map(np.eye(1))
    assert bounds(program, []) == ()
