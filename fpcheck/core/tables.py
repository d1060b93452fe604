"""The plain data between a section of the report and any writer: tables, bars, pictures, notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


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
class Axis:
    """One axis of a picture: its title and the values at its two ends, low < high.

    log: the ends, and what is drawn, are common logarithms; the axis names the numbers themselves.
    whole: between whole numbers there is nothing to name, as between layers.
    """

    title: str
    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """What one colour of a picture stands for, and the text behind its name in the legend.

    `basin` takes the next colour of the palette; the other kinds have a grey of their own, and
    `blank` is empty ground behind curves, which no legend names.
    """

    name: str
    text: str
    kind: Literal["basin", "other", "unresolved", "diverged", "blank"] = "basin"


@dataclass(frozen=True, slots=True)
class Mark:
    """A named point of a picture, in the units of its axes: filled where `stable`, else hollow."""

    name: str
    x: float
    y: float
    stable: bool = True


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through the points (x[i], y[i]) in the units of the axes, in a region's colour."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    region: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A rectangle of coloured cells over two axes, with named points on it.

    cells: rows from the top, where y is largest, of indices into `regions`; shades: as many
    numbers from 0 (light) to 9 (dark), or none; a cell's colour is dimmed by it, where the writer
    has so many colours, and `shading` then says what that means. Where there are curves, files
    draw them, later ones in front, in the place of the cells, which a terminal shows.
    """

    title: str
    cells: tuple[tuple[int, ...], ...]
    regions: tuple[Region, ...]
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    shades: tuple[tuple[int, ...], ...] = ()
    shading: str = ""
    caption: str = ""
    curves: tuple[Curve, ...] = ()


Item: TypeAlias = Table | Bars | Picture | Note


@dataclass(frozen=True, slots=True)
class Panel:
    """What one question shows: a heading and its tables, bars, pictures and notes in order."""

    title: str
    caption: str
    items: tuple[Item, ...]
