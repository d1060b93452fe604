"""The constant input of recurrent cells: zeros, the mean row of the data, or a file's one row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError, UsageError
from fpcheck.network.array_file import as_numbers, read_npy, read_npz
from fpcheck.network.csv_table import read_csv
from fpcheck.network.data import Data

SUFFIXES = (".npy", ".npz", ".csv")
HINT = f"--input zeros, --input mean with --data, or a file of one row ({', '.join(SUFFIXES)})"


@dataclass(frozen=True, slots=True, eq=False)
class ConstantInput:
    """The input that cells are held at.

    Args:
        label: in words, for the report.
        row: (n,), None for zeros of any size.
    """

    label: str
    row: NDArray[np.float64] | None = None

    def fits(self, size: int) -> bool:
        """Whether a cell that takes `size` entries can be held at this input."""
        return self.row is None or len(self.row) == size

    def of_size(self, cell: str, size: int) -> NDArray[np.float64]:
        """The row for the cell called `cell`, (size,).

        Raises:
            DataError: the row has another size.
        """
        if self.row is None:
            return np.zeros(size)
        if not self.fits(size):
            raise DataError(
                f"the constant input, {self.label}, has {len(self.row)} entries; "
                f"cell '{cell}' takes {size}",
                hint="--input FILE with one row of that many entries, or --input zeros",
            )
        return self.row


ZEROS = ConstantInput("zeros")


def constant_input(choice: str | ConstantInput) -> ConstantInput:
    """The constant input that `--input` names: zeros, or a file of one row; or it is one already.

    Raises:
        DataError: the file cannot be read or holds something else than one row of numbers.
        UsageError: the mean row of the data, which only the job that reads the data can give.
    """
    if isinstance(choice, ConstantInput):
        return choice
    if choice == "zeros":
        return ZEROS
    if choice == "mean":
        raise UsageError("--input mean is the mean row of the data", hint="pass --data FILE")
    return _of_file(Path(choice))


def mean_row(data: Data) -> ConstantInput:
    """The mean row of the data; of sequences (rows, time, features) the mean over time too."""
    rows = data.inputs.reshape(-1, data.inputs.shape[-1])
    return ConstantInput(f"the mean row of {data.name}", rows.mean(axis=0))


def _of_file(path: Path) -> ConstantInput:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or not path.is_file():
        what = f"there is no file '{path}'" if suffix in SUFFIXES else f"unknown input '{path}'"
        raise DataError(what, hint=HINT)
    try:
        stored = _read(path, suffix)
    except OSError as error:
        raise DataError(f"cannot read {path.name}: {error.strerror or error}") from None
    row = as_numbers(stored, "the constant input", path.name)
    if row.ndim == 0 or row.size == 0 or max(row.shape) != row.size:
        raise DataError(
            f"{path.name} holds an array {list(row.shape)}, not one row",
            hint="--input FILE holds the one input at which every cell is held",
        )
    if not np.isfinite(row).all():
        raise DataError(f"{path.name}: the constant input has entries that are not finite")
    return ConstantInput(path.name, row.reshape(-1))


def _read(path: Path, suffix: str) -> NDArray[np.generic]:
    if suffix == ".npy":
        return read_npy(path)
    return read_npz(path)[0] if suffix == ".npz" else read_csv(path).inputs
