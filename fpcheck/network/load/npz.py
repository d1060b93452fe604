"""Tensors of `.npz` archives: one `.npy` file an array, objects refused.

[NumPy enhancement proposal 1: a simple file format for NumPy arrays]
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.array_file import INPUT_NAMES, TARGET_NAMES
from fpcheck.network.load.archive import (
    STORED,
    Archive,
    Entry,
    data_start,
    open_archive,
    read_entry,
    read_head,
)
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.stored import Contents, Stored, entry_count

MAGIC = b"\x93NUMPY"
# A plain array's header has under 128 bytes; 32 axes of 19 digits have under 1000.
MAX_HEADER = 4096
_HEADER = re.compile(
    r"\{\s*'descr'\s*:\s*(?P<descr>.*?)\s*,\s*'fortran_order'\s*:\s*(?P<fortran>True|False)\s*,"
    r"\s*'shape'\s*:\s*\((?P<shape>[\d\s,L]*)\)\s*,?\s*\}\s*",
    re.DOTALL,
)
_NUMBERS = re.compile(r"'[<>|=](?:f[248]|[iu][1248]|b1)'")
_COMPLEX = re.compile(r"'[<>|=]c\d+'")
_WORDS = re.compile(r"'[<>|=]?(?:[USa]\d*|[mM]8.*)'")


def npz_contents(file: ModelFile) -> Contents:
    """The arrays of an `.npz` file by name, in the order of the archive.

    Raises:
        ModelFileError: no archive, damaged, an array of objects or another type that is no number,
            or arrays that go by the names of data.
    """
    archive = open_archive(file)
    tree: dict[str, object] = {}
    strangers = []
    for entry in archive.entries.values():
        if entry.name.endswith(".npy"):
            tree[entry.name.removesuffix(".npy")] = npy_stored(archive, entry)
        elif not entry.name.endswith("/"):
            strangers.append(shown(entry.name))
    if not tree:
        raise file.fault(
            "the archive holds no arrays",
            hint="a PyTorch file is read under its own suffix, .pt or .pth" if strangers else "",
        )
    known = {name.lower() for name in tree}
    if known & set(INPUT_NAMES) and known <= {*INPUT_NAMES, *TARGET_NAMES}:
        raise file.fault(
            f"the arrays {', '.join(shown(name) for name in tree)} are rows of data, not a network",
            hint=f"give them beside a model: fpcheck analyze MODEL --data {file.name}",
        )
    notes = (f"entries that are no arrays: {', '.join(strangers[:3])}",) if strangers else ()
    return Contents(tree, ordered=not _sorted_by_flax(list(tree)), notes=notes)


def _sorted_by_flax(names: list[str]) -> bool:
    """Whether the names are a flattened dictionary of Flax, whose order is that of the alphabet."""
    return names == sorted(names) and any(name.endswith("kernel") for name in names)


def npy_stored(archive: Archive, entry: Entry) -> Stored:
    """The array of one `.npy` entry, its header checked against the entry's size."""
    file = archive.file
    header, skip = _header(archive, entry)
    found = _HEADER.fullmatch(header)
    if found is None:
        raise file.fault("not the header of a .npy array", entry=entry.name)
    name = entry.name.removesuffix(".npy")
    descr = found["descr"]
    left_out = ""
    if _COMPLEX.fullmatch(descr):
        left_out = "complex numbers"
    elif _WORDS.fullmatch(descr):
        left_out = "text or dates"
    elif not _NUMBERS.fullmatch(descr):
        raise _refused(file, entry, name, descr)
    shape = tuple(int(size) for size in re.findall(r"\d{1,20}", found["shape"]))
    dtype = np.dtype(np.uint8 if left_out else descr.strip("'"))
    count = entry_count(shape)
    if not left_out and (count is None or count * dtype.itemsize != entry.size - skip):
        raise file.fault(
            f"array '{shown(name)}' declares shape {list(shape)} of {dtype}, "
            f"the file has {entry.size - skip} bytes for it",
            entry=entry.name,
        )
    native = dtype.isnative
    return Stored(
        shape=shape,
        dtype=dtype.name if not left_out else descr.strip("'"),
        source=entry.name,
        source_bytes=entry.size,
        extra_bytes=0 if native else entry.size,
        read=partial(
            _read,
            archive,
            entry,
            skip,
            dtype,
            shape=shape,
            fortran=found["fortran"] == "True",
        ),
        left_out=left_out,
        part=_parts(archive, entry, skip, dtype) if found["fortran"] == "False" else None,
    )


def _refused(file: ModelFile, entry: Entry, name: str, descr: str) -> Exception:
    if descr.startswith("'|O"):
        return file.fault(
            f"array '{shown(name)}' holds Python objects, which are never unpickled",
            entry=entry.name,
            hint="save one array of numbers a tensor: np.savez(file, w0=..., b0=...)",
        )
    return file.fault(
        f"array '{shown(name)}' has type {shown(descr)}, which is no number type",
        entry=entry.name,
        hint="save it as float32 or float64",
    )


def _header(archive: Archive, entry: Entry) -> tuple[str, int]:
    """The text of the array's header, and where the numbers start."""
    head = read_head(archive, entry, MAX_HEADER + 12)
    fault = archive.file.fault
    if len(head) < 12 or not head.startswith(MAGIC) or head[6] not in (1, 2, 3):
        raise fault("not a .npy array", entry=entry.name)
    if head[6] == 1:
        (length,) = struct.unpack_from("<H", head, 8)
        start = 10
    else:
        (length,) = struct.unpack_from("<L", head, 8)
        start = 12
    if start + length > len(head):
        raise fault("the header of the array is too long or cut off", entry=entry.name)
    return head[start : start + length].decode("latin-1"), start + length


def _read(
    archive: Archive,
    entry: Entry,
    skip: int,
    dtype: np.dtype[np.generic],
    *,
    shape: tuple[int, ...],
    fortran: bool,
) -> NDArray[np.generic]:
    data = read_entry(archive, entry)[skip:]
    if dtype == np.bool_:
        truth: NDArray[np.generic] = data != 0
        return truth.reshape(shape, order="F" if fortran else "C")
    array: NDArray[np.generic] = data.view(dtype)
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    return array.reshape(shape, order="F" if fortran else "C")


def _parts(
    archive: Archive, entry: Entry, skip: int, dtype: np.dtype[np.generic]
) -> Callable[[int, int], NDArray[np.generic]] | None:
    """The reader of entries start..stop of an array in C order; None where it is packed."""
    if entry.method != STORED:
        return None

    def part(start: int, stop: int) -> NDArray[np.generic]:
        raw = np.empty((stop - start) * dtype.itemsize, dtype=np.uint8)
        offset = data_start(archive, entry) + skip + start * dtype.itemsize
        archive.file.read_into(offset, raw.data)
        if dtype == np.bool_:
            truth: NDArray[np.generic] = raw != 0
            return truth
        array: NDArray[np.generic] = raw.view(dtype)
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))

    return part
