"""The plain data between a section of the report and any writer: tables, bars, notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and alignment; `priority` 0 is always shown, larger ones drop first."""

    title: str
    align: Literal["left", "right"] = "right"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; every row has one cell a column."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its length as a share of the whole in [0, 1], and the text behind it."""

    label: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars that share one scale from 0 to 1."""

    title: str
    bars: tuple[Bar, ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of prose beside the numbers."""

    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """What one question shows: a heading and its tables, bars and notes in order."""

    title: str
    caption: str
    items: tuple[Table | Bars | Note, ...]
