"""The data's rows, damaged rows, borders of basins, slices and gains: tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fpcheck.attractors.basins.view import picture
from fpcheck.attractors.gain_view import continuation_items
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table

SHOWN = 8
# What an end is called in the report, where it is no attractor's id.
ENDS = {"inf": "∞", "?": "?"}
BORDER_COLUMNS = (
    Column("id", "left"),
    Column("proved inside"),
    Column("smallest push found"),
    Column("of |x|", priority=1),
    Column("along", "left", priority=1),
    Column("ends on", "left"),
    Column("past", "left", priority=2),
)
DAMAGE_COLUMNS = (
    Column("damage", "left"),
    Column("comes back"),
    Column("95% CI"),
    Column("ends within 10%", priority=1),
    Column("elsewhere", priority=1),
)


def surroundings_items(one: Section, suffix: str) -> Iterable[Item]:
    """What surrounds the attractors; nothing that was not looked at."""
    if one.get("boundaries"):
        yield _borders(one, suffix)
    if one["data"]:
        yield Note(_data_words(one["data"]))
    if one.get("restoration"):
        yield _damage(one["restoration"], suffix)
    if one.get("slice"):
        skipped = one["slice"].get("skipped")
        yield from [Note(f"{skipped}{suffix}.")] if skipped else _slice(one["slice"], suffix)
    if one.get("continuation"):
        yield from continuation_items(one["continuation"], suffix)


def _slice(section: Section, suffix: str) -> Iterable[Item]:
    """The slice as a picture; of one colour, as a line: there is nothing to see."""
    drawn = picture(section)
    if len(drawn.regions) > 1:
        yield replace(drawn, title=f"{drawn.title}{suffix}")
        return
    region = drawn.regions[0]
    yield Note(
        f"{drawn.title}{suffix}: all of the square, {section['x_low']:.3g} to "
        f"{section['x_high']:.3g} along both axes, ends on {region.name} (numerical). "
        f"x: {drawn.x.title}; y: {drawn.y.title}; distance (2-norm){_centre(section)}."
    )


def _centre(section: Section) -> str:
    return f" from {section['centre']}" if section.get("centre") else ""


def _borders(one: Section, suffix: str) -> Table:
    borders = one["boundaries"]
    rows = tuple(
        (
            each["id"],
            _number(each["inner_radius"]),
            "none found" if each["distance"] is None else _number(each["distance"]),
            "-" if each["relative"] is None else f"{each['relative']:.1%}",
            each["towards"] or "-",
            ENDS.get(each["leads_to"], each["leads_to"]) or "-",
            each["edge"] or "-",
        )
        for each in borders[:SHOWN]
    )
    more = f"{len(borders) - SHOWN} more in the report; " if len(borders) > SHOWN else ""
    caption = (
        f"{more}2-norm; no push below “proved inside” leaves the basin; “smallest push found” "
        "does, and a smaller one may (numerical)"
    )
    return Table(f"Distance to the border of the basin{suffix}", BORDER_COLUMNS, rows, caption)


def _data_words(data: Section) -> str:
    text = (
        f"Data: of {data['rows']} rows {data['fixed_points']} end on a fixed point, "
        f"{data['cycles']} on a cycle, {data['unresolved']} unresolved, "
        f"{data['diverged']} diverged; {data['reproduced']} are mapped to within "
        f"{data['tolerance']:.0%} of themselves, {data['stored']} end that close to themselves."
    )
    far = data.get("spurious")
    if far:
        names = ", ".join(far[:SHOWN]) + (", …" if len(far) > SHOWN else "")
        text += f" Farther from every row than rows are from each other: {names}."
    return text


def _damage(repair: Section, suffix: str) -> Table:
    rows = tuple(
        (
            _damage_words(each),
            f"{each['share']:.1%}",
            f"{100 * each['share_low']:.1f}–{100 * each['share_high']:.1f}",
            f"{each['restored_share']:.1%}",
            str(each["elsewhere"]),
        )
        for each in repair["levels"]
    )
    caption = (
        f"{repair['rows']} rows; comes back: ends where the undamaged row ends (by chance "
        f"{repair['by_chance']:.1%}); sampled"
    )
    return Table(f"Damaged rows{suffix}", DAMAGE_COLUMNS, rows, caption)


def _damage_words(each: Section) -> str:
    if each["kind"] == "mask":
        return f"{each['level']:.0%} of the entries masked"
    noun = "standard deviation" if each["level"] == 1.0 else "standard deviations"
    return f"noise of {each['level']:g} {noun}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
