"""A picture as lines of characters: half-blocks in colour, or one character a basin without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fpcheck.core.tables import Axis, Mark, Picture, Region
from fpcheck.report.pictures.palette import Colour, colours
from fpcheck.report.pictures.ticks import ticks

UPPER_HALF, LOWER_HALF = "▀", "▄"
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
# Fills where few regions meet, each easily told from the others; with more, letters.
FILLS = "·░▓▒█"
ASCII_FILLS = ".:#o%"
# Curves on empty ground: the most visible sign first.
LINES = "█▓▒░·"
ASCII_LINES = "#o%:."
SPARE = "abcdefghijklmnopqrstuvwxyz0123456789"
KINDS = {"unresolved": "?", "diverged": "!", "other": "+", "blank": " "}


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one ink on one ground; None is the terminal's own."""

    text: str
    ink: Colour | None = None
    ground: Colour | None = None
    bold: bool = False


def half_blocks(picture: Picture, columns: int) -> list[list[Run]]:
    """Lines of so many characters, each of which shows two square cells, the upper and the lower.

    Marks stand in front, in black on white.
    """
    lines = height(picture, columns)
    cells = resampled(picture, columns, 2 * lines)
    palette = [
        None if region.kind == "blank" else colour
        for region, colour in zip(picture.regions, colours(picture.regions), strict=True)
    ]
    drawn = [
        [_halves(palette[upper], palette[lower]) for upper, lower in zip(*pair, strict=True)]
        for pair in zip(cells[::2], cells[1::2], strict=True)
    ]
    for line, column, name in _marks(picture, columns, lines):
        for offset, character in enumerate(name):
            drawn[line][column + offset] = Run(character, BLACK, WHITE, bold=True)
    return [_joined(line) for line in drawn]


def characters(picture: Picture, columns: int, *, ascii_only: bool = False) -> list[str]:
    """Lines of so many characters, each of which shows one cell by its region's sign."""
    lines = height(picture, columns)
    signs = signs_of(picture.regions, ascii_only=ascii_only)
    drawn = [[signs[index] for index in row] for row in resampled(picture, columns, lines)]
    for line, column, name in _marks(picture, columns, lines):
        left, right = column - 1, column + len(name)
        if left >= 0:
            drawn[line][left] = "("
        if right < columns:
            drawn[line][right] = ")"
        drawn[line][column:right] = name
    return ["".join(line) for line in drawn]


def signs_of(regions: Sequence[Region], *, ascii_only: bool = False) -> list[str]:
    """The character of every region: a fill where they are few, else its letter or a spare one."""
    fills = ASCII_FILLS if ascii_only else FILLS
    if any(region.kind == "blank" for region in regions):
        fills = ASCII_LINES if ascii_only else LINES
    basins = [region for region in regions if region.kind == "basin"]
    if len(basins) <= len(fills):
        free = iter(fills)
        return [KINDS.get(region.kind) or next(free) for region in regions]
    own = [region.name for region in basins if len(region.name) == 1 and region.name.isascii()]
    spare = iter([sign for sign in SPARE if sign not in own])
    return [
        KINDS.get(region.kind) or (region.name if region.name in own else next(spare, "*"))
        for region in regions
    ]


def height(picture: Picture, columns: int) -> int:
    """The lines that the picture takes at so many columns: a character is twice as high as wide."""
    shape = len(picture.cells) / len(picture.cells[0])
    return max(1, round(columns * shape / 2))


def resampled(picture: Picture, columns: int, rows: int) -> list[list[int]]:
    """The region that most of the cells behind each of rows x columns places belong to.

    Blank cells do not count where there is any other: a thin curve stays whole.
    """
    cells = picture.cells
    blank = {number for number, region in enumerate(picture.regions) if region.kind == "blank"}
    across, down = _spans(len(cells[0]), columns), _spans(len(cells), rows)
    out = []
    for top, bottom in down:
        row = []
        for left, right in across:
            seen = Counter(index for line in cells[top:bottom] for index in line[left:right])
            told = [index for index in seen if index not in blank] or list(seen)
            row.append(min(told, key=lambda index: (-seen[index], index)))
        out.append(row)
    return out


def left_ticks(axis: Axis, lines: int) -> dict[int, str]:
    """The text of the ticks of an upright axis, by line."""
    return {_place(axis, lines, value, upright=True): text for value, text in ticks(axis, 5)}


def bottom_ticks(axis: Axis, columns: int) -> str:
    """The ticks of a level axis in one line, each over its column, none cut or touching."""
    line = ""
    for value, text in ticks(axis, 5):
        begin = _place(axis, columns, value) - len(text) // 2
        begin = max(0, min(begin, columns - len(text)))
        if begin > len(line) or not line:
            line = line.ljust(begin) + text
    return line


def _halves(upper: Colour | None, lower: Colour | None) -> Run:
    """One character of two cells; None leaves the terminal's own ground."""
    if upper is None:
        return Run(" ") if lower is None else Run(LOWER_HALF, lower)
    return Run(UPPER_HALF, upper, lower)


def _spans(cells: int, places: int) -> list[tuple[int, int]]:
    """Which cells stand behind each place: at least one."""
    edges = [place * cells / places for place in range(places + 1)]
    return [(int(low), max(int(low) + 1, int(high))) for low, high in pairwise(edges)]


def _place(axis: Axis, places: int, value: float, *, upright: bool = False) -> int:
    along = (value - axis.low) / (axis.high - axis.low)
    return min(places - 1, int(places * (1.0 - along if upright else along)))


def _marks(picture: Picture, columns: int, lines: int) -> list[tuple[int, int, str]]:
    """(line, column, name) of the marks that have room, none over another; attractors first."""
    taken: set[tuple[int, int]] = set()
    out = []
    for mark in sorted(picture.marks, key=lambda mark: not mark.stable):
        line = _place(picture.y, lines, mark.y, upright=True)
        column = min(_place(picture.x, columns, mark.x), columns - len(mark.name))
        spots = {(line, column + offset) for offset in range(-1, len(mark.name) + 1)}
        if column >= 0 and mark.name and not spots & taken and _is_plain(mark):
            taken |= spots
            out.append((line, column, mark.name))
    return out


def _is_plain(mark: Mark) -> bool:
    return mark.name.isascii() and mark.name.isprintable()


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Neighbours of the same colours as one run."""
    out: list[Run] = []
    for run in runs:
        last = out[-1] if out else None
        if last and (last.ink, last.ground, last.bold) == (run.ink, run.ground, run.bold):
            out[-1] = Run(last.text + run.text, run.ink, run.ground, run.bold)
        else:
            out.append(run)
    return out
