"""What `fpcheck suggest` shows: the network as it is, the edge of chaos, and every layer's scales.

A pure function of the suggestion's plain data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.core.wording import thousands
from fpcheck.report.tried import tried_panel

SHOWN = 40  # rows; the JSON has all
EDGES = (
    Column("activation", "left"),
    Column("q*"),
    Column("σ_w²"),
    Column("σ_b²"),
    Column("V'(q*)", priority=1),
    Column("returns", "left"),
)
LAYERS = (
    Column("layer", "left"),
    Column("act", "left", priority=2),
    Column("fan_in", priority=3),
    Column("σ_w² now", priority=1),
    Column("σ_b² now", priority=4),
    Column("σ_w²"),
    Column("σ_b²"),
    Column("q aim"),
    Column("q draw"),
    Column("σ_w² LSUV", priority=5),
)
PHASES = {
    "ordered": "ordered: inputs become alike with depth",
    "chaotic": "chaotic: near inputs are driven apart",
    "critical": "on the edge of chaos",
}


def suggestion(document: Section) -> tuple[Panel, ...]:
    """The panels of a suggestion. document: its plain data."""
    return (
        _present(document), _edges(document), _layers(document), *tried_panel(document)
    )  # fmt: skip


def _present(document: Section) -> Panel:
    subject, present = document["subject"], document["present"]
    depth = present["depth"]
    lines = [f"{depth} layers with weights, {PHASES.get(present['phase'], 'no phase')}"]
    if present["chi1"] is not None:
        lines[0] += f"; χ₁ = {_number(present['chi1'])}"
    usable = _usable(present)
    if usable:
        lines.append(usable)
    lines += [str(note) for note in present["notes"]]
    title = f"{subject['name']} as it is"
    return Panel(title, "infinite width, numerical", tuple(Note(line) for line in lines))


def _usable(present: Section) -> str:
    """How deep a network with the present scales could be."""
    if present["phase"] == "none":
        return ""
    if present["usable_depth"] is None:
        endless = present.get("usable_depth_status") == "inf"
        return "no depth scale: correlations are not lost exponentially" if endless else ""
    usable = present["usable_depth"]
    words = f"usable depth {usable:.3g} layers (6 ξ_c)"
    return words + (", less than it has" if usable < present["depth"] else "")


def _edges(document: Section) -> Panel:
    rows = []
    for edge in document["edges"]:
        anywhere = edge["q_star"] is None
        returns = "every q stays" if anywhere else ("yes" if edge["stable"] else "no")
        rows.append(
            (
                str(edge["activation"]),
                "any" if anywhere else _number(edge["q_star"]),
                _number(edge["sigma_w2"]),
                _number(edge["sigma_b2"]),
                _number(edge["slope"]),
                returns,
            )
        )
    caption = "χ₁(q*) = 1; returns: whether q comes back to q* (V'(q*) < 1)"
    if not rows:
        none = Note("there is no layer whose activation has one to aim at")
        return Panel("Edge of chaos", "", (none,))
    notes = (Note(f"{e['activation']}: {e['note']}") for e in document["edges"] if e["note"])
    table = Table("Edge of chaos", EDGES, tuple(rows), caption)
    return Panel("Edge of chaos", "numerical", (table, *notes))


def _layers(document: Section) -> Panel:
    rows = tuple(_runs(document["layers"]))
    more = len(rows) - SHOWN
    caption = (
        "W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²); q draw: variance of the pre-activation in one "
        f"draw on {document['source']}"
    )
    if more > 0:
        caption = f"and {thousands(more)} more; -f json lists all; {caption}"
    of_edges = {edge["note"] for edge in document["edges"]}
    notes = [*_layer_notes(document["layers"], of_edges)]
    notes += [Note(f"note: {text}") for text in document["notes"]]
    low, high = document["q_ratio_low"], document["q_ratio_high"]
    if low is not None and high is not None:
        words = f"In that draw q is {low:.3g} to {high:.3g} of what it aims at, over all layers."
        notes.append(Note(words))
    notes.append(Note("-f pytorch, -f keras or -f jax prints the code, -f spec a spec to analyze."))
    return Panel("Suggested", "", (Table("Suggested", LAYERS, rows[:SHOWN], caption), *notes))


def _layer_notes(layers: list[dict[str, Any]], told: set[str]) -> Iterator[Note]:
    """What is said of single layers, each sentence once with the layers that it is said of."""
    places: dict[str, list[str]] = {}
    for row in layers:
        if row["note"] and row["note"] not in told:
            places.setdefault(row["note"], []).append(str(row["name"]))
    for note, names in places.items():
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        yield Note(f"{shown}: {note}")


def _runs(layers: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """A row for every run of layers that start alike; of their draws the range."""
    for alike, run in groupby(layers, key=_alike):
        members = list(run)
        name = str(members[0]["name"])
        if len(members) > 1:
            name = f"{name} … {members[-1]['name']}"
        yield (
            name,
            *alike[:2],
            _range([row["present_w2"] for row in members]),
            _range([row["present_b2"] for row in members]),
            *alike[2:5],
            _range([row["q_measured"] for row in members]),
            _range([row["lsuv_w2"] for row in members]),
        )


def _alike(row: Section) -> tuple[str, ...]:
    activation = str(row["activation"])
    return (
        "linear" if activation == "identity" else activation,
        str(row["fan_in"]),
        _number(row["sigma_w2"]),
        _number(row["sigma_b2"]),
        _number(row["q"]),
    )


def _range(values: list[float | None]) -> str:
    """One number, or the smallest and the largest of several."""
    known = [value for value in values if value is not None]
    if not known:
        return "?"
    low, high = _number(min(known)), _number(max(known))
    return low if low == high else f"{low}–{high}"


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "?"
    return f"{value:.4g}"
