"""The section "weights" as a table: a row a tensor, its numbers and the rules that it fails."""

from __future__ import annotations

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.weights.law_view import law_table
from fpcheck.weights.tail_view import tail_table

MOST_ROWS = 24
COLUMNS = (
    Column("tensor", "left"),
    Column("shape", "left"),
    Column("mean", priority=2),
    Column("std", priority=1),
    Column("σ_w²"),
    Column("‖W‖₂"),
    Column("stable rank", priority=1),
    Column("kurtosis", priority=3),
    Column("zeros", priority=3),
    Column("dead", priority=1),
    Column("dupl.", priority=2),
    Column("rule", "left"),
)
CAPTION = (
    "σ_w² = fan_in x mean square; ‖W‖₂ the largest singular value; stable rank ‖W‖_F²/‖W‖₂²; "
    "kurtosis in excess of the normal law's"
)


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the weights; failed codes stand in the row of the tensor that they name."""
    if "skipped" in section:
        return Panel("Weights", f"skipped: {section['skipped']}", ())
    codes: dict[str, list[str]] = {}
    for found in findings:
        if found.outcome == "fail":
            codes.setdefault(found.where, []).append(found.code)
    layers = section["layers"]
    shown, left_out = _condensed(layers, codes)
    rows = tuple(_row(layer, codes.get(layer["name"], [])) for layer in shown)
    caption = f"{CAPTION}; {left_out}" if left_out else CAPTION
    notes = [Note(text) for text in section["notes"]]
    told = {found.message for found in findings if found.outcome == "fail"}
    sentences = [entry["sentence"] for entry in section.get("criticality", ())]
    notes += [Note(text) for text in sentences if text not in told]
    laws = law_table([(layer["name"], layer["law"]) for layer in shown if layer.get("law")])
    heading = f"{_count(len(layers), 'tensor')}, {_count(section['parameters'], 'parameter')}"
    tails = tail_table(shown)
    tables = (Table("", COLUMNS, rows, caption), *(t for t in (laws, tails) if t.rows))
    return Panel("Weights", f"{heading}; numerical", (*tables, *notes))


def _condensed(layers: list[Section], codes: dict[str, list[str]]) -> tuple[list[Section], str]:
    """The tensors to show, and what is left out: first the vectors, then the middle.

    A tensor that fails a rule is always shown.
    """
    if len(layers) <= MOST_ROWS:
        return layers, ""
    kept = [layer for layer in layers if layer["units"] is not None or layer["name"] in codes]
    vectors = len(layers) - len(kept)
    text = f"{vectors} vectors (biases, norms) are in the JSON report" if vectors else ""
    if len(kept) <= MOST_ROWS:
        return kept, text
    half = MOST_ROWS // 2
    ends = {layer["name"] for layer in (*kept[:half], *kept[-half:])}
    shown = [layer for layer in kept if layer["name"] in ends or layer["name"] in codes]
    middle = len(kept) - len(shown)
    return shown, "; ".join(
        part for part in (f"{middle} more matrices in the middle", text) if part
    )


def _row(layer: Section, codes: list[str]) -> tuple[str, ...]:
    shape = "×".join(str(n) for n in layer["shape"]) or "scalar"
    return (
        layer["name"],
        shape,
        _number(layer, "mean"),
        _number(layer, "std"),
        _number(layer, "sigma_w2"),
        _number(layer, "spectral_norm"),
        _number(layer, "stable_rank"),
        _number(layer, "excess_kurtosis"),
        f"{layer['zero_share']:.1%}",
        _whole(layer["dead_units"]),
        _whole(layer["duplicate_units"]),
        " ".join(codes) or "ok",
    )


def _number(layer: Section, key: str) -> str:
    """The number in three digits; `-` does not apply; a non-finite one by its word."""
    value = layer[key]
    if value is None:
        return str(layer.get(f"{key}_status", "-"))
    return f"{value:.3g}"


def _count(number: int, word: str) -> str:
    """`9 408 parameters`, `1 tensor`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}".replace(",", " ")


def _whole(value: int | None) -> str:
    return "-" if value is None else str(value)
