"""The job: a folder or a list of checkpoints to what training did to them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck import __version__
from fpcheck.core.errors import FpcheckError, ModelFileError, UsageError
from fpcheck.core.plain import Section, as_section, plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.trace.follow import Tracks
from fpcheck.jobs.trace.judge import judge_trace
from fpcheck.jobs.trace.name import run_name
from fpcheck.jobs.trace.one import measure_one, named_as, norm_of
from fpcheck.jobs.trace.order import Ordered, find_checkpoints, in_order
from fpcheck.jobs.trace.read import (
    OTHER_HINT,
    Checkpoint,
    Reading,
    fault,
    file_hash,
    other_architecture,
    read_checkpoint,
    without_network,
)
from fpcheck.jobs.trace.resume import SCHEMA, Earlier, alone, fits, read_earlier
from fpcheck.jobs.trace.rows import Rows, Scored, choose, load_rows
from fpcheck.jobs.trace.trends import NO_LOSS, trends
from fpcheck.network.activations import parse_activation
from fpcheck.network.data import Data, Task
from fpcheck.network.inputs import InputLaw
from fpcheck.network.preprocessing import Preprocessing

STARTS = 128  # of the self-map, at every checkpoint
INTERRUPTED = {"skipped": "the run was interrupted"}


@dataclass(eq=False)
class Course:
    """What is known of the run so far."""

    settings: Settings
    monitor: Monitor
    earlier: Earlier
    rows: Rows | str = ""
    first: Checkpoint | None = None
    previous: Checkpoint | None = None
    path: float = 0.0
    entries: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    faults: list[FpcheckError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tracks: Tracks = field(default_factory=lambda: Tracks(Monitor()))


def trace(
    checkpoints: Sequence[str | Path] | str | Path,
    *,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    data: str | Path | None = None,
    target: str | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    attractors: bool | None = None,
    resume: str | Path | Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
    partial: Callable[[Section], None] | None = None,
) -> dict[str, Any]:
    """What training did to a network, checkpoint by checkpoint, as plain data.

    Args:
        checkpoints: files, or folders of them, in any mix of formats.
        spec, activation, output_activation, key, layout: as `analyze` takes them, for every file.
        data, target, task, preprocessing: as `analyze`; for the loss and the readout.
        attractors: follow the fixed points; None: where the network is a self-map.
        resume: an earlier trace, or its JSON file: what it measured is not measured again.
        settings: seed, samples, limits and the rest.
        monitor: hears of progress and can stop the work.
        partial: called with the trace so far after every checkpoint that was measured.

    Raises:
        ModelFileError: none of the files can be read.
        FpcheckError: the flags, the data or the settings cannot be used.
    """
    settings, monitor = settings or Settings(), monitor or Monitor()
    given = [checkpoints] if isinstance(checkpoints, str | Path) else list(checkpoints)
    flags = Reading(spec, activation, output_activation, key, layout)
    for function in filter(None, (activation, output_activation)):
        parse_activation(function)  # a slip in a flag is no fault of the files
    paths, by_hand = find_checkpoints(given)
    # One and two threads of BLAS differ in the last bits: it gets one.
    with threadpool_limits(1, "blas"):
        ordered = in_order(paths, by_hand=by_hand)
        block = _settings_block(settings, flags, data, target, task, preprocessing, attractors)
        course = Course(settings, monitor, read_earlier(resume, block), tracks=Tracks(monitor))
        rows: Data | None = None
        for one in _readable(ordered, flags, course):
            if course.first is None:
                rows = load_rows(data, one.subject, target, task, preprocessing)
                course.first = one
                course.rows = _rows(one, rows, settings, attractors)
            _take(one, course)
            if partial is not None:
                partial(_document(course, ordered, given, rows, block, whole=False))
        _require_some(course)
        _note_copies(course)
        document = _document(course, ordered, given, rows, block, whole=True)
        return judge_trace(document, settings)


def _readable(ordered: Ordered, flags: Reading, course: Course) -> Iterator[Checkpoint]:
    """Every checkpoint that can be read and is of the first one's architecture, one at a time."""
    count = len(ordered.paths)
    files = zip(ordered.paths, ordered.names, ordered.steps, strict=True)
    for done, (path, name, step) in enumerate(files):
        course.monitor.check()
        course.monitor.report("checkpoints", done, count)
        try:
            one = read_checkpoint(path, name, step, flags, course.settings.seed)
        except FpcheckError as error:
            course.faults.append(error)
            reason, hint = fault(error, path, flags, course.settings.seed, course.first)
            course.skipped.append({"name": name, "reason": reason, "hint": hint})
            continue
        if course.first is not None and (why := other_architecture(one, course.first)):
            hint = one.subject.hint if one.network is None else ""
            course.skipped.append({"name": name, "reason": why, "hint": hint or OTHER_HINT})
            continue
        yield one
    course.monitor.report("checkpoints", count, count)


