"""The user's data: rows of inputs, and targets where there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.core.printable import printable
from fpcheck.network.array_file import as_numbers, read_npy, read_npz
from fpcheck.network.csv_table import read_csv
from fpcheck.network.parquet_table import read_parquet
from fpcheck.network.preprocessing import Preprocessing, parse_preprocessing, preprocess
from fpcheck.network.skeleton import Shape
from fpcheck.network.targets import Targets, Task, understand_targets

__all__ = ["Data", "Preprocessing", "Task", "fit_to", "load_data", "parse_preprocessing"]

FORMATS = (".npz", ".npy", ".csv", ".parquet")
Stored = tuple[NDArray[np.generic], NDArray[np.generic] | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows of inputs as the network sees them, and their targets.

    inputs: (n, ...) float64 after preprocessing, finite.
    targets: (n,) int64 indices into `classes`, or (n, k) float64, or None.
    notes: what was decided and done, a line each, for the report.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64] | NDArray[np.int64] | None
    task: Task | None
    classes: tuple[str, ...]
    name: str
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.inputs)


def load_data(
    path: str | PathLike[str],
    *,
    target: str | None = None,
    preprocessing: Preprocessing | None = None,
    task: Task | None = None,
) -> Data:
    """The rows of a .npz, .npy, .csv or .parquet file, checked and preprocessed.

    Args:
        path: the file; its suffix names the format.
        target: the column (name, or index from 0) or the array of a .npz that holds the targets.
        preprocessing: what to do to the inputs; None for nothing.
        task: what the targets are, where the rule of `understand_targets` is to be overridden.

    Raises:
        DataError: the file cannot be read, or does not hold finite rows of numbers.
    """
    file = Path(path)
    try:
        return _load(file, target, preprocessing, task)
    except DataError as error:
        # The names of columns and arrays are the file's: one of two lines would break the message.
        hint, where = printable(error.hint), printable(error.where or file.name)
        raise DataError(printable(error.message), where=where, hint=hint) from None


def _load(
    file: Path, target: str | None, preprocessing: Preprocessing | None, task: Task | None
) -> Data:
    try:
        _check_file(file)
        stored, labels, notes = _read(file, target)
    except OSError as error:
        raise DataError(
            f"cannot read {file.name}: {error.strerror or error}",
            where=str(file),
            hint="is it readable?",
        ) from None
    inputs = as_numbers(stored, "the input", file.name)
    _check_inputs(inputs, file.name)
    targets: Targets | None = None
    if labels is not None:
        _check_rows(len(inputs), labels, file.name)
        targets = understand_targets(labels, file.name, task)
        # What the user has said himself needs no hint at how to say it.
        notes = (*notes, targets.note if task is None else targets.note.partition(";")[0])
    elif task is not None:
        raise DataError(
            f"{file.name} has no targets for --task {task}",
            where=file.name,
            hint="save them as y, or name them with --target",
        )
    inputs, steps = preprocess(inputs, preprocessing or Preprocessing())
    return Data(
        inputs=inputs,
        targets=targets.values if targets else None,
        task=targets.task if targets else None,
        classes=targets.classes if targets else (),
        name=file.name,
        notes=(*notes, *steps),
    )


def fit_to(data: Data, input_shape: Shape) -> Data:
    """`data` with rows of `input_shape`.

    Rows of that many entries are reshaped in C order where one of the two shapes is flat or they
    differ by axes of length 1; channels-last rows are turned to channels-first.

    Raises:
        DataError: rows of another size, or of the same size in axes that do not correspond.
    """
    shape = data.inputs.shape[1:]
    if shape == input_shape:
        return data
    note = f"rows of {list(shape)} reshaped to the network's {list(input_shape)}"
    if math.prod(shape) != math.prod(input_shape):
        raise _wrong_width(data, shape, input_shape)
    if 1 in (len(shape), len(input_shape)) or _long_axes(shape) == _long_axes(input_shape):
        inputs = data.inputs.reshape(len(data.inputs), *input_shape)
    elif len(input_shape) > 1 and shape == (*input_shape[1:], input_shape[0]):
        inputs = np.ascontiguousarray(np.moveaxis(data.inputs, -1, 1))
        note = f"rows of {list(shape)} taken as channels last, turned to {list(input_shape)}"
    else:
        raise DataError(
            f"{data.name}: rows of shape {list(shape)} have as many entries as the network's "
            f"input {list(input_shape)}, but other axes",
            where=data.name,
            hint="save X with the network's axes, or flattened in its order",
        )
    return replace(data, inputs=inputs, notes=(*data.notes, note))


def _read(file: Path, target: str | None) -> Stored:
    suffix = file.suffix.lower()
    if suffix == ".npz":
        return (*read_npz(file, target), ())
    if suffix == ".csv":
        table = read_csv(file, target)
        return table.inputs, table.targets, table.notes
    if suffix == ".parquet":
        return (*read_parquet(file, target), ())
    if target is not None:
        raise DataError(
            f"{file.name} holds one array, so it has no target '{target}'",
            hint="save X and y together: numpy.savez(file, X=..., y=...)",
        )
    return read_npy(file), None, ()


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise DataError(f"{file} is a directory", where="--data", hint="name the data file in it")
    if not file.exists():
        raise DataError(f"there is no file {file}", where="--data", hint="look at the path")
    if file.suffix.lower() not in FORMATS:
        raise DataError(
            f"{file.name}: unknown kind of data file '{file.suffix}'",
            where="--data",
            hint=f"fpcheck reads {', '.join(FORMATS)}",
        )
    if file.is_file() and file.stat().st_size == 0:
        raise DataError(
            f"{file.name} is empty (0 bytes)", where=str(file), hint="copy or save it again"
        )


def _check_inputs(inputs: NDArray[np.float64], name: str) -> None:
    if inputs.ndim < 2:
        raise DataError(
            f"{name}: the inputs have shape {list(inputs.shape)}",
            hint="one row an example: (n, d), or (n, 1) for one number a row",
        )
    if 0 in inputs.shape:
        raise DataError(
            f"{name}: inputs of shape {list(inputs.shape)} hold no rows or no entries",
            where=name,
            hint="one row an example, at least one",
        )
    if np.isfinite(inputs).all():
        return
    bad = np.argwhere(~np.isfinite(inputs))
    row, *place = (int(index) for index in bad[0])
    column = f"column {place[0]}" if len(place) == 1 else f"entry {place}"
    raise DataError(
        f"{name}: {len(bad)} entries of the inputs are not finite, "
        f"the first one {inputs[tuple(bad[0])]} in row {row}, {column}",
        hint="counted from 0; leave the rows out or fill the values in",
    )


def _check_rows(rows: int, labels: NDArray[np.generic], name: str) -> None:
    count = labels.shape[0] if labels.ndim else 0
    if count != rows:
        raise DataError(
            f"{name}: {rows} rows of inputs but {count} targets",
            hint="X is (n, ...) and y is (n,) or (n, k), with the same n",
        )


def _long_axes(shape: Shape) -> Shape:
    return tuple(length for length in shape if length != 1)


def _wrong_width(data: Data, shape: Shape, input_shape: Shape) -> DataError:
    hint = "is this the network's data? its rows have to have the shape of the network's input"
    if len(shape) == 1 and shape[0] == math.prod(input_shape) + 1 and data.targets is None:
        hint = "one column too many: if one of them is the target, name it with --target COLUMN"
    return DataError(
        f"{data.name}: rows of shape {list(shape)} ({math.prod(shape)} entries) do not fit the "
        f"network's input {list(input_shape)} ({math.prod(input_shape)})",
        where=data.name,
        hint=hint,
    )
