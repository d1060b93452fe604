"""The short run of training that a suggestion is tried by, as a panel."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table

TITLE = "Short run"
COLUMNS = (
    Column("start", "left"),
    Column("answer", "left"),
    Column("loss at start"),
    Column("best loss"),
    Column("rate", priority=1),
)


def tried_panel(document: Section) -> Iterator[Panel]:
    """The two runs of a suggestion's plain data; nothing where there were no data to run on."""
    tried = document.get("short_run")
    if tried is None or "skipped" in tried:
        if tried is not None and "--data" not in tried["skipped"]:
            yield Panel(TITLE, "skipped", (Note(str(tried["skipped"])),))
        return
    changed = tried.get("activation")
    before, after = tried["present"], tried["suggested"]
    rows = (_row("as it is", before), _row(f"with {changed}" if changed else "as suggested", after))
    constant = _number(before["constant_loss"])
    caption = f"the same answer for every row scores {constant}; numerical"
    notes = (
        Note(f"As it is: {before['reason']}."),
        Note(f"As suggested: {after['reason']}."),
        Note(f"{tried['conclusion'][0].upper()}{tried['conclusion'][1:]}."),
    )
    steps = f"{before['steps']} steps of {before['optimiser']} on {before['rows']} rows"
    yield Panel(TITLE, steps, (Table(TITLE, COLUMNS, rows, caption), *notes))


def _row(name: str, run: Section) -> tuple[str, ...]:
    losses = (_number(run["start_loss"]), _number(run["best_loss"]))
    return (name, str(run["answer"]), *losses, _number(run["learning_rate"]))


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"
