from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from basin_maps import MONITOR, SETTINGS, cube_root_traps, cube_roots, tanh_map, trap_at, wells
from numpy.testing import assert_allclose

from fpcheck.attractors.basins.entropy import BOX, basin_entropy
from fpcheck.attractors.basins.grid import labelled_grid
from fpcheck.attractors.basins.plane import plane_along, plane_through
from fpcheck.attractors.basins.slice import slice_plane
from fpcheck.attractors.basins.view import picture
from fpcheck.core.errors import UsageError
from fpcheck.core.plain import as_section

SIZE = 60


def sliced(program, traps, through=("auto",), saddles=(), size=SIZE):
    rng = np.random.default_rng(0)
    return slice_plane(
        program, traps, through, saddles, settings=SETTINGS, rng=rng, monitor=MONITOR, size=size
    )


@pytest.fixture(scope="module")
def roots():
    program, traps = cube_root_traps()
    return traps, sliced(program, traps, ("A", "B", "C"))


def states_of(cut):
    """The states of the cells by the formula that the section states."""
    x = cut.x_low + (np.arange(cut.columns) + 0.5) * (cut.x_high - cut.x_low) / cut.columns
    y = cut.y_high - (np.arange(cut.height) + 0.5) * (cut.y_high - cut.y_low) / cut.height
    return np.array([cut.origin + a * cut.first + b * cut.second for b in y for a in x])


def test_every_cell_of_the_cube_roots_ends_where_a_plain_loop_ends(roots):
    traps, cut = roots
    ends = states_of(cut)
    for _ in range(300):
        ends = cube_roots(ends)
    points = np.array([trap.found.point for trap in traps])
    nearest = np.argmin(np.linalg.norm(ends[:, None] - points, axis=2), axis=1)
    naive = np.array(list("ABC"))[nearest].reshape(cut.height, cut.columns)
    assert ["".join(row) for row in naive] == list(cut.rows)


def test_the_three_roots_are_marked_where_they_lie(roots):
    traps, cut = roots
    assert [mark.id for mark in cut.marks] == ["A", "B", "C"]
    for mark, trap in zip(cut.marks, traps, strict=True):
        state = cut.origin + mark.x * cut.first + mark.y * cut.second
        assert_allclose(state, trap.found.point, atol=1e-12)
    assert (cut.marks[0].x, cut.marks[0].y) == (pytest.approx(0.0), pytest.approx(0.0))
    assert cut.marks[1].y == pytest.approx(0.0, abs=1e-12)
    assert cut.marks[2].y > 0.0


def test_shares_count_the_cells_and_regions_come_largest_first(roots):
    _, cut = roots
    text = "".join(cut.rows)
    assert {each.symbol: each.cells for each in cut.regions} == {s: text.count(s) for s in "ABC"}
    cells = [each.cells for each in cut.regions]
    assert cells == sorted(cells, reverse=True)
    assert sum(each.share for each in cut.regions) == pytest.approx(1.0)


def test_what_is_filled_in_is_what_starting_every_cell_gives():
    labels = np.zeros((64, 64), np.int64)
    rows, columns = np.mgrid[:64, :64]
    labels[(rows - 30) ** 2 + (columns - 20) ** 2 < 200] = 1
    labels[rows + columns > 100] = 2
    seen = []

    def evaluate(cells):
        seen.extend(cells.tolist())
        return labels.ravel()[cells], np.full(len(cells), 7)

    grid = labelled_grid(64, evaluate)
    assert (grid.labels == labels).all()
    assert grid.run == len(seen) == len(set(seen)) < 0.6 * 64 * 64
    assert (grid.steps == 7).all()


def test_filled_in_steps_lie_between_those_around_them():
    def evaluate(cells):
        return np.zeros(len(cells), np.int64), cells // 40 + 2 * (cells % 40)

    grid = labelled_grid(40, evaluate)
    rows, columns = np.mgrid[:40, :40]
    assert grid.run < 200
    assert (np.abs(grid.steps - (rows + 2 * columns)) <= 1).all()  # linear: exact but for rounding


def test_a_grid_smaller_than_the_stride_is_started_whole():
    grid = labelled_grid(3, lambda cells: (cells.astype(np.int64), cells.astype(np.int64)))
    assert grid.labels.ravel().tolist() == list(range(9))


def test_a_slice_of_wells_is_cut_along_the_axes():
    program, traps, saddles = wells(2, 1.6)
    cut = sliced(program, traps, ("T0", "T1", "T2"), saddles)
    signs = {trap.id: tuple(np.sign(trap.found.point)) for trap in traps}
    ids = {each.symbol: each.id for each in cut.regions}
    for state, symbol in zip(states_of(cut), "".join(cut.rows), strict=True):
        assert signs[ids[symbol]] == tuple(np.sign(state))
    assert {mark.id for mark in cut.marks if mark.stable} == set(signs)
    assert sum(not mark.stable for mark in cut.marks) == 5
    assert all(each.share == pytest.approx(0.25, abs=0.05) for each in cut.regions)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_attractors_are_completed_by_a_random_direction(count):
    _, traps, _ = wells(3, 1.6)
    plane = plane_through(traps[:count], ("auto",), np.random.default_rng(1))
    basis = np.array([plane.first, plane.second])
    assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    assert plane.holds(np.array([trap.found.point for trap in traps[:count]])).all()
    assert "random" in plane.y_title