def _rows(
    one: Checkpoint, data: Data | None, settings: Settings, attractors: bool | None
) -> Rows | str:
    """What all checkpoints are fed; a text where there is no network to feed."""
    if attractors and (one.network is None or not one.network.skeleton.self_map):
        raise UsageError(
            "--attractors follows fixed points, and the network is no self-map",
            where="--attractors",
            hint="leave it out: fixed points are followed wherever there are any",
        )
    if one.network is None:
        return without_network(one)
    skeleton = one.network.skeleton
    starts: int | str = STARTS
    if not skeleton.self_map:
        shapes = f"{list(skeleton.input_shape)} to {list(skeleton.output_shape)}"
        starts = f"not a self-map: it maps {shapes}, so it has no fixed points"
    elif attractors is False or settings.self_map is False:
        starts = "left out by --no-attractors"
    return choose(one.network, one.subject.input_law or InputLaw(), data, settings, starts)


def _take(one: Checkpoint, course: Course) -> None:
    """Measure a checkpoint, or take over what is known of it, and follow the run to it."""
    index = len(course.entries)
    sha256 = one.subject.sha256
    size = None if one.network is None else one.network.program.input_size
    known = course.earlier.entries.get(sha256)
    if known is not None and fits(known, len(one.layers), size):
        own = alone(known)
    else:
        measured = measure_one(one, course.rows, course.settings, course.monitor)
        head = {"sha256": sha256, "format": one.subject.format}
        own = as_section({**head, **measured})
    own = named_as(own, course.first or one)
    distances, by_layer = _distances(one, course)
    layers = [{**layer, **moved} for layer, moved in zip(own["layers"], by_layer, strict=True)]
    points = own["attractors"].get("fixed_points")
    if points is None or one.network is None:
        course.tracks.skip(index)
    else:
        followed = course.tracks.add(index, one.network, points)
        own = {**own, "attractors": {**own["attractors"], "fixed_points": followed}}
    entry = {"name": one.name, "sha256": own["sha256"], "format": own["format"], "step": one.step}
    course.entries.append({**entry, **own, "layers": layers, "distance": distances})
    course.previous = one


def _distances(
    one: Checkpoint, course: Course
) -> tuple[dict[str, Any], list[dict[str, float | None]]]:
    """(of all parameters, of every layer): from the first checkpoint and from the one before."""
    first, previous = course.first or one, course.previous or one
    whole: dict[str, Any] = {
        "from_first": _distance(one.vector, first.vector),
        "from_previous": _distance(one.vector, previous.vector),
    }
    size = _distance(first.vector, np.zeros_like(first.vector))
    start = whole["from_first"]
    whole["relative"] = None if start is None or not size else plain(start / size)
    # From rounded figures, so that a trace that goes on from a saved one adds up the same ones.
    course.path = float(str(plain(course.path + (whole["from_previous"] or 0.0))))
    whole["path"] = course.path
    return whole, [
        {"from_first": _distance(own, a), "from_previous": _distance(own, b)}
        for own, a, b in zip(one.matrices, first.matrices, previous.matrices, strict=True)
    ]


def _distance(a: np.ndarray, b: np.ndarray) -> float | None:
    with np.errstate(all="ignore"):
        norm = norm_of(a - b)
    return None if norm is None else float(str(plain(norm)))


