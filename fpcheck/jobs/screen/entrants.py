"""Who takes part: every model loaded, and the rows that all of them see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError, NothingToJudgeError, UsageError
from fpcheck.network.data import Data, Preprocessing, Task, fit_to, load_data
from fpcheck.network.load import load
from fpcheck.network.load.folder import model_in
from fpcheck.network.load.live.target import is_target
from fpcheck.network.load.registry import SPEC_SUFFIX, stores_graph
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense
from fpcheck.network.subject import Subject
from fpcheck.readout.features import last_dense
from fpcheck.readout.problem import Problem, choose_problem
from fpcheck.readout.splits import random_split

Indices = NDArray[np.intp]

FEWEST_ROWS = 20  # as the readout question asks
OTHER_TARGET = (
    "its preprocessing changes the rows, which are the target here, so its scores could not be "
    "compared; give y, or the same preprocessing to all"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows come from, what predicts what, and how many are looked at."""

    path: str | Path
    target: str | None
    task: Task | None
    preprocessing: Preprocessing | None
    most: int


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """One model and the rows as it sees them; why_not: why it cannot be judged, else ""."""

    name: str
    subject: Subject
    network: Network | None
    data: Data | None
    last: Dense | None
    why_not: str


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """All entrants, the problem that they share, and the data as they are in the file."""

    entrants: tuple[Entrant, ...]
    problem: Problem
    data: Data
    rows: int


def load_subjects(
    models: Sequence[str | Path],
    seed: int,
    activation: str | None,
    output_activation: str | None,
) -> list[tuple[str, Subject]]:
    """Every model with a name of its own. The activations are those of files that hold none.

    Raises:
        UsageError: a model given twice, or an activation that no model takes.
        FpcheckError: a model that cannot be loaded.
    """
    given = [str(model) for model in models]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"'{twice}' is given twice", hint="every candidate once")
    open_ones = [_takes_activation(model) for model in given]
    if (activation or output_activation) and not any(open_ones):
        raise UsageError(
            "no model takes an activation: specs and stored graphs name their own",
            where="--activation" if activation else "--output-activation",
            hint="leave it out",
        )
    subjects = [
        load(model, activation=activation, output_activation=output_activation, seed=seed)
        if takes
        else load(model, seed=seed)
        for model, takes in zip(given, open_ones, strict=True)
    ]
    return list(zip(_names(given, subjects), subjects, strict=True))


def enter(named: Sequence[tuple[str, Subject]], rows: Rows, rng: np.random.Generator) -> Entry:
    """All models before the same rows: all, or a draw of `rows.most`, stratified by class.

    Raises:
        DataError: the rows cannot be read, or do not fit a model's input.
        NothingToJudgeError: there is nothing to learn from the rows, by no model.
    """
    plain = _loaded(rows, None)
    kept = None
    found = []
    problem: Problem | None = None
    why = ""
    for name, subject in named:
        entrant = _entrant(name, subject)
        if entrant.network is not None and not entrant.why_not:
            skeleton = entrant.network.skeleton
            data = _fitted(_loaded(rows, subject), skeleton.input_shape, name)
            posed = choose_problem(data, skeleton, None)
            if isinstance(posed, str):
                why, entrant = posed, replace(entrant, why_not=posed)
            else:
                if kept is None:
                    kept = _kept(data, posed, rows.most, rng)
                data = _some(data, kept)
                own = choose_problem(data, skeleton, None)
                if isinstance(own, str):
                    raise NothingToJudgeError(own, hint="look at more of the rows: --rows N")
                same = problem is None or np.array_equal(own.targets, problem.targets)
                problem = problem or own
                entrant = replace(entrant, data=data, why_not="" if same else OTHER_TARGET)
        found.append(entrant)
    if problem is None or kept is None:
        reasons = "; ".join(f"{each.name}: {each.why_not}" for each in found)
        raise NothingToJudgeError(
            f"nothing can be judged: {why or reasons}",
            hint="a row of y to every row of X, and models that end in a dense layer",
        )
    return Entry(tuple(found), problem, _some(plain, kept), plain.rows)


def _loaded(rows: Rows, subject: Subject | None) -> Data:
    steps = rows.preprocessing or (subject.preprocessing if subject else None)
    return load_data(rows.path, target=rows.target, preprocessing=steps, task=rows.task)


def _fitted(data: Data, shape: tuple[int, ...], name: str) -> Data:
    try:
        return fit_to(data, shape)
    except DataError as error:
        raise DataError(f"{name}: {error.message}", where=error.where, hint=error.hint) from None


def _kept(data: Data, problem: Problem, most: int, rng: np.random.Generator) -> Indices:
    """The indices of the rows that are looked at."""
    if data.rows < FEWEST_ROWS:
        raise NothingToJudgeError(
            f"{data.name} has {data.rows} rows; a held-out score needs {FEWEST_ROWS}",
            hint="pass more rows",
        )
    if data.rows <= most:
        return np.arange(data.rows)
    return random_split(data.rows, most / data.rows, rng, problem.labels).test


def _some(data: Data, kept: Indices) -> Data:
    targets = None if data.targets is None else data.targets[kept]
    return replace(data, inputs=data.inputs[kept], targets=targets)


def _entrant(name: str, subject: Subject) -> Entrant:
    """The model, and why it cannot be judged."""
    network = subject.network
    why, last = "", None
    if network is None:
        why = "recurrent cells have no last layer to fit" if subject.cells else subject.no_network
        why = why if subject.cells or not subject.hint else f"{why}: {subject.hint}"
    elif subject.partial is not None:
        why = subject.partial.skipped
    elif network.skeleton.black_box:
        why = "it is a black box: the values of its layers are not known"
    else:
        found = last_dense(network.skeleton)
        last, why = (None, found) if isinstance(found, str) else (found, "")
        broken = next(_nonfinite(subject), None)
        why = why or (f"'{broken}' holds NaN or Inf" if broken else "")
    return Entrant(name, subject, network, None, last, why)


def _nonfinite(subject: Subject) -> Iterator[str]:
    for name, tensor in subject.tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            yield name


def _takes_activation(model: str) -> bool:
    """Whether the activation has to be said: not by a spec, a live model or a stored graph."""
    if is_target(model):
        return False
    path = model_in(Path(model))
    return path.suffix.lower() != SPEC_SUFFIX and not stores_graph(path)


def _names(given: Sequence[str], subjects: Sequence[Subject]) -> list[str]:
    """A name for each: the file's, with as many folders before it as tell it from the others."""
    plain = [subject.name for subject in subjects]
    return [
        name if plain.count(name) == 1 else _tail(text, [other for other in given if other != text])
        for text, name in zip(given, plain, strict=True)
    ]


def _tail(path: str, others: Sequence[str]) -> str:
    """The shortest end of a path that no other one has."""
    parts = PurePath(path).parts
    for count in range(1, len(parts)):
        tail = parts[-count:]
        if all(PurePath(other).parts[-count:] != tail for other in others):
            return "/".join(tail)
    return path
