"""Lines over the steps of a run as a picture: gaps where nothing is known, axes that fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.report.trace_wording import at, known, trend

# The shape of the frame: lines are drawn over empty ground.
COLUMNS, ROWS = 72, 40
BLANK = Region("", "", "blank")
GROUND = ((0,) * COLUMNS,) * ROWS
ROOM = 0.06  # of the range of values, around it
SMALLEST = 0.05  # of the largest value: a narrower range would show rounding as a mountain
CROWDED = 0.1  # of the last step: with half of the checkpoints below it, steps are on a log axis


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name and text in the legend, a value or None a checkpoint."""

    name: str
    text: str
    values: Sequence[float | None]
    kind: Literal["basin", "other"] = "basin"


def log(value: object) -> float | None:
    """The common logarithm; None of what is not positive and finite."""
    number = known(value)
    return math.log10(number) if number is not None and number > 0.0 else None


def across(document: Section) -> tuple[list[float], Axis]:
    """Where every checkpoint stands on the axis of steps, and the axis."""
    steps = [one["step"] for one in document["checkpoints"]]
    count = len(steps)
    rising = None not in steps and all(a < b for a, b in pairwise(steps))
    if not rising or count < 2:
        places = [float(i + 1) for i in range(count)]
        return places, Axis("checkpoint", 1.0, max(2.0, float(count)), whole=True)
    if steps[0] >= 0 and steps[count // 2] < CROWDED * steps[-1] and count > 3:
        shift = 1 if steps[0] == 0 else 0
        places = [math.log10(step + shift) for step in steps]
        return places, Axis("step + 1" if shift else "step", places[0], places[-1], log=True)
    return [float(step) for step in steps], Axis(
        "step", float(steps[0]), float(steps[-1]), whole=True
    )


def level_axis(title: str, values: Sequence[float], *, logarithmic: bool) -> Axis:
    """An axis with room around the values."""
    low, high = min(values), max(values)
    least = 0.1 if logarithmic else max(SMALLEST * max(abs(low), abs(high)), 1e-12)
    middle = 0.5 * (low + high)
    half = max(0.5 * (high - low), 0.5 * least) * (1.0 + 2.0 * ROOM)
    return Axis(title, middle - half, middle + half, log=logarithmic)


def drawn(
    document: Section, title: str, lines: Sequence[Line], name: str, *,
    logarithmic: bool = False, marks: Sequence[Mark] = (), caption: str = "",
) -> Picture | None:  # fmt: skip
    """The lines over the steps; None where no line has two points."""
    x, axis = across(document)
    regions, curves, everything = [BLANK], [], []
    for line in lines:
        runs = list(_runs(x, line.values))
        if not runs:
            continue
        region = Region(line.name, line.text, line.kind)
        if region not in regions:
            regions.append(region)
        curves += [Curve(xs, ys, regions.index(region)) for xs, ys in runs]
        everything += [y for _, ys in runs for y in ys]
    if not any(len(curve.x) > 1 for curve in curves):
        return None
    y = level_axis(name, everything, logarithmic=logarithmic)
    escape = trend(document, "loss").get("escape")
    if escape is not None and 0 <= escape < len(x):
        # Behind the lines, over the whole height: every figure of steps shows when it was.
        regions.append(Region("escape", at(document, escape), "other"))
        curves.insert(0, Curve((x[escape],) * 2, (y.low, y.high), len(regions) - 1))
    return Picture(
        title=title, cells=GROUND, regions=tuple(regions), x=axis, y=y, marks=tuple(marks),
        curves=tuple(curves), caption=caption,
    )  # fmt: skip


def _runs(
    x: Sequence[float], values: Sequence[float | None]
) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """The pieces of a line between its gaps."""
    piece: list[tuple[float, float]] = []
    for place, value in [*zip(x, values, strict=True), (0.0, None)]:
        if value is not None:
            piece.append((place, value))
        elif piece:
            yield tuple(p for p, _ in piece), tuple(v for _, v in piece)
            piece = []
