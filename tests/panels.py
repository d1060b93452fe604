"""What a panel holds, by kind."""

from __future__ import annotations

from fpcheck.core.tables import Note, Panel, Table


def tables_of(panel: Panel) -> dict[str, Table]:
    """The tables by title."""
    return {item.title: item for item in panel.items if isinstance(item, Table)}


def notes_of(panel: Panel) -> str:
    """All notes, one behind the other."""
    return " ".join(item.text for item in panel.items if isinstance(item, Note))
