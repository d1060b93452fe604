"""Planes that attractors do not span: random, principal, and those that a file gives."""

from dataclasses import replace

import numpy as np
import pytest
from basin_maps import MONITOR, SETTINGS, tanh_map, trap_at, wells
from numpy.testing import assert_allclose

from fpcheck.attractors.basins.choice import ROOM, Cloud, chosen_plane
from fpcheck.attractors.basins.given import read_plane
from fpcheck.attractors.basins.slice import slice_plane
from fpcheck.attractors.basins.view import picture
from fpcheck.core.errors import DataError, UsageError
from fpcheck.core.plain import as_section

NO_CLOUD = Cloud(np.empty((0, 3)), np.empty(0), "nothing")


def chosen(asked, traps, cloud=NO_CLOUD, n=3, seed=0):
    rng = np.random.default_rng(9)
    return chosen_plane(n, traps, cloud, replace(SETTINGS, slice=(asked,), seed=seed), rng)


def cut_of(program, traps, plane, size=24):
    rng = np.random.default_rng(0)
    return slice_plane(
        program, traps, plane, settings=SETTINGS, rng=rng, monitor=MONITOR, size=size
    )


@pytest.fixture(scope="module")
def three_wells():
    program, traps, _ = wells(3, 1.6)
    return program, traps


def test_random_directions_are_orthonormal_and_the_seeds(three_wells):
    _, traps = three_wells
    plane = chosen("random", traps)
    basis = np.array([plane.first, plane.second])
    assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    assert_allclose(chosen("random", traps[::-1]).first, plane.first)
    assert not np.allclose(chosen("random", traps, seed=1).first, plane.first)


def test_a_random_plane_lies_about_the_mean_and_reaches_beyond_every_attractor(three_wells):
    _, traps = three_wells
    plane = chosen("random", traps)
    assert_allclose(plane.origin, 0.0, atol=1e-9)  # the wells are symmetric
    farthest = np.linalg.norm(traps[0].found.point)
    assert (plane.x_low, plane.y_high) == pytest.approx((-ROOM * farthest, ROOM * farthest))
    assert plane.centre == "the mean of all 8 attractors"
    assert chosen("random", traps[:1]).centre == "attractor T0"


def test_every_cell_of_a_random_plane_ends_in_its_own_octant(three_wells):
    program, traps = three_wells
    cut = cut_of(program, traps, chosen("random", traps))
    signs = {trap.id: tuple(np.sign(trap.found.point)) for trap in traps}
    ids = {each.symbol: each.id for each in cut.regions}
    x = cut.x_low + (np.arange(24) + 0.5) * (cut.x_high - cut.x_low) / 24
    for row, y in zip(cut.rows, x[::-1], strict=True):
        for symbol, across in zip(row, x, strict=True):
            state = cut.origin + across * cut.first + y * cut.second
            assert signs[ids[symbol]] == tuple(np.sign(state))


def test_principal_directions_are_those_of_the_covariance(three_wells):
    _, traps = three_wells
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((300, 3)) * [0.2, 2.0, 0.7] + [5.0, 0.0, 1.0]
    plane = chosen("principal", traps, Cloud(rows, np.ones(300), "300 rows of the data"))
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    for unit, vector in ((plane.first, vectors[:, 2]), (plane.second, vectors[:, 1])):
        assert abs(unit @ vector) == pytest.approx(1.0, abs=1e-9)
        assert unit[np.abs(unit).argmax()] > 0.0
    assert_allclose(plane.origin, rows.mean(axis=0))
    assert plane.x_title == f"principal direction 1, {values[2] / values.sum():.1%} of the variance"
    assert plane.name == "the principal plane of 300 rows of the data"
    shown = np.abs((rows - plane.origin) @ np.array([plane.first, plane.second]).T).max()
    assert plane.x_high >= shown


def test_weights_count_as_repeated_states(three_wells):
    _, traps = three_wells
    points = np.random.default_rng(5).standard_normal((6, 3))
    counts = np.array([1, 2, 5, 1, 3, 4])
    repeated = np.repeat(points, counts, axis=0)
    weighted = chosen("principal", traps, Cloud(points, counts.astype(float), "w"))
    plain = chosen("principal", traps, Cloud(repeated, np.ones(16), "w"))
    assert_allclose(weighted.origin, plain.origin)
    assert_allclose(weighted.first, plain.first, atol=1e-9)


