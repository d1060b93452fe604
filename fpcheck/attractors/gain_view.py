"""The gain margin as a table of events and a diagram of the fixed points over the gain."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Column, Curve, Item, Mark, Note, Picture, Region, Table

SHOWN = 10
# Cells of the diagram: a terminal shows as many, so that no curve is lost on the way there.
COLUMNS, ROWS = 72, 48
EMPTY, UNSTABLE, STABLE = 0, 1, 2
REGIONS = (
    Region("", "no fixed point followed", "unresolved"),
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


def continuation_items(section: Section, suffix: str) -> Iterable[Item]:
    """The margin in words, its events, and the diagram; or why there is none."""
    if "skipped" in section:
        yield Note(f"Gain margin{suffix}: {section['skipped']}.")
        return
    yield Note(_margin(section, suffix))
    if section["events"]:
        yield _events(section, suffix)
    if any(len(branch["gains"]) > 1 for branch in section["branches"]):
        yield diagram(section)


def diagram(section: Section) -> Picture:
    """The followed fixed points over the gain, stable ones drawn over the others."""
    branches = section["branches"]
    heights = [y for branch in branches for y in branch["positions"]]
    y = _axis(section["axis"], min(heights), max(heights))
    x = Axis(f"gain of {section['scaled']}", section["low"], section["high"])
    cells = [[EMPTY] * COLUMNS for _ in range(ROWS)]
    for branch in branches:
        _draw(branch, x, y, cells)
    marks = [
        Mark(str(number + 1), event["gain"], event["position"], stable=False)
        for number, event in enumerate(section["events"][:SHOWN])
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
            f"The network is at gain 1; numbers are the events above (numerical). {section['note']}"
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


def _draw(branch: Section, x: Axis, y: Axis, cells: list[list[int]]) -> None:
    """Every piece of a branch, as many points as it crosses cells."""
    path = list(zip(branch["gains"], branch["positions"], branch["unstable"], strict=True))
    for (g0, p0, u0), (g1, p1, u1) in pairwise(path):
        across = abs(_place(g1, x, COLUMNS) - _place(g0, x, COLUMNS))
        steps = max(across, abs(_place(p1, y, ROWS) - _place(p0, y, ROWS)), 1)
        kind = STABLE if u0 == 0 and u1 == 0 else UNSTABLE
        for step in range(steps + 1):
            share = step / steps
            column = _place(g0 + share * (g1 - g0), x, COLUMNS)
            row = ROWS - 1 - _place(p0 + share * (p1 - p0), y, ROWS)
            if 0 <= column < COLUMNS and 0 <= row < ROWS:
                cells[row][column] = max(cells[row][column], kind)


def _place(value: float, axis: Axis, count: int) -> int:
    share = (value - axis.low) / (axis.high - axis.low)
    return min(int(share * count), count - 1)


def _margin(section: Section, suffix: str) -> str:
    low, high = section["margin_low"], section["margin_high"]
    text = f"Gain margin{suffix}: scaling {section['scaled']} changes the fixed points "
    if low is None and high is None:
        reached = f"{section['reached_low']:.3g} and {section['reached_high']:.3g}"
        return f"{text}nowhere between {reached} (numerical)."
    parts = [f"at {gain:.5g} {side}" for gain, side in ((low, "below"), (high, "above")) if gain]
    return text + " and ".join(parts) + f", of {section['followed']} followed (numerical)."


def _events(section: Section, suffix: str) -> Table:
    rows = tuple(
        (
            f"{number + 1}: {event['gain']:.5f}",
            event["kind"],
            _names(event["points"]),
            f"{_count(event['unstable_before'])} → {_count(event['unstable_after'])}",
        )
        for number, event in enumerate(section["events"][:SHOWN])
    )
    more = len(section["events"]) - SHOWN
    caption = f"{more} more in the report" if more > 0 else ""
    return Table(f"Bifurcations{suffix}", EVENT_COLUMNS, rows, caption)


def _names(names: list[str]) -> str:
    rest = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + rest


def _count(value: int | None) -> str:
    return "none" if value is None else str(value)
