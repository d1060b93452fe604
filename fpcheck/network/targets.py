"""What the targets are: classes or numbers, decided by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.network.array_file import as_numbers

Task = Literal["classification", "regression"]

FEW_VALUES = 20  # distinct whole numbers that count as class labels whatever the number of rows
SHARE_OF_ROWS = 10  # of integers, one distinct value in so many rows still counts as a label
ROWS_A_CLASS = 2  # with fewer rows a class on average, numbers are quantities


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets (n,) as class indices or (n, k) as numbers, and how they were understood."""

    values: NDArray[np.float64] | NDArray[np.int64]
    task: Task
    classes: tuple[str, ...]
    note: str


def understand_targets(stored: NDArray[np.generic], file: str, task: Task | None = None) -> Targets:
    """The targets of `stored` (n,) or (n, k), as classes or as numbers.

    Text is always classes, and so are booleans and one-hot rows. Integers are classes if they
    take at most 20 distinct values, or one in ten rows at most; whole numbers stored as floats if
    they take at most 20; both need two rows a value on average. Everything else is numbers.
    `task` overrides the rule.

    Raises:
        DataError: neither numbers nor labels, not finite, of one class or value only, or not
            what `task` says.
    """
    if stored.ndim == 2 and stored.shape[1] == 1:
        stored = stored[:, 0]
    if stored.ndim not in (1, 2) or 0 in stored.shape:
        raise DataError(
            f"{file}: the targets have shape {list(stored.shape)}",
            hint="one class or number a row, (n,), or k numbers a row, (n, k)",
        )
    if stored.dtype.kind in "US":
        return _text(stored, file, task)
    numbers = as_numbers(stored, "the target", file)
    _check_finite(numbers, file)
    one_hot = _is_one_hot(numbers)
    if task == "regression" or (task is None and not one_hot and not _few_labels(stored, numbers)):
        return _numbers(numbers, file)
    if one_hot:
        return _one_hot(numbers, file)
    if numbers.ndim == 2:
        raise DataError(
            f"{file}: targets of shape {list(numbers.shape)} are neither classes nor one-hot rows",
            hint="one class a row, or --task regression",
        )
    values, indices = np.unique(stored, return_inverse=True)
    return _classes(indices, tuple(_label(value) for value in values), file, "distinct values")


def _text(stored: NDArray[np.generic], file: str, task: Task | None) -> Targets:
    text = stored.astype(str)
    if text.ndim == 2:
        raise DataError(
            f"{file}: {text.shape[1]} columns of text as targets; one is needed",
            hint="name one column: --target COLUMN",
        )
    if task == "regression":
        raise DataError(
            f"{file}: the target holds text, such as '{text[0][:40]}', not numbers",
            hint="without --task regression it is taken as classes",
        )
    values, indices = np.unique(text, return_inverse=True)
    if len(values) > FEW_VALUES and len(values) * ROWS_A_CLASS > len(text):
        raise DataError(
            f"{file}: the target has {len(values)} distinct texts in {len(text)} rows",
            hint="is this column an identifier?",
        )
    return _classes(indices, tuple(str(value) for value in values), file, "distinct texts")


def _few_labels(stored: NDArray[np.generic], numbers: NDArray[np.float64]) -> bool:
    """Whether whole numbers repeat so often that they are labels."""
    if numbers.ndim != 1:
        return False
    if stored.dtype.kind == "b":
        return True
    if not np.array_equal(numbers, np.rint(numbers)):
        return False
    rows = len(numbers)
    most = FEW_VALUES if stored.dtype.kind == "f" else max(FEW_VALUES, rows // SHARE_OF_ROWS)
    return len(np.unique(numbers)) <= min(most, max(2, rows // ROWS_A_CLASS))


def _label(value: np.generic) -> str:
    number = value.item()
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number) if whole else number)


def _is_one_hot(numbers: NDArray[np.float64]) -> bool:
    if numbers.ndim != 2:
        return False
    zeros_and_ones = bool(np.isin(numbers, (0.0, 1.0)).all())
    return zeros_and_ones and bool((numbers.sum(axis=1) == 1.0).all())


def _one_hot(numbers: NDArray[np.float64], file: str) -> Targets:
    names = tuple(str(index) for index in range(numbers.shape[1]))
    return _classes(numbers.argmax(axis=1), names, file, "columns of one-hot rows")


def _classes(
    indices: NDArray[np.int64], classes: tuple[str, ...], file: str, source: str
) -> Targets:
    present = len(np.unique(indices))
    if present < 2:
        raise DataError(
            f"{file}: all targets are of one class, '{classes[int(indices[0])]}'",
            hint="nothing can be told apart; is this the right column?",
        )
    note = f"targets taken as {len(classes)} classes ({source}); --task regression overrides"
    return Targets(indices.astype(np.int64).reshape(-1), "classification", classes, note)


def _numbers(numbers: NDArray[np.float64], file: str) -> Targets:
    if (numbers == numbers[:1]).all():
        raise DataError(
            f"{file}: all targets have one value, {numbers.flat[0]:g}",
            hint="nothing can be predicted; is this the right column?",
        )
    table = numbers.reshape(len(numbers), -1)
    count = f"{table.shape[1]} number{'s' * (table.shape[1] != 1)}"
    note = f"targets taken as {count} a row; --task classification overrides"
    return Targets(table, "regression", (), note)


def _check_finite(numbers: NDArray[np.float64], file: str) -> None:
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        value = numbers[tuple(bad[0])]
        raise DataError(
            f"{file}: {len(bad)} targets are not finite, the first one {value} in row {bad[0][0]}",
            hint="rows are counted from 0; leave them out",
        )
