"""The map over initialisation scale and depth as a table and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Column, Item, Mark, Note, Picture, Region, Table
from fpcheck.core.wording import sentence

NOT_ASKED = "not asked"
# A word that fits a narrow column, by kind, in the order of the legend: seven of them stand side by
# side in 80 columns.
WORDS = {
    "ordinary": "learns",
    "saddle-to-saddle": "saddles",
    "lazy": "lazy",
    "never starts": "never",
    "diverges": "blows",
}
MEANINGS = {
    "ordinary": "the loss falls and the weights move",
    "saddle-to-saddle": "a plateau, then an escape of low rank",
    "lazy": "the loss falls, weights and tangent kernel hardly move",
    "never starts": "the loss does not fall in these steps",
    "diverges": "the loss blows up",
}
COLUMNS, ROWS = 72, 36
MARGIN = 0.15  # of the map, beside its outermost cells, in decades and in layers
DARKEST = 9


def scan_items(section: Section) -> Iterator[Item]:
    """The kind of every cell, by depth and scale, or why there is none."""
    scan = section["scan"]
    if "skipped" in scan:
        if not str(scan["skipped"]).startswith(NOT_ASKED):
            yield Note(f"Scan: {str(scan['skipped']).rstrip('.')}.")
        return
    columns = (Column("hidden layers"), *(Column(f"{s:g}", "left") for s in scan["scales"]))
    rows = tuple(
        (str(depth), *(WORDS[cell["kind"]] for cell in cells))
        for depth, cells in zip(scan["depths"], scan["cells"], strict=True)
    )
    caption = (
        f"columns: times {scan['law']}; {scan['steps']} steps on {scan['rows']} rows, "
        f"{scan['activation']}, up to {scan['width']} units, one draw a cell"
    )
    yield Table("Initialisation scale and depth", columns, rows, caption)
    seen = {cell["kind"] for cells in scan["cells"] for cell in cells}
    words = [f"{_legend(kind)}: {MEANINGS[kind]}" for kind in WORDS if kind in seen]
    yield Note(sentence("; ".join(words)))


def scan_picture(scan: Section) -> Picture:
    """The heat map: the kind of the nearest cell, darker where less of the loss is left."""
    scales = [math.log10(scale) for scale in scan["scales"]]
    depths = [float(depth) for depth in scan["depths"]]
    x = Axis("scale of the initial weights", scales[0] - MARGIN, scales[-1] + MARGIN, log=True)
    y = Axis("hidden layers", depths[0] - 0.5, depths[-1] + 0.5)
    across = [_nearest(scales, x.low + (i + 0.5) / COLUMNS * (x.high - x.low)) for i in
              range(COLUMNS)]  # fmt: skip
    down = [_nearest(depths, y.high - (i + 0.5) / ROWS * (y.high - y.low)) for i in range(ROWS)]
    seen = {cell["kind"] for cells in scan["cells"] for cell in cells}
    kinds = [kind for kind in WORDS if kind in seen]
    cells = scan["cells"]
    return Picture(
        title="Training by initialisation scale and depth",
        cells=tuple(tuple(kinds.index(cells[j][i]["kind"]) for i in across) for j in down),
        regions=tuple(_region(kind) for kind in kinds),
        x=x,
        y=y,
        marks=tuple(Mark("", s, d) for s in scales for d in depths),
        shades=tuple(tuple(_shade(cells[j][i]["loss_ratio"]) for i in across) for j in down),
        shading="Darker: less of the loss is left.",
        caption=f"One draw a point, times {scan['law']}; {scan['steps']} steps on "
        f"{scan['rows']} rows. Around a point its colour.",
    )


def _legend(kind: str) -> str:
    """The word of the table, and the report's own behind it where that is another one."""
    return kind if WORDS[kind] == kind else f"{WORDS[kind]} ({kind})"


def _region(kind: str) -> Region:
    if kind == "diverges":
        return Region(kind, MEANINGS[kind], "diverged")
    if kind == "never starts":
        return Region(kind, MEANINGS[kind], "unresolved")
    return Region(kind, MEANINGS[kind])


def _nearest(values: list[float], value: float) -> int:
    return min(range(len(values)), key=lambda i: abs(values[i] - value))


def _shade(ratio: float | None) -> int:
    """0 where the loss is as it was, 9 where nothing is left of it."""
    if ratio is None:
        return 0
    return round(DARKEST * min(max(1.0 - ratio, 0.0), 1.0))
