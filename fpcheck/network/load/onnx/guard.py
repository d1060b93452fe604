"""The shallow look at an ONNX file's records, before a parser builds objects for them.

A record of two bytes can become an object of a hundred. So records are counted on the wire first,
and what parsing may take is bounded from the file's size: OBJECT_BYTES for every byte that is not
a tensor's block of numbers, and three times the rest (file, parsed, converted).
[Protocol Buffers, Encoding]
"""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile

MOST_RECORDS = 2_000_000
OBJECT_BYTES = 64
DEEPEST = 50  # graphs inside graphs; the parser stops at a hundred records inside one another
# Field numbers of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto.
GRAPH, INITIALIZER, NODE, ATTRIBUTE, ATTRIBUTE_TENSOR = 7, 5, 1, 5, 5
ATTRIBUTE_GRAPHS = (6, 11)
BLOCKS = (4, 5, 7, 9, 10, 11)  # float_data, int32_data, int64_data, raw_data, double_data, uint64
_WIRE_SIZES = {1: 8, 5: 4}
_NOT_ONNX = "is not an ONNX file, or it is truncated"


class Records:
    """Counts the records of a file as they are walked."""

    def __init__(self, file: ModelFile, data: memoryview) -> None:
        self.file = file
        self.data = data
        self.left = MOST_RECORDS

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(field number, start, stop) of every length-delimited field in data[start:stop]."""
        place = start
        while place < stop:
            self.left -= 1
            if self.left < 0:
                raise self.file.fault(f"holds more than {MOST_RECORDS} records")
            tag, place = self._varint(place, stop)
            number, wire = tag >> 3, tag & 7
            if wire == 2:
                length, place = self._varint(place, stop)
                if length > stop - place:
                    raise self.file.fault(_NOT_ONNX, hint=TRUNCATED_HINT)
                yield number, place, place + length
                place += length
            elif wire == 0:
                _, place = self._varint(place, stop)
            elif wire in _WIRE_SIZES:
                place += _WIRE_SIZES[wire]
            else:
                raise self.file.fault(_NOT_ONNX, hint=TRUNCATED_HINT)
        if place != stop:
            raise self.file.fault(_NOT_ONNX, hint=TRUNCATED_HINT)

    def _varint(self, place: int, stop: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if place >= stop:
                break
            byte = self.data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, place
        raise self.file.fault(_NOT_ONNX, hint=TRUNCATED_HINT)


def check_records(file: ModelFile, data: bytearray) -> None:
    """Refuse a file whose objects would not fit into memory.

    Raises:
        ModelFileError: the bytes are no ONNX file, or hold absurdly many records.
        MemoryLimitError: the objects do not fit.
    """
    records = Records(file, memoryview(data))
    blocks = 0
    for number, start, stop in records.fields(0, len(data)):
        if number == GRAPH:
            blocks += _graph(records, start, stop)
    require_memory(3 * blocks + OBJECT_BYTES * (len(data) - blocks), f"reading {file.name}")


def _graph(records: Records, start: int, stop: int, depth: int = 0) -> int:
    """The bytes of number blocks in a graph, those of graphs inside its operators too."""
    if depth > DEEPEST:
        raise records.file.fault(_NOT_ONNX, hint=TRUNCATED_HINT)
    blocks = 0
    for number, begin, end in records.fields(start, stop):
        if number == INITIALIZER:
            blocks += _tensor(records, begin, end)
        elif number == NODE:
            for inner, low, high in records.fields(begin, end):
                if inner == ATTRIBUTE:
                    blocks += _attribute(records, low, high, depth)
    return blocks


def _attribute(records: Records, start: int, stop: int, depth: int) -> int:
    """The bytes of number blocks in an attribute."""
    blocks = 0
    for number, begin, end in records.fields(start, stop):
        if number == ATTRIBUTE_TENSOR:
            blocks += _tensor(records, begin, end)
        elif number in ATTRIBUTE_GRAPHS:
            blocks += _graph(records, begin, end, depth + 1)
    return blocks


def _tensor(records: Records, start: int, stop: int) -> int:
    fields = records.fields(start, stop)
    # Packed whole numbers take up to eight bytes for each one; a block of small ones counts less.
    sizes = ((number, end - begin) for number, begin, end in fields if number in BLOCKS)
    return sum(size if number in (4, 9, 10) else size // 8 for number, size in sizes)
