"""A trace as text for a terminal: the answer first, then the timeline and what it rests on."""

from __future__ import annotations

from fpcheck.core.plain import Section
from fpcheck.report import wording
from fpcheck.report.page import GAP, Page
from fpcheck.report.report import findings_of
from fpcheck.report.style import Style
from fpcheck.report.terminal import (
    draw_answer,
    draw_badge,
    draw_findings,
    draw_header,
    draw_panel,
)
from fpcheck.report.trace_view import header, panels, trend_lines


def write_trace(document: Section, style: Style) -> str:
    """The trace as text, never wider than the style; a pure function of both."""
    page = Page(style)
    findings = findings_of(document)
    run = document["run"]
    if not style.quiet:
        draw_header(page, header(document))
        for note in run["notes"]:
            page.line(f"note: {note}")
        page.blank()
    draw_badge(page, document, findings, str(run["name"]))
    summary = document["summary"]
    page.blank()
    draw_answer(page, str(summary["answer"]))
    if style.quiet:
        draw_findings(page, document, findings)
        return page.text()
    for line in (str(summary["reason"]), *trend_lines(document)):
        if line:
            page.line(line, indent=GAP)
    for panel in panels(document, whole=style.verbose, ascii_only=style.ascii_only):
        page.blank()
        draw_panel(page, panel)
    draw_findings(page, document, findings)
    page.blank()
    for line in (*wording.legend(document), "Next: " + str(summary["next_step"]).rstrip(".")):
        page.line(line)
    return page.text()
