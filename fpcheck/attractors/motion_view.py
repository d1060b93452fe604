"""What the starts do that do not settle, as a table."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table

SHOWN = 8
COLUMNS = (
    Column("set", "left"),
    Column("starts"),
    Column("followed", priority=2),
    Column("steps", priority=2),
    Column("Lyapunov"),
    Column("95% CI"),
    Column("dimension", priority=1),
    Column("what is known", "left", priority=1),
)


def motion_items(one: Section, suffix: str) -> Iterable[Item]:
    """The sets that unsettled starts are on, and the slow points; nothing where there are none."""
    sets = one.get("motion") or []
    if sets:
        rows = tuple(_row(each) for each in sets[:SHOWN])
        more = f"{len(sets) - SHOWN} more in the report; " if len(sets) > SHOWN else ""
        caption = f"{more}largest exponent per step, sampled along the orbit"
        yield Table(f"Not settled{suffix}", COLUMNS, rows, caption)
    # A speed that is not finite is null in the report: no point to dwell on.
    slow = [each for each in one.get("slow_points") or () if each["speed"] is not None]
    if slow:
        least = min(point["speed"] for point in slow)
        one_only = len(slow) == 1
        noun = "1 slow point, which is" if one_only else f"{len(slow)} slow points, which are"
        what = "no fixed point" if one_only else "no fixed points"
        yield Note(
            f"{noun} {what}: |f(x) - x| has a minimum there, of {least:.2g}"
            f"{'' if one_only else ' at least'}, and iteration lingers (numerical)."
        )


def _row(each: Section) -> tuple[str, ...]:
    exponent = each["lyapunov"]
    low, high = each["lyapunov_low"], each["lyapunov_high"]
    between = "-" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
    return (
        _kind(each),
        str(each["states"]),
        str(each["followed"]),
        str(each["steps"]),
        "-" if exponent is None else f"{exponent:+.4f}",
        between,
        _dimension(each),
        each["note"] or "-",
    )


def _kind(each: Section) -> str:
    if each["kind"] == "cycle":
        return f"cycle of period {each['period']}"
    if each["kind"] == "slow":
        kind = "a fixed point" if each["period"] in (None, 1) else f"a {each['period']}-cycle"
        return f"slowly to {each['target'] or kind}"
    return str(each["kind"])


def _dimension(each: Section) -> str:
    value = each.get("kaplan_yorke")
    return "-" if value is None else f"{value:.2f}"
