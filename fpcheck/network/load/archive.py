"""Zip archives as `.npz` and `.pt` files have them, read with bounds of our own.

Every size that the archive declares is held against the file before anything is allocated.
[PKWARE APPNOTE 6.3.9, sections 4.3 and 4.5.3]
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile

_END = struct.Struct("<4s4H2LH")  # end of central directory, 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # zip64 locator, 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # zip64 end of central directory, 4.3.14
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # one file of the directory, 4.3.12
_LOCAL = struct.Struct("<4s5H3L2H")  # header before the data, 4.3.7

STORED, DEFLATED = 0, 8
MAX_DIRECTORY = 2**26  # bytes; a million entries of a checkpoint's names
MAX_RATIO = 1032  # deflate cannot expand more: 258 bytes from two bits
CHUNK = 2**20
CACHED = 2**18  # bytes that stay in a core's cache between reading and checking
LARGE = 2**24  # below this an allocation needs no question to the system


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: where its local header stands, its sizes, CRC and method."""

    name: str
    header: int
    packed: int
    size: int
    crc: int
    method: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive's entries by name, in the order of its directory, which starts at `end`."""

    file: ModelFile
    entries: Mapping[str, Entry]
    end: int


def open_archive(file: ModelFile) -> Archive:
    """The archive that `file` is.

    Raises:
        ModelFileError: no zip archive, a truncated one, or one whose figures cannot be true.
    """
    start, length, count = _directory(file)
    data = file.read_at(start, length)
    entries: dict[str, Entry] = {}
    place = 0
    for _ in range(count):
        entry, place = _entry(file, data, place)
        if entry.name in entries:
            raise file.fault("two entries have one name", entry=entry.name)
        entries[entry.name] = entry
    if sum(entry.packed for entry in entries.values()) > start:
        raise file.fault("the archive's entries are larger than the file", hint=TRUNCATED_HINT)
    return Archive(file, entries, start)


def read_entry(archive: Archive, entry: Entry) -> NDArray[np.uint8]:
    """The bytes of `entry`, unpacked and checked against its CRC.

    Raises:
        ModelFileError: its header, size or CRC is wrong.
        MemoryLimitError: it does not fit into memory.
    """
    file = archive.file
    if entry.size >= LARGE:
        require_memory(entry.size, f"reading {file.name}")
    start = data_start(archive, entry)
    out = np.empty(entry.size, dtype=np.uint8)
    if entry.method == STORED:
        crc = _copy(archive, start, out.data)
    else:
        _inflate(archive, entry, start, out.data)
        crc = zlib.crc32(out.data)
    # PyTorch can be told to write no CRC and then writes 0.
    if entry.crc and crc != entry.crc:
        raise file.fault(
            "the data do not match their checksum: the file is damaged",
            entry=entry.name,
            hint=TRUNCATED_HINT,
        )
    return out


def read_head(archive: Archive, entry: Entry, length: int) -> bytes:
    """The first `length` bytes of `entry`, or fewer where it is shorter; no CRC is checked."""
    start = data_start(archive, entry)
    if entry.method == STORED:
        return bytes(archive.file.read_at(start, min(length, entry.size)))
    packed = archive.file.read_at(start, min(entry.packed, length + 1024))
    try:
        return zlib.decompressobj(-15).decompress(packed, length)
    except zlib.error:
        raise _damaged(archive, entry) from None


def _copy(archive: Archive, start: int, out: memoryview) -> int:
    """The CRC of the bytes from `start`, now in `out`; taken while they are in the cache."""
    crc = 0
    for place in range(0, len(out), CACHED):
        part = out[place : place + CACHED]
        archive.file.read_into(start + place, part)
        crc = zlib.crc32(part, crc)
    return crc


def _inflate(archive: Archive, entry: Entry, start: int, out: memoryview) -> None:
    unpacker = zlib.decompressobj(-15)
    done = 0
    for place in range(start, start + entry.packed, CHUNK):
        length = min(CHUNK, start + entry.packed - place)
        packed: bytes | bytearray = archive.file.read_at(place, length)
        drained = False
        while not drained:
            try:
                part = unpacker.decompress(packed, CHUNK)
            except zlib.error:
                raise _damaged(archive, entry) from None
            if done + len(part) > entry.size:
                raise _damaged(archive, entry)
            out[done : done + len(part)] = part
            done += len(part)
            packed = unpacker.unconsumed_tail
            drained = not packed and len(part) < CHUNK
    if done != entry.size or not unpacker.eof:
        raise _damaged(archive, entry)


