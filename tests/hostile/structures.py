"""The parts of pickles and protobuf messages, and the bytes made of them again."""

from __future__ import annotations

import io
import pickletools


def opcodes(data: bytes) -> tuple[list[bytes], bytes]:
    """The opcodes of the pickles that the bytes begin with, and what is behind them."""
    codes: list[bytes] = []
    start = 0
    stream = io.BytesIO(data)
    try:
        while start < len(data) and len(codes) < 5000:
            places = [place for _, _, place in pickletools.genops(stream)]
            ends = [*places[1:], stream.tell()]
            codes += [data[at:end] for at, end in zip(places, ends, strict=True)]
            start = stream.tell()
    except Exception:  # whatever is no pickle is the rest
        pass
    return codes, data[start:]


def fields(data: bytes) -> list[tuple[int, int, bytes]]:
    """(number, wire type, value) of every field; [] where the bytes are no message."""
    out: list[tuple[int, int, bytes]] = []
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire, start = key & 7, at
        if wire == 0:
            _, at = _read_varint(data, at)
        elif wire == 2:
            size, start = _read_varint(data, at)
            at = start + size
        else:
            at += {1: 8, 5: 4}.get(wire, len(data) + 1)
        if at > len(data) or not key >> 3:
            return []
        out.append((key >> 3, wire, data[start:at]))
    return out


def record(field: tuple[int, int, bytes]) -> bytes:
    """The bytes of one field."""
    number, wire, value = field
    return varint(number << 3 | wire) + (varint(len(value)) if wire == 2 else b"") + value


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at that place and the place behind it, which is beyond the end if it is cut."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        number |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return number, at
    return 0, len(data) + 1
