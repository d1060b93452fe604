"""The tails of every matrix as a table: of its entries, and of its spectrum beside noise."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Table

OF_ENTRIES = (
    Column("tensor", "left"),
    Column("tail index"),
    Column("95% CI"),
    Column("largest", priority=2),
)
OF_SPECTRUM = (
    Column("spectral exponent"),
    Column("among noise"),
    Column("note", "left", priority=3),
)
ENTRIES = "tail index: of the entries' sizes (Hill, sampled), a normal law's is about 10"
SPECTRUM = (
    "; spectral exponent: of the eigenvalues of W^T W, another thing; among noise: the share of "
    "random matrices of this shape with a smaller one, below 0.5% is no noise"
)
LOWEST, HIGHEST = 0.5, 99.5  # the ends of the table of noise


def tail_table(layers: Sequence[Section]) -> Table:
    """A row for every matrix that has one of the two."""
    found = [layer for layer in layers if _has_tail(layer)]
    if any(layer.get("spectral_exponent_null_percentile") is not None for layer in found):
        rows = tuple((*_entries(layer), *_spectrum(layer)) for layer in found)
        return Table("Tails", (*OF_ENTRIES, *OF_SPECTRUM), rows, ENTRIES + SPECTRUM)
    return Table("Tails", OF_ENTRIES, tuple(_entries(layer) for layer in found), ENTRIES)


def _has_tail(layer: Section) -> bool:
    """Whether there is an index, or an exponent that can be held against noise."""
    keys = ("tail_index", "spectral_exponent_null_percentile")
    return any(layer.get(key) is not None for key in keys)


def _entries(layer: Section) -> tuple[str, ...]:
    index, low, high = (layer[f"tail_index{end}"] for end in ("", "_low", "_high"))
    return (
        str(layer["name"]),
        "-" if index is None else f"{index:.2f}",
        "-" if low is None or high is None else f"{low:.2f}–{high:.2f}",
        "-" if layer["tail_entries"] is None else str(layer["tail_entries"]),
    )


def _spectrum(layer: Section) -> tuple[str, ...]:
    percentile = layer["spectral_exponent_null_percentile"]
    exponent = None if percentile is None else layer["spectral_exponent"]
    return (
        "-" if exponent is None else f"{exponent:.2f}",
        _percentile(percentile),
        str(layer["spectral_exponent_note"]) or "-",
    )


def _percentile(value: float | None) -> str:
    if value is None:
        return "-"
    if value <= LOWEST:
        return f"≤ {LOWEST}%"
    return f"≥ {HIGHEST}%" if value >= HIGHEST else f"{value:.1f}%"
