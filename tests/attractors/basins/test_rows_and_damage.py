from __future__ import annotations

import math

import numpy as np
import pytest
from basin_maps import MONITOR, SETTINGS, tanh_map, trap_at, well, wells
from numpy.testing import assert_allclose

from fpcheck.attractors.basins.attribute import attribute
from fpcheck.attractors.basins.memory import memory
from fpcheck.attractors.basins.restoration import restoration
from fpcheck.attractors.basins.spacing import FALSE_ALARM, far_limit, nearest_rows, row_spacing
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED
from fpcheck.core.plain import as_section


def test_spacing_is_the_distance_to_the_nearest_other_row():
    rows = np.random.default_rng(0).standard_normal((300, 5))
    table = np.linalg.norm(rows[:, None] - rows, axis=2) + np.diag(np.full(300, np.inf))
    assert_allclose(row_spacing(rows).sorted, np.sort(table.min(axis=1)), rtol=1e-10)


def test_the_nearest_row_is_nearest():
    rng = np.random.default_rng(1)
    rows, points = rng.standard_normal((200, 4)), rng.standard_normal((50, 4))
    table = np.linalg.norm(points[:, None] - rows, axis=2)
    nearest, distance = nearest_rows(rows, points)
    assert (nearest == table.argmin(axis=1)).all()
    assert_allclose(distance, table.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize(("n", "points"), [(1, 1), (3, 4)])
def test_further_rows_of_the_same_law_are_seldom_called_far(n, points):
    """The null: what is no attractor but a row more. 400 trials of 200 rows."""
    rng = np.random.default_rng(2)
    alarms, trials = 0, 400
    for _ in range(trials):
        rows = rng.standard_cauchy((200, n)) if n == 1 else rng.standard_normal((200, n))
        more = rng.standard_cauchy((points, n)) if n == 1 else rng.standard_normal((points, n))
        limit = far_limit(row_spacing(rows), points)
        assert limit.false_alarm <= FALSE_ALARM
        alarms += bool((nearest_rows(rows, more)[1] > limit.distance).any())
    # Three standard deviations above the stated rate.
    assert alarms / trials <= FALSE_ALARM + 3.0 * math.sqrt(FALSE_ALARM / trials)


def test_few_rows_state_the_false_alarm_that_they_can_keep():
    limit = far_limit(row_spacing(np.array([[0.0], [1.0], [3.0]])), 1)
    assert limit.distance == 2.0
    assert limit.false_alarm == pytest.approx(0.25)  # one of four exchangeable distances


def test_memory_tells_stored_rows_from_spurious_attractors():
    program, traps, _ = wells(2, 1.5)
    at = well(1.5)
    rng = np.random.default_rng(3)
    # Rows crowd round two of the four attractors.
    rows = np.concatenate([
        np.array([at, at]) + 0.01 * rng.standard_normal((40, 2)),
        np.array([at, -at]) + 0.01 * rng.standard_normal((30, 2)),
    ])  # fmt: skip
    labels = attribute(program, traps, rows, SETTINGS, MONITOR).labels
    result = memory(program, rows, labels, traps)
    signs = {trap.id: tuple(np.sign(trap.found.point)) for trap in traps}
    assert {signs[end.id]: end.rows for end in result.ends} == {
        (1, 1): 40, (1, -1): 30, (-1, 1): 0, (-1, -1): 0,
    }  # fmt: skip
    assert {signs[name] for name in result.spurious} == {(-1, 1), (-1, -1)}
    places = {signs[end.id]: end.place for end in result.ends}
    assert places[1, 1] == places[1, -1] == "on a row"
    assert result.stored == result.fixed_points == 70
    assert result.row_ends.count(next(n for n, s in signs.items() if s == (1, 1))) == 40
    nearest = min(np.linalg.norm(rows - np.array([at, at]), axis=1))
    end = next(end for end in result.ends if signs[end.id] == (1, 1))
    assert end.nearest_distance == pytest.approx(nearest)
    assert len(as_section(result)["row_distances"]) == 70


def test_rows_that_the_network_changes_are_named_the_worst_first():
    program = tanh_map(np.diag([1.0, 0.5, 0.1]), name="identity")
    rows = np.eye(3)
    trap = trap_at(tanh_map(0.5 * np.eye(3)), "A", np.zeros(3))
    result = memory(program, rows, np.array([UNRESOLVED, DIVERGED, 0]), [trap])
    assert result.reproduced == 1  # the first: changes are 0, 1/2, 9/10
    assert [(each.row, each.change) for each in result.most_changed] == [
        (2, pytest.approx(0.9)), (1, pytest.approx(0.5)),
    ]  # fmt: skip
    assert (result.unresolved, result.diverged, result.fixed_points) == (1, 1, 1)
    assert result.row_ends == ("?", "inf", "A")
    assert result.row_distances == (None, None, pytest.approx(1.0))
    assert result.median_change == pytest.approx(0.5)


def test_a_single_row_has_no_spacing_and_nothing_is_spurious():
    program, traps, _ = wells(1, 2.0)
    result = memory(program, np.array([[0.1]]), np.array([0]), traps)
    assert result.row_spacing is None
    assert result.spurious == ()
    as_section(result)


def restored(program, rows, traps, seed=0):
    labels = attribute(program, traps, rows, SETTINGS, MONITOR).labels
    rng = np.random.default_rng(seed)
    return restoration(program, rows, labels, traps, settings=SETTINGS, rng=rng, monitor=MONITOR)


def test_a_map_with_one_attractor_restores_everything_by_chance():
    program = tanh_map(0.5 * np.eye(4), np.full(4, 0.2))
    trap = trap_at(program, "A", np.zeros(4))
    result = restored(program, np.random.default_rng(1).standard_normal((50, 4)), [trap])
    assert result.by_chance == 1.0
    assert {level.share for level in result.levels} == {1.0}
    assert all(level.share_low < 1.0 == level.share_high for level in result.levels)


def test_noise_throws_a_row_out_of_a_well_as_often_as_the_normal_law_says():
    program, traps, _ = wells(1, 2.0)
    at = well(2.0)
    rows = np.array([[at], [-at]])  # standard deviation `at`: the unit of the noise
    result = restored(program, rows, traps, seed=5)
    assert result.noise_unit == pytest.approx(at)
    assert result.by_chance == 0.0
    noisy = [level for level in result.levels if level.kind == "noise"]
    assert len(noisy) == 4
    for level in noisy:
        stays = 0.5 * math.erfc(-1.0 / level.level / math.sqrt(2.0))
        # Wilson at 4 standard deviations: eight levels, one seed.
        spread = 4.0 * math.sqrt(stays * (1.0 - stays) / level.trials)
        assert abs(level.share - stays) <= spread + 1.0 / level.trials
        assert level.returned + level.elsewhere + level.unresolved + level.diverged == level.trials


def test_hopfield_patterns_come_back_from_a_quarter_of_their_entries_masked():
    rng = np.random.default_rng(6)
    signs = np.sign(rng.standard_normal((3, 64)))
    program = tanh_map(4.0 * signs.T @ signs / 64)
    traps = [trap_at(program, f"P{i}", np.tanh(4.0 * sign)) for i, sign in enumerate(signs)]
    rows = np.array([trap.found.point for trap in traps])
    result = restored(program, rows, traps)
    shares = {(level.kind, level.level): level for level in result.levels}
    assert shares["mask", 0.25].share == 1.0
    assert shares["mask", 0.25].restored == shares["mask", 0.25].trials
    assert shares["noise", 0.25].share == 1.0
    assert result.rows == 3
    assert result.draws * 3 >= 64
    ordered = [level.share for level in result.levels if level.kind == "noise"]
    assert ordered == sorted(ordered, reverse=True)


def test_rows_without_a_known_end_cannot_be_restored():
    program, traps, _ = wells(1, 2.0)
    rng = np.random.default_rng(0)
    lost = np.array([UNRESOLVED, DIVERGED])
    rows = np.ones((2, 1))
    assert restoration(
        program, rows, lost, traps, settings=SETTINGS, rng=rng, monitor=MONITOR
    ) is None  # fmt: skip
