"""A picture as a PNG file: cells, axes, marks, legend and caption, drawn without any library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from fpcheck.core.printable import printable
from fpcheck.core.tables import Mark, Picture
from fpcheck.report.pictures.canvas import Canvas, centred
from fpcheck.report.pictures.glyphs import Segment, text_width
from fpcheck.report.pictures.palette import Colour, cell_colours, colours, legend_of
from fpcheck.report.pictures.png import encode_rgb
from fpcheck.report.pictures.ticks import ticks
from fpcheck.report.pictures.wrapping import shortened, wrapped

PAPER: Colour = (255, 255, 255)
INK: Colour = (0x1F, 0x23, 0x28)
SOFT: Colour = (0x6A, 0x73, 0x7D)
AREA = 720  # pixels that the cells take, to the nearest whole scale
LEFT, TOP, BELOW, RIGHT = 84, 62, 78, 24
LEGEND = 300
TITLE, TEXT, SMALL = 15.0, 12.0, 11.0  # heights of a capital
LINE = 24
SWATCH = 15
LEGEND_ROOM = LEGEND - SWATCH - 12
CURVE, PIECE = 2.2, 12.0  # width of a curve, length of its pieces
PER_METRE = 5906  # 150 pixels an inch


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the cells stand on the page."""

    picture: Picture
    scale: int

    @property
    def width(self) -> int:
        return self.scale * len(self.picture.cells[0])

    @property
    def height(self) -> int:
        return self.scale * len(self.picture.cells)

    def across(self, x: float) -> float:
        axis = self.picture.x
        return LEFT + self.width * (x - axis.low) / (axis.high - axis.low)

    def down(self, y: float) -> float:
        axis = self.picture.y
        return TOP + self.height * (axis.high - y) / (axis.high - axis.low)


def write_png(picture: Picture) -> bytes:
    """The picture as a PNG file, on white."""
    longest = max(len(picture.cells), len(picture.cells[0]))
    frame = _Frame(picture, max(1, round(AREA / longest)))
    measure = partial(text_width, size=SMALL)
    full = LEFT + frame.width + RIGHT + LEGEND
    caption = wrapped(printable(f"{picture.caption} {picture.shading}"), full - 2 * RIGHT, measure)
    legend = TOP + LINE * (_legend_lines(picture) + 1)
    height = max(TOP + frame.height + BELOW, legend) + LINE * len(caption) + RIGHT // 2
    canvas = Canvas(full, height, PAPER)
    canvas.text(LEFT, 36, printable(picture.title), TITLE, INK, weight=0.16)
    canvas.rectangle(LEFT - 1, TOP - 1, frame.width + 2, frame.height + 2, SOFT)
    if picture.curves:
        canvas.rectangle(LEFT, TOP, frame.width, frame.height, PAPER)
        _curves(canvas, frame)
    else:
        canvas.image(LEFT, TOP, cell_colours(picture), frame.scale)
    _axes(canvas, frame)
    for mark in picture.marks:
        _mark(canvas, frame, mark)
    _legend(canvas, frame)
    for number, line in enumerate(caption):
        bottom = height - RIGHT // 2 - LINE * (len(caption) - 1 - number) - 8
        canvas.text(RIGHT, bottom, line, SMALL, SOFT)
    return encode_rgb(canvas.pixels, full, height, PER_METRE)


def _curves(canvas: Canvas, frame: _Frame) -> None:
    palette = colours(frame.picture.regions)
    inside = (LEFT, TOP, LEFT + frame.width, TOP + frame.height)
    for curve in frame.picture.curves:
        points = [(frame.across(x), frame.down(y)) for x, y in zip(curve.x, curve.y, strict=True)]
        for a, b in pairwise(points):
            for piece in _pieces(a, b):
                canvas.line(piece, CURVE, palette[curve.region], inside)


def _pieces(a: tuple[float, float], b: tuple[float, float]) -> Iterator[Segment]:
    """A straight line in pieces short enough that few pixels lie beside it in their boxes."""
    count = max(1, math.ceil(math.dist(a, b) / PIECE))
    steps = [i / count for i in range(count + 1)]
    stops = [(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])) for t in steps]
    for start, stop in pairwise(stops):
        yield (*start, *stop)


def _axes(canvas: Canvas, frame: _Frame) -> None:
    x, y = frame.picture.x, frame.picture.y
    bottom = TOP + frame.height
    for value, text in ticks(x):
        place = round(frame.across(value))
        canvas.rectangle(place, bottom, 1, 7, SOFT)
        canvas.text(centred(text, SMALL, place), bottom + 23, text, SMALL, INK)
    for value, text in ticks(y):
        place = round(frame.down(value))
        canvas.rectangle(LEFT - 7, place, 7, 1, SOFT)
        left = LEFT - 12 - text_width(text, SMALL)
        canvas.text(left, place + SMALL / 2, text, SMALL, INK)
    title = printable(x.title)
    canvas.text(centred(title, TEXT, LEFT + frame.width / 2), bottom + 50, title, TEXT, INK)
    room = TOP + frame.height
    title = shortened(printable(y.title), room, partial(text_width, size=TEXT))
    length = text_width(title, TEXT)
    # Centred beside the cells, but not beyond the upper edge.
    middle = max(TOP + frame.height / 2 + length / 2, length + 4)
    canvas.text(26, middle, title, TEXT, INK, upright=False)


def _mark(canvas: Canvas, frame: _Frame, mark: Mark) -> None:
    x, y = frame.across(mark.x), frame.down(mark.y)
    canvas.disc(x, y, 7.0, PAPER)
    canvas.disc(x, y, 5.2, INK)
    if not mark.stable:
        canvas.disc(x, y, 3.2, PAPER)
    if mark.name:
        name = printable(mark.name)
        left = x + 11
        if left + text_width(name, TITLE) > LEFT + frame.width:
            left = x - 11 - text_width(name, TITLE)
        canvas.label(left, y + TITLE / 2, name, TITLE, INK, PAPER)


def _legend(canvas: Canvas, frame: _Frame) -> None:
    """Every region's colour, name and text; a text that only fits below its name stands there."""
    left = LEFT + frame.width + RIGHT
    line = 0
    for region, colour in legend_of(frame.picture):
        top = TOP + LINE * line
        canvas.rectangle(left, top, SWATCH, SWATCH, SOFT)
        canvas.rectangle(left + 1, top + 1, SWATCH - 2, SWATCH - 2, colour)
        name, words = printable(region.name), printable(region.text)
        base, begin = top + SWATCH - 2, left + SWATCH + 9
        canvas.text(begin, base, name, TEXT, INK, weight=0.17)
        beside, under = _places(name, words)
        if under:
            canvas.text(begin, base + LINE, words, SMALL, SOFT)
        elif words:
            shown = shortened(words, LEGEND_ROOM - beside, partial(text_width, size=SMALL))
            canvas.text(begin + beside, base, shown, SMALL, SOFT)
        line += 2 if under else 1


def _places(name: str, words: str) -> tuple[float, bool]:
    """How far behind the name's begin its text begins, and whether it has to stand below."""
    beside = max(text_width(name, TEXT) + 6, 22)
    length = text_width(words, SMALL)
    return beside, LEGEND_ROOM - beside < length <= LEGEND_ROOM


def _legend_lines(picture: Picture) -> int:
    """The lines that the legend takes at most."""
    named = [(printable(region.name), printable(region.text)) for region, _ in legend_of(picture)]
    return len(picture.regions) + sum(_places(*pair)[1] for pair in named)
