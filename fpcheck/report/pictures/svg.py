"""A picture as an SVG drawing: the cells as an embedded image, all else as shapes and text."""

from __future__ import annotations

import base64
from html import escape

from fpcheck.core.printable import printable
from fpcheck.core.tables import Mark, Picture
from fpcheck.report.pictures.palette import cell_colours, colours, hex_code, legend_of
from fpcheck.report.pictures.png import encode_cells
from fpcheck.report.pictures.ticks import ticks
from fpcheck.report.pictures.wrapping import shortened, wrapped

SIDE = 560  # units of the longer side of the cells
LEFT, TOP, BELOW, LEGEND = 72, 48, 64, 260
LINE = 20
SWATCH = 20  # of a legend's colour and the gap behind it
LETTER = 6.3  # mean width of a character at 12 units, to break lines by
NAME_LETTER = 7.2  # of one in bold
# Light by default; dark where the reader prefers that.
STYLE = """
.fp { --paper: #fff; --ink: #1f2328; --soft: #6a737d; --line: #c8cdd3; font: 12px system-ui,
  -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; background: var(--paper); }
.fp text { fill: var(--ink); } .fp .soft { fill: var(--soft); }
.fp .title { font-size: 16px; font-weight: 600; } .fp .name { font-weight: 600; }
.fp .line { stroke: var(--soft); fill: none; } .fp .swatch { stroke: var(--line); }
.fp .mark { font-size: 15px; font-weight: 700; fill: #14171a; stroke: #fff; stroke-width: 3.5px;
  stroke-linejoin: round; paint-order: stroke; }
.fp .cells { image-rendering: pixelated; }
@media (prefers-color-scheme: dark) {
  .fp { --paper: #16181c; --ink: #e6e8eb; --soft: #9aa3ad; --line: #3a4048; } }
"""


