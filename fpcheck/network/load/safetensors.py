"""Tensors of `.safetensors` files: a JSON header and one block of numbers a tensor.

The format is simple enough to be read here with its checks: every byte of the data belongs to
exactly one tensor. [safetensors format, huggingface.co/docs/safetensors]
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile, shown
from fpcheck.network.load.json_object import json_object
from fpcheck.network.load.stored import Contents, Stored, bfloat16_as_float32, entry_count

MAX_HEADER = 100_000_000  # the bound of the reference implementation
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|u1",
    "C64": "<c8",
}


def safetensors_contents(file: ModelFile) -> Contents:
    """The tensors of a `.safetensors` file by name. The file sorts them; that is not their order.

    Raises:
        ModelFileError: the header is no header, or its figures do not cover the file exactly.
    """
    if file.size < 8:
        raise file.fault("the file is truncated", hint=TRUNCATED_HINT)
    length = int.from_bytes(file.read_at(0, 8), "little")
    if length > min(MAX_HEADER, file.size - 8):
        raise file.fault(
            f"declares a header of {length} bytes, the file has {file.size}", hint=TRUNCATED_HINT
        )
    header = _header(file, length)
    header.pop("__metadata__", None)
    tree: dict[str, object] = {}
    spans = []
    for name, entry in header.items():
        tree[name], span = _stored(file, 8 + length, name, entry)
        spans.append(span)
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise file.fault("its tensors overlap or leave gaps", entry="header")
        end = stop
    if 8 + length + end != file.size:
        raise file.fault(
            f"the header describes {end} bytes of tensors, the file has {file.size - 8 - length}",
            hint=TRUNCATED_HINT,
        )
    if not tree:
        raise file.fault("holds no tensors")
    return Contents(tree, ordered=False)


def _header(file: ModelFile, length: int) -> dict[str, object]:
    return json_object(
        file.read_at(8, length),
        lambda reason: file.fault(
            f"the header is not the JSON of a safetensors file: {reason}",
            entry="header",
            hint=TRUNCATED_HINT,
        ),
    )


def _stored(file: ModelFile, data: int, name: str, entry: object) -> tuple[Stored, tuple[int, int]]:
    """The tensor that `entry` describes and its span in the data, which start at `data`."""
    label = shown(name)
    if not isinstance(entry, dict):
        raise file.fault(f"tensor '{label}' has no description", entry="header")
    word, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(word, str) or word not in DTYPES:
        raise file.fault(
            f"tensor '{label}' has type {shown(str(word))}, which is not read",
            entry="header",
            hint=f"read: {', '.join(DTYPES)}",
        )
    count = entry_count(shape) if isinstance(shape, list) else None
    if (
        not isinstance(shape, list)
        or count is None
        or not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(place) is int for place in offsets)
        or not 0 <= offsets[0] <= offsets[1]
    ):
        raise file.fault(f"tensor '{label}' has no valid shape or place", entry="header")
    dtype = np.dtype(DTYPES[word])
    start, stop = offsets
    if stop - start != count * dtype.itemsize:
        raise file.fault(
            f"tensor '{label}': shape {shape} of {word} needs {count * dtype.itemsize} bytes, "
            f"it has {stop - start}",
            entry="header",
        )
    sizes = tuple(shape)
    stored = Stored(
        shape=sizes,
        dtype="bfloat16" if word == "BF16" else "bool" if word == "BOOL" else dtype.name,
        source=name,
        source_bytes=stop - start,
        extra_bytes=2 * (stop - start) if word == "BF16" else 0,
        read=partial(_read, file, data + start, word, sizes),
        left_out="complex numbers" if word == "C64" else "",
        part=partial(_part, file, data + start, word),
    )
    return stored, (start, stop)


def _read(file: ModelFile, offset: int, word: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    size = math.prod(shape) * np.dtype(DTYPES[word]).itemsize
    if size >= 2**24:
        require_memory(size, f"reading {file.name}")
    return _part(file, offset, word, 0, math.prod(shape)).reshape(shape)


def _part(file: ModelFile, offset: int, word: str, start: int, stop: int) -> NDArray[np.generic]:
    """The entries start..stop of the tensor whose numbers begin at `offset`."""
    dtype = np.dtype(DTYPES[word])
    array: NDArray[np.generic] = np.empty(stop - start, dtype=dtype)
    if array.size:
        file.read_into(offset + start * dtype.itemsize, array.view(np.uint8).data)
    if word == "BF16":
        return bfloat16_as_float32(array.astype(np.uint16, copy=False))
    if word == "BOOL":
        truth: NDArray[np.generic] = array.view(np.uint8) != 0
        return truth
    native: NDArray[np.generic] = array.astype(dtype.newbyteorder("="), copy=False)
    return native
