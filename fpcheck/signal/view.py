"""The signal section of a report as tables and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.signal.short_run import short_run_words

TITLE = "Signal"
# Measured numbers stand beside their interval, q beside infinite width and the band that a random
# network of these widths keeps.
COLUMNS = (
    Column("layer", "left"),
    Column("act", "left", priority=3),
    Column("q"),
    Column("95% CI", priority=1),
    Column("q theory", priority=4),
    Column("q band", priority=2),
    Column("χ₁"),
    Column("corr", priority=7),
    Column("active", priority=5),
    Column("sat", priority=6),
    Column("gradient"),
    Column("kurt", priority=8),
    Column("rule", "left"),
)
# Networks of more layers show their ends and what stands out, the report holds all.
SHOWN = 16
ENDS = 4
OUTSTANDING = 6
# Layers: nobody needs to know more of the usable depth.
DEEPEST = 1000

Row = Mapping[str, Any]


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the signal section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    measured = section["measured"]
    table = Table(
        "Pre-activations by layer",
        COLUMNS,
        tuple(_rows(section, findings)),
        "q, corr (of two inputs), active, sat, gradient, kurt (excess): sampled; q theory, χ₁: "
        "infinite width; q band: of random networks of these widths, 99%; numerical",
    )
    notes = (
        *_theory_notes(section["theory"]),
        *_jacobian_notes(section["jacobian"]),
    )
    words = short_run_words(section.get("short_run", {"skipped": "", "asked": False}), findings)
    notes = (*notes, Note(words)) if words else notes
    gradient = measured["gradient"]
    if gradient != "measured":
        notes = (*notes, Note(f"No gradients: {gradient}."))
    return Panel(TITLE, f"on {measured['source']}", (table, *notes))


def _rows(section: Section, findings: tuple[Finding, ...]) -> Iterator[tuple[str, ...]]:
    layers = section["measured"]["layers"]
    predicted = _by_name(section["theory"])
    rules = _rules(findings)
    shown = _shown(layers, rules)
    last = -1
    for index in shown:
        hidden = index - last - 1
        if hidden:
            yield (f"… {hidden} more", *[""] * (len(COLUMNS) - 1))
        row = layers[index]
        yield _cells(row, predicted.get(row["name"], {}), rules.get(row["name"], "ok"))
        last = index


def _shown(layers: list[Row], rules: Mapping[str, str]) -> list[int]:
    """The indices shown: all, or both ends, the layers that rules name, and extremes of q."""
    if len(layers) <= SHOWN:
        return list(range(len(layers)))
    middle = range(ENDS, len(layers) - ENDS)
    named = [i for i in middle if layers[i]["name"] in rules]
    sizes = {i: layers[i]["q"] for i in middle if layers[i]["q"] is not None}
    extreme = (
        [min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)] if sizes else []
    )
    kept = {*range(ENDS), *range(len(layers) - ENDS, len(layers))}
    return sorted(kept.union((named + extreme)[:OUTSTANDING]))


def _cells(row: Row, predicted: Row, rule: str) -> tuple[str, ...]:
    return (
        str(row["name"]),
        "linear" if row["activation"] == "identity" else str(row["activation"]),
        _number(row["q"]),
        _range(row, "q"),
        _number(predicted.get("q")),
        _range(predicted, "q"),
        _number(predicted.get("chi1")),
        _correlation(row["c"]),
        _percent(row["active_fraction"]),
        _percent(row["saturated_fraction"]),
        _number(row["gradient_norm"]),
        _short(row.get("kurtosis")),
        rule,
    )


def _rules(findings: tuple[Finding, ...]) -> dict[str, str]:
    """The first code that failed in a layer, by the layer's name."""
    codes: dict[str, str] = {}
    for each in findings:
        if each.code.startswith("FP1") and each.outcome == "fail":
            place, _, name = each.where.partition(" ")
            if place == "layer":
                codes.setdefault(name, each.code)
    return codes


