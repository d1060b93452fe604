"""What `fpcheck trace` shows beside its timeline: layers, depth, fixed points, files left out.

A pure function of the trace's plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.core.wording import counted, thousands
from fpcheck.report.trace_layers import change, layers_panel, listed
from fpcheck.report.trace_timeline import chosen, timeline
from fpcheck.report.trace_wording import NONE, at, figure, known, metric_of, place, score, trend

MOST_TRACKS = 30
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
    """The panels of a trace. whole: also what a short page leaves out."""
    first = Panel(
        "Timeline", _about(document), (timeline(document, whole=whole, ascii_only=ascii_only),)
    )
    depths, tracks = _depths(document), _tracks(document, whole)
    return (first, layers_panel(document), *depths, *tracks, *_skipped(document))


def header(document: Section) -> tuple[str, ...]:
    """The parts of the first line: program, run, what it is, seed."""
    run = document["run"]
    count = len(document["checkpoints"])
    layers = len(run["layers"])
    return (
        f"fpcheck {document['fpcheck']}",
        str(run["name"]),
        counted(count, "checkpoint"),
        f"{counted(layers, 'layer')}, {thousands(run['parameters'])} parameters",
        f"seed {document['settings']['seed']}",
    )


def _about(document: Section) -> str:
    data = document["run"]["data"]
    words = f"ordered by {document['run']['order']}"
    if document["run"]["order"] == "as given":
        words = "in the order given"
    if data is None:
        return f"{words}; no loss and no readout without --data"
    what = "no loss; data of" if data["metric"] is None else "loss on"
    return f"{words}; {what} {data['name']}, {thousands(data['rows'])} rows"


def _depths(document: Section) -> Iterator[Panel]:
    """Variance and readout by depth at some checkpoints, where they were measured."""
    checkpoints = document["checkpoints"]
    shown = chosen(document)
    signal = [i for i in shown if checkpoints[i]["signal"].get("layers")]
    if signal:
        table = _by_depth(document, signal, "signal", lambda layer: figure(layer["variance"]))
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
        change(radii[0], radii[-1]) if radii else NONE,
        figure(path),
        "; ".join(told) or "stays",
    )


def _skipped(document: Section) -> Iterator[Panel]:
    skipped = document["run"]["skipped"]
    if not skipped:
        return
    columns = (Column("file", "left"), Column("why, and what to do", "left"))
    rows = tuple((str(one["name"]), _reason(one)) for one in skipped)
    table = Table("Left out", columns, rows)
    yield Panel("Left out", counted(len(skipped), "file"), (table,))


def _reason(one: Section) -> str:
    reason = str(one["reason"]).removeprefix(f"{one['name']}: ")
    return f"{reason}; {one['hint']}" if one["hint"] else reason


def trend_lines(document: Section) -> list[str]:
    """The trends in sentences that the summary does not hold: the loss and the tails."""
    trends, loss = document["trends"], trend(document, "loss")
    lines: list[str] = []
    plateau = loss.get("plateau")
    if loss:
        if plateau:
            lines.append(
                f"a plateau from {at(document, plateau[0])} to {place(document, plateau[1])}"
            )
        lines.append(
            f"loss {figure(loss['start'], 4)} → {figure(loss['end'], 4)}, "
            f"best {figure(loss['best'], 4)} at {at(document, loss['best_at'])}"
            + (
                f"; the escape at {at(document, loss['escape'])}"
                if loss["escape"] is not None
                else "; no escape from a plateau is seen"
            )
        )
    heavier = [one["layer"] for one in listed(trends.get("tails")) if one["direction"] == "heavier"]
    count = sum(one["start"] is not None for one in listed(trends.get("tails")))
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


def _half(one: Section) -> float:
    low, high = known(one["low"]), known(one["high"])
    return 0.5 * (high - low) if low is not None and high is not None else 0.0
