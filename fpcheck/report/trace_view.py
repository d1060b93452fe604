"""What `fpcheck trace` shows beside its timeline: layers, depth, fixed points, files left out.

A pure function of the trace's plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.report.trace_timeline import chosen, timeline
from fpcheck.report.trace_wording import NONE, at, figure, known, metric_of, place, score, trend
from fpcheck.report.wording import shape_text, thousands

MOST_TRACKS = 30
LAYER_COLUMNS = (
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
TRACK_COLUMNS = (
    Column("id", "left"),
    Column("born", "left"),
    Column("last", "left"),
    Column("kind", "left"),
    Column("ρ(J)", "left"),
    Column("moved", priority=1),
    Column("what happened", "left"),
)


def panels(
    document: Section, *, whole: bool = False, ascii_only: bool = False
) -> tuple[Panel, ...]:
    """The panels of a trace. whole: also the checkpoints and tracks that a short page leaves out."""
    first = Panel(
        "Timeline", _about(document), (timeline(document, whole=whole, ascii_only=ascii_only),)
    )
    found = [first, _layers(document), *_depths(document), *_tracks(document, whole)]
    return tuple([*found, *_skipped(document)])


def header(document: Section) -> tuple[str, ...]:
    """The parts of the first line: program, run, what it is, seed."""
    run = document["run"]
    count = len(document["checkpoints"])
    layers = len(run["layers"])
    return (
        f"fpcheck {document['fpcheck']}",
        str(run["name"]),
        f"{thousands(count)} checkpoint" + ("" if count == 1 else "s"),
        f"{layers} layer{'' if layers == 1 else 's'}, {thousands(run['parameters'])} parameters",
        f"seed {document['settings']['seed']}",
    )


def _about(document: Section) -> str:
    data = document["run"]["data"]
    words = f"ordered by {document['run']['order']}"
    if document["run"]["order"] == "as given":
        words = "in the order given"
    if data is None:
        return f"{words}; no loss and no readout without --data"
    return f"{words}; loss on {data['name']}, {thousands(data['rows'])} rows"


def _layers(document: Section) -> Panel:
    start, end = document["checkpoints"][0]["layers"], document["checkpoints"][-1]["layers"]
    tails = {one["layer"]: one for one in _list(document["trends"].get("tails"))}
    peaks = {one["layer"]: one for one in _list(document["trends"].get("ratio_peaks"))}
    rows = []
    for old, new in zip(start, end, strict=True):
        tail, peak = tails.get(old["name"], {}), peaks.get(old["name"], {})
        shape = next(
            (one["shape"] for one in document["run"]["layers"] if one["name"] == old["name"]), ()
        )
        rows.append(
            (
                str(old["name"]),
                shape_text(shape),
                _change(old["ratio"], new["ratio"]),
                f"{figure(peak['ratio'])} at {place(document, peak['checkpoint'])}" if peak else NONE,
                _change(old["stable_rank"], new["stable_rank"]),
                figure(_relative(new["from_first"], old["frobenius_norm"])),
                _change(tail.get("start", old["tail_index"]), tail.get("end", new["tail_index"])),
                _interval(tail),
                str(tail.get("direction", NONE)),
                str(old["law"]) if old["law"] == new["law"] else f"{old['law']} → {new['law']}",
            )
        )
    most = trend(document, "most_changed")
    notes = []
    if most.get("layer"):
        notes.append(
            Note(f"{most['layer']} changed most: by {figure(most['relative'])} times its norm")
        )
    table = Table(
        "Layers", LAYER_COLUMNS, tuple(rows),
        "moved: distance from the first over its norm; τ: Kendall's, of the tail index with the "
        "step, negative where tails grow heavy (sampled)",
    )  # fmt: skip
    return Panel("Layers", "from the first checkpoint to the last; numerical", (table, *notes))


def _depths(document: Section) -> Iterator[Panel]:
    """Variance and readout by depth at some checkpoints, where they were measured."""
    checkpoints = document["checkpoints"]
    shown = chosen(document)
    signal = [i for i in shown if checkpoints[i]["signal"].get("layers")]
    if signal:
        table = _by_depth(
            document, signal, "signal", lambda layer: figure(layer["variance"])
        )
        yield Panel("Variance through depth", "of the pre-activations, by step", (table,))
    else:
        yield Panel("Variance through depth", f"skipped: {_why(checkpoints, 'signal')}", ())
    read = [i for i in shown if checkpoints[i]["readout"].get("layers")]
    metric = metric_of(document)
    if read:
        table = _by_depth(document, read, "readout", lambda layer: score(layer["score"], metric))
        last = checkpoints[read[-1]]["readout"]["layers"]
        widest = max((_half(one) for one in last), default=0.0)
        note = Note(f"95% intervals are up to ±{score(widest, metric)}; sampled")
        yield Panel("Readout by depth", "linear readout of every layer, by step", (table, note))


def _by_depth(
    document: Section, shown: list[int], key: str, cell: Callable[[Section], str]
) -> Table:
    checkpoints = document["checkpoints"]
    columns = [Column("layer", "left")]
    # The ends stay on a narrow page, what lies between goes first.
    for place_, index in enumerate(shown):
        end = place_ in (0, len(shown) - 1)
        columns.append(Column(place(document, index), priority=0 if end else 1))
    by_index = [{one["name"]: one for one in checkpoints[i][key]["layers"]} for i in shown]
    rows = tuple(
        (str(name), *(cell(at_[name]) if name in at_ else NONE for at_ in by_index))
        for name in by_index[-1]
    )
    return Table("", tuple(columns), rows)


def _tracks(document: Section, whole: bool) -> Iterator[Panel]:
    tracks = document["tracks"]
    if isinstance(tracks, dict):
        yield Panel("Fixed points", f"skipped: {tracks.get('skipped', '')}", ())
        return
    if not tracks:
        yield Panel("Fixed points", "none was found at any checkpoint", ())
        return
    shown = tracks if whole else tracks[:MOST_TRACKS]
    rows = tuple(_track(document, one) for one in shown)
    caption = "moved: the path of the point over the run"
    if len(shown) < len(tracks):
        caption += f"; {len(shown)} of {len(tracks)} tracks, -v shows all"
    table = Table("Fixed points", TRACK_COLUMNS, rows, caption)
    yield Panel("Fixed points", f"{len(tracks)} followed from checkpoint to checkpoint", (table,))


def _track(document: Section, one: Section) -> tuple[str, ...]:
    kinds = [kind for kind in one["kinds"] if kind is not None]
    radii = [value for value in map(known, one["spectral_radius"]) if value is not None]
    told = [
        f"{event['kind']}{_with(event)} at {place(document, event['checkpoint'])}"
        for event in one["events"]
        if event["kind"] != "born"
    ]
    path = sum(value for value in map(known, one["moved"]) if value is not None)
    return (
        str(one["id"]),
        place(document, one["born"]),
        place(document, one["last"]),
        _turned(kinds),
        _change(radii[0], radii[-1]) if radii else NONE,
        figure(path),
        "; ".join(told) or "stays",
    )


def _skipped(document: Section) -> Iterator[Panel]:
    skipped = document["run"]["skipped"]
    if not skipped:
        return
    columns = (Column("file", "left"), Column("why", "left"), Column("what to do", "left", 1))
    rows = tuple((str(o["name"]), str(o["reason"]), str(o["hint"])) for o in skipped)
    table = Table("Left out", columns, rows)
    yield Panel("Left out", f"{len(skipped)} file{'' if len(skipped) == 1 else 's'}", (table,))


def trend_lines(document: Section) -> list[str]:
    """The trends in sentences: the loss, the dominant singular value, the tails."""
    trends, loss = document["trends"], trend(document, "loss")
    lines: list[str] = []
    plateau = loss.get("plateau")
    if loss:
        if plateau:
            lines.append(f"a plateau from {at(document, plateau[0])} to {place(document, plateau[1])}")
        lines.append(
            f"loss {figure(loss['start'], 4)} → {figure(loss['end'], 4)}, "
            f"best {figure(loss['best'], 4)} at {at(document, loss['best_at'])}"
            + (
                f"; the escape at {at(document, loss['escape'])}"
                if loss["escape"] is not None
                else "; no escape from a plateau is seen"
            )
        )
    dominant = trend(document, "dominant")
    if dominant.get("layers"):
        lines.append(
            f"one singular value leads at {at(document, dominant['checkpoint'])} in "
            f"{', '.join(dominant['layers'])}"
            + (f"; clearest in {dominant['clearest']}" if dominant.get("clearest") else "")
        )
    heavier = [one["layer"] for one in _list(trends.get("tails")) if one["direction"] == "heavier"]
    count = len(_list(trends.get("tails")))
    if count:
        lines.append(f"tails grow heavier in {len(heavier)} of {count} layers")
    return lines


def _why(checkpoints: list[Section], key: str) -> str:
    return next((str(one[key]["skipped"]) for one in checkpoints if "skipped" in one[key]), "")


def _with(event: Section) -> str:
    return f" with {event['with']}" if event.get("with") else ""


def _turned(kinds: list[str]) -> str:
    """The kinds in order, each once while it lasts."""
    turns = [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]
    if len(turns) > 3:
        return f"{turns[0]} → … → {turns[-1]}"
    return " → ".join(turns) or NONE


def _change(start: object, end: object) -> str:
    return f"{figure(start)} → {figure(end)}"


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


def _half(one: Section) -> float:
    low, high = known(one["low"]), known(one["high"])
    return 0.5 * (high - low) if low is not None and high is not None else 0.0


def _list(value: object) -> list[Section]:
    return value if isinstance(value, list) else []