def _damaged(archive: Archive, entry: Entry) -> ModelFileError:
    return archive.file.fault("the packed data are damaged", entry=entry.name, hint=TRUNCATED_HINT)


def _directory(file: ModelFile) -> tuple[int, int, int]:
    """(offset, length, number of entries) of the central directory."""
    tail_length = min(file.size, _END.size + 0xFFFF)
    tail = file.read_at(file.size - tail_length, tail_length)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or place + _END.size > tail_length:
        raise file.fault(
            "the file is truncated, or it is no zip archive: its end record is missing",
            hint=TRUNCATED_HINT,
        )
    _, disk, _, _, count, length, start, comment = _END.unpack_from(tail, place)
    end = file.size - tail_length + place
    if place + _END.size + comment != tail_length or disk not in (0, 0xFFFF):
        raise file.fault("the archive's end record is damaged", hint=TRUNCATED_HINT)
    if end >= _LOCATOR.size:  # behind a zip64 record, whose figures then count
        locator = _LOCATOR.unpack(file.read_at(end - _LOCATOR.size, _LOCATOR.size))
        if locator[0] == b"PK\x06\x07":
            end = locator[2]
            record = _END64.unpack(file.read_at(end, _END64.size))
            if record[0] != b"PK\x06\x06":
                raise file.fault("the archive's end record is damaged", hint=TRUNCATED_HINT)
            count, length, start = record[7:10]
    if start + length > end or length > MAX_DIRECTORY or count * _CENTRAL.size > length:
        raise file.fault("the archive's directory is damaged", hint=TRUNCATED_HINT)
    return start, length, count


def _entry(file: ModelFile, data: bytearray, place: int) -> tuple[Entry, int]:
    """The entry of the directory at `place`, and where the next one starts."""
    if place + _CENTRAL.size > len(data):
        raise file.fault("the archive's directory is damaged", hint=TRUNCATED_HINT)
    fields = _CENTRAL.unpack_from(data, place)
    signature, _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment = fields[
        :13
    ]
    header = fields[16]
    name_at = place + _CENTRAL.size
    extra_at = name_at + n_name
    behind = extra_at + n_extra + n_comment
    if signature != b"PK\x01\x02" or behind > len(data):
        raise file.fault("the archive's directory is damaged", hint=TRUNCATED_HINT)
    name = data[name_at:extra_at].decode("utf-8" if flags & 0x800 else "cp437", "replace")
    if 0xFFFFFFFF in (size, packed, header):
        extra = data[extra_at : extra_at + n_extra]
        size, packed, header = _zip64(extra, size, packed, header)
    if flags & 1:
        raise file.fault("the archive is encrypted", entry=name, hint="unpack it with its password")
    if method not in (STORED, DEFLATED):
        raise file.fault(f"compression method {method} is not read", entry=name)
    if (method == STORED and packed != size) or size > MAX_RATIO * packed + 64:
        raise file.fault(
            f"an entry of {packed} bytes cannot hold the {size} bytes that it declares", entry=name
        )
    return Entry(name, header, packed, size, crc, method), behind


def _zip64(extra: bytearray, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Size, packed size and header offset, taken from the extra field where they overflow."""
    place = 0
    while place + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, place)
        if tag == 1:
            wide = [
                int.from_bytes(extra[at : at + 8], "little")
                for at in range(place + 4, min(place + 4 + length, len(extra) - 7), 8)
            ]
            values = [
                wide.pop(0) if value == 0xFFFFFFFF and wide else value
                for value in (size, packed, header)
            ]
            return values[0], values[1], values[2]
        place += 4 + length
    return size, packed, header


def data_start(archive: Archive, entry: Entry) -> int:
    """Where the entry's data start, behind its local header."""
    fields = _LOCAL.unpack(archive.file.read_at(entry.header, _LOCAL.size))
    start = entry.header + _LOCAL.size + fields[9] + fields[10]
    if fields[0] != b"PK\x03\x04" or start + entry.packed > archive.end:
        raise archive.file.fault(
            "the archive's entry lies outside the file", entry=entry.name, hint=TRUNCATED_HINT
        )
    return int(start)
