"""A trace as a page of HTML: one file, no network, no script; its JSON inside."""

from __future__ import annotations

from fpcheck.core.plain import Section
from fpcheck.core.tables import Picture
from fpcheck.core.wording import counted
from fpcheck.report.document import write_json
from fpcheck.report.html_parts import STYLE, badge_html, findings_html, panel_html, safe
from fpcheck.report.pictures.svg import draw_svg
from fpcheck.report.report import findings_of
from fpcheck.report.trace_figures import figures, spectra
from fpcheck.report.trace_view import header, panels, trend_lines
from fpcheck.report.wording import legend

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_trace_page(document: Section) -> str:
    """The trace as a page; a pure function of the document."""
    findings = findings_of(document)
    limits = document["settings"].get("limits", {})
    name = safe(str(document["run"]["name"]))
    spectrum = list(spectra(document))
    drawn, rest = [*figures(document), *spectrum[:1]], spectrum[1:]
    summary = document["summary"]
    told = [f"<p>{safe(line)}</p>" for line in (str(summary["reason"]), *trend_lines(document))]
    notes = [f'<p class="soft">note: {safe(note)}</p>' for note in document["run"]["notes"]]
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}: trace</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{name}</h1>",
        f'<p class="soft">{" · ".join(safe(part) for part in header(document))}</p>',
        *notes,
        badge_html(document, findings),
        f'<p class="answer">{safe(str(summary["answer"]))}</p>',
        *told,
        f'<p class="soft">Next: {safe(str(summary["next_step"]).rstrip("."))}</p>',
        "<section><h2>Figures</h2>" if drawn else "",
        *(_figure(picture, number) for number, picture in enumerate(drawn)),
        *_folded(rest, len(drawn)),
        "</section>" if drawn else "",
        *(panel_html(panel) for panel in panels(document, whole=True)),
        findings_html(findings, limits),
        *(f'<p class="soft">{safe(line)}</p>' for line in legend(document)),
        f'<script type="application/json" id="trace">{_data(document)}</script>',
        "</main></body></html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _figure(picture: Picture, number: int) -> str:
    return f"<figure>\n{draw_svg(picture, number)}\n</figure>"


def _folded(rest: list[Picture], before: int) -> list[str]:
    """The spectra of more layers than the first, folded."""
    if not rest:
        return []
    inside = [_figure(picture, before + number) for number, picture in enumerate(rest)]
    more = f"Singular values of {counted(len(rest), 'more layer')}"
    return [f"<details><summary>{more}</summary>", *inside, "</details>"]


def _data(document: Section) -> str:
    """The document in a form that cannot end its element."""
    return write_json(document).replace("<", "\\u003c")
