"""Scores over the rows and over the width, and where they are heading, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import sentence
from fpcheck.readout.wording import interval_text, score_text

REACHED = {
    "yes": "more rows gain no more than that",
    "no": "more rows gain more than that",
    "unknown": "whether more rows gain more than that is open",
}


def learning_items(curve: Section, model: str) -> Iterator[Item]:
    """The learning curve and its end, or why there is none. model: whose curve, in words."""
    if "skipped" in curve:
        yield Note(f"No learning curve: {sentence(curve['skipped'])}")
        return
    columns = (Column("training rows"), Column("held out"), Column("95% CI"))
    rows = tuple(
        (str(one["rows"]), score_text(one["score"]), interval_text(one["low"], one["high"]))
        for one in curve["points"]
    )
    yield Table(
        "Learning curve", columns, rows, f"{model}, {curve['splits']} splits; {_end(curve)}"
    )


def width_items(curve: Section) -> Iterator[Item]:
    """The score over the width and its limit, or why there is none."""
    if "skipped" in curve:
        yield Note(f"No score by width: {sentence(curve['skipped'])}")
        return
    columns = (Column("widths times"), Column("features"), Column("held out"), Column("95% CI"))
    rows = tuple(
        (
            f"{one['factor']:g}",
            str(one["width"]),
            score_text(one["score"]),
            interval_text(one["low"], one["high"]),
        )
        for one in curve["points"]
    )
    draws = f"{curve['draws']} random networks a width, {curve['splits']} splits"
    yield Table("Score by width", columns, rows, f"{draws}; {_limit(curve)}")


def _end(curve: Section) -> str:
    """Where the curve is heading."""
    if curve["asymptote"] is None:
        return f"no end told: {str(curve['asymptote_skipped']).rstrip('.')}"
    ends = interval_text(curve["asymptote_low"], curve["asymptote_high"])
    gap = interval_text(curve["gap_low"], curve["gap_high"])
    return (
        f"heads for {score_text(curve['asymptote'])} ({ends}), "
        f"{score_text(curve['gap'])} ({gap}) above the last fit; of {curve['distance']:g}, "
        f"{REACHED.get(curve['reached'], REACHED['unknown'])}"
    )


def _limit(curve: Section) -> str:
    """The limit by the law in 1/width, the width near it, and the kernel's own score."""
    if curve["limit"] is None:
        words = f"no limit told: {str(curve['limit_skipped']).rstrip('.')}"
    else:
        ends = interval_text(curve["limit_low"], curve["limit_high"])
        words = f"limit {score_text(curve['limit'])} ({ends})"
        words += " by score = limit - slope/(width + offset)"
        if curve["near"] is not None:
            words += f", within {curve['distance']:g} from width {_width(curve['near'])} on"
            words += f" (95% CI {_width(curve['near_low'])} to {_width(curve['near_high'])})"
    if curve["nngp"] is not None:
        words += f"; the kernel itself {score_text(curve['nngp'])}"
    return words


def _width(value: float | None) -> str:
    return "∞" if value is None else f"{value:.0f}"
