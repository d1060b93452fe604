"""Pictures as a page of HTML: one file, no network, readable without a script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape

from fpcheck.core.printable import printable
from fpcheck.core.tables import Picture
from fpcheck.report.pictures.svg import draw_svg

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #6a737d; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e6e8eb; --soft: #9aa3ad; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui,
  -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 21px; margin: 0 0 2px; } p { margin: 4px 0 18px; color: var(--soft); }
svg { max-width: 100%; height: auto; display: block; }
output { display: block; min-height: 1.5em; margin: 6px 0 20px; color: var(--soft);
  font-variant-numeric: tabular-nums; } output b { color: var(--ink); }
@media print { output { display: none; } main { max-width: none; padding: 0; } }
"""
# Names the cell under the pointer. Everything that it writes goes in as text, never as markup.
SCRIPT = """
for (const figure of document.querySelectorAll("section.cells")) {
const data = JSON.parse(figure.querySelector("script").textContent);
const cells = figure.querySelector("svg.fp image");
const said = figure.querySelector("output"), hint = said.textContent;
const at = (low, high, part) => low + part * (high - low);
const two = (low, high, part, log) =>
  (log ? 10 ** at(low, high, part) : at(low, high, part)).toPrecision(4);
cells.addEventListener("pointermove", event => {
  const box = cells.getBoundingClientRect();
  const rows = data.cells.length, columns = data.cells[0].length;
  const across = (event.clientX - box.left) / box.width;
  const down = (event.clientY - box.top) / box.height;
  const row = Math.min(rows - 1, Math.max(0, Math.floor(down * rows)));
  const column = Math.min(columns - 1, Math.max(0, Math.floor(across * columns)));
  const region = data.regions[data.cells[row][column]], name = document.createElement("b");
  name.textContent = region;
  said.replaceChildren(`x = ${two(data.x[0], data.x[1], across, data.log[0])}, ` +
    `y = ${two(data.y[1], data.y[0], down, data.log[1])}: `, name);
});
cells.addEventListener("pointerleave", () => said.replaceChildren(hint));
}
"""
HINT = "Point at the picture: here stands what is at that place."


def write_page(pictures: Picture | Sequence[Picture], heading: str = "", note: str = "") -> str:
    """One or several pictures as an HTML page. heading: what it is of; note: a line below it."""
    shown = [pictures] if isinstance(pictures, Picture) else list(pictures)
    title = printable(heading or shown[0].title)
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(printable(note))}</p>" if note else "",
        *(_figure(picture, number) for number, picture in enumerate(shown)),
        "" if all(picture.curves for picture in shown) else f"<script>{SCRIPT}</script>",
        "</main></body></html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _figure(picture: Picture, number: int) -> str:
    """The drawing; of cells, with the line that names the one under the pointer and its data."""
    drawing = draw_svg(picture, number)
    if picture.curves:
        return f"<section>\n{drawing}\n</section>"
    return (
        f'<section class="cells">\n{drawing}\n<output>{HINT}</output>\n'
        f'<script type="application/json">{_data(picture)}</script>\n</section>'
    )


def _data(picture: Picture) -> str:
    """What the script reads, in a form that cannot end its element."""
    data = {
        "cells": picture.cells,
        "regions": [printable(region.name) for region in picture.regions],
        "x": [picture.x.low, picture.x.high],
        "y": [picture.y.low, picture.y.high],
        "log": [picture.x.log, picture.y.log],
    }
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
