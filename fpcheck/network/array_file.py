"""Arrays from .npy and .npz files: plain numbers and text only, nothing unpickled."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.core.memory import require_memory
from fpcheck.core.printable import printable

# Names that an array goes by, in any case. Two of one row in a file are an ambiguity.
INPUT_NAMES = ("x", "inputs", "input", "data", "features", "images", "x_train")
TARGET_NAMES = ("y", "targets", "target", "labels", "label", "y_train")
AGAIN = "copy or save it again"
# ValueError: names that are no UTF-8, places before the file's start.
ARCHIVE_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
DEFLATE_RATIO = 1032  # deflate cannot expand more: 258 bytes from two bits
# What comes through NumPy's own checks when a header is no literal, nests too deeply or names no
# type.
HEADER_FAULTS = (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError)


def read_npy(path: Path) -> NDArray[np.generic]:
    """The array of a .npy file, as stored.

    Raises:
        DataError: the file is empty, truncated, pickled or not a .npy file.
    """
    with path.open("rb") as stream:
        return _read_array(stream, path.stat().st_size, path.name)


def read_npz(
    path: Path, target: str | None = None
) -> tuple[NDArray[np.generic], NDArray[np.generic] | None]:
    """(inputs, targets or None) of a .npz file, as stored.

    The inputs are the array that goes by one of INPUT_NAMES, or the only one; the targets go by
    `target`, or by one of TARGET_NAMES.

    Raises:
        DataError: a damaged archive, a pickled member, or names that leave open what is what.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
            inputs, targets = _choose(tuple(members), target, path.name)
            chosen = [name for name in (inputs, targets) if name is not None]
            for name in chosen:
                _check_packing(members[name], path.name)
            needed = sum(members[name].file_size for name in chosen)
            require_memory(2 * needed, f"reading {path.name}")  # as stored, and as float64
            arrays = {name: _member(archive, members[name], path.name) for name in chosen}
    except ARCHIVE_FAULTS as error:
        raise DataError(
            f"{path.name} is damaged or not a .npz archive ({_reason(error)})",
            hint="write it again with numpy.savez(file, X=..., y=...)",
        ) from None
    return arrays[inputs], None if targets is None else arrays[targets]


def _choose(names: Sequence[str], target: str | None, file: str) -> tuple[str, str | None]:
    """The names of the inputs and of the targets."""
    listed = ", ".join(names) or "none"
    if target is not None and target not in names:
        raise DataError(f"{file} has no array '{target}'", hint=f"its arrays are: {listed}")
    known = {name: name.lower() for name in names if name != target}
    as_inputs = [name for name, low in known.items() if low in INPUT_NAMES]
    as_targets = [name for name, low in known.items() if low in TARGET_NAMES]
    if not as_inputs and len(known) == 1 and not as_targets:
        as_inputs = list(known)
    if target is not None:
        as_targets = [target]
    if len(as_inputs) != 1 or len(as_targets) > 1:
        what = "inputs" if len(as_inputs) != 1 else "targets"
        raise DataError(
            f"{file}: which array holds the {what}? its arrays are: {listed}",
            hint="save them as X (n, ...) and y (n,) or (n, k); --target NAME names the targets",
        )
    return as_inputs[0], as_targets[0] if as_targets else None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> NDArray[np.generic]:
    with archive.open(info) as stream:
        return _read_array(stream, info.file_size, f"{file}, array {info.filename[:-4]}")


def _check_packing(info: zipfile.ZipInfo, file: str) -> None:
    """Raise unless the bytes that the member has can be those that it declares."""
    where = f"{file}, array {printable(info.filename[:-4])}"
    if info.compress_type not in UNPACKED:
        raise DataError(
            f"{where} is packed by method {info.compress_type}, which is not read",
            where=where,
            hint="write it again with numpy.savez_compressed",
        )
    if info.file_size > DEFLATE_RATIO * info.compress_size + 64:
        raise DataError(
            f"{where} is damaged: {info.compress_size} bytes cannot hold the {info.file_size} "
            "that it declares",
            where=where,
            hint=AGAIN,
        )


def _read_array(stream: IO[bytes], size: int, where: str) -> NDArray[np.generic]:
    """The array that `size` bytes of `stream` hold.

    The header is read first and held against the size, so that a forged one cannot make NumPy
    reserve memory that the file does not fill.
    """
    if size == 0:
        raise DataError(f"{where} is empty", where=where, hint=AGAIN)
    try:
        shape, dtype = _header(stream)
    except HEADER_FAULTS as error:
        raise DataError(
            f"{where} is not in NumPy's array format ({_reason(error)})", where=where, hint=AGAIN
        ) from None
    if dtype.hasobject:
        raise DataError(
            f"{where} holds pickled Python objects, which fpcheck never loads",
            where=where,
            hint="save an array of numbers: X.astype(float)",
        )
    needed = math.prod(shape) * dtype.itemsize
    stream.seek(0)
    if needed > size:
        raise DataError(
            f"{where} is truncated: its header promises {needed} bytes, the file has {size}",
            where=where,
            hint=AGAIN,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote, which are read
            return np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        raise DataError(
            f"{where} is truncated ({_reason(error)})", where=where, hint=AGAIN
        ) from None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:  # 3.0 is for field names of structured arrays only
        raise ValueError(f"format version {version[0]}.{version[1]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, _, dtype = readers[version](stream)
    if not all(type(side) is int and 0 <= side < 2**63 for side in shape):
        raise ValueError("its shape is not that of an array")
    return shape, dtype


def as_numbers(array: NDArray[np.generic], what: str, file: str) -> NDArray[np.float64]:
    """`array` as float64 in C order.

    Raises:
        DataError: its type is not boolean, integer or real.
    """
    if array.dtype.kind not in "buif":
        raise DataError(
            f"{file}: {what} is of type {array.dtype}, not real numbers",
            hint="complex numbers, dates, text and records have to be encoded first",
        )
    with np.errstate(over="ignore"):  # a long double that overflows is refused as infinite
        return np.ascontiguousarray(array, dtype=np.float64)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
