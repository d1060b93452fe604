"""The job: several skeletons and one data set to a ranking with a recommendation."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fpcheck import __version__
from fpcheck.core.errors import UsageError
from fpcheck.core.intervals import wilson
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.screen.advice import advice
from fpcheck.jobs.screen.entrants import Entrant, Entry, Rows, enter, load_subjects
from fpcheck.jobs.screen.figures import Course, Figures, constant_scores, figures, table_scores
from fpcheck.jobs.screen.ranking import Ranking, difference, difference_interval, ranking
from fpcheck.jobs.screen.result import Baseline, Candidate, Difference, Score, Screening
from fpcheck.network.data import Preprocessing, Task
from fpcheck.network.layers import layers
from fpcheck.readout.result import Skipped
from fpcheck.readout.splits import random_split

Array = NDArray[np.float64]

SCHEMA = "fpcheck/screen/1"
MEASURES = ("nngp", "ntk", "at_init")
MOST_ROWS = 500
LINEAR, MAJORITY = "linear", "majority"
INTERVAL = (
    "95% corrected resampled t over the splits; those of differences widened so that all of them "
    "hold together (Bonferroni)"
)


def screen(
    models: Sequence[str | Path],
    data: str | Path,
    *,
    activation: str | None = None,
    output_activation: str | None = None,
    target: str | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    rows: int = MOST_ROWS,
    ntk: bool = True,
    by: str | None = None,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
) -> dict[str, Any]:
    """Several skeletons on one data set, ranked with a recommendation, as plain data.

    Nothing is trained: of a checkpoint the skeleton counts, and the size of its weights.

    Args:
        models: specs, checkpoints or targets of live models, two or more.
        data: the rows and their targets, as `analyze` takes them.
        activation, output_activation: of the checkpoints that hold none.
        target, task, preprocessing: as `analyze`; a spec's own preprocessing holds without one.
        rows: more than so many are drawn from, stratified by class.
        ntk: also the tangent kernel, all layers trained at infinite width.
        by: rank by nngp, ntk or at_init; None: by nngp where most have it, else by at_init.
        settings: seed, splits, test_share, readout_draws and threads are used.
        monitor: hears of progress and can stop the work.

    Raises:
        NothingToJudgeError: no model can be judged on these data.
        FpcheckError: a model, the data or the settings cannot be used.
    """
    settings, monitor = settings or Settings(), monitor or Monitor()
    _check(models, settings, rows, by, ntk)
    with threadpool_limits(1, "blas"), np.errstate(over="ignore", invalid="ignore"):
        named = load_subjects(models, settings.seed, activation, output_activation)
        source = Rows(data, target, task, preprocessing, rows)
        entry = enter(named, source, random_stream(settings.seed, "readout", 1))
        rng = random_stream(settings.seed, "readout")
        splits = [
            random_split(entry.data.rows, settings.test_share, child, entry.problem.labels)
            for child in rng.spawn(settings.splits)
        ]
        course = Course(
            entry.problem, splits, settings.readout_draws, ntk, settings.threads, monitor
        )
        found = _all_figures(entry, course, settings.seed)
        result = _screening(entry, course, found, by)
    return {
        "schema": SCHEMA,
        "fpcheck": __version__,
        "settings": {
            "seed": settings.seed,
            "splits": settings.splits,
            "test_share": settings.test_share,
            "draws": settings.readout_draws,
            "rows": rows,
            "ntk": ntk,
            "by": by,
            "activation": activation,
            "output_activation": output_activation,
            "preprocessing": as_section(preprocessing) if preprocessing else None,
            "versions": {"numpy": np.__version__, "python": platform.python_version()},
        },
        **as_section(result),
    }


def _check(
    models: Sequence[str | Path], settings: Settings, rows: int, by: str | None, ntk: bool
) -> None:
    if len(models) < 2:
        raise UsageError(
            f"{len(models)} skeletons; a comparison needs two or more",
            hint="fpcheck analyze MODEL --data FILE looks at one",
        )
    if settings.splits < 2:
        raise UsageError(
            f"{settings.splits} random splits; an interval needs two or more", where="--splits"
        )
    if settings.readout_draws < 2:
        raise UsageError(
            f"{settings.readout_draws} random networks; an interval needs two or more",
            where="--draws",
        )
    if rows < 20:
        raise UsageError(f"{rows} rows; a held-out score needs 20", where="--rows")
    if by is not None and by not in MEASURES:
        raise UsageError(
            f"unknown measure '{by}'", where="--by", hint=f"known: {', '.join(MEASURES)}"
        )
    if by == "ntk" and not ntk:
        raise UsageError("--by ntk and --no-ntk exclude each other", hint="leave one out")


def _all_figures(entry: Entry, course: Course, seed: int) -> dict[str, Figures]:
    """Of every skeleton that can be judged; its draws do not hang on which others there are."""
    found = {}
    for entrant in entry.entrants:
        if not entrant.why_not:
            rngs = random_stream(seed, "readout", 2).spawn(course.draws)
            found[entrant.name] = figures(entrant, course, rngs)
    return found


def _screening(
    entry: Entry, course: Course, found: Mapping[str, Figures], by: str | None
) -> Screening:
    problem, split = entry.problem, course.splits[0]
    ranked = ranking(found, by, split)
    baseline = _baseline(entry, course, ranked)
    parameters = {each.name: _parameters(each) for each in entry.entrants}
    decided = advice(ranked, baseline, parameters, problem.metric)
    candidates = [
        _candidate(entrant, found.get(entrant.name), ranked, course) for entrant in entry.entrants
    ]
    last = len(candidates)
    candidates.sort(key=lambda each: each.rank or last)
    return Screening(
        data=entry.data.name,
        target=problem.target,
        metric=problem.metric,
        classes=problem.classes,
        rows=entry.rows,
        used=entry.data.rows,
        test_rows=len(split.test),
        splits=len(course.splits),
        ranked_by=ranked.by,
        ranked_because=ranked.because,
        outcome=decided.outcome,
        recommended=decided.recommended,
        recommendation=decided.sentence,
        decided_by=decided.decided_by,
        baseline=baseline,
        candidates=tuple(candidates),
        notes=_notes(entry),
        interval=INTERVAL,
    )


def _baseline(entry: Entry, course: Course, ranked: Ranking) -> Baseline:
    """The linear model sees the rows as they are in the file, once for all skeletons."""
    simple: Array | str = constant_scores(course)
    linear: Array | str = "the target is the input row itself, which a linear model copies"
    if not course.problem.copies_input:
        linear = table_scores(entry.data.inputs.reshape(entry.data.rows, -1), course)

    def gain(model: str, left: Array | str, over: str, right: Array | str) -> Difference | None:
        if isinstance(left, str) or isinstance(right, str):
            return None
        return difference(model, left, over, right, course.splits[0], ranked.together)

    best = ranked.names[0] if ranked.names else ""
    scores = ranked.scores.get(best, "nothing is ranked")
    return Baseline(
        linear=_score(linear, course),
        majority=_score(simple, course),
        over_linear=gain(best, scores, LINEAR, linear),
        over_majority=gain(best, scores, MAJORITY, simple),
        linear_gain=gain(LINEAR, linear, MAJORITY, simple),
    )


def _candidate(
    entrant: Entrant, found: Figures | None, ranked: Ranking, course: Course
) -> Candidate:
    subject, network = entrant.subject, entrant.network
    name = entrant.name
    rank = ranked.names.index(name) + 1 if name in ranked.names else None
    standing = "not ranked" if rank is None else "best"
    if name in ranked.to_best:
        standing = "undecided" if name in ranked.undecided else "behind"
    none = Skipped(entrant.why_not)
    gain = None
    if found and not isinstance(found.nngp, str) and not isinstance(found.at_init, str):
        gain = difference("nngp", found.nngp, "at_init", found.at_init, course.splits[0])
    return Candidate(
        name=name,
        format=subject.format,
        sha256=subject.sha256,
        parameters=_parameters(entrant),
        layers=len(layers(network.skeleton)) if network else 0,
        rank=rank,
        standing=standing,
        to_best=ranked.to_best.get(name),
        nngp=_score(found.nngp if found else entrant.why_not, course),
        ntk=_score(found.ntk if found else entrant.why_not, course),
        at_init=_score(found.at_init if found else entrant.why_not, course),
        width_gain=gain,
        alignment=found.alignment if found else none,
        spread=found.spread if found else none,
        law=found.law if found else "",
        notes=(*subject.notes, *(entrant.data.notes if entrant.data else ())),
        skipped=entrant.why_not,
    )


def _score(values: Array | str, course: Course) -> Score:
    """The mean with its interval; an accuracy's is never narrower than Wilson's for the rows."""
    if isinstance(values, str):
        return Score(skipped=values)
    interval = difference_interval(values, course.splits[0])
    mean, low, high = float(values.mean()), interval.low, min(1.0, interval.high)
    if course.problem.labels is not None:
        rows = len(course.problem.labels)
        share = wilson(round(mean * rows), rows)
        low, high = max(0.0, min(low, share.low)), max(high, share.high)
    draws = len(values) if values.ndim == 2 else 0
    spread = float(np.std(values.mean(axis=1), ddof=1)) if draws > 1 else None
    return Score(score=mean, low=low, high=high, draws=draws, draws_sd=spread)


def _parameters(entrant: Entrant) -> int:
    network = entrant.network
    return sum(tensor.size for tensor in network.parameters.values()) if network else 0


def _notes(entry: Entry) -> tuple[str, ...]:
    notes = list(entry.data.notes)
    if entry.data.rows < entry.rows:
        notes.append(
            f"{entry.data.rows} of {entry.rows} rows were drawn; --rows N looks at more of them"
        )
    return tuple(notes)
