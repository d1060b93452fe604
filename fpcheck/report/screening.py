"""What `fpcheck screen` shows: what to take, the order, and what it rests on.

A pure function of the screen's plain data.
"""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.core.wording import thousands

METRICS = {"accuracy": "accuracy", "r2": "R²"}
MEASURES = {
    "nngp": "infinite width, last layer alone trained (NNGP)",
    "ntk": "infinite width, all layers trained (NTK)",
    "at_init": "last layer of random networks of this width",
}
SKELETONS = (
    Column("skeleton", "left"),
    Column("params", priority=4),
    Column("NNGP"),
    Column("NTK", priority=1),
    Column("at init"),
    Column("± draws", priority=5),
    Column("width's gain", priority=3),
    Column("alignment (chance)", priority=2),
    Column("eff. rank", priority=2),
    Column("corr. sd", priority=5),
)


def screening(document: Section) -> tuple[Panel, ...]:
    """The panels of a screen. document: its plain data."""
    return (_recommendation(document), _order(document), _figures(document))


def _recommendation(document: Section) -> Panel:
    rows = f"{thousands(document['used'])} rows"
    if document["used"] < document["rows"]:
        rows = f"{thousands(document['used'])} of {thousands(document['rows'])} rows"
    caption = (
        f"{document['data']}, {document['target']}, {rows}, {document['test_rows']} held out, "
        f"{document['splits']} splits; nothing was trained"
    )
    notes = [Note(document["recommendation"])]
    notes += [Note(f"note: {text}") for text in document["notes"]]
    return Panel(f"Screen  {len(document['candidates'])} skeletons", caption, tuple(notes))


def _order(document: Section) -> Panel:
    metric = METRICS[document["metric"]]
    columns = (
        Column("#"),
        Column("skeleton", "left"),
        Column(metric),
        Column("95% CI", priority=1),
        Column("to the best"),
        Column("CI, all together", "left"),
        Column("", "left"),
    )
    by = document["ranked_by"]
    ranked = [one for one in document["candidates"] if one["rank"] is not None]
    rows = [_ranked(one, by) for one in ranked]
    simple = "majority class" if document["metric"] == "accuracy" else "mean"
    for name, key in (("linear on the input", "linear"), (simple, "majority")):
        rows.append(_beside(name, document["baseline"], key))
    table = Table("Order", columns, tuple(rows), _sentence(document["interval"]))
    lines = [f"not ranked, {one['name']}: {_why(one, by)}" for one in _unranked(document)]
    title = f"by {metric}: {MEASURES[by]}; sampled" if by else "there is none"
    return Panel("Order", title, (table, *map(Note, lines)))


def _ranked(one: Section, by: str) -> tuple[str, ...]:
    score, gap = one[by], one["to_best"]
    return (
        str(one["rank"]),
        str(one["name"]),
        _number(score["score"]),
        _range(score),
        "-" if gap is None else _signed(gap["gain"]),
        "-" if gap is None else _between(gap),
        str(one["standing"]),
    )


def _beside(name: str, baseline: Section, key: str) -> tuple[str, ...]:
    """A simple model's line; its distance to the best is that of the best to it, turned."""
    score, gain = baseline[key], baseline[f"over_{key}"]
    if gain is None:
        return ("-", name, _number(score["score"]), _range(score), "-", "-", "")
    turned = {
        "low": None if gain["high"] is None else -gain["high"],
        "high": None if gain["low"] is None else -gain["low"],
    }
    above, below = _is(turned["low"], above=True), _is(turned["high"], above=False)
    standing = "ahead" if above else ("behind" if below else "undecided")
    shift = None if gain["gain"] is None else -gain["gain"]
    return (
        "-",
        name,
        _number(score["score"]),
        _range(score),
        _signed(shift),
        _between(turned),
        standing,
    )


def _is(bound: float | None, *, above: bool) -> bool:
    return bound is not None and (bound > 0.0 if above else bound < 0.0)


def _figures(document: Section) -> Panel:
    rows = tuple(_figure_row(one) for one in document["candidates"] if not one["skipped"])
    caption = (
        "width's gain: NNGP over at init, with its 95% CI; alignment of the NNGP kernel with the "
        "targets (mean over their orders); eff. rank of its correlations, their mean left out"
    )
    notes = tuple(Note(line) for line in _reasons(document))
    table = Table("What it rests on", SKELETONS, rows, caption)
    return Panel("What it rests on", METRICS[document["metric"]], (table, *notes))


def _figure_row(one: Section) -> tuple[str, ...]:
    gain, alignment, spread = one["width_gain"], one["alignment"], one["spread"]
    known = "skipped" not in alignment
    spreads = "skipped" not in spread
    aligned = f"{alignment['alignment']:.3f} ({alignment['chance']:.3f})" if known else "-"
    return (
        str(one["name"]),
        thousands(one["parameters"]),
        _number(one["nngp"]["score"]),
        _number(one["ntk"]["score"]),
        _number(one["at_init"]["score"]),
        _number(one["at_init"]["draws_sd"]),
        "-" if gain is None else f"{_signed(gain['gain'])} ({_between(gain)})",
        aligned,
        f"{spread['centred_rank']:.1f}" if spreads else "-",
        f"{spread['off_diagonal_sd']:.3f}" if spreads else "-",
    )


def _reasons(document: Section) -> Iterator[str]:
    """Why a figure is not there, each reason once with the skeletons that it holds for."""
    judged = [one for one in document["candidates"] if not one["skipped"]]
    for key, what in (("nngp", "NNGP"), ("ntk", "NTK"), ("at_init", "at init")):
        places: dict[str, list[str]] = {}
        for one in judged:
            if one[key]["skipped"]:
                places.setdefault(one[key]["skipped"], []).append(str(one["name"]))
        for why, names in places.items():
            where = "" if len(names) == len(judged) else f" of {', '.join(names)}"
            yield f"no {what}{where}: {why}"
    if why := document["baseline"]["linear"]["skipped"]:
        yield f"no linear model: {why}"
    if document["ranked_by"] == "at_init" and document["settings"]["by"] is None:
        yield f"ranked at initialisation: {document['ranked_because']}"


def _unranked(document: Section) -> list[Section]:
    return [one for one in document["candidates"] if one["rank"] is None]


def _why(one: Section, by: str | None) -> str:
    if one["skipped"]:
        return str(one["skipped"])
    return str(one[by or "at_init"]["skipped"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _range(score: Section) -> str:
    if score["score"] is None:
        return "-"
    ends = ["?" if score[key] is None else f"{score[key]:.3f}" for key in ("low", "high")]
    return "–".join(ends)


def _between(one: Section) -> str:
    ends = ["?" if one[key] is None else _signed(one[key]) for key in ("low", "high")]
    return f"{ends[0]} to {ends[1]}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
