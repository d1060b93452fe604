"""Tables and bars on a page: columns dropped, then names folded, until they fit its width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import Box
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from fpcheck.core.tables import Bars, Picture, Table
from fpcheck.report.page import GAP, Page
from fpcheck.report.pictures.blocks import (
    Run,
    bottom_ticks,
    characters,
    half_blocks,
    left_ticks,
    signs_of,
)
from fpcheck.report.pictures.palette import Colour, colours, hex_code

BAR = 40  # cells of a whole bar where there is room
SHORTEST_BAR = 10
# A column of text is not folded below its longest word, if that is no longer; where the page is
# too narrow even so, words are broken.
LONGEST_WORDS = (20, 6)
# Columns of a picture: beyond the largest it would leave the screen, below the smallest it shows
# nothing; so much room is left beside it for the legend, where the page has it.
PICTURE = (24, 72)
LEGEND = 24
RULED = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
RULED_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def draw_table(page: Page, table: Table) -> None:
    """Add a table; columns that do not fit are named below it, less important ones first."""
    titles = [page.plain(column.title) for column in table.columns]
    rows = [[page.plain(cell) for cell in row] for row in table.rows]
    columns = list(zip(titles, *rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    kept = _kept(widths, [column.priority for column in table.columns], page.width)
    fitted = None
    for word in LONGEST_WORDS:
        least = {i: _least(columns[i], table.columns[i].align == "left", word) for i in kept}
        fitted = fitted or _folded({i: widths[i] for i in kept}, least, page.width)
    grid = Grid(
        box=RULED_ASCII if page.style.ascii_only else RULED,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        collapse_padding=False,
    )
    for i in kept:
        grid.add_column(
            Text(titles[i]),
            justify=table.columns[i].align,
            overflow="fold",
            header_style="",
            width=fitted[i] if fitted else None,
        )
    for row in rows:
        grid.add_row(*(Text(row[i]) for i in kept))
    page.add(grid)
    dropped = [title for i, title in enumerate(titles) if i not in kept]
    if dropped:
        page.line(f"not shown at {page.width} columns: {', '.join(dropped)}", indent=GAP)


def _least(column: Sequence[str], text: bool, longest_word: int) -> int:
    """The width below which a column is not folded: its longest word; numbers are left whole."""
    title, *cells = column
    words = [word for cell in (title, *cells) for word in cell.split()] if text else title.split()
    longest = max(map(cell_len, words), default=1)
    return min(longest, longest_word) if text else max([longest, *map(cell_len, cells)])


def _folded(
    widths: Mapping[int, int], least: Mapping[int, int], width: int
) -> dict[int, int] | None:
    """The widths of columns folded until all fit, the widest first; None if they do not."""
    folded = dict(widths)
    excess = sum(folded.values()) + (GAP + 1) * (len(folded) - 1) - width
    while excess > 0:
        able = [i for i in folded if folded[i] > least[i]]
        if not able:
            return None
        folded[max(able, key=lambda i: folded[i])] -= 1
        excess -= 1
    return folded


def _kept(widths: Sequence[int], priorities: Sequence[int], width: int) -> list[int]:
    """The columns that fit, dropping the least important first; priority 0 always stays."""
    kept = list(range(len(widths)))

    def needed() -> int:
        return sum(widths[i] for i in kept) + (GAP + 1) * (len(kept) - 1)

    while needed() > width and any(priorities[i] for i in kept):
        kept.remove(max(kept, key=lambda i: (priorities[i], i)))
    return kept


def draw_bars(page: Page, bars: Bars) -> None:
    """Add bars on one scale; without room for a bar its text alone."""
    full, empty = ("#", ".") if page.style.ascii_only else ("█", "·")
    labels = [page.plain(bar.label) for bar in bars.bars]
    texts = [page.plain(bar.text) for bar in bars.bars]
    beside = max(map(cell_len, labels), default=0) + max(map(cell_len, texts), default=0)
    room = min(BAR, page.width - beside - 3 * GAP)
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    grid.add_column(overflow="fold")
    if room >= SHORTEST_BAR:
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for bar, label, text in zip(bars.bars, labels, texts, strict=True):
        drawn = [Text(_bar(bar.share, room, full, empty))] if room >= SHORTEST_BAR else []
        grid.add_row(Text(label), *drawn, Text(text))
    page.add(Padding(grid, (0, 0, 0, GAP), expand=False))


def _bar(share: float, room: int, full: str, empty: str) -> str:
    """A bar that shows any positive share and is full only for the whole."""
    if not 0.0 <= share <= 1.0:  # NaN too
        return empty * room
    cells = round(share * room)
    if share > 0.0:
        cells = max(cells, 1)
    if share < 1.0:
        cells = min(cells, room - 1)
    return full * cells + empty * (room - cells)


def draw_picture(page: Page, picture: Picture) -> None:
    """Add a picture with its axes, and its legend beside it, or below where there is no room."""
    probe = left_ticks(picture.y, PICTURE[1] // 2).values()
    gutter = GAP + max(map(cell_len, probe), default=0) + 1
    room = page.width - gutter
    beside = room - LEGEND - GAP >= PICTURE[0]
    columns = min(PICTURE[1], room - LEGEND - GAP if beside else room)
    drawn = _picture_lines(page, picture, columns)
    names = left_ticks(picture.y, len(drawn))
    legend = _legend(page, picture)
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    grid.add_column(no_wrap=True)
    if beside:
        grid.add_column(overflow="fold")
    block = Text()
    for number, line in enumerate(drawn):
        label = page.plain(names.get(number, ""))
        block.append(" " * (gutter - 1 - cell_len(label)) + label + " ").append_text(line)
        block.append("\n")
    block.append(" " * gutter + page.plain(bottom_ticks(picture.x, columns)))
    grid.add_row(block, legend) if beside else grid.add_row(block)
    page.add(grid)
    page.line(f"x: {picture.x.title}; y: {picture.y.title}", indent=GAP)
    if not beside:
        page.add(Padding(legend, (0, 0, 0, GAP), expand=False))


def _picture_lines(page: Page, picture: Picture, columns: int) -> list[Text]:
    if not page.style.colour or page.style.ascii_only:
        return [
            Text(line) for line in characters(picture, columns, ascii_only=page.style.ascii_only)
        ]
    return [_runs(line) for line in half_blocks(picture, columns)]


def _runs(line: Sequence[Run]) -> Text:
    text = Text()
    for run in line:
        text.append(run.text, style=_style(run.ink, run.ground, bold=run.bold))
    return text


def _style(ink: Colour | None, ground: Colour | None, *, bold: bool = False) -> str:
    words = ["bold"] if bold else []
    words += [hex_code(ink)] if ink else []
    words += [f"on {hex_code(ground)}"] if ground else []
    return " ".join(words)


def _legend(page: Page, picture: Picture) -> Grid:
    """One line a region: its colour or its sign, its name, its text."""
    legend = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for _ in range(2):
        legend.add_column(no_wrap=True)
    legend.add_column(overflow="fold")
    plain = not page.style.colour or page.style.ascii_only
    signs = signs_of(picture.regions, ascii_only=page.style.ascii_only)
    for region, sign, colour in zip(picture.regions, signs, colours(picture.regions), strict=True):
        if region.kind == "blank":
            continue
        swatch = Text(f"[{sign * 2}]") if plain else Text("  ", style=_style(None, colour))
        legend.add_row(swatch, Text(page.plain(region.name)), Text(page.plain(region.text)))
    return legend
