"""TensorProto records as arrays, with every figure checked before memory is taken."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile, shown
from fpcheck.network.load.stored import bfloat16_as_float32, entry_count

if TYPE_CHECKING:
    from onnx import TensorProto

Tensor = NDArray[np.generic]
BFLOAT16 = 16
# TensorProto.DataType: the type as it lies in raw data, the field where numbers lie otherwise.
TYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"),
    2: ("|u1", "int32_data"),
    3: ("|i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("|b1", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    BFLOAT16: ("<u2", "int32_data"),
}
FLOATS = (1, 10, 11, BFLOAT16)
Place = tuple[str, int, int]


def text_of(name: str | bytes) -> str:
    """A name of the file; the parser leaves names that are no UTF-8 as bytes."""
    return name if isinstance(name, str) else bytes(name).decode("utf-8", "backslashreplace")


@dataclass
class TensorReader:
    """Reads the tensors of one file; what lies in other files is read once for each place."""

    file: ModelFile
    external: dict[Place, bytearray] = field(default_factory=dict)

    def array(self, tensor: TensorProto, what: str) -> Tensor | None:
        """The tensor's array in native byte order; None for types without real numbers.

        what: how messages call it.

        Raises:
            ModelFileError: its shape, type and bytes do not agree, or its external data are not
                in the model's folder.
        """
        label = f"tensor '{shown(what)}'"
        shape = tuple(int(size) for size in tensor.dims)
        count = entry_count(shape)
        if count is None:
            raise self.file.fault(f"{label} has the shape {shown(str(list(shape)))}")
        if tensor.HasField("segment"):
            raise self.file.fault(f"{label} is stored in segments, which are not read")
        if tensor.data_type not in TYPES:
            return None
        code, name = TYPES[tensor.data_type]
        dtype = np.dtype(code)
        if tensor.data_location == 1:
            raw: bytes | bytearray = self._external(tensor, label, count * dtype.itemsize)
        elif tensor.HasField("raw_data"):
            raw = tensor.raw_data
        else:
            return self._listed(tensor, name, label, shape)
        if len(raw) != count * dtype.itemsize:
            raise self.file.fault(
                f"{label}: shape {list(shape)} needs {count * dtype.itemsize} bytes, it has "
                f"{len(raw)}",
                hint=TRUNCATED_HINT,
            )
        if tensor.data_type == 9:
            return np.asarray(np.frombuffer(raw, dtype=np.uint8) != 0).reshape(shape)
        flat: Tensor = np.frombuffer(raw, dtype=dtype)
        return _native(flat, tensor.data_type).reshape(shape)

    def _listed(self, tensor: TensorProto, name: str, label: str, shape: tuple[int, ...]) -> Tensor:
        """The array of a tensor whose numbers are listed in a field of their type."""
        numbers = getattr(tensor, name)
        if len(numbers) != entry_count(shape):
            raise self.file.fault(
                f"{label}: shape {list(shape)} needs {entry_count(shape)} numbers, it has "
                f"{len(numbers)}",
                hint=TRUNCATED_HINT,
            )
        kind = tensor.data_type
        if name != "int32_data" or kind == 6:
            return np.array(numbers, dtype=TYPES[kind][0]).reshape(shape)
        wide = np.array(numbers, dtype=np.int64)
        if kind == 9:
            return np.asarray(wide != 0).reshape(shape)
        target = np.dtype(TYPES[kind][0])
        bits = wide.astype(f"<u{target.itemsize}")  # float16 and bfloat16 are listed by their bits
        return _native(bits.view(target), kind).reshape(shape)

    def _external(self, tensor: TensorProto, label: str, needed: int) -> bytearray:
        """The bytes of a tensor that lies in another file of the model's folder."""
        entries = {text_of(entry.key): text_of(entry.value) for entry in tensor.external_data}
        location = entries.get("location", "")
        offset = self._figure(entries, "offset", label) or 0
        length = self._figure(entries, "length", label)
        place = (location, offset, needed if length is None else length)
        if place[2] != needed:
            raise self.file.fault(
                f"{label} needs {needed} bytes, {place[2]} lie in '{shown(location)}'"
            )
        if place not in self.external:
            self._check_overlap(place, label)
            self.external[place] = self._read(place, label)
        return self.external[place]

    def _figure(self, entries: dict[str, str], key: str, label: str) -> int | None:
        text = entries.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise self.file.fault(f"{label}: its external {key} is '{shown(text)}'")
        return int(text)

    def _check_overlap(self, place: Place, label: str) -> None:
        """Refuse tensors that share a part of their bytes: memory would not follow file sizes."""
        location, offset, length = place
        for other, start, size in self.external:
            if other == location and start < offset + length and offset < start + size:
                raise self.file.fault(f"{label} overlaps another tensor in '{shown(location)}'")

    def _read(self, place: Place, label: str) -> bytearray:
        location, offset, length = place
        path = self._inside(location, label)
        name = shown(location)
        try:
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
            with FileIO(os.open(path, flags), "r") as handle:
                found = os.fstat(handle.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise self.file.fault(f"{label}: '{name}' is not a regular file")
                if offset + length > found.st_size:
                    raise self.file.fault(
                        f"{label}: bytes {offset} to {offset + length} of '{name}', which has "
                        f"{found.st_size}",
                        hint=TRUNCATED_HINT,
                    )
                require_memory(2 * length, f"reading {name}")
                return ModelFile(path, name, handle, found.st_size).read_at(offset, length)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise self.file.fault(
                f"{label}: its data file '{name}' cannot be read: {reason}",
                hint="external data lie beside the .onnx file; copy them together",
            ) from None

    def _inside(self, location: str, label: str) -> Path:
        """The path of external data, inside the model's folder whatever links say."""
        parts = PurePosixPath(location.replace("\\", "/"))
        folder = self.file.path.parent
        try:
            outside = (
                not location
                or parts.is_absolute()
                or ".." in parts.parts
                or ":" in location
                or not (folder / parts).resolve().is_relative_to(folder.resolve())
            )
        except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
            outside = True
        if outside:
            raise self.file.fault(
                f"{label}: its data lie outside of the model's folder: '{shown(location)}'"
            )
        return folder / parts


def _native(flat: Tensor, kind: int) -> Tensor:
    """The numbers in native byte order; a bfloat16 as float32, exactly."""
    if kind == BFLOAT16:
        return bfloat16_as_float32(flat.view("<u2").astype(np.uint16))
    return flat.astype(flat.dtype.newbyteorder("="), copy=False)
