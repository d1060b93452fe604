"""Panels, findings and verdicts as HTML: every string of a file escaped, nothing from a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.printable import printable
from fpcheck.core.tables import Note, Panel, Table
from fpcheck.report import wording

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #5d6670; --line: #d5d9de;
  --band: #f5f6f8; --pass: #1a7f37; --warn: #9a6700; --fail: #cf222e; --code: #0969da; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e6e8eb; --soft: #9aa3ad;
  --line: #343a42; --band: #1e2126; --pass: #3fb950; --warn: #d29922; --fail: #f85149;
  --code: #58a6ff; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui,
  -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 17px; margin: 34px 0 2px; }
p { margin: 4px 0; } .soft, figcaption { color: var(--soft); } .answer { font-size: 17px; }
.badge { display: inline-block; padding: 1px 10px; border-radius: 4px; color: #fff;
  font-weight: 600; background: var(--soft); margin-right: 10px; }
.badge.pass { background: #1a7f37; } .badge.warn { background: #9a6700; }
.badge.fail { background: #cf222e; }
.wide { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { font-weight: 600; border-bottom: 1px solid var(--line); vertical-align: bottom; }
th, td { padding: 2px 12px 2px 0; text-align: right; white-space: nowrap; }
th.left, td.left { text-align: left; } td.wrap { white-space: normal; min-width: 11em; }
tbody tr:nth-child(even) { background: var(--band); }
figure { margin: 12px 0 22px; } svg { max-width: 100%; height: auto; display: block; }
details { margin: 10px 0; } summary { cursor: pointer; color: var(--code); }
.finding { border-left: 3px solid var(--line); padding: 0 0 0 12px; margin: 12px 0; }
.finding.error { border-color: var(--fail); } .finding.warning { border-color: var(--warn); }
.finding.info { border-color: var(--code); }
.finding b { font-weight: 600; } .code { color: var(--code); font-weight: 600; }
@media print { main { max-width: none; padding: 0; } figure, tr, .finding { break-inside: avoid; } }
"""
LONG = 28  # characters of a cell beyond which its line may be broken


def safe(text: str) -> str:
    """`text` with what could hide or act in a page shown instead."""
    return escape(printable(text))


def panel_html(panel: Panel) -> str:
    """A panel's heading and its tables and notes; what is no text is drawn elsewhere."""
    lines = [f"<section><h2>{safe(panel.title)}</h2>"]
    if panel.caption:
        lines.append(f'<p class="soft">{safe(panel.caption)}</p>')
    for item in panel.items:
        if isinstance(item, Table):
            lines.append(table_html(item))
        elif isinstance(item, Note):
            lines.append(f"<p>{safe(item.text)}</p>")
    return "\n".join([*lines, "</section>"])


def table_html(table: Table) -> str:
    """A table with all its columns, scrolled sideways where the page is too narrow."""
    sides = [' class="left"' if column.align == "left" else "" for column in table.columns]
    head = "".join(
        f'<th scope="col"{side}>{safe(column.title)}</th>'
        for column, side in zip(table.columns, sides, strict=True)
    )
    rows = [
        "<tr>" + "".join(map(_cell, row, sides)) + "</tr>"
        for row in table.rows
    ]  # fmt: skip
    caption = f'<p class="soft">{safe(table.caption)}</p>' if table.caption else ""
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>'
        f"</table></div>{caption}"
    )


def _cell(text: str, side: str) -> str:
    if side and len(text) > LONG:
        side = ' class="left wrap"'
    return f"<td{side}>{safe(text)}</td>"


def badge_html(document: Section, findings: Sequence[Finding]) -> str:
    """The verdict and the counts."""
    verdict = document["verdict"]
    kind = "none" if verdict == "not judged" else verdict
    counts = " &nbsp; ".join(safe(words) for words in wording.counts(findings))
    return f'<p><span class="badge {kind}">{wording.BADGES[verdict]}</span>{counts}</p>'


def findings_html(findings: Sequence[Finding], limits: Mapping[str, float]) -> str:
    """What failed or is undecided, then, folded, what passed and what was skipped."""
    shown = [f for f in findings if f.outcome in ("fail", "inconclusive")]
    lines = ["<section><h2>Findings</h2>"]
    lines += [_finding(f, limits) for f in shown] or ["<p>none</p>"]
    passed = [
        f"<p><span class='code'>{safe(f.code)}</span> {safe(f.where)}: {safe(f.message)} "
        f"({safe(f.status)})</p>"
        for f in findings
        if f.outcome == "pass"
    ]
    skipped = [
        f"<p><span class='code'>{safe(codes)}</span> {safe(reason)}</p>"
        for codes, reason in wording.skipped_rules(findings)
    ]
    for name, parts in (("passed", passed), ("skipped", skipped)):
        if parts:
            inside = "\n".join(parts)
            lines.append(f"<details><summary>{len(parts)} {name}</summary>{inside}</details>")
    return "\n".join([*lines, "</section>"])


def _finding(finding: Finding, limits: Mapping[str, float]) -> str:
    words = wording.finding_text(finding, limits)
    measured = [f"found {words.found}" if words.found else "",
                f"limit {words.limit}" if words.limit else ""]  # fmt: skip
    numbers = "; ".join(part for part in measured if part)
    return (
        f'<div class="finding {safe(finding.severity)}"><p><span class="code">{safe(words.code)}'
        f"</span> {safe(words.label)} <b>{safe(words.where)}</b> {safe(words.name)}</p>"
        f"<p>{safe(words.message)}</p>"
        + (f'<p class="soft">{safe(numbers)}</p>' if numbers else "")
        + (f"<p>{safe(words.hint)}</p>" if words.hint else "")
        + "</div>"
    )
