"""What the run did to every layer: singular values, ranks, tails, law, from first to last."""

from __future__ import annotations

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.report.trace_wording import NONE, figure, known, place, trend
from fpcheck.report.wording import shape_text

COLUMNS = (
    Column("layer", "left"),
    Column("shape", "left", priority=5),
    Column("σ1/σ2"),
    Column("peak", "left"),
    Column("stable rank", "left"),
    Column("moved"),
    Column("tail index", "left", priority=1),
    Column("τ (95% CI)", "left", priority=3),
    Column("tails", "left", priority=2),
    Column("law", "left", priority=4),
)
OF_TAILS = ("τ (95% CI)", "tails")
MOVED = "moved: distance from the first over its norm"
TAU = "τ: Kendall's, of the tail index with the step, negative where tails grow heavy (sampled)"


def layers_panel(document: Section) -> Panel:
    """A line a layer; columns of which nothing is known are left out."""
    tails = {one["layer"]: one for one in listed(document["trends"].get("tails"))}
    told = any(one["tau"] is not None for one in tails.values())
    rows = [_row(document, i, tails) for i in range(len(document["checkpoints"][0]["layers"]))]
    shown = [i for i in range(len(COLUMNS)) if {row[i] for row in rows} != {NONE}]
    shown = [i for i in shown if told or COLUMNS[i].title not in OF_TAILS]
    table = Table(
        "Layers",
        tuple(COLUMNS[i] for i in shown),
        tuple(tuple(row[i] for i in shown) for row in rows),
        f"{MOVED}; {TAU}" if told else MOVED,
    )
    most = trend(document, "most_changed")
    notes = []
    if most.get("layer"):
        share = figure(most["relative"])
        notes.append(Note(f"layer {most['layer']} changed most: by {share} times its norm"))
    return Panel("Layers", "from the first checkpoint to the last; numerical", (table, *notes))


def _row(document: Section, index: int, tails: dict[str, Section]) -> tuple[str, ...]:
    checkpoints = document["checkpoints"]
    old, new = checkpoints[0]["layers"][index], checkpoints[-1]["layers"][index]
    name = old["name"]
    tail = tails.get(name, {})
    shapes = {one["name"]: one["shape"] for one in document["run"]["layers"]}
    peaks = {one["layer"]: one for one in listed(document["trends"].get("ratio_peaks"))}
    return (
        str(name),
        shape_text(shapes.get(name, ())),
        change(old["ratio"], new["ratio"]),
        _peak(document, peaks.get(name, {})),
        change(old["stable_rank"], new["stable_rank"]),
        figure(_relative(new["from_first"], old["frobenius_norm"])),
        change(tail.get("start", old["tail_index"]), tail.get("end", new["tail_index"])),
        _interval(tail),
        str(tail.get("direction", NONE)),
        str(old["law"]) if old["law"] == new["law"] else f"{old['law']} → {new['law']}",
    )


def change(start: object, end: object) -> str:
    """Two numbers as `1.2 → 31`; `-` where neither is known."""
    if known(start) is None and known(end) is None:
        return NONE
    return f"{figure(start)} → {figure(end)}"


def listed(value: object) -> list[Section]:
    """A list of the document; empty where it was skipped."""
    return value if isinstance(value, list) else []


def _peak(document: Section, peak: Section) -> str:
    if peak.get("checkpoint") is None:
        return NONE
    return f"{figure(peak['ratio'])} at {place(document, peak['checkpoint'])}"


def _relative(distance: object, norm: object) -> float | None:
    far, size = known(distance), known(norm)
    return far / size if far is not None and size else None


def _interval(tail: Section) -> str:
    tau = known(tail.get("tau"))
    if tau is None:
        return NONE
    low, high = known(tail.get("low")), known(tail.get("high"))
    between = f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
    return f"{tau:.2f}{between}"
