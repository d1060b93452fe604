"""How much of the map's fixed points is known: proofs, index sum, estimates, as one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Table

COLUMNS = (
    Column("question", "left"),
    Column("answer", "left"),
    Column("why", "left"),
    Column("how sure", "left"),
)
Row = tuple[str, str, str, str]


def knowledge_items(one: Section, suffix: str) -> Iterable[Item]:
    """The table, or nothing for a report that has no such numbers."""
    if "completeness" in one:
        rows = tuple(_rows(one))
        yield Table(f"How complete is the list{suffix}", COLUMNS, rows, _caption(one))


def _rows(one: Section) -> Iterator[Row]:
    yield from _uniqueness(one)
    yield from _complete(one["complete"])
    known = one["completeness"]
    if known["index_expected"] is None:
        yield ("index sum", "-", known["index_note"], "")
    else:
        total = "not known" if known["index_sum"] is None else f"{known['index_sum']:+d} of +1"
        words = known["index_verdict"]
        if known["index_sum"] == known["index_expected"] and not one["search"].get("flat", True):
            words = f"{words}; cut short"
        yield ("index sum", total, words, known["index_status"])
    if known["chao1"] is not None:
        low, high = known["chao1_low"], known["chao1_high"]
        yield (
            "reachable points (Chao)",
            f"≥ {known['chao1']:.0f}",
            f"95% CI {low:.0f}–{high:.0f} if random, {known['hits']} finds",
            known["chao1_status"],
        )
        yield (
            "next find is new (Good-Turing)",
            f"{known['good_turing']:.2%}",
            f"95% CI up to {known['good_turing_high']:.2%}, likewise",
            known["good_turing_status"],
        )
    upper = one["undiscovered_mass_upper"]
    yield ("starts that end elsewhere", f"≤ {upper:.2%}", "of the law's mass, 95% bound", "sampled")


def _uniqueness(one: Section) -> Iterator[Row]:
    proof, answer = one["uniqueness_proof"], one["uniqueness"]
    if answer == "proved":
        flows = "; every start flows to it" if proof["contraction"] else ""
        method = proof["method"] or "branch and bound"
        yield ("exactly one fixed point", "yes", f"{method}{flows}", "proved")
    elif answer == "disproved":
        yield ("exactly one fixed point", "no", "two at least are proved", "proved")
    else:
        tried = [rung for rung in proof["rungs"] if rung["value"] is not None]
        best = min(tried, key=lambda rung: float(rung["value"]), default=None)
        words = "no condition could be tried"
        if best is not None:
            words = f"{best['name']} gives {best['value']:.3g}, below {best['limit']:g} proves it"
        yield ("exactly one fixed point", "not known", words, "")


def _complete(whole: Section | None) -> Iterator[Row]:
    if whole is None:
        return
    if whole["complete"]:
        words = f"in {whole['region']}, branch and bound, {whole['boxes']} boxes"
        yield ("all fixed points", str(whole["count"]), words, "proved")
    elif whole["count"]:
        yield ("all fixed points", f"≥ {whole['count']}", whole["reason"], "proved")


def _caption(one: Section) -> str:
    search = one["search"]
    found = sorted(search["methods"].items(), key=lambda each: (-each[1], each[0]))
    methods = ", ".join(f"{count} by {name}" for name, count in found if count)
    words = f"search: {methods}; " if methods else "search: "
    odd = "; odd map, negatives taken too" if search["odd"] else ""
    return f"{words}stopped: {search['stopped']}{odd}"