def test_three_attractors_on_one_line_are_completed_too():
    program = tanh_map(2.0 * np.eye(2))
    _, traps, saddles = wells(2, 2.0)
    ends = [traps[0], trap_at(program, "O", np.zeros(2)), traps[3]]
    plane = plane_through(ends, ("auto",), np.random.default_rng(1))
    assert plane.first @ plane.second == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(plane.second) == pytest.approx(1.0)
    assert saddles


def test_a_line_has_no_second_direction_but_a_picture_all_the_same():
    program, traps, _ = wells(1, 2.0)
    cut = sliced(program, traps, size=20)
    assert_allclose(cut.second, 0.0)
    assert set("".join(cut.rows)) == {each.symbol for each in cut.regions}


def test_a_plane_along_two_directions_is_orthonormal_and_centred():
    rng = np.random.default_rng(2)
    origin, first, second = rng.standard_normal((3, 6))
    plane = plane_along(origin, (first, second), 2.0, ("u", "v"))
    assert_allclose(plane.coordinates(origin[None])[0], 0.0, atol=1e-12)
    assert plane.holds((origin + 0.3 * first - 0.7 * second)[None])[0]
    assert not plane.holds(origin[None] + rng.standard_normal(6))[0]
    with pytest.raises(UsageError, match="one line"):
        plane_along(origin, (first, -2.0 * first), 1.0, ("u", "v"))


def test_an_unknown_id_is_refused_with_those_there_are():
    _, traps, _ = wells(2, 1.6)
    with pytest.raises(UsageError, match="no attractor has the id 'Z'") as raised:
        plane_through(traps, ("T0", "Z", "T1"), np.random.default_rng(0))
    assert "T0, T1, T2, T3" in raised.value.hint


def test_the_entropy_of_boxes_cut_in_halves_and_of_whole_ones():
    labels = np.zeros((4 * BOX, 4 * BOX), np.int64)
    assert basin_entropy(labels).whole == basin_entropy(labels).boundary == 0.0
    labels[:, 2 * BOX :] = 1  # the border runs between boxes
    assert basin_entropy(labels).boundary_boxes == 0
    shifted = np.roll(labels, 2, axis=1)  # through two columns of boxes: 2 of 5 cells each
    found = basin_entropy(shifted)
    share = 2.0 / 5.0
    expected = -share * math.log(share) - (1.0 - share) * math.log(1.0 - share)
    assert found.boundary == pytest.approx(expected)
    assert found.boundary_boxes == 8
    assert found.whole == pytest.approx(0.5 * expected)
    assert not found.fractal


def test_mixed_at_random_three_ends_have_the_entropy_of_a_fractal_border():
    labels = np.random.default_rng(3).integers(0, 3, (200, 200))
    found = basin_entropy(labels)
    assert found.fractal
    assert 0.9 < found.boundary <= math.log(3.0)  # a box of 25 cells falls short of log 3


def test_what_does_not_settle_has_a_sign_of_its_own():
    program = tanh_map(2.0 * np.eye(2), name="identity")
    trap = replace(trap_at(tanh_map(0.5 * np.eye(2)), "A", np.zeros(2)), ball=None)
    cut = sliced(program, [trap], size=12)
    assert set("".join(cut.rows)) == {"!"}
    assert [(each.id, each.kind) for each in cut.regions] == [("inf", "diverged")]
    drawn = picture(as_section(cut))
    assert drawn.regions[0].name == "∞"
    assert "diverged" in drawn.regions[0].text


def test_a_slice_becomes_a_picture_cell_by_cell(roots):
    _, cut = roots
    section = as_section(cut)
    drawn = picture(section)
    names = [region.name for region in drawn.regions]
    assert ["".join(names[index] for index in row) for row in drawn.cells] == list(cut.rows)
    assert [mark.name for mark in drawn.marks] == ["A", "B", "C"]
    assert (drawn.x.low, drawn.x.high) == (section["x_low"], section["x_high"])
    assert drawn.title == "Basins in the plane through A, B and C"
    assert "of no law" in drawn.caption


def test_more_basins_than_colours_are_drawn_as_one(roots):
    _, cut = roots
    section = as_section(cut)
    signs = [chr(ord("a") + i % 26) if i < 26 else chr(ord("A") + i - 26) for i in range(40)]
    section["regions"] = [
        {"symbol": sign, "id": f"B{i}", "kind": "basin", "cells": 1, "share": 1 / 40}
        for i, sign in enumerate(signs)
    ]
    section["rows"] = ["".join(signs)]
    section["shades"] = ["0" * 40]
    drawn = picture(section)
    assert drawn.regions[-1].kind == "other"
    assert "14 more basins" in drawn.regions[-1].text
    assert drawn.cells[0][26:] == (26,) * 14
