"""Units that do nothing: FP106, FP107."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import LISTED_FAILS, Judged, Row, listed, more, skipped, triple

# Dead units are judged on at least so many inputs, and where what enters the layer differs so much.
FEWEST_INPUTS = 32
LEAST_ARRIVING_CONTRAST = 0.2
ENDS = ("", "_low", "_high")


def inactive(measured: Section, limits: Mapping[str, float]) -> Iterator[Finding]:
    """FP106: what is active too seldom, and units that are off on every input."""
    code, floor, most = "FP106", limits["min_active"], limits["max_dead"]
    rows = [row for row in measured["layers"] if row["hidden"] and row["activation"] != "identity"]
    # Behind a layer that is constant all are; FP101 names the place where that begins.
    rows = [row for row in rows if row["input_dependent"]] or rows[:1]
    if not rows:
        yield skipped(code, "there is no hidden layer with an activation")
        return
    dead = [row for row in rows if _shows_dead_units(measured, row) and row["dead_share"] > most]
    sparse = [
        Judged(row["name"], outcome_below(low, high, floor), words, found, low, high, -found)
        for row in rows
        if row not in dead
        for found, low, high in (triple(row, "active_fraction"),)
        for words in (f"{found:.2%} of its units' values are not zero",)
    ]
    for number, row in enumerate(sorted(dead, key=lambda row: -row["dead_share"])[:LISTED_FAILS]):
        yield _dead(row, most, more(len(dead), number))
    if sparse and not (dead and all(each.outcome == "pass" for each in sparse)):
        yield from listed(code, sparse, floor, "all layers respond to the inputs")


def _dead(row: Row, most: float, tail: str) -> Finding:
    found, low, high = (row.get(f"dead_share{end}", row["dead_share"]) for end in ENDS)
    return finding(
        "FP106", outcome_above(low, high, most), where=f"layer {row['name']}",
        message=f"{row['dead_units']} of {row['units']} units are inactive on every input{tail}",
        status="sampled", found=found, low=low, high=high, limit=most,
    )  # fmt: skip


def _shows_dead_units(measured: Section, row: Row) -> bool:
    """Whether a unit that is off on all inputs says something about the unit.

    Of few inputs, or of inputs that arrive nearly parallel, a sparse layer's units see the same.
    """
    arriving = row["arriving_contrast"]
    if row["active_fraction"] == 0.0:
        return True
    return (
        measured["inputs"] >= FEWEST_INPUTS
        and arriving is not None
        and arriving >= LEAST_ARRIVING_CONTRAST
    )


def saturated(measured: Section, limit: float) -> Iterator[Finding]:
    """FP107: layers whose values are mostly where phi is flat."""
    rows = [
        row for row in measured["layers"] if row["hidden"] and row["saturated_fraction"] is not None
    ]
    if not rows:
        yield skipped("FP107", "there is no hidden layer whose activation saturates")
        return
    judged = [
        Judged(row["name"], outcome_above(low, high, limit), words, found, low, high, found)
        for row in rows
        for found, low, high in (triple(row, "saturated_fraction"),)
        for words in (f"{found:.1%} of its units' values are saturated",)
    ]
    yield from listed("FP107", judged, limit, "no layer is mostly saturated")
