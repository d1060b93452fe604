"""What `fpcheck inspect` shows: the layers, the tensors, and what can be asked, as panels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.core.wording import thousands
from fpcheck.report.wording import shape_text
from fpcheck.weights.law_view import law_table

LONGEST_RUN = 6  # layers alike that are listed one by one
SHOWN_TENSORS = 40
LAYERS = (
    Column("layer", "left"),
    Column("kind", "left"),
    Column("output"),
    Column("activation", "left"),
)
CELLS = (
    Column("cell", "left"),
    Column("kind", "left"),
    Column("units"),
    Column("inputs"),
    Column("note", "left", priority=1),
)
TENSORS = (
    Column("tensor", "left"),
    Column("shape"),
    Column("type", "left", priority=1),
    Column("entries", priority=2),
    Column("used", "left"),
)
QUESTIONS = (
    Column("question", "left"),
    Column("possible", "left"),
    Column("why not", "left"),
    Column("what helps", "left"),
)


def inspection(subject: Section) -> tuple[Panel, ...]:
    """The panels about a subject. subject: the plain data of its summary."""
    found = _cells(subject) if subject.get("cells") else _layers(subject)
    return (
        _overview(subject),
        found,
        _tensors(subject),
        *_initialisers(subject),
        _questions(subject),
    )


def _overview(subject: Section) -> Panel:
    shapes = [subject["input_shape"], subject["output_shape"]]
    maps = "" if None in shapes else f"{shape_text(shapes[0])} → {shape_text(shapes[1])}"
    if maps and subject["self_map"]:
        maps += ", a self-map"
    lines = [
        f"{subject['format']}, {thousands(subject['parameters'])} parameters",
        maps or "input and output shapes are not known",
        *([f"sha256 {subject['sha256']}"] if subject["sha256"] else ()),
        *(f"note: {text}" for text in subject["notes"]),
    ]
    return Panel(str(subject["name"]), "nothing was run", tuple(Note(line) for line in lines))


def _layers(subject: Section) -> Panel:
    layers = [
        (
            str(layer["name"]),
            str(layer["kind"]),
            shape_text(layer["shape"]),
            "? (--activation)" if layer["activation"] is None else str(layer["activation"]),
        )
        for layer in subject["layers"]
    ]
    if not layers:
        return Panel("Layers", "", (Note("none could be told from the file"),))
    return Panel("Layers", "", (Table("Layers", LAYERS, tuple(_runs(layers))),))


def _cells(subject: Section) -> Panel:
    rows = tuple(
        (
            str(cell["name"]),
            str(cell["kind"]),
            thousands(cell["hidden"]),
            thousands(cell["input_size"]),
            str(cell["note"]),
        )
        for cell in subject["cells"]
    )
    return Panel("Recurrent cells", "", (Table("Recurrent cells", CELLS, rows),))


def _runs(layers: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """The rows with a long run of layers that differ in name alone as one row."""
    for alike, run in groupby(layers, key=lambda row: row[1:]):
        names = [row[0] for row in run]
        if len(names) > LONGEST_RUN:
            yield (f"{names[0]} … {names[-1]}  ({len(names)} layers)", *alike)
        else:
            yield from ((name, *alike) for name in names)


def _tensors(subject: Section) -> Panel:
    rows = tuple(
        (
            str(tensor["name"]),
            shape_text(tensor["shape"]),
            str(tensor["dtype"]),
            thousands(tensor["entries"]),
            "yes" if tensor["used"] else "no",
        )
        for tensor in subject["tensors"]
    )
    more = len(rows) - SHOWN_TENSORS
    caption = f"and {thousands(more)} more; -f json lists all" if more > 0 else ""
    return Panel("Tensors", "", (Table("Tensors", TENSORS, rows[:SHOWN_TENSORS], caption),))


def _initialisers(subject: Section) -> tuple[Panel, ...]:
    """Which initialiser each matrix looks like; without matrices there is nothing to say."""
    laws = [(str(entry["tensor"]), entry["law"]) for entry in subject.get("initialisers", ())]
    if not laws:
        return ()
    more = len(laws) - SHOWN_TENSORS
    table = law_table(laws[:SHOWN_TENSORS])
    if more > 0:
        table = replace(table, caption=f"and {thousands(more)} more; {table.caption}")
    notes = (Note(str(entry["sentence"])) for entry in subject.get("criticality", ()))
    return (Panel("Which initialiser", "", (table, *notes)),)


def _questions(subject: Section) -> Panel:
    """The questions with their answers, those with one answer in one row."""
    by_answer: dict[tuple[str, ...], list[str]] = {}
    for entry in subject["questions"]:
        answer = (
            "yes" if entry["possible"] else "no",
            entry["reason"] or "-",
            entry["hint"] or "-",
        )
        by_answer.setdefault(answer, []).append(str(entry["question"]))
    rows = tuple((", ".join(names), *answer) for answer, names in by_answer.items())
    return Panel("What can be asked", "", (Table("What can be asked", QUESTIONS, rows),))
