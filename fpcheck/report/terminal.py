"""The report as text for a terminal, never wider than it: the only writer that uses rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.settings import QUESTIONS
from fpcheck.core.tables import Bars, Column, Note, Panel, Table
from fpcheck.report import wording
from fpcheck.report.draws_view import view as draws_view
from fpcheck.report.grid import draw_bars, draw_picture, draw_table
from fpcheck.report.page import GAP, Page
from fpcheck.report.report import findings_of, question_of
from fpcheck.report.style import Style
from fpcheck.report.views import views

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


def write_terminal(document: Section, style: Style) -> str:
    """The report as text; a pure function of the document and the style."""
    page = Page(style)
    findings = findings_of(document)
    if not style.quiet:
        draw_header(page, wording.header(document))
        for note in document["subject"].get("notes", ()):
            page.line(f"note: {note}")
        page.blank()
    draw_badge(page, document, findings, str(document["subject"]["name"]))
    if not style.quiet:
        _questions(page, document, findings)
    _skipped_questions(page, document)
    draw_findings(page, document, findings)
    if not style.quiet:
        _footer(page, document, findings)
    return page.text()


def write_panels(panels: Iterable[Panel], style: Style) -> str:
    """Panels alone, as `fpcheck inspect` shows them."""
    page = Page(style)
    for panel in panels:
        draw_panel(page, panel)
        page.blank()
    return page.text()


def write_index(rows: Iterable[tuple[str, ...]], style: Style) -> str:
    """One row a model: its name, verdict and counts, as INDEX_COLUMNS has them."""
    page = Page(style)
    draw_table(page, Table("", INDEX_COLUMNS, tuple(rows)))
    return page.text()


def draw_header(page: Page, parts: Iterable[str]) -> None:
    """Add the first line: what was looked at, part by part."""
    page.parts([Text(page.plain(part)) for part in parts])


def draw_answer(page: Page, answer: str) -> None:
    """Add the one sentence that all else rests under."""
    page.line(Text(page.plain(answer), style="bold"))


def draw_badge(page: Page, document: Section, findings: Sequence[Finding], subject: str) -> None:
    """Add the verdict and the counts, behind a name of the subject where no header has named it."""
    verdict = document["verdict"]
    badge = Text(f" {wording.BADGES[verdict]} ", style=COLOURS.get(verdict, "reverse"))
    words = (*wording.counts(findings), _gate(document))
    if page.style.quiet:
        words = (subject, *words)
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
        draw_panel(page, table[question](section, own))
    if "draws" in document:
        page.blank()
        draw_panel(page, draws_view(document["draws"]))


def _skipped_questions(page: Page, document: Section) -> None:
    """What was not answered. Quiet leaves out only what nobody asked: the rest is no pass of it."""
    skipped = wording.skipped_questions(document, asked_only=page.style.quiet)
    if skipped:
        page.blank()
    for questions, reason in skipped:
        page.line(f"{questions} skipped: {reason}")


def draw_findings(page: Page, document: Section, findings: Sequence[Finding]) -> None:
    """Add what failed or is undecided, what passed where that is asked for, what was skipped."""
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


def draw_panel(page: Page, panel: Panel) -> None:
    """Add a heading and the items below it."""
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
            draw_table(page, item)
        elif isinstance(item, Bars):
            draw_bars(page, item)
        else:
            draw_picture(page, item)
        if item.caption:
            page.line(item.caption, indent=GAP)


def _title(page: Page, title: str, caption: str, *, bold: bool = True) -> Text:
    text = Text(page.plain(title), style="bold" if bold else "")
    if caption:
        text.append("  " + page.plain(caption), style="not bold")
    return text
