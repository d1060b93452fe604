"""Mutations of model files that keep the outer structure right, so that the inner one is reached.

A file, or a folder of shards, is a mapping from names to bytes. One step changes one of them by
what it holds: a member of an archive, a value of JSON, an opcode of a pickle, a field of protobuf,
the header of an array, a word of text, or bytes alone.
"""

from __future__ import annotations

import ast
import io
import json
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence

from structures import fields, opcodes, record, varint

Parts = dict[str, bytes]

# Numbers and words that have been somebody's undoing.
NUMBERS = (0, 1, -1, 3, 255, 2**31 - 1, 2**31, 2**60, 2**63, 2**64 - 1, -(2**63))
OTHER_VALUES = (1e308, float("nan"), float("-inf"), -0.5, True, False, None, [], {}, "")
WORDS = ("..", "/", "\0", "a" * 300, "é\ud800", "\n", "1e999", "[" * 2000, "%s{0}")
ATOMS = (b"N", b"\x88", b"]", b"}", b")", b"(", b"K\x01", b"0", b"2", b"1", b"\x94", b"q\x01")
ATOMS += (
    b"h\x01",
    b"j\0\0\0\x7f",
    b"\x8a\x08" + b"\xff" * 8,
    b"R",
    b"\x81",
    b"b",
    b"s",
    b"u",
    b"e",
)
ATOMS += (b"t", b"\x85", b"\x86", b"\x87", b"a", b"Q", b"\x93", b".", b"G" + b"\x7f" * 8, b"\x95")
LARGEST = 2**18  # bytes of a mutated file


