from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from test_pictures import HOSTILE, picture

from fpcheck.core.tables import Axis, Mark, Panel, Picture, Region
from fpcheck.report.pictures.blocks import characters, half_blocks, resampled, signs_of
from fpcheck.report.pictures.palette import PALETTE
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def halves(regions=2, size=40):
    """Left region 0, right region `regions` - 1, the others in single columns in between."""
    row = [0] * (size // 2 - regions + 2) + list(range(1, regions - 1))
    row += [regions - 1] * (size - len(row))
    return Picture(
        title="Basins", cells=tuple(tuple(row) for _ in range(size)),
        regions=tuple(Region(chr(ord("A") + i), "10.0%") for i in range(regions)),
        x=Axis("from A towards B", -1.0, 1.0), y=Axis("across", -1.0, 1.0),
        marks=(Mark("A", -0.5, 0.0), Mark("B", 0.5, 0.5, stable=False)),
    )  # fmt: skip


def shown(drawn, **style):
    return write_panels([Panel("Attractors", "", (drawn,))], Style(**style))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_of_a_picture_is_wider_than_the_terminal(width, colour, ascii_only):
    for drawn in (halves(), halves(12), picture()):
        text = shown(drawn, width=width, colour=colour, ascii_only=ascii_only)
        plain = ANSI.sub("", text)
        assert max(cell_len(line) for line in plain.splitlines()) <= width
        if not colour:
            assert text == plain
        if ascii_only:
            assert plain.isascii()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("colour", [False, True])
def test_axes_legend_and_marks_are_there(width, colour):
    text = ANSI.sub("", shown(halves(), width=width, colour=colour))
    words = " ".join(text.split())
    assert "x: from A towards B; y: across" in words
    assert re.search(r"A\s+10\.0%", text)
    for tick in ("−1.0", "0.0", "1.0") if width > 40 else ("0",):
        assert tick in text


def test_half_blocks_show_two_cells_a_character_in_the_colours_of_their_regions():
    drawn = Picture(
        "", ((0, 1), (1, 0), (0, 0), (1, 1)), (Region("A", ""), Region("B", "")),
        Axis("", 0.0, 1.0), Axis("", 0.0, 2.0),
    )  # fmt: skip
    lines = half_blocks(drawn, 2)
    a, b = PALETTE[0], PALETTE[1]
    assert [[(run.text, run.ink, run.ground) for run in line] for line in lines] == [
        [("▀", a, b), ("▀", b, a)],
        [("▀▀", a, b)],
    ]


def test_without_colour_each_basin_has_a_sign_of_its_own():
    few = characters(halves(marks := 2), 40)
    assert {line.replace("(A)", "").replace("(B)", "") for line in few} <= {
        "·" * a + "░" * b for a in range(41) for b in range(41)
    }
    assert marks == 2
    many = halves(12)
    signs = signs_of(many.regions)
    assert signs == list("ABCDEFGHIJKL")
    assert set("".join(characters(many, 40))) <= set(signs) | set("()")


def test_signs_never_stand_for_two_basins():
    names = ["A", "AA", "c1", "B", "b", "a", "AB", "∞"]
    regions = [Region(name, "") for name in names]
    signs = signs_of(regions)
    assert len(set(signs)) == len(signs)
    assert signs[0] == "A"
    assert signs_of([Region("?", "", "unresolved"), Region("∞", "", "diverged")]) == ["?", "!"]


def test_a_coarser_picture_takes_the_region_of_most_cells():
    drawn = replace(halves(), cells=((0, 0, 1, 1), (0, 1, 1, 1)))
    assert resampled(drawn, 2, 1) == [[0, 1]]
    assert resampled(drawn, 4, 2) == [[0, 0, 1, 1], [0, 1, 1, 1]]
    assert resampled(drawn, 8, 2)[0] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_marks_stand_where_they_lie_and_attractors_go_first():
    lines = characters(halves(), 40)
    assert lines[10][9:12] == "(A)"  # x = -1/2: a quarter along; y = 0: half-way down
    assert "(B)" in lines[5]
    both = replace(halves(), marks=(Mark("S", 0.0, 0.0, stable=False), Mark("A", 0.01, 0.0)))
    text = "".join(characters(both, 40))
    assert "(A)" in text
    assert "(S)" not in text


def test_hostile_names_are_shown_and_not_obeyed():
    drawn = picture(
        title=HOSTILE, regions=tuple(Region(HOSTILE, HOSTILE) for _ in range(4)),
        marks=(Mark(HOSTILE, 0.0, 0.0),), caption=HOSTILE,
    )  # fmt: skip
    for colour in (False, True):
        text = ANSI.sub("", shown(drawn, width=100, colour=colour))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31m" in text


def test_colour_changes_no_word_beside_the_picture():
    plain, coloured = shown(halves()), ANSI.sub("", shown(halves(), colour=True))
    for text in (plain, coloured):
        assert "x: from A towards B; y: across" in text
    assert len(plain.splitlines()) == len(coloured.splitlines())


def curve_on_blank():
    """One stable cell in every fourth row of blank ground."""
    rows = [[0] * 48 for _ in range(48)]
    for column in range(48):
        rows[column][column] = 2
    regions = (Region("", "", "blank"), Region("unstable", "", "other"), Region("stable", ""))
    cells = tuple(tuple(row) for row in rows)
    return picture(cells=cells, regions=regions, marks=(), shades=())


def test_blank_ground_is_blank_and_a_thin_curve_stays_whole():
    lines = characters(curve_on_blank(), 24)
    assert {sign for line in lines for sign in line} == {" ", "█"}
    assert all("█" in line for line in lines)
    ascii_lines = characters(curve_on_blank(), 24, ascii_only=True)
    assert {sign for line in ascii_lines for sign in line} == {" ", "#"}


def test_blank_ground_has_the_terminals_own_colour_and_no_place_in_the_legend():
    runs = [run for line in half_blocks(curve_on_blank(), 24) for run in line]
    assert all(run.ink is None and run.ground is None for run in runs if not run.text.strip())
    assert all(PALETTE[0] in (run.ink, run.ground) for run in runs if run.text.strip())
