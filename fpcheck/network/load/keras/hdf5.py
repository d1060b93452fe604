"""Tensors of HDF5 files: structure from a process of its own, numbers read by ranges.

Every figure that the structure gives is held against the file's size before it is used.
[HDF5 File Format Specification, version 3.0]
"""

from __future__ import annotations

import base64
import importlib.util
import json
import math
import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.load.archive import MAX_RATIO
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile, shown
from fpcheck.network.load.stored import Stored, bfloat16_as_float32, entry_count

DEFLATE, SHUFFLE = 1, 2
SECONDS = 10  # of work on the structure alone; a model of a thousand layers takes under one
SLACK = 2**28  # bytes beside twice the file that reading its structure may take
NUMBER_TYPES = frozenset("fiub")


@dataclass(frozen=True, slots=True)
class Hdf5:
    """An HDF5 file's datasets by path in file order, and the attributes kept of every object."""

    datasets: Mapping[str, Stored]
    attributes: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def read_hdf5(file: ModelFile, start: int = 0, size: int | None = None) -> Hdf5:
    """The structure of the HDF5 file that lies in `file` at `start`.

    Raises:
        ModelFileError: it is no HDF5 file, damaged, or its figures cannot be true.
        UnsupportedOperationError: h5py is not installed.
    """
    size = file.size - start if size is None else size
    index = _index(file, start, size)
    if "fault" in index:
        fault = f"not read as HDF5: {shown(index['fault'], 240)}"
        raise file.fault(fault, hint=TRUNCATED_HINT)
    datasets: dict[str, Stored] = {}
    total = 0
    for record in index["datasets"]:
        path = record["path"]
        if path in datasets:
            raise file.fault("two datasets have one name", entry=path)
        total += sum(piece[1] for piece in record["pieces"])
        if total > size:
            raise file.fault("the datasets are larger than the file", entry=path)
        bfloat16 = index["attributes"].get(path, {}).get("dtype") == "bfloat16"
        datasets[path] = _stored(file, start, size, record, bfloat16=bfloat16)
    notes = tuple(f"'{shown(place)}' is left out: {why}" for place, why in index["left_out"][:5])
    return Hdf5(datasets, index["attributes"], notes)


def _index(file: ModelFile, start: int, size: int) -> dict[str, Any]:
    """What `hdf5_index` prints of the file."""
    if importlib.util.find_spec("h5py") is None:
        raise UnsupportedOperationError(
            f"{file.name}: Keras files are read with h5py, which is not installed",
            where=file.name,
            hint="pip install 'fpcheck[keras]'",
        )
    script = Path(__file__).with_name("hdf5_index.py")
    paths = [path for path in sys.path if path]
    task = {"paths": paths, "start": start, "size": size, "memory": SLACK + 2 * size}
    command = [sys.executable, "-I", str(script), json.dumps({**task, "seconds": SECONDS})]
    # h5py imports NumPy, whose thread pools would take room and are not needed.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            stdin=file.handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=6 * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"fault": "its structure leads round in circles"}
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {"fault": "it is damaged so that libhdf5 gives up on it"}
    return dict(found)


def _stored(
    file: ModelFile, start: int, size: int, record: Mapping[str, Any], *, bfloat16: bool
) -> Stored:
    path, shape = record["path"], tuple(record["shape"])
    code = "<u2" if bfloat16 and record["itemsize"] == 2 else record["dtype"]
    left_out = _left_out(record, code)
    dtype = np.dtype(np.uint8 if left_out else code)
    count = entry_count(shape)
    pieces = record["pieces"]
    for offset, length, _, _ in pieces:
        if not (offset >= 0 and 0 <= length <= size - offset):
            raise file.fault("a dataset lies outside the file", entry=path, hint=TRUNCATED_HINT)
    if count is None:
        raise file.fault(f"a dataset has shape {shown(str(list(shape)))}", entry=path)
    n_bytes = count * dtype.itemsize
    if not left_out and count:
        _check_size(file, record, n_bytes, dtype.itemsize)
    placed = [(start + offset, length, mask, where) for offset, length, mask, where in pieces]
    return Stored(
        shape=shape,
        dtype="bfloat16" if bfloat16 else record["dtype_name"],
        source=path,
        source_bytes=0 if left_out else n_bytes,
        extra_bytes=n_bytes if bfloat16 else 0,
        read=partial(_read, file, record, placed, shape, dtype, bfloat16=bfloat16),
        left_out=left_out,
    )