class Mutator:
    """Draws mutations. `words`: the dictionary, strings that the reading code compares with."""

    def __init__(self, rng: random.Random, words: Sequence[str]) -> None:
        self.rng = rng
        self.words = (*WORDS, *words)

    def mutated(self, parts: Parts, other: Parts) -> Parts:
        """The parts after one to four steps; `other` is a file of the corpus to take from."""
        rng, out = self.rng, dict(parts)
        for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 4))):
            name = rng.choice(sorted(out))
            # A folder's index decides what is read of the others.
            indices = [part for part in out if part.endswith(".index.json")]
            name = rng.choice(indices) if indices and rng.random() < 0.5 else name
            data = self._part(name, out[name], other.get(name, b""))
            if len(data) <= LARGEST:
                out[name] = data
        return out

    def _part(self, name: str, data: bytes, other: bytes) -> bytes:
        if self.rng.random() < 0.1:
            return self.raw(data, other)
        try:
            return self._kind(name, data)(data, other)
        except (ValueError, KeyError, IndexError, zipfile.BadZipFile, zlib.error, RecursionError):
            return self.raw(data, other)
        except (NotImplementedError, RuntimeError, EOFError, struct.error, OSError, SyntaxError):
            return self.raw(data, other)

    def _kind(self, name: str, data: bytes) -> Callable[[bytes, bytes], bytes]:
        """The mutation for what the bytes hold."""
        if data.startswith(b"PK\x03\x04"):
            return self.archive
        if data.startswith(b"\x93NUMPY"):
            return self.array
        if name.endswith(".json"):
            return self.json
        if name.endswith(".safetensors"):
            return self.safetensors
        if name.endswith((".toml", ".csv", ".py")):
            return self.text
        if name.endswith(".onnx"):
            return self.protobuf
        if name.endswith(".pkl") or data.startswith((b"\x80\x02", b"\x80\x04", b"\x8a\n")):
            return self.pickle
        return self.raw

    def number(self) -> int:
        """A small, a fateful or any number."""
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(NUMBERS)
        if kind == 1:
            return (1 << rng.randrange(65)) + rng.choice((-1, 0, 1))
        return rng.randrange(-2, 20) if kind == 2 else rng.getrandbits(rng.choice((8, 16, 32, 63)))

    def word(self) -> str:
        """A word of the dictionary."""
        return self.rng.choice(self.words)

    def raw(self, data: bytes, other: bytes) -> bytes:
        """A few bytes changed, taken out, put in, doubled, cut off, or taken from another file."""
        rng, out = self.rng, bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            place = rng.randrange(len(out) + 1)
            count = rng.choice((1, 2, 4, 8, 16, 64))
            match rng.randrange(9):
                case 0 | 1 if place < len(out):
                    out[place] ^= 1 << rng.randrange(8)
                case 2 if place < len(out):
                    out[place] = rng.randrange(256)
                case 3:
                    del out[place : place + count]
                case 4:
                    out[place:place] = out[place : place + count]
                case 5:
                    width = rng.choice((1, 2, 4, 8))
                    number = self.number() % 2 ** (8 * width)
                    out[place : place + width] = number.to_bytes(width, "little")
                case 6:
                    start = rng.randrange(len(other) + 1)
                    end = place + rng.choice((0, count))
                    out[place:end] = other[start : start + count]
                case 7:
                    out[place:place] = self.word().encode("utf-8", "surrogatepass")
                case 8 if rng.random() < 0.3:
                    del out[place:]
        return bytes(out)

    def archive(self, data: bytes, other: bytes) -> bytes:
        """The archive with one member changed, renamed, taken out, doubled or packed anew."""
        rng, out = self.rng, io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as before:
            members = [(info.filename, before.read(info)) for info in before.infolist()]
        telling = [n for n, (name, _) in enumerate(members) if name.endswith((".pkl", ".json"))]
        at = rng.choice(telling) if telling and rng.random() < 0.7 else rng.randrange(len(members))
        name, part = members[at]
        match rng.randrange(20):
            case 0:
                members[at] = (self.word(), part)
            case 1:
                del members[at]
            case 2:
                members.append((name, self._part(name, part, b"")))
            case 3:
                members[at] = (name, rng.choice(members)[1])
            case _:
                members[at] = (name, self._part(name, part, self._member(other, name)))
        kind = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", kind) as after:
            warnings.simplefilter("ignore")  # two members of one name are meant
            for name, part in members:
                info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode()[:500])
                info.compress_type = after.compression
                after.writestr(info, part)
        return out.getvalue()

    def _member(self, archive: bytes, name: str) -> bytes:
        """That member of another archive; nothing where it has none."""
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as file:
                return file.read(name)
        except (zipfile.BadZipFile, KeyError, ValueError, zlib.error, NotImplementedError):
            return b""

    def json(self, data: bytes, other: bytes) -> bytes:
        """The JSON with one of its values changed."""
        donor = json.loads(other) if other else None
        return json.dumps(self.value(json.loads(data), donor)).encode("utf-8", "surrogatepass")

    def value(self, value: object, donor: object) -> object:
        """The value with one of its parts replaced, renamed, taken out, doubled or nested."""
        rng = self.rng
        if isinstance(value, dict) and value and rng.random() < 0.93:
            key, out = rng.choice(list(value)), dict(value)
            inner = donor.get(key) if isinstance(donor, dict) else donor
            match rng.randrange(12):
                case 0:
                    del out[key]
                case 1:
                    out[self.word()] = out.pop(key)
                case 2:
                    out[self.word()] = out[key]
                case 3 if inner is not None:
                    out[key] = inner
                case _:
                    out[key] = self.value(value[key], inner)
            return out
        if isinstance(value, list) and value and rng.random() < 0.9:
            at = rng.randrange(len(value))
            inner = rng.choice(donor) if isinstance(donor, list) and donor else donor
            return [*value[:at], self.value(value[at], inner), *value[at + rng.randrange(2) :]]
        kind = rng.randrange(8)
        if isinstance(value, int) and kind < 4:
            return self.number()
        if isinstance(value, str) and kind < 5:
            return self.word()
        if isinstance(value, float) and kind < 4:
            return value * rng.choice((-1, 0, 1e300, 1e-300))
        return (self.number(), self.word(), [value], [value, value], {"config": value},
                rng.choice(OTHER_VALUES), donor, {self.word(): value})[kind]  # fmt: skip

    def safetensors(self, data: bytes, other: bytes) -> bytes:
        """The file with a value of its header changed, the header's length right."""
        (size,), (second,) = (
            struct.unpack("<Q", data[:8]),
            struct.unpack("<Q", other[:8] or b"\0" * 8),
        )
        head = self.json(data[8 : 8 + size], other[8 : 8 + second])
        return struct.pack("<Q", len(head)) + head + data[8 + size :]

    def array(self, data: bytes, other: bytes) -> bytes:
        """The NumPy file with a figure of its header changed, the header's length right."""
        (size,) = struct.unpack("<H", data[8:10])
        if self.rng.random() < 0.6:
            head = ast.literal_eval(data[10 : 10 + size].decode("latin1"))
            head = repr(self.value(head, None)).encode("utf-8", "replace") + b"\n"
        else:
            head = self.text(data[10 : 10 + size], b"")
        head = head[: 2**16 - 1]
        return data[:8] + struct.pack("<H", len(head)) + head + data[10 + size :]

    def text(self, data: bytes, other: bytes) -> bytes:
        """The text with a word changed, or a line moved, doubled, taken out or brought in."""
        rng = self.rng
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        at = rng.randrange(len(lines))
        more = other.decode("utf-8", "surrogateescape").split("\n")
        match rng.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[rng.randrange(len(lines))])
            case 2:
                lines.insert(at, rng.choice(more))
            case _:
                pieces = re.split(r"(\w+|[^\w\s])", lines[at])
                piece = rng.randrange(len(pieces))
                pieces[piece] = rng.choice(
                    (self.word(), str(self.number()), "nan", "-", f'"{self.word()}"', "[", "", ",")
                )
                lines[at] = "".join(pieces)
        return "\n".join(lines).encode("utf-8", "replace")

    def pickle(self, data: bytes, other: bytes) -> bytes:
        """The pickle with opcodes changed, taken out, doubled, moved or brought in."""
        rng = self.rng
        codes, rest = opcodes(data)
        more = opcodes(other)[0] or codes
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(codes))
            match rng.randrange(10):
                case 0:
                    del codes[at : at + rng.choice((1, 1, 2, 5))]
                case 1:
                    codes.insert(at, rng.choice(ATOMS))
                case 2:
                    codes[at] = rng.choice(ATOMS)
                case 3:
                    start = rng.randrange(len(more))
                    codes[at:at] = more[start : start + rng.choice((1, 2, 5, 20))]
                case 4:
                    start = rng.randrange(len(codes))
                    codes[at], codes[start] = codes[start], codes[at]
                case _:
                    telling = [n for n, code in enumerate(codes) if len(code) > 1]
                    at = rng.choice(telling) if telling else at
                    codes[at] = self._argument(codes[at])
            codes = codes or [b"."]
        return b"".join(codes) + rest

    def _argument(self, code: bytes) -> bytes:
        """The opcode with another argument of its kind."""
        if code[:1] in b"X\x8cVUT":
            word = self.word().encode("utf-8", "surrogatepass")
            return b"X" + struct.pack("<I", len(word)) + word
        if code[:1] in b"KMJI\x8aL":
            number = self.number()
            plain = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(plain)]) + plain
        if code[:1] == b"c":
            lines = code[1:].split(b"\n")
            lines[self.rng.randrange(2)] = self.word().encode("utf-8", "replace")
            return b"c" + b"\n".join(lines)
        return self.raw(code, b"")

    def protobuf(self, data: bytes, other: bytes) -> bytes:
        """The message with a field, at any depth, changed, taken out, doubled or brought in."""
        rng = self.rng
        records = fields(data)
        if not records:
            return self.raw(data, other)
        more = fields(other) or records
        at = rng.randrange(len(records))
        number, wire, value = records[at]
        match rng.randrange(16):
            case 0:
                del records[at]
            case 1:
                records.insert(rng.randrange(len(records)), records[at])
            case 2:
                records.insert(at, rng.choice(more))
            case 3:
                records[at] = (rng.randrange(1, 24), wire, value)
            case 4:
                records[at] = (number, *rng.choice(more)[1:])
            case _:
                like = [found for field, kind, found in more if (field, kind) == (number, wire)]
                donor = rng.choice(like) if like else b""
                records[at] = (number, wire, self._field(wire, value, donor))
        return b"".join(map(record, records))

    def _field(self, wire: int, value: bytes, donor: bytes) -> bytes:
        if wire == 0:
            return varint(self.number() % 2**64)
        if wire == 2 and len(value) > 1 and fields(value) and self.rng.random() < 0.9:
            return self.protobuf(value, donor)
        if wire == 2 and self.rng.random() < 0.7:
            return self.word().encode("utf-8", "surrogatepass")
        changed = self.raw(value, donor)
        return changed if wire == 2 else (changed + bytes(8))[: len(value)]
