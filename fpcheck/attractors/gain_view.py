"""The gain margin as a table of events and a diagram of the fixed points over the gain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Column, Curve, Item, Mark, Note, Picture, Region, Table

SHOWN = 10
# Cells of the diagram: a terminal shows as many, so that no curve is lost on the way there.
COLUMNS, ROWS = 72, 48
EMPTY, UNSTABLE, STABLE = 0, 1, 2
REGIONS = (
    Region("", "no fixed point followed", "blank"),
    Region("unstable", "", "other"),
    Region("stable", "", "basin"),
)
EVENT_COLUMNS = (
    Column("gain"),
    Column("what", "left"),
    Column("of", "left"),
    Column("unstable directions", "left", priority=1),
)
LISTED_NAMES = 4
# The diagram leaves out so much of the gains on either side of its upright axis where a point runs
# off, and shows so much room around the rest, as a share of it.
RARE, ROOM = 0.01, 0.25
STEPS_DRAWN = 4 * (COLUMNS + ROWS)  # of one piece of a branch, at most


def continuation_items(section: Section, suffix: str) -> Iterable[Item]:
    """The margin in words, its events, and the diagram; or why there is none."""
    if "skipped" in section:
        yield Note(f"Gain margin{suffix}: {section['skipped']}.")
        return
    yield Note(_margin(section, suffix))
    if section["events"]:
        yield _events(section, suffix)
    if has_diagram(section):
        drawn = diagram(section)
        yield replace(drawn, title=f"{drawn.title}{suffix}")


def has_diagram(section: Section) -> bool:
    """Whether any fixed point was followed, so that there is something to draw."""
    return any(len(branch["gains"]) > 1 for branch in section.get("branches", ()))


def diagram(section: Section) -> Picture:
    """The followed fixed points over the gain, stable ones drawn over the others."""
    branches = section["branches"]
    y = _axis(section["axis"], *_heights(branches))
    x = Axis(f"gain of {_what(section)}", section["low"], section["high"])
    cells = [[EMPTY] * COLUMNS for _ in range(ROWS)]
    for branch in branches:
        _draw(branch, x, y, cells)
    marks = [
        Mark(str(number + 1), event["gain"], event["position"], stable=False)
        for number, event in enumerate(_shown(section["events"]))
        if y.low <= event["position"] <= y.high
    ]
    return Picture(
        title="Fixed points over the gain",
        cells=tuple(tuple(row) for row in cells),
        regions=REGIONS,
        x=x,
        y=y,
        marks=tuple(marks),
        curves=tuple(_curves(branches)),
        caption=(
            "The network is at gain 1; the numbers are those of the bifurcations (numerical). "
            + _sentence(section["note"])
        ),
    )


def _curves(branches: Iterable[Section]) -> list[Curve]:
    """The branches cut where they gain or lose stability, the stable pieces in front."""
    pieces: list[Curve] = []
    for branch in branches:
        gains, places, unstable = branch["gains"], branch["positions"], branch["unstable"]
        kinds = [STABLE if a == 0 and b == 0 else UNSTABLE for a, b in pairwise(unstable)]
        begin = 0
        for end in range(1, len(kinds) + 1):
            if end == len(kinds) or kinds[end] != kinds[begin]:
                part = slice(begin, end + 1)
                pieces.append(Curve(tuple(gains[part]), tuple(places[part]), kinds[begin]))
                begin = end
    return sorted(pieces, key=lambda piece: piece.region)


def _axis(title: str, low: float, high: float) -> Axis:
    room = 0.05 * (high - low) or 0.5
    return Axis(title, low - room, high + room)


def _heights(branches: Sequence[Section]) -> tuple[float, float]:
    """The positions that are shown: all, but where a branch runs off within next to no gain."""
    pieces = sorted(
        (0.5 * (y0 + y1), abs(g1 - g0), y0, y1)
        for branch in branches
        for (g0, y0), (g1, y1) in pairwise(zip(branch["gains"], branch["positions"], strict=True))
    )
    every = [y for branch in branches for y in branch["positions"]]
    total = math.fsum(piece[1] for piece in pieces)
    passed, kept = 0.0, []
    for _, length, *ends in pieces:
        if passed + length >= RARE * total and passed <= (1.0 - RARE) * total:
            kept += ends
        passed += length
    low, high = min(kept), max(kept)
    room = ROOM * (high - low) or ROOM * (max(every) - min(every))
    return max(min(every), low - room), min(max(every), high + room)


def _draw(branch: Section, x: Axis, y: Axis, cells: list[list[int]]) -> None:
    """Every piece of a branch, as many points as it crosses cells."""
    path = list(zip(branch["gains"], branch["positions"], branch["unstable"], strict=True))
    for (g0, p0, u0), (g1, p1, u1) in pairwise(path):
        across = abs(_place(g1, x, COLUMNS) - _place(g0, x, COLUMNS))
        steps = max(across, abs(_place(p1, y, ROWS) - _place(p0, y, ROWS)), 1)
        steps = min(steps, STEPS_DRAWN)
        kind = STABLE if u0 == 0 and u1 == 0 else UNSTABLE
        for step in range(steps + 1):
            share = step / steps
            column = _place(g0 + share * (g1 - g0), x, COLUMNS)
            row = ROWS - 1 - _place(p0 + share * (p1 - p0), y, ROWS)
            if 0 <= column < COLUMNS and 0 <= row < ROWS:
                cells[row][column] = max(cells[row][column], kind)


def _place(value: float, axis: Axis, count: int) -> int:
    """The cell of a value; below 0 or from `count` on where it lies beyond the axis."""
    share = (value - axis.low) / (axis.high - axis.low)
    return count - 1 if share == 1.0 else math.floor(share * count)


def _margin(section: Section, suffix: str) -> str:
    what, _, stays = section["scaled"].partition("; ")
    count = section["followed"]
    subject = "the followed one" if count == 1 else f"the {count} followed"
    text = (
        f"Gain margin{suffix}: {what} are multiplied by g{f'; {stays}' if stays else ''}. "
        f"Nearest change of the fixed points, of {subject} (numerical): {_ends(section, 'margin')}."
    )
    alone = [(section[f"margin_{side}"], section[f"attractor_{side}"]) for side in ("low", "high")]
    if any(every != stable for every, stable in alone):
        text += f" Of the stable ones alone: {_ends(section, 'attractor')}."
    return text


def _ends(section: Section, key: str) -> str:
    """The nearest gains on both sides of 1 at which something changes."""
    parts = []
    for side, word in (("low", "below"), ("high", "above")):
        gain, reached = section[f"{key}_{side}"], section[f"reached_{side}"]
        at = f"none {word} 1, down to" if side == "low" else f"none {word} 1, up to"
        parts.append(f"{at} {reached:.3g}" if gain is None else f"g = {gain:.5g} {word} 1")
    return "; ".join(parts)


def _what(section: Section) -> str:
    """What is scaled, without what stays."""
    return str(section["scaled"]).partition("; ")[0]


def _sentence(text: str) -> str:
    """The text with a capital in front and a full stop behind."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def _shown(events: Sequence[Section]) -> list[Section]:
    """The events that are listed and marked: the nearest to gain 1, in order of the gain."""
    near = sorted(events, key=lambda event: abs(math.log(event["gain"])))[:SHOWN]
    return sorted(near, key=lambda event: float(event["gain"]))


def _events(section: Section, suffix: str) -> Table:
    rows = tuple(
        (
            f"{number + 1}: {event['gain']:.5f}",
            event["kind"],
            _names(event["points"]),
            f"{_count(event['unstable_before'])} → {_count(event['unstable_after'])}",
        )
        for number, event in enumerate(_shown(section["events"]))
    )
    more = len(section["events"]) - SHOWN
    caption = f"the nearest to gain 1; {more} more in the report" if more > 0 else ""
    return Table(f"Bifurcations{suffix}", EVENT_COLUMNS, rows, caption)


def _names(names: list[str]) -> str:
    rest = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + rest


def _count(value: int | None) -> str:
    return "none" if value is None else str(value)
