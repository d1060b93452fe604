"""Hostile files, made byte by byte: zip archives whose headers lie, and pickles by opcode."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path


def pytorch_file(path: Path, pickle: bytes, storages: dict[str, bytes] | None = None) -> Path:
    """A `.pt` archive with this data.pkl and these storages."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", "little")
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return path


def zip_bytes(entries: list[dict[str, object]], comment: bytes = b"") -> bytes:
    """An archive of entries with `name` and `data`, any header figure overridden by its key:
    size, packed, crc, method, flags, offset."""
    body, directory = io.BytesIO(), io.BytesIO()
    for entry in entries:
        name, data = str(entry["name"]).encode(), bytes(entry["data"])
        figures = {
            "size": len(data), "packed": len(data), "crc": zlib.crc32(data), "method": 0,
            "flags": 0x800, "offset": body.tell(),
        } | {k: v for k, v in entry.items() if k not in ("name", "data")}  # fmt: skip
        sizes = (figures["crc"], figures["packed"], figures["size"])
        head = (20, figures["flags"], figures["method"], 0, 0, *sizes, len(name), 0)
        body.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", *head) + name + data)
        directory.write(
            struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *head, 0, 0, 0, 0, figures["offset"])
            + name
        )
    start, length = body.tell(), directory.tell()
    count = len(entries)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, length, start, len(comment))
    return body.getvalue() + directory.getvalue() + end + comment


def text(word: str) -> bytes:
    """BINUNICODE of a word."""
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(number: int) -> bytes:
    """LONG1 of an integer."""
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    """The persistent id of a storage."""
    head = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n"
    return head + text(key) + text("cpu") + integer(count) + b"tQ"


def tensor(key: str, count: int, offset: int, shape: list[int], strides: list[int]) -> bytes:
    """A call of _rebuild_tensor_v2."""
    sizes = b"(" + b"".join(integer(n) for n in shape) + b"t"
    steps = b"(" + b"".join(integer(n) for n in strides) + b"t"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(key, count) + integer(offset)
    return call + sizes + steps + b"\x89ccollections\nOrderedDict\n)RtR"


def state_dict(**values: bytes) -> bytes:
    """A pickle of a mapping from names to pickled values."""
    items = b"".join(text(name) + value for name, value in values.items())
    return b"\x80\x02}(" + items + b"u."
