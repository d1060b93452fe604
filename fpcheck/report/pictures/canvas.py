"""A bitmap to draw on: rectangles, discs and stroke text, the edges smoothed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from fpcheck.report.pictures.glyphs import Segment, segments, text_width
from fpcheck.report.pictures.palette import Colour

Spot = tuple[int, int, float]  # column, row, coverage


class Canvas:
    """Three bytes a pixel, rows from the top."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height = width, height
        self.pixels = bytearray(bytes(colour) * (width * height))

    def blend(self, x: int, y: int, colour: Colour, share: float) -> None:
        """Mix a pixel's colour with another; outside of the bitmap nothing happens."""
        if 0 <= x < self.width and 0 <= y < self.height:
            place = 3 * (y * self.width + x)
            for channel in range(3):
                old = self.pixels[place + channel]
                self.pixels[place + channel] = round(old + share * (colour[channel] - old))

    def rectangle(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Fill whole pixels."""
        line = bytes(colour) * width
        for row in range(y, y + height):
            place = 3 * (row * self.width + x)
            self.pixels[place : place + len(line)] = line

    def image(self, x: int, y: int, cells: Sequence[Sequence[Colour]], scale: int) -> None:
        """Draw every cell as a square of `scale` pixels."""
        for number, row in enumerate(cells):
            line = b"".join(bytes(colour) * scale for colour in row)
            for step in range(scale):
                place = 3 * ((y + number * scale + step) * self.width + x)
                self.pixels[place : place + len(line)] = line

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a disc about a point of the bitmap."""
        reach = math.ceil(radius) + 1
        for row in range(int(y) - reach, int(y) + reach + 1):
            for column in range(int(x) - reach, int(x) + reach + 1):
                away = math.hypot(column + 0.5 - x, row + 0.5 - y)
                share = min(1.0, max(0.0, radius - away + 0.5))
                if share > 0.0:
                    self.blend(column, row, colour, share)

    def line(
        self, ends: Segment, width: float, colour: Colour, frame: tuple[int, int, int, int]
    ) -> None:
        """Draw a straight piece (x0, y0, x1, y1) inside the frame (left, top, right, bottom)."""
        x0, y0, x1, y1 = ends
        left, top, right, bottom = frame
        reach = 0.5 * width + 1.0
        for row in range(
            max(top, math.floor(min(y0, y1) - reach)), min(bottom, math.ceil(max(y0, y1) + reach))
        ):
            for column in range(
                max(left, math.floor(min(x0, x1) - reach)),
                min(right, math.ceil(max(x0, x1) + reach)),
            ):
                away = _distance(column + 0.5, row + 0.5, (ends,))
                share = min(1.0, max(0.0, 0.5 * width - away + 0.5))
                if share > 0.0:
                    self.blend(column, row, colour, share)

    def text(
        self, x: float, y: float, text: str, size: float, colour: Colour, *,
        weight: float = 0.13, upright: bool = True,
    ) -> None:  # fmt: skip
        """Write a line from (x, y), the left end of its base line; not upright: upwards.

        size: the height of a capital in pixels; weight: of the stroke, in units of it.
        """
        at = 0.0
        for character in text:
            # Whole pixels: the same character then looks the same wherever it stands.
            left = round(at)
            for column, row, share in _spots(character, size, weight, upright):
                dx, dy = (left, 0) if upright else (0, -left)
                self.blend(round(x) + dx + column, round(y) + dy + row, colour, share)
            at += segments(character)[0] * size / 10.0

    def label(
        self, x: float, y: float, text: str, size: float, colour: Colour, halo: Colour
    ) -> None:
        """Write a line with a halo, so that it can be read on any ground."""
        self.text(x, y, text, size, halo, weight=0.62)
        self.text(x, y, text, size, colour, weight=0.17)


def centred(text: str, size: float, middle: float) -> float:
    """Where a line begins whose middle is to be at `middle`."""
    return middle - (text_width(text, size) - 0.24 * size) / 2.0


@lru_cache(maxsize=1024)
def _spots(character: str, size: float, weight: float, upright: bool) -> tuple[Spot, ...]:
    """The pixels that a character covers, from the left end of its base line."""
    scale = size / 10.0
    half = 0.5 * weight * size
    lines = [tuple(scale * part for part in each) for each in segments(character)[1]]
    if not upright:
        lines = [(-y0, x0, -y1, x1) for x0, y0, x1, y1 in lines]
    if not lines:
        return ()
    xs = [part for each in lines for part in (each[0], each[2])]
    ys = [part for each in lines for part in (each[1], each[3])]
    reach = half + 1.0
    spots: list[Spot] = []
    for row in range(math.floor(-max(ys) - reach), math.ceil(-min(ys) + reach) + 1):
        for column in range(math.floor(min(xs) - reach), math.ceil(max(xs) + reach) + 1):
            away = _distance(column + 0.5, -(row + 0.5), lines)
            share = min(1.0, max(0.0, half - away + 0.5))
            if share > 0.0:
                spots.append((column, row, share))
    return tuple(spots)


def _distance(x: float, y: float, lines: Iterable[tuple[float, ...]]) -> float:
    """The distance of a point to the nearest of the line segments."""
    best = math.inf
    for x0, y0, x1, y1 in lines:
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        t = 0.0 if square == 0.0 else min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / square))
        best = min(best, math.hypot(x - x0 - t * dx, y - y0 - t * dy))
    return best
