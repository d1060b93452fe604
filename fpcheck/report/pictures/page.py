"""A picture as a page of HTML: one file, no network, readable without a script."""

from __future__ import annotations

import base64
import hashlib
import json
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
const data = JSON.parse(document.getElementById("picture").textContent);
const cells = document.querySelector("svg.fp image");
const said = document.querySelector("output"), hint = said.textContent;
const two = (low, high, part) => (low + part * (high - low)).toPrecision(4);
cells.addEventListener("pointermove", event => {
  const box = cells.getBoundingClientRect();
  const rows = data.cells.length, columns = data.cells[0].length;
  const across = (event.clientX - box.left) / box.width;
  const down = (event.clientY - box.top) / box.height;
  const row = Math.min(rows - 1, Math.max(0, Math.floor(down * rows)));
  const column = Math.min(columns - 1, Math.max(0, Math.floor(across * columns)));
  const region = data.regions[data.cells[row][column]], name = document.createElement("b");
  name.textContent = region;
  said.replaceChildren(`x = ${two(data.x[0], data.x[1], across)}, ` +
    `y = ${two(data.y[1], data.y[0], down)} ends on `, name);
});
cells.addEventListener("pointerleave", () => said.replaceChildren(hint));
"""
HINT = "Point at the picture: here stands where that state ends."


def write_page(picture: Picture, heading: str = "", note: str = "") -> str:
    """The picture as an HTML page. heading: what it is of; note: a line below it."""
    title = printable(heading or picture.title)
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
        draw_svg(picture),
        "" if picture.curves else _pointer(picture),
        "</main></body></html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _pointer(picture: Picture) -> str:
    """The line that names the cell under the pointer, with what it needs for that."""
    return (
        f"<output>{HINT}</output>\n"
        f'<script type="application/json" id="picture">{_data(picture)}</script>\n'
        f"<script>{SCRIPT}</script>"
    )


def _data(picture: Picture) -> str:
    """What the script reads, in a form that cannot end its element."""
    data = {
        "cells": picture.cells,
        "regions": [printable(region.name) for region in picture.regions],
        "x": [picture.x.low, picture.x.high],
        "y": [picture.y.low, picture.y.high],
    }
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