def _theory_notes(theory: Section) -> Iterator[Note]:
    if "skipped" in theory:
        yield Note(f"Infinite width: {theory['skipped']}.")
        yield from _length_notes(theory.get("length"))
        return
    parts = []
    if theory["phase"] != "none":
        parts.append(f"{theory['phase']} phase")
    if theory["q_star"] is not None:
        parts.append(f"q* = {_number(theory['q_star'])}")
    if theory["chi1"] is not None:
        parts.append(f"χ₁ = {theory['chi1']:.4g}")
    if theory["c_star"] is not None:
        parts.append(f"c* = {theory['c_star']:.4g}")
    parts.append(_depth(theory))
    summary = ", ".join(part for part in parts if part)
    if summary:
        yield Note(f"Infinite width, by {theory['basis']}: {summary} (numerical).")
    several = [p for p in theory["fixed_points"] if p["q"] > 0.0]
    if len(several) > 1:
        places = ", ".join(
            f"{_number(p['q'])} ({'stable' if p['stable'] else 'unstable'})" for p in several
        )
        yield Note(f"The variance map has several fixed points: q = {places}.")
    notes = list(theory["notes"])
    for row in theory["layers"]:
        if row["note"] and not any(row["note"] in text for text in notes):
            notes.append(row["note"])
    for text in notes:
        yield Note(f"{text if text.startswith('q ') else text[0].upper() + text[1:]}.")
    yield from _survival_notes(theory.get("survival"))


def _depth(theory: Section) -> str:
    if theory.get("usable_depth_status") == "inf":
        return "no limit on depth from correlations"
    if theory["usable_depth"] is None:
        return ""
    usable = theory["usable_depth"]
    # Close to the edge of chaos the depth scale is as good as infinite, and as uncertain.
    words = f"{usable:.3g}" if usable < DEEPEST else f"beyond {DEEPEST}"
    return f"usable depth {words} layers, of which the network has {theory['depth']}"


def _survival_notes(chances: Section | None) -> Iterator[Note]:
    if chances is not None and chances["lost"] is not None:
        yield Note(
            f"Of random networks like this one, {chances['depth']} hidden layers of width "
            f"{chances['width']}, {chances['lost']:.1%} lose the signal or the gradient "
            "(numerical)."
        )


def _length_notes(length: Section | None) -> Iterator[Note]:
    """The length map of stable weights, which takes the place of the variance map."""
    if length is None:
        return
    first, last = length["layers"][0], length["layers"][-1]
    words = (
        f"Length map of stable weights, α = {length['alpha']:g} (numerical): q, the α-th power of "
        f"the pre-activations' scale, goes from {_number(first['q'])} to {_number(last['q'])}"
    )
    points = [q for q in length["fixed_points"] if q > 0.0]
    if points:
        words += f"; it settles at q* = {', '.join(map(_number, points))}"
    yield Note(words + ".")


def _jacobian_notes(jacobian: Section | None) -> Iterator[Note]:
    if jacobian is None:
        return
    if "skipped" in jacobian:
        yield Note(f"Jacobian: {jacobian['skipped']}.")
        return
    values = jacobian["singular_values"]
    inputs = "1 input" if jacobian["points"] == 1 else f"{jacobian['points']} inputs"
    condition = "infinite" if jacobian["condition"] is None else f"{jacobian['condition']:.3g}"
    text = (
        f"Jacobian at {inputs}: singular values {_number(values['min'])} to "
        f"{_number(values['max'])}, median {_number(values['median'])}; median rank "
        f"{jacobian['rank']:g}, median condition {condition} (numerical)."
    )
    isometry = jacobian.get("isometry")
    if isometry is not None:
        expected = jacobian["mean_square_theory"]
        theory = "" if expected is None else f"; infinite width {_number(expected)}"
        text += (
            f" Mean square {_number(isometry['mean_square'])} (95% CI "
            f"{_range(isometry, 'mean_square')}{theory}); {isometry['effective_rank']:.2g} "
            f"directions ({_range(isometry, 'effective_rank')}) carry what passes (sampled)."
        )
    yield Note(text)


def _by_name(theory: Section) -> dict[str, Row]:
    return {row["name"]: row for row in theory.get("layers", ())}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _range(row: Row, key: str) -> str:
    """The interval or band of `key`, "-" where there is none."""
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return "-" if low is None and high is None else f"{_number(low)}–{_number(high)}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _correlation(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