def test_what_has_no_second_principal_direction_is_completed_and_says_so(three_wells):
    _, traps = three_wells
    line = np.outer(np.linspace(-1.0, 1.0, 9), [1.0, 1.0, 0.0])
    plane = chosen("principal", traps, Cloud(line, np.ones(9), "a line"))
    assert plane.x_title == "principal direction 1, 100.0% of the variance"
    assert plane.y_title == "along a random direction"
    assert plane.first @ plane.second == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(UsageError, match="nothing settled"):
        chosen("principal", [])


def test_one_dimension_has_no_second_axis():
    program, traps, _ = wells(1, 2.0)
    plane = chosen("random", traps, n=1)
    assert plane.y_title == "nowhere: a state is one number"
    cut = cut_of(program, traps, plane)
    assert len(set(cut.rows)) == 1


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
def test_a_file_gives_directions_whose_length_is_how_far_the_picture_reaches(
    tmp_path, three_wells, suffix
):
    _, traps = three_wells
    rows = np.array([[0.0, 2.0, 0.0], [0.0, 1.0, 1.0], [0.5, 0.0, 0.0]])
    path = tmp_path / f"plane.{suffix}"
    write = {"npy": np.save, "npz": np.savez, "csv": lambda p, r: np.savetxt(p, r, delimiter=",")}
    write[suffix](path, rows)
    plane = chosen(str(path), traps)
    assert_allclose(plane.origin, rows[2])
    assert_allclose([plane.first, plane.second], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], atol=1e-15)
    assert (plane.x_low, plane.x_high, plane.y_high) == (-2.0, 2.0, 2.0)
    assert plane.x_title == "along direction 1"
    assert plane.y_title == "across, on the side of direction 2"
    assert (plane.name, plane.centre) == (
        f"the plane of plane.{suffix}",
        f"row 3 of plane.{suffix}",
    )


def test_a_file_without_a_centre_is_laid_about_the_mean_and_needs_no_attractor(tmp_path):
    np.save(tmp_path / "two.npy", np.eye(2))
    path = str(tmp_path / "two.npy")
    _, traps, _ = wells(2, 1.6)
    assert chosen(path, traps, n=2).centre == "the mean of all 4 attractors"
    runaway = tanh_map(3.0 * np.eye(2), [1.0, 0.0], name="identity")
    plane = chosen(path, [], n=2)
    assert (plane.centre, plane.y_title) == ("the origin", "along direction 2")
    drawn = picture(as_section(cut_of(runaway, [], plane)))
    assert drawn.title == "Basins in the plane of two.npy"
    assert [region.kind for region in drawn.regions] == ["diverged"]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (np.ones(4), r"two.npy holds an array \[4\]"),
        (np.ones((4, 4)), r"two.npy holds an array \[4, 4\]"),
        (np.ones((2, 0)), r"two.npy holds an array \[2, 0\]"),
        ([[1.0, 0.0], [0.0, np.nan]], "two.npy holds nan in row 2, column 2"),
        ([[1.0, 0.0], [0.0, 0.0]], "direction 2 of two.npy is zero"),
        ([[1.0, 0.0], [0.0, 1e300]], r"direction 2 of two.npy is (inf|1e\+300) long"),
        ([[1.0, 1.0], [-3.0, -3.0]], "the two directions of two.npy lie on one line"),
        ([["a", "b"], ["c", "d"]], "not real numbers"),
    ],
)
def test_a_file_that_spans_no_plane_is_refused_by_name(tmp_path, rows, what):
    np.save(tmp_path / "two.npy", np.asarray(rows))
    with pytest.raises(DataError, match=what) as raised:
        read_plane(tmp_path / "two.npy")
    assert raised.value.hint


def test_a_file_that_is_not_there_or_of_other_states_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_plane(tmp_path / "none.npy")
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(2))
    with pytest.raises(DataError, match="its arrays are: a, b"):
        read_plane(tmp_path / "two.npz")
    np.save(tmp_path / "two.npy", np.eye(2))
    with pytest.raises(DataError, match="rows of 2 numbers, a state of net has 3"):
        read_plane(tmp_path / "two.npy").check_size(3, "net")


def test_a_picture_without_marks_says_why(three_wells):
    program, traps = three_wells
    drawn = picture(as_section(cut_of(program, traps, chosen("random", traps))))
    assert "No fixed point lies on this plane" in drawn.caption
    assert "distance (2-norm) from the mean of all 8 attractors" in drawn.caption
    lone = trap_at(tanh_map(0.5 * np.eye(3)), "A", np.zeros(3))
    drawn = picture(as_section(cut_of(tanh_map(0.5 * np.eye(3)), [lone], chosen("random", [lone]))))
    assert [mark.name for mark in drawn.marks] == ["A"]
    assert "No fixed point" not in drawn.caption
