"""The report as text for a terminal, never wider than it: the only writer that uses rich.

Everything is built from `Text`, never from markup, and every string from a file passes through
`printable`: a layer called `[red]` or one that holds an escape sequence is shown as it is called.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.printable import printable
from fpcheck.core.settings import QUESTIONS
from fpcheck.core.tables import Bars, Column, Note, Panel, Table
from fpcheck.report import wording
from fpcheck.report.report import findings_of, question_of
from fpcheck.report.style import Style
from fpcheck.report.views import views

NARROWEST = 40  # columns; below that a table has no form
BAR = 40  # cells of a whole bar where there is room
PART_GAP = 3  # cells between the parts of a line
GAP = 2  # cells between columns
INDENT = 6  # cells before what belongs to a finding: the width of a code and a space
CODE, HINT = "cyan", "yellow"
COLOURS = {"pass": "black on green", "warn": "black on yellow", "fail": "white on red"}
INDEX_COLUMNS = (
    Column("model", "left"),
    Column("verdict", "left"),
    Column("errors"),
    Column("warnings"),
    Column("inconclusive", priority=1),
    Column("passed", priority=2),
)
RULED = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
RULED_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def write_terminal(document: Section, style: Style) -> str:
    """The report as text; a pure function of the document and the style."""
    page = Page(style)
    findings = findings_of(document)
    if not style.quiet:
        page.parts([Text(page.plain(part)) for part in wording.header(document)])
        for note in document["subject"].get("notes", ()):
            page.line(f"note: {note}")
        page.blank()
    _badge(page, document, findings)
    if not style.quiet:
        _questions(page, document, findings)
    _skipped(page, document)
    _findings(page, document, findings)
    if not style.quiet:
        _footer(page, document, findings)
    return page.text()


def write_panels(panels: Iterable[Panel], style: Style) -> str:
    """Panels alone, as `fpcheck inspect` shows them."""
    page = Page(style)
    for panel in panels:
        _panel(page, panel)
        page.blank()
    return page.text()


def write_index(rows: Iterable[tuple[str, ...]], style: Style) -> str:
    """One row a model: its name, verdict and counts, as INDEX_COLUMNS has them."""
    page = Page(style)
    _table(page, Table("", INDEX_COLUMNS, tuple(rows)))
    return page.text()


class Page:
    """Lines of text gathered in order; keeps rich's console to itself."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.width = max(style.width, NARROWEST)
        self._out = io.StringIO()
        self._console = Console(
            file=self._out,
            width=self.width,
            force_terminal=style.colour,
            color_system="standard" if style.colour else None,
            no_color=not style.colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},  # COLUMNS and the like have been looked at already
        )

    def plain(self, text: str) -> str:
        """`text` as it may be shown."""
        return printable(text, ascii_only=self.style.ascii_only)

    def line(self, text: str | Text = "", *, indent: int = 0) -> None:
        """Add a line, wrapped between words where it is too long."""
        styled = Text(self.plain(text)) if isinstance(text, str) else text
        self.add(Padding(styled, (0, 0, 0, indent), expand=False) if indent else styled)

    def parts(self, parts: Iterable[Text]) -> None:
        """Add parts side by side, a line broken between two of them where they do not fit."""
        line = Text()
        for part in parts:
            if line and line.cell_len + PART_GAP + part.cell_len > self.width:
                self.add(line)
                line = Text()
            line = line.append(" " * PART_GAP).append_text(part) if line else Text().append(part)
        self.add(line)

    def blank(self) -> None:
        """Add an empty line."""
        self.add(Text(""))

    def add(self, item: RenderableType) -> None:
        """Add anything that rich can draw."""
        self._console.print(item, overflow="fold", crop=True)

    def text(self) -> str:
        """What was added, without spaces at line ends and without blank lines at the end."""
        lines = [line.rstrip() for line in self._out.getvalue().splitlines()]
        return "\n".join(lines).rstrip("\n") + "\n"


def _badge(page: Page, document: Section, findings: Sequence[Finding]) -> None:
    verdict = document["verdict"]
    badge = Text(f" {wording.BADGES[verdict]} ", style=COLOURS.get(verdict, "reverse"))
    words = (*wording.counts(findings), _gate(document))
    if page.style.quiet:  # no header has named the model
        words = (str(document["subject"]["name"]), *words)
    page.parts([badge, *(Text(page.plain(word)) for word in words)])


def _gate(document: Section) -> str:
    return f"gate: {document['settings'].get('fail_on', 'error')}"


def _questions(page: Page, document: Section, findings: Sequence[Finding]) -> None:
    table = views()
    for question in QUESTIONS:
        section = document.get(question)
        if section is None or "skipped" in section:
            continue
        page.blank()
        own = tuple(f for f in findings if question_of(f.code) == question)
        _panel(page, table[question](section, own))


def _skipped(page: Page, document: Section) -> None:
    """What was not answered, even where little is shown: a pass of the rest is no pass of this."""
    skipped = wording.skipped_questions(document)
    if skipped:
        page.blank()
    for questions, reason in skipped:
        page.line(f"{questions} skipped: {reason}")


