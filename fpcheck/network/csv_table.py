"""Numbers from a delimited text file, with the line of whatever does not fit."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.core.memory import require_memory

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
DELIMITERS = (",", ";", "\t")

Row = tuple[int, list[str]]  # the line on which a record ends, and its cells


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The numbers of a file: inputs (n, d), the targets (n,) if asked for, remarks for the report.

    The targets are integers or floats if every cell of their column reads as one, else text.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.generic] | None
    notes: tuple[str, ...]


def read_csv(path: Path, target: str | None = None) -> CsvTable:
    """The numeric columns of `path`, and the column `target` (a name or an index from 0).

    The separator is the comma, semicolon or tab that the first line has most of. The first line is
    a header unless it reads as a row of data.

    Raises:
        DataError: no rows, rows of different lengths, a missing or non-numeric cell, no such
            target; each with the line, and the column where there is one.
    """
    # A number is at least two bytes of text; it takes 8 bytes here and 8 more as an array.
    require_memory(8 * path.stat().st_size, f"reading {path.name}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next((line for line in stream if line.strip()), "")
            stream.seek(0)
            delimiter = max(DELIMITERS, key=first.count)
            return _table(_records(csv.reader(stream, delimiter=delimiter)), path.name, target)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not UTF-8 text ({error.reason})",
            hint="save the table as UTF-8, or as .npz",
        ) from None
    except csv.Error as error:
        raise DataError(f"{path.name} is not a table: {error}", hint="one row a line") from None


def column_index(names: Sequence[str], target: str, where: str) -> int:
    """The index of the column that `target` names, or counts from 0 (from the end if negative).

    Raises:
        DataError: no such column, or a name that two columns have.
    """
    count = names.count(target)
    if count == 1:
        return names.index(target)
    if count > 1:
        raise DataError(
            f"{where} has {count} columns '{target}'", hint="give the column's index instead"
        )
    try:
        index = int(target)
    except ValueError:
        near = get_close_matches(target, names, n=1)
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise DataError(
            f"{where} has no column '{target}'",
            hint=f"did you mean '{near[0]}'?" if near else f"the columns are {listed}",
        ) from None
    if not -len(names) <= index < len(names):
        raise DataError(
            f"{where} has no column {index}", hint=f"there are {len(names)}, counted from 0"
        )
    return index % len(names)


def _records(reader: Iterator[list[str]]) -> Iterator[Row]:
    """The records that are not blank, with the line on which each ends."""
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped) or len(stripped) > 1:
            yield reader.line_num, stripped  # type: ignore[attr-defined] # typeshed: Iterator


def _table(records: Iterator[Row], name: str, target: str | None) -> CsvTable:
    opening = list(islice(records, 2))
    if not opening:
        raise DataError(f"{name} is empty", hint="a table with one row a line is needed")
    header = _is_header(opening, target)
    width = len(opening[0][1])
    names = opening[0][1] if header else [str(index) for index in range(width)]
    column = None if target is None else column_index(names, target, name)
    labels: list[str] = []
    numbers, lines = array("d"), array("q")
    for line, cells in chain(opening[1:] if header else opening, records):
        if len(cells) != width:
            raise DataError(
                f"{name} has {len(cells)} columns in line {line}, {width} in line {opening[0][0]}",
                where=f"{name}, line {line}",
                hint="as many cells a line as in the first; a cell with a comma goes in quotes",
            )
        if column is not None:
            labels.append(_label(cells.pop(column), names[column], name, line))
        try:
            numbers.extend(map(float, cells))
        except ValueError:
            raise _bad_cell(cells, _features(names, column), name, line) from None
        lines.append(line)
    features = _features(names, column)
    if not lines or not features:
        what = "rows" if not lines else "columns besides the target"
        raise DataError(f"{name} has no {what}", hint="a header alone is not data")
    inputs = np.frombuffer(numbers, dtype=np.float64).reshape(len(lines), len(features))
    _check_finite(inputs, features, lines, name)
    inputs, notes = _without_row_numbers(inputs, features)
    return CsvTable(inputs, _typed(labels) if column is not None else None, notes)


def _features(names: Sequence[str], column: int | None) -> list[str]:
    return [name for index, name in enumerate(names) if index != column]


def _is_header(opening: Sequence[Row], target: str | None) -> bool:
    """Whether the first record names the columns.

    It does if the target is one of its cells, if no cell is a number, or if a cell is text above
    a number. A text label above a text label is data.
    """
    first = opening[0][1]
    text = [index for index, cell in enumerate(first) if not _reads_as_value(cell)]
    if not text:
        return False
    if (target is not None and target in first) or len(text) == len(first):
        return True
    second = opening[1][1] if len(opening) > 1 else []
    return any(index < len(second) and _reads_as_value(second[index]) for index in text)


def _reads_as_value(cell: str) -> bool:
    if cell.lower() in MISSING:
        return cell != ""  # an empty cell of a header stands above an unnamed column
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label(cell: str, column: str, name: str, line: int) -> str:
    if cell.lower() in MISSING:
        raise _missing(column, name, line)
    return cell


def _typed(labels: Sequence[str]) -> NDArray[np.generic]:
    """The labels as integers, else as floats, else as text."""
    for kind, dtype in ((int, np.int64), (float, np.float64)):
        try:
            return np.array([kind(label) for label in labels], dtype=dtype)
        except (ValueError, OverflowError):
            continue
    return np.array(labels)


def _bad_cell(cells: Sequence[str], features: Sequence[str], name: str, line: int) -> DataError:
    """The error for the first cell that is no number."""
    for cell, column in zip(cells, features, strict=True):
        if cell.lower() in MISSING:
            return _missing(column, name, line)
        if not _reads_as_value(cell):
            return DataError(
                f"{name}: column '{column}' holds '{cell[:40]}' in line {line}, not a number",
                where=f"{name}, line {line}",
                hint=f"if it is the target: --target {column}; else encode it as numbers",
            )
    raise AssertionError("every cell is a number")


def _missing(column: str, name: str, line: int) -> DataError:
    return DataError(
        f"{name}: column '{column}' has no value in line {line}",
        where=f"{name}, line {line}",
        hint="leave the row out or fill the value in: fpcheck does not invent it",
    )


def _check_finite(
    inputs: NDArray[np.float64], features: Sequence[str], lines: Sequence[int], name: str
) -> None:
    bad = np.argwhere(~np.isfinite(inputs))
    if not len(bad):
        return
    row, column = (int(index) for index in bad[0])
    if np.isnan(inputs[row, column]):
        raise _missing(features[column], name, lines[row])
    raise DataError(
        f"{name}: column '{features[column]}' is infinite in line {lines[row]} "
        f"({len(bad)} such cells)",
        where=f"{name}, line {lines[row]}",
        hint="leave the row out or put a finite number",
    )


def _without_row_numbers(
    inputs: NDArray[np.float64], features: Sequence[str]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The inputs without an unnamed first column that only counts the rows (a saved index)."""
    counts = features[0] == "" and inputs.shape[1] > 1
    if not counts or not np.array_equal(inputs[:, 0], np.arange(len(inputs))):
        return inputs, ()
    note = "the unnamed first column counts the rows and was left out"
    return np.ascontiguousarray(inputs[:, 1:]), (note,)
