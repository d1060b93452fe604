"""The simplicity section of a report as tables and notes, the verdict first."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Panel, Table
from fpcheck.core.wording import (
    counted,
    finding_mark,
    sentence,
)
from fpcheck.simplicity.curves_view import error_items, growth_items, scan_items
from fpcheck.simplicity.wording import (
    LOWER_BOUND,
    bits_text,
    bounds,
    figure,
    impossible,
    interval_text,
)
from fpcheck.simplicity.worth_view import row_items, worth_items

TITLE = "Simplicity"
COST_COLUMNS = (
    Column("labels", "left"),
    Column("bits"),
    Column("95% CI"),
    Column("bits a row"),
    Column("known", "left"),
    Column("rule", "left"),
)
RULES = {"sign": "by the sign of the output", "argmax": "by the largest output"}


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the simplicity section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    return Panel(TITLE, _caption(section), tuple(_items(section, findings)))


def _items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    yield from _verdict(section["verdict"])
    yield _costs(section, findings)
    yield from _search(section)
    yield from growth_items(section)
    yield from worth_items(section, findings)
    yield from error_items(section)
    yield from row_items(section, findings)
    yield from scan_items(section, findings)
    law = str(section["law"]).rstrip(".").replace("the spec's: ", "the spec's law, ", 1)
    yield Note(f"Random networks: {law}.")
    yield from (Note(sentence(str(text))) for text in section["notes"])


def _caption(section: Section) -> str:
    classes = section["classes"]
    if classes is None:
        right = f"right within {section['tolerance']:g} sd of the target"
    else:
        right = RULES[section["rule"]]
        counts = " + ".join(str(one["rows"]) for one in classes)
        right = f"{len(classes)} classes ({counts}) {right}" if len(classes) <= 10 else right
    words = f"{counted(section['rows'], 'training row')}, {right}"
    if section["errors_allowed"]:
        words += f", {section['errors_allowed']} may be wrong"
    return f"{words}; {counted(section['parameters'], 'random parameter')}"


def _verdict(verdict: Section) -> Iterator[Item]:
    """The answer with the figure that decides it, and what to do next."""
    answer = f"{verdict['question']}: {verdict['answer']}"
    yield Note(f"Verdict: {answer}. {sentence(str(verdict['reason']))}")
    if verdict.get("figure"):
        yield Note(f"Decided by: {str(verdict['figure']).rstrip('.')}.")
    if verdict.get("next_step"):
        yield Note(f"Next: {sentence(str(verdict['next_step']))}")


def _costs(section: Section, findings: tuple[Finding, ...]) -> Table:
    """What true, shuffled and constant labels cost."""
    rule = finding_mark(findings, "FP402", "FP405")
    rows = [("as given", *_cells(section, "bits", "status", section["rows"]), rule)]
    if section.get("random_label_status") is not None:
        shuffled = _cells(section, "random_label_bits", "random_label_status", section["rows"])
        name = f"shuffled, mean of {len(section['random_labels'])}"
        rows.append((name, *shuffled, finding_mark(findings, "FP401")))
        floor = section.get("random_label_floor")
        if floor is not None:
            least = float(floor)
            each = _each(least, section["rows"])
            rows.append(("their floor, by counting", figure(least), "-", each, "proved", "-"))
    if section.get("majority_status") is not None:
        constant = _cells(section, "majority_bits", "majority_status", section["rows"])
        name = "all the mean" if section["rule"] == "band" else "all the commonest class"
        rows.append((name, *constant, "-"))
    allowed = section["errors_allowed"]
    right = f"at most {counted(allowed, 'row')} wrong" if allowed else "every row right"
    caption = f"bits: -log2 of the chance that random weights have {right}"
    saved = _saved(section)
    return Table("What the labels cost", COST_COLUMNS, tuple(rows), f"{caption}{saved}")


def _cells(section: Section, key: str, status: str, rows: int) -> tuple[str, str, str, str]:
    """Bits, interval, bits a row, and how they are known."""
    if impossible(section, key, status):
        return "∞", "-", "∞", "no network can"
    bounded = section[status] == LOWER_BOUND
    least = bounds(section, key)[0] if bounded else float(section[key])
    return (
        bits_text(section, key, status),
        interval_text(section, key, status),
        ("≥ " if bounded else "") + _each(least, rows),
        "in closed form" if section[status] == "exact" else str(section[status]),
    )


def _each(bits: float, rows: int) -> str:
    return f"{bits / rows:.3f}"


def _saved(section: Section) -> str:
    difference = section.get("difference") or {}
    low, high = bounds(difference)
    saved = "; beside one more shuffle the labels save"
    if difference.get("bits") is not None:
        bits = figure(float(difference["bits"]))
        return f"{saved} {bits} bits (95% CI {figure(low)} to {figure(high)})"
    if math.isfinite(low):
        return f"{saved} {figure(low)} bits at least (95%)"
    return f"{saved} {figure(high)} bits at most (95%)" if math.isfinite(high) else ""


def _search(section: Section) -> Iterator[Item]:
    """How the networks were found, in one line."""
    tried = counted(section["networks"], "network")
    if section["method"] == "sampling":
        yield Note(f"Found by plain sampling: {section['accepted']} of {tried} are right.")
        return
    if section["method"] == "exact":
        yield Note(f"Known in closed form: {str(section['mixing']).rstrip('.')}.")
        return
    runs = [bits for bits in section["repetitions"] if bits is not None]
    lost = len(section["repetitions"]) - len(runs)
    spread = f" of {figure(min(runs))} to {figure(max(runs))} bits" if runs else ""
    text = (
        f"Found by multilevel splitting: {counted(len(section['levels']), 'level')}, "
        f"{counted(len(section['repetitions']), 'repetition')}{spread}, {tried} in all"
    )
    if lost:
        text += f"; {counted(lost, 'repetition')} lost every network on the way"
    if section["acceptance"] is not None:
        text += f"; {section['acceptance']:.0%} of the moves accepted"
    words = {True: "; the repetitions agree", False: "; not mixed", None: ""}[section["mixed"]]
    yield Note(f"{text}{words}.")
    if section["mixed"] is False and section["mixing"]:
        yield Note(sentence(str(section["mixing"])))