def _findings(page: Page, document: Section, findings: Sequence[Finding]) -> None:
    shown = [f for f in findings if f.outcome in ("fail", "inconclusive")]
    limits = document["settings"]["limits"]
    page.blank()
    page.line(Text("Findings", style="bold"))
    if not shown:
        page.line("none", indent=GAP)
    for finding in shown:
        _finding(page, wording.finding_text(finding, limits))
    if page.style.quiet:
        return
    passed = [f for f in findings if f.outcome == "pass"]
    if page.style.verbose and passed:
        page.blank()
        page.line(Text("Passed", style="bold"))
        for finding in passed:
            text = _code(page, finding.code)
            text.append(page.plain(f"  {finding.where}: {finding.message} ({finding.status})"))
            page.line(text)
    skipped = wording.skipped_rules(findings)
    if skipped:
        page.blank()
    for codes, reason in skipped:
        text = _code(page, codes)
        text.append(page.plain(f" skipped: {reason}"))
        page.line(text)


def _finding(page: Page, words: wording.FindingText) -> None:
    heading = _code(page, words.code)
    place = "   ".join(part for part in (words.where, words.name) if part)
    heading.append(page.plain(f" {words.label:<9} {place}"))
    page.line(heading)
    page.line(words.message, indent=INDENT)
    found = f"found {words.found}" if words.found else ""
    limit = f"limit {words.limit}" if words.limit else ""
    gap = " " * 3 * GAP if found and limit else ""
    if INDENT + cell_len(found + gap + limit) <= page.width:
        measured = [found + gap + limit]
    else:
        measured = [found, limit]
    for line in measured:
        if line:
            page.line(line, indent=INDENT)
    if words.hint:
        grid = Grid.grid(padding=(0, GAP, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text("hint", style=HINT), Text(page.plain(words.hint)))
        page.add(Padding(grid, (0, 0, 0, INDENT), expand=False))


def _code(page: Page, code: str) -> Text:
    return Text().append(page.plain(code), style=CODE)


def _footer(page: Page, document: Section, findings: Sequence[Finding]) -> None:
    page.blank()
    for line in (*wording.legend(document), wording.timing(document), wording.next_step(findings)):
        if line:
            page.line(line)


def _panel(page: Page, panel: Panel) -> None:
    page.line(_title(page, panel.title, panel.caption))
    for index, item in enumerate(panel.items):
        if isinstance(item, Note):
            page.line(item.text, indent=GAP)
            continue
        if index:
            page.blank()
        if item.title and item.title != panel.title:
            page.line(_title(page, item.title, "", bold=False))
        if isinstance(item, Table):
            _table(page, item)
        else:
            _bars(page, item)
        if item.caption:
            page.line(item.caption, indent=GAP)


def _title(page: Page, title: str, caption: str, *, bold: bool = True) -> Text:
    text = Text(page.plain(title), style="bold" if bold else "")
    if caption:
        text.append("  " + page.plain(caption), style="not bold")
    return text


def _table(page: Page, table: Table) -> None:
    cells = [[page.plain(cell) for cell in row] for row in table.rows]
    titles = [page.plain(column.title) for column in table.columns]
    widths = [
        max([cell_len(title), *(cell_len(row[i]) for row in cells)])
        for i, title in enumerate(titles)
    ]
    kept = _kept(widths, [column.priority for column in table.columns], page.width)
    grid = Grid(
        box=RULED_ASCII if page.style.ascii_only else RULED,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        collapse_padding=False,
    )
    for i in kept:
        grid.add_column(
            Text(titles[i]), justify=table.columns[i].align, overflow="fold", header_style=""
        )
    for row in cells:
        grid.add_row(*(Text(row[i]) for i in kept))
    page.add(grid)
    dropped = [title for i, title in enumerate(titles) if i not in kept]
    if dropped:
        page.line(f"not shown at {page.width} columns: {', '.join(dropped)}", indent=GAP)


def _kept(widths: Sequence[int], priorities: Sequence[int], width: int) -> list[int]:
    """The columns that fit, dropping the least important first; priority 0 always stays."""
    kept = list(range(len(widths)))

    def needed() -> int:
        return sum(widths[i] for i in kept) + (GAP + 1) * (len(kept) - 1)

    while needed() > width and any(priorities[i] for i in kept):
        kept.remove(max(kept, key=lambda i: (priorities[i], i)))
    return kept


def _bars(page: Page, bars: Bars) -> None:
    full, empty = ("#", ".") if page.style.ascii_only else ("█", "·")
    labels = [page.plain(bar.label) for bar in bars.bars]
    texts = [page.plain(bar.text) for bar in bars.bars]
    beside = max(map(cell_len, labels), default=0) + max(map(cell_len, texts), default=0)
    room = min(BAR, page.width - beside - 3 * GAP)
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    grid.add_column(overflow="fold")
    if room >= 10:
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for bar, label, text in zip(bars.bars, labels, texts, strict=True):
        drawn = [Text(_bar(bar.share, room, full, empty))] if room >= 10 else []
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
