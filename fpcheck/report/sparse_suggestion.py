"""What `fpcheck suggest --sparsity` shows: the clip to take, its neighbours, the safe region.

A pure function of the suggestion's plain data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.report.tried import tried_panel

CLIPS = (
    Column("m"),
    Column("V'(q*)"),
    Column("σ_w²"),
    Column("σ_b²"),
    Column("V''", priority=3),
    Column("other q*", priority=4),
    Column("back from 2q*", priority=2),
    Column("signal lost", priority=1),
    Column("gradient lost", priority=1),
    Column("lost"),
    Column("verdict", "left"),
)
LOST = (
    "numerical: the share of draws in which q leaves [q*/100, 100 q*] or the squared gradient "
    "changes by more than 10^4; back from 2q*: layers"
)


def sparse_suggestion(document: Section) -> tuple[Panel, ...]:
    """The panels. document: the suggestion's plain data."""
    choices = tuple(_choice(choice) for choice in document["choices"])
    return (_heading(document), *choices, _region(document), *tried_panel(document))


def _heading(document: Section) -> Panel:
    size, s = document["size"], document["sparsity"]
    kind = "units" if size["positions"] == 1 else f"channels at {size['positions']} positions"
    lines = [f"{size['depth']} layers of {size['units']} {kind}, {size['source']}"]
    for choice in document["choices"]:
        lines.append(_advice(choice))
    plain = document["unclipped"]
    if plain is not None:
        lost = plain["survival"]["lost"]
        lines.append(f"without a clip (shifted_relu) {_percent(lost)} of draws are lost")
    saving = document["saving"]
    if saving is not None:
        lines.append(
            f"{saving['share']:.0%} of the network's multiplications would be by a zero: time is "
            "saved only by kernels that skip them"
        )
    return Panel(f"Sparsity {s:g}", "at initialisation", tuple(Note(line) for line in lines))


def _advice(choice: Section) -> str:
    best = choice["recommendation"]
    row = best["row"]
    if not best["safe"]:
        return f"{choice['name']}: {best['why']}"
    call = f"{choice['name']}({row['tau']:.4g}, {row['m']:.4g})"
    return (
        f"{call} with σ_w² = {row['sigma_w2']:.5g}, σ_b² = {row['sigma_b2']:.4g}: {best['why']}; "
        f"safe from m = {best['safe_from']:.3g} to {best['safe_to']:.3g}"
    )


def _choice(choice: Section) -> Panel:
    name = str(choice["name"])
    rows = tuple(_clip(row) for row in choice["clips"])
    tau = choice["recommendation"]["row"]["tau"]
    return Panel(name, f"τ = {tau:.4g}, on the edge of chaos", (Table(name, CLIPS, rows, LOST),))


def _clip(row: Section) -> tuple[str, ...]:
    fate = row["survival"]
    back = fate["return_layers"][1]
    return (
        f"{row['m']:.4g}",
        f"{row['slope']:.3g}",
        f"{row['sigma_w2']:.4g}",
        f"{row['sigma_b2']:.4g}",
        f"{row['curvature']:.3g}",
        ", ".join(f"{q:.3g}" for q in row["other_fixed_points"]) or "-",
        "never" if back is None else str(back),
        _percent(fate["lost_signal"]),
        _percent(fate["lost_gradient"]),
        _percent(fate["lost"]),
        str(fate["verdict"]),
    )


def _region(document: Section) -> Panel:
    """Sparsity by V'(q*), each cell the share of draws that are lost, and the clip."""
    rows = document["region"]
    slopes = sorted({round(row["slope"], 3) for row in rows})
    columns = (Column("s"), *(Column(f"V' {slope:g}", priority=_rank(slope)) for slope in slopes))
    lines = tuple(_line(rows, s, slopes) for s in sorted({row["sparsity"] for row in rows}))
    name = rows[0]["name"] if rows else ""
    caption = f"{name}: share of draws lost (clip m), by sparsity and V'(q*)"
    return Panel("Safe region", "numerical", (Table("Safe region", columns, lines, caption),))


def _rank(slope: float) -> int:
    """The middle of the region stays where there is little room."""
    return round(10.0 * abs(slope - 0.6))


def _line(rows: list[dict[str, Any]], s: float, slopes: list[float]) -> tuple[str, ...]:
    own = {round(row["slope"], 3): row for row in rows if row["sparsity"] == s}
    return (f"{s:g}", *_cells(own, slopes))


def _cells(own: dict[float, dict[str, Any]], slopes: list[float]) -> Iterator[str]:
    for slope in slopes:
        row = own.get(slope)
        yield "-" if row is None else f"{_percent(row['survival']['lost'])} ({row['m']:.2f})"


def _percent(share: float | None) -> str:
    if share is None:
        return "?"
    return f"{share:.0%}" if share >= 0.0995 or share == 0.0 else f"{share:.1%}"