def _require_some(course: Course) -> None:
    """Nothing, if any checkpoint was read; else the first one's error, and of how many it is."""
    if course.entries:
        return
    first, count = course.faults[0], len(course.faults)
    if len({error.message for error in course.faults}) == 1:
        raise first  # of a flag or a spec, or there is one file only
    raise ModelFileError(
        f"none of {count} checkpoints can be read; the first: {first.message}",
        where=course.skipped[0]["name"],
        hint=first.hint,
    )


def _note_copies(course: Course) -> None:
    by_hash: dict[str, list[str]] = {}
    for entry in course.entries:
        by_hash.setdefault(entry["sha256"], []).append(entry["name"])
    for names in by_hash.values():
        if len(names) > 1:
            course.notes.append(f"{' and '.join(names)} are the same bytes")


def _document(
    course: Course,
    ordered: Ordered,
    given: Sequence[str | Path],
    data: Data | None,
    block: dict[str, Any],
    *,
    whole: bool,
) -> dict[str, Any]:
    """The trace so far, judged by nobody yet."""
    scored = course.rows.scored if isinstance(course.rows, Rows) else ""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "fpcheck": __version__,
        "settings": block,
        "run": _run(course, ordered, given, data, scored),
        "checkpoints": list(course.entries),
        "tracks": INTERRUPTED,
        "trends": INTERRUPTED,
        "findings": [],
        "verdict": "not judged",
        "summary": {
            "answer": "The run was interrupted.",
            "reason": "",
            "next_step": "go on with --resume and this file.",
        },
    }
    if not whole:
        return document
    constant = scored.constant if isinstance(scored, Scored) else None
    why = scored if isinstance(scored, str) and scored else NO_LOSS
    document["trends"] = as_section(trends(course.entries, constant, why))
    document["tracks"] = _tracks(course)
    return document


def _tracks(course: Course) -> list[dict[str, Any]] | dict[str, str]:
    if course.tracks.tracks:
        return [track.section() for track in course.tracks.tracks]
    skipped = [one["attractors"].get("skipped") for one in course.entries]
    reason = next((one for one in skipped if one), None)
    return [] if reason is None else {"skipped": reason}


def _run(
    course: Course,
    ordered: Ordered,
    given: Sequence[str | Path],
    data: Data | None,
    scored: Scored | str,
) -> dict[str, Any]:
    first = course.first
    assert first is not None
    network = first.network
    notes = [*(() if first.subject.cells else first.subject.notes), *course.notes]
    if data is not None:
        notes += data.notes
        notes += [f"no loss: {scored}"] if isinstance(scored, str) else scored.notes
    notes += [note for note in (ordered.note, course.earlier.note) if note]
    return {
        "name": run_name(given),
        "checkpoints": len(course.entries),
        "order": ordered.order,
        "skipped": list(course.skipped),
        "layers": [plain(layer) for layer in first.layers],
        "parameters": int(first.vector.size),
        "self_map": bool(network is not None and network.skeleton.self_map),
        "data": None if data is None else {
            "name": data.name,
            "rows": data.rows,
            "task": data.task,
            "metric": scored.metric if isinstance(scored, Scored) else None,
            "constant_loss": plain(scored.constant) if isinstance(scored, Scored) else None,
        },
        "notes": notes,
    }  # fmt: skip


def _settings_block(
    settings: Settings,
    flags: Reading,
    data: str | Path | None,
    target: str | None,
    task: Task | None,
    preprocessing: Preprocessing | None,
    attractors: bool | None,
) -> dict[str, Any]:
    """What the numbers hang on beside the checkpoints; files by name and hash, no folders."""
    used = ("seed", "max_steps", "max_period", "atol", "rtol", "effort", "test_share", "self_map")
    spec = None if flags.spec is None else Path(flags.spec)
    rows = None if data is None else Path(data)
    return {
        **{name: plain(getattr(settings, name)) for name in used},
        "spec": spec.name if spec else None,
        "spec_sha256": file_hash(spec) if spec else None,
        "activation": flags.activation,
        "output_activation": flags.output_activation,
        "key": flags.key,
        "layout": flags.layout,
        "data": rows.name if rows else None,
        "data_sha256": file_hash(rows) if rows else None,
        "target": target,
        "task": task,
        "preprocessing": as_section(preprocessing) if preprocessing else None,
        "attractors": attractors,
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }
