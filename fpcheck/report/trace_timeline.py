"""The timeline of a trace: one line a checkpoint, columns that say nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fpcheck.core.evenly import evenly
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Table
from fpcheck.report.trace_wording import (
    METRICS,
    NONE,
    UNKNOWN,
    best_readout,
    clearest,
    figure,
    heaviest,
    known,
    log_range,
    metric_of,
    place,
    ratios,
    score,
    spark,
    trend,
)

LONGEST = 40  # lines; of more checkpoints those that matter and as many between them as fit


def timeline(document: Section, *, whole: bool = False, ascii_only: bool = False) -> Table:
    """One line a checkpoint. whole: all of them, however many."""
    checkpoints = document["checkpoints"]
    shown = list(range(len(checkpoints))) if whole else _shown(document)
    limits = log_range([value for one in checkpoints for value in ratios(one)])
    metric = metric_of(document)
    cells: dict[Column, Callable[[int], str]] = {
        Column("step"): lambda i: place(document, i),
        Column("loss"): lambda i: figure(checkpoints[i]["loss"], 4),
        Column(METRICS[metric].replace("uracy", "")): lambda i: score(
            checkpoints[i]["accuracy"], metric
        ),
        Column("norm"): lambda i: figure(checkpoints[i]["parameter_norm"]),
        Column("moved", priority=4): lambda i: figure(checkpoints[i]["distance"]["relative"], 2),
        Column("σ1/σ2 by layer", "left"): lambda i: _ratios(checkpoints[i], limits, ascii_only),
        Column("tail", priority=2): lambda i: figure(heaviest(checkpoints[i]), 2),
        Column("read", priority=3): lambda i: _readout(checkpoints[i], metric),
        Column("fixed", priority=1): lambda i: _fixed(checkpoints[i]),
        Column("", "left"): lambda i: ", ".join(events(document, i)),
    }
    if all(one["step"] is None for one in checkpoints):
        del cells[Column("step")]
        cells = {Column("checkpoint", "left"): lambda i: str(checkpoints[i]["name"]), **cells}
    filled = {c: [cell(i) for i in shown] for c, cell in cells.items()}
    kept = {c: texts for c, texts in filled.items() if set(texts) - {NONE, ""}}
    rows = tuple(zip(*kept.values(), strict=True))
    return Table("Timeline", tuple(kept), rows, _caption(document, shown, kept))


def events(document: Section, index: int) -> list[str]:
    """What is to be said of a checkpoint in a word or two."""
    one, loss = document["checkpoints"][index], trend(document, "loss")
    words = []
    if one["parameter_norm"] is None or any(layer["nonfinite"] for layer in one["layers"]):
        words.append("not finite")
    if loss.get("escape") == index:
        words.append("escape")
    if trend(document, "dominant").get("checkpoint") == index:
        words.append("σ1 leads")
    if loss.get("best_at") == index:
        words.append("best")
    return words


def _shown(document: Section) -> list[int]:
    """The checkpoints that a page shows: all, or the ends, the events and evenly spread others."""
    count = len(document["checkpoints"])
    if count <= LONGEST:
        return list(range(count))
    must = {0, count - 1} | {i for i in range(count) if events(document, i)}
    spread = LONGEST - len(must)
    if spread < 2:
        return sorted(must)
    return sorted(must | set(evenly(count, spread)))


def _ratios(checkpoint: Section, limits: tuple[float, float], ascii_only: bool) -> str:
    best = clearest(checkpoint)
    if best is None:
        return NONE
    return f"{spark(ratios(checkpoint), limits, ascii_only=ascii_only)} {figure(best[1])}"


def _readout(checkpoint: Section, metric: str) -> str:
    best = best_readout(checkpoint)
    return (
        NONE if best is None else score(best["score"], checkpoint["readout"].get("metric", metric))
    )


def _fixed(checkpoint: Section) -> str:
    """Stable points of all that were found."""
    found = checkpoint["attractors"].get("fixed_points")
    if found is None:
        return NONE
    return f"{sum(point['kind'] == 'stable' for point in found)}/{len(found)}"


def _caption(document: Section, shown: Sequence[int], kept: dict[Column, list[str]]) -> str:
    meanings = {
        "norm": "norm: of all weights",
        "moved": "moved: distance from the first over its norm",
        "σ1/σ2 by layer": "σ1/σ2: from the first layer to the last on one scale, and the largest",
        "tail": "tail: smallest tail index of the layers",
        "read": "read: best linear readout of a layer, held out",
        "fixed": "fixed: stable of all fixed points",
    }
    parts = [meanings[column.title] for column in kept if column.title in meanings]
    if any(
        UNKNOWN in cell for column, cells in kept.items() if "σ" in column.title for cell in cells
    ):
        parts.append(f"{UNKNOWN}: a layer without a second one")
    count = len(document["checkpoints"])
    if len(shown) < count:
        parts.append(f"{len(shown)} of {count} checkpoints, -v shows all")
    return "; ".join(parts)


def chosen(document: Section, most: int = 6) -> list[int]:
    """The checkpoints at which something by depth is shown: first, escape, last, some between."""
    count = len(document["checkpoints"])
    if count <= most:
        return list(range(count))
    escape = known(trend(document, "loss").get("escape"))
    must = {0, count - 1} | ({int(escape)} if escape is not None else set())
    for index in sorted(evenly(count, most), key=lambda i: -min(abs(i - m) for m in must)):
        if len(must) < most:
            must.add(index)
    return sorted(must)