def write_svg(picture: Picture) -> str:
    """The picture as one SVG file."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + draw_svg(picture) + "\n"


def draw_svg(picture: Picture, number: int = 0) -> str:
    """The picture as an <svg> element, for a file or as that `number` of a page."""
    columns, rows = len(picture.cells[0]), len(picture.cells)
    width, height = SIDE * columns / max(columns, rows), SIDE * rows / max(columns, rows)
    full = LEFT + width + LEGEND + 24
    words = printable(f"{picture.caption} {picture.shading}")
    caption = wrapped(words, full - 24, _length)
    below = max(TOP + height + BELOW, TOP + LINE * (_legend_lines(picture) + 1))
    tall = below + LINE * len(caption)
    name = escape(printable(picture.title))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fp" viewBox="0 0 {full:g} {tall:g}" '
        f'width="{full:g}" height="{tall:g}" role="img" aria-label="{name}">',
        f"<title>{name}</title><style>{STYLE}</style>",
        f'<rect width="{full:g}" height="{tall:g}" fill="var(--paper)"/>',
        _text(LEFT, 28, picture.title, "title"),
        _curves(picture, width, height, number)
        if picture.curves
        else _image(picture, width, height),
        *_axes(picture, width, height),
        *(_mark(picture, mark, width, height) for mark in picture.marks),
        *_legend(picture, LEFT + width + 24),
        *(
            _text(12, below + LINE * number + 4, line, "soft")
            for number, line in enumerate(caption)
        ),
        "</svg>",
    ]
    return "\n".join(parts)


def cell_image(picture: Picture) -> str:
    """The cells as an image, one pixel each, in a data address."""
    data = base64.b64encode(encode_cells(cell_colours(picture))).decode("ascii")
    return f"data:image/png;base64,{data}"


def _image(picture: Picture, width: float, height: float) -> str:
    return (
        f'<image class="cells" x="{LEFT}" y="{TOP}" width="{width:g}" height="{height:g}" '
        f'preserveAspectRatio="none" href="{cell_image(picture)}"/>'
        f'<rect class="line" x="{LEFT}" y="{TOP}" width="{width:g}" height="{height:g}"/>'
    )


def _curves(picture: Picture, width: float, height: float, number: int) -> str:
    palette = [hex_code(colour) for colour in colours(picture.regions)]
    box = f'x="{LEFT}" y="{TOP}" width="{width:g}" height="{height:g}"'
    inside = f"fp-inside-{number}"
    out = [f'<clipPath id="{inside}"><rect {box}/></clipPath><g clip-path="url(#{inside})">']
    for curve in picture.curves:
        points = [
            f"{LEFT + width * (x - picture.x.low) / (picture.x.high - picture.x.low):.2f} "
            f"{TOP + height * (picture.y.high - y) / (picture.y.high - picture.y.low):.2f}"
            for x, y in zip(curve.x, curve.y, strict=True)
        ]
        out.append(
            f'<path d="M{"L".join(points)}" fill="none" stroke="{palette[curve.region]}" '
            'stroke-width="1.8" stroke-linejoin="round"/>'
        )
    return "\n".join([*out, f'</g><rect class="line" {box}/>'])


def _axes(picture: Picture, width: float, height: float) -> list[str]:
    bottom = TOP + height
    out = []
    for value, text in ticks(picture.x):
        x = LEFT + width * (value - picture.x.low) / (picture.x.high - picture.x.low)
        out.append(f'<path class="line" d="M{x:.2f} {bottom:g}v5"/>')
        out.append(_text(x, bottom + 19, text, anchor="middle"))
    for value, text in ticks(picture.y):
        y = TOP + height * (picture.y.high - value) / (picture.y.high - picture.y.low)
        out.append(f'<path class="line" d="M{LEFT} {y:.2f}h-5"/>')
        out.append(_text(LEFT - 9, y + 4, text, anchor="end"))
    out.append(_text(LEFT + width / 2, bottom + 42, picture.x.title, anchor="middle"))
    turned = f'<g transform="translate(20 {TOP + height / 2:g}) rotate(-90)">'
    title = shortened(printable(picture.y.title), height + TOP, _length)
    out.append(turned + _text(0, 0, title, anchor="middle") + "</g>")
    return out


def _mark(picture: Picture, mark: Mark, width: float, height: float) -> str:
    across = (mark.x - picture.x.low) / (picture.x.high - picture.x.low)
    down = (picture.y.high - mark.y) / (picture.y.high - picture.y.low)
    x, y = LEFT + width * across, TOP + height * down
    inside = "#14171a" if mark.stable else "#fff"
    side, anchor = (-9, "end") if across > 0.9 else (9, "start")
    return (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="5" fill="#fff"/>'
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="3" fill="{inside}" stroke="#14171a" '
        'stroke-width="1.6"/>' + _text(x + side, y + 5, mark.name, "mark", anchor=anchor)
    )


def _legend(picture: Picture, left: float) -> list[str]:
    """Every region's colour, name and text; a text that only fits below its name stands there."""
    out, line = [], 0
    for region, colour in legend_of(picture):
        top = TOP + LINE * line
        name, words = printable(region.name), printable(region.text)
        beside, below = LEGEND - SWATCH - _name_room(name), LEGEND - SWATCH
        under = _length(words) > beside and _length(words) <= below
        shown = words if under else shortened(words, beside, _length)
        gap = max(3.0, 17.0 - NAME_LETTER * len(name))  # and the space between the words
        more = "" if under or not shown else f'<tspan class="soft" dx="{gap:g}">{escape(shown)}'
        out.append(
            f'<g><title>{escape(name)} {escape(words)}</title><rect class="swatch" x="{left:g}" '
            f'y="{top}" width="13" height="13" rx="2" fill="{hex_code(colour)}"/>'
            f'<text x="{left + SWATCH:.2f}" y="{top + 11:.2f}"><tspan class="name">{escape(name)}'
            f"</tspan> {more and more + '</tspan>'}</text>"
            + (_text(left + SWATCH, top + 11 + LINE, shown, "soft") if under else "")
            + "</g>"
        )
        line += 2 if under else 1
    return out


def _legend_lines(picture: Picture) -> int:
    """At most so many lines does the legend take."""
    wide = [
        1
        for region, _ in legend_of(picture)
        if _length(printable(region.text)) > LEGEND - SWATCH - _name_room(printable(region.name))
    ]
    return len(picture.regions) + len(wide)


def _name_room(name: str) -> float:
    """What a name in bold and the gap behind it take."""
    return max(20.0, NAME_LETTER * len(name) + 6.0)


def _length(text: str) -> float:
    """About how long a text is: what draws it knows, this does not."""
    return LETTER * len(text)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    styled = f' class="{kind}"' if kind else ""
    side = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.2f}" y="{y:.2f}"{styled}{side}>{escape(printable(text))}</text>'