def _left_out(record: Mapping[str, Any], code: str) -> str:
    if not code or np.dtype(code).kind not in NUMBER_TYPES or np.dtype(code).itemsize > 8:
        return "it holds no real numbers"
    if set(record["filters"]) - {DEFLATE, SHUFFLE}:
        return f"compressed with HDF5 filter {max(record['filters'])}, which is not read"
    if not record["pieces"] and "inline" not in record and math.prod(record["shape"]):
        return "its numbers were never written"
    return ""


def _check_size(file: ModelFile, record: Mapping[str, Any], n_bytes: int, itemsize: int) -> None:
    """Raise unless the pieces of a dataset can hold its `n_bytes`."""
    path, pieces = record["path"], record["pieces"]
    stored = sum(piece[1] for piece in pieces)
    fault = f"a dataset of {n_bytes} bytes cannot lie in the {stored} bytes that the file has"
    if "inline" in record:
        fine = len(base64.b64decode(record["inline"])) == n_bytes
    elif "chunk" not in record:
        fine = stored == n_bytes
    else:
        chunk = record["chunk"]
        one = math.prod(chunk) * itemsize
        grid = zip(record["shape"], chunk, strict=True)
        needed = math.prod(-(-length // side) for length, side in grid)
        packed = DEFLATE in record["filters"]
        room = [MAX_RATIO * length + 64 if packed else length for _, length, _, _ in pieces]
        places = {tuple(where) for _, _, _, where in pieces}
        fine = len(places) == len(pieces) == needed and one <= min(room)
    if not fine:
        raise file.fault(fault, entry=path, hint=TRUNCATED_HINT)


def _read(
    file: ModelFile,
    record: Mapping[str, Any],
    pieces: list[tuple[int, int, int, list[int]]],
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    *,
    bfloat16: bool,
) -> NDArray[np.generic]:
    array: NDArray[np.generic] = np.zeros(shape, dtype)
    if "inline" in record:
        array = np.frombuffer(base64.b64decode(record["inline"]), dtype).reshape(shape)
    elif "chunk" in record and array.size:
        for offset, length, mask, where in pieces:
            block = _chunk(file, record, (offset, length, mask), dtype)
            target = tuple(
                slice(at, min(at + side, end))
                for at, side, end in zip(where, record["chunk"], shape, strict=True)
            )
            inside = tuple(slice(0, place.stop - place.start) for place in target)
            array[target] = block[inside]
    elif array.size:
        file.read_into(pieces[0][0], array.reshape(-1).view(np.uint8).data)
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if bfloat16:
        return bfloat16_as_float32(array.view(np.uint16))
    return array


def _chunk(
    file: ModelFile,
    record: Mapping[str, Any],
    piece: tuple[int, int, int],
    dtype: np.dtype[np.generic],
) -> NDArray[np.generic]:
    """One chunk, its filters undone in reverse order; bit i of the mask says filter i was left."""
    offset, length, mask = piece
    size = math.prod(record["chunk"]) * dtype.itemsize
    data: bytes | bytearray = file.read_at(offset, length)
    for place, kind in reversed(list(enumerate(record["filters"]))):
        if mask >> place & 1:
            continue
        if kind == DEFLATE:
            try:
                data = zlib.decompressobj().decompress(data, size)
            except zlib.error:
                raise file.fault("compressed data are damaged", entry=record["path"]) from None
        elif len(data) == size:
            # HDF5 lays the first byte of every entry, then the second ones, and so on.
            planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
            data = np.ascontiguousarray(planes.T).tobytes()
    if len(data) != size:
        raise file.fault(f"a chunk holds {len(data)} bytes of {size}", entry=record["path"])
    return np.frombuffer(data, dtype).reshape(record["chunk"])
