"""The attractors of many draws of a spec as tables."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Bar, Bars, Column, Note, Panel, Table

TITLE = "Draws"
COLUMNS = (
    Column("of each network", "left"),
    Column("mean"),
    Column("95% CI"),
    Column("median", priority=1),
    Column("from"),
    Column("to"),
)
COUNTS = (
    ("attracting", "attracting fixed points"),
    ("fixed_points", "fixed points found"),
    ("cycles", "cycles found by starts"),
)
SHARES = (
    ("resting", "starts that end on a fixed point"),
    ("cycling", "starts that end on a cycle"),
    ("aperiodic", "starts that never repeat"),
    ("unresolved", "starts unresolved"),
    ("diverged", "starts diverged"),
)
# Values of a count, and periods, that are shown.
SHOWN = 12


def view(section: Section) -> Panel:
    """The panel of `draws`."""
    caption = (
        f"{section['draws']} networks of the spec, {section['starts']} starts each; all else in "
        "this report is of the first"
    )
    rows = tuple(_row(section[key], words, "g") for key, words in COUNTS)
    rows += tuple(_row(section[key], words, "%") for key, words in SHARES)
    table = Table(
        "Over the networks",
        COLUMNS,
        rows,
        "means with Student's t interval, and an exact bound where all networks agree; sampled",
    )
    return Panel(TITLE, caption, (table, _attracting(section), *_notes(section)))


def _row(numbers: Section, words: str, form: str) -> tuple[str, ...]:
    def shown(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value:.1%}" if form == "%" else f"{value:.3g}"

    low, high = numbers["mean_low"], numbers["mean_high"]
    between = "-" if low is None or high is None else f"{shown(low)}–{shown(high)}"
    ends = (numbers["median"], numbers["smallest"], numbers["largest"])
    return (words, shown(numbers["mean"]), between, *(shown(end) for end in ends))


def _attracting(section: Section) -> Bars:
    bars = tuple(
        Bar(str(each["value"]), each["rate"]["share"], _rate(each["rate"]))
        for each in section["attracting"]["values"][:SHOWN]
    )
    caption = "share of the networks, with its 95% interval; sampled"
    return Bars("Networks by attracting fixed points", bars, caption)


def _notes(section: Section) -> Iterator[Note]:
    single, several, none = section["single"], section["several"], section["none"]
    yield Note(
        f"Every start on one fixed point in {_rate(single)} of the networks; several attracting "
        f"ones in {_rate(several)}; none in {_rate(none)}."
    )
    if section["periods"]:
        parts = [
            f"{each['period']} in {each['rate']['share']:.0%}"
            for each in section["periods"][:SHOWN]
        ]
        more = ", …" if len(section["periods"]) > SHOWN else ""
        yield Note(f"Periods of cycles, and the networks that have them: {', '.join(parts)}{more}.")


def _rate(rate: Section) -> str:
    return f"{rate['share']:.1%} ({100 * rate['share_low']:.1f}–{100 * rate['share_high']:.1f})"
