"""PNG files from rows of pixels, by the standard library alone. [ISO/IEC 15948]"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from fpcheck.report.pictures.palette import Colour

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUECOLOUR, INDEXED = 2, 3
MOST_INDEXED = 256
LEVEL = 9


def encode_rgb(pixels: bytes | bytearray, width: int, height: int, per_metre: int = 0) -> bytes:
    """A truecolour PNG. pixels: three bytes a pixel, rows from the top; per_metre: 0 for none."""
    stride = 3 * width
    lines = b"".join(
        b"\0" + bytes(pixels[begin : begin + stride]) for begin in range(0, height * stride, stride)
    )
    density = _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)) if per_metre else b""
    return _file(width, height, TRUECOLOUR, density, lines)


def encode_cells(cells: Sequence[Sequence[Colour]]) -> bytes:
    """A PNG of one pixel a cell: indexed where there are at most 256 colours, which is smaller."""
    height, width = len(cells), len(cells[0])
    used = sorted({colour for row in cells for colour in row})
    if len(used) > MOST_INDEXED:
        flat = bytes(part for row in cells for colour in row for part in colour)
        return encode_rgb(flat, width, height)
    index = {colour: place for place, colour in enumerate(used)}
    table = _chunk(b"PLTE", bytes(part for colour in used for part in colour))
    lines = b"".join(b"\0" + bytes(index[colour] for colour in row) for row in cells)
    return _file(width, height, INDEXED, table, lines)


def _file(width: int, height: int, colour_type: int, extra: bytes, lines: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b"IHDR", header)
        + extra
        + _chunk(b"IDAT", zlib.compress(lines, LEVEL))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
