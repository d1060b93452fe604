"""Which lines of the readers ran, and how often: what guides the fuzz."""

from __future__ import annotations

import ast
import sys
import zlib
from pathlib import Path
from types import CodeType, FrameType

import fpcheck

ROOM = str(Path(fpcheck.__file__).parent / "network") + "/"
Features = set[int]


class Trace:
    """A context whose `features` are the steps from line to line, with the order of magnitude of
    their number. Only this thread is followed."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.names: dict[CodeType, int] = {}  # 0: not followed
        self.files: set[str] = set()
        self.last = self.here = 0

    def __enter__(self) -> Trace:
        self.counts, self.last = {}, 0
        self.before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    @property
    def features(self) -> Features:
        """One number a step and power of two."""
        return {hash((step, count.bit_length())) for step, count in self.counts.items()}

    @property
    def steps(self) -> int:
        """How many there were."""
        return sum(self.counts.values())

    @property
    def lines(self) -> Features:
        """One number a line."""
        return {step & 0xFFFF_FFFF for step in self.counts}

    def _call(self, frame: FrameType, event: str, arg: object) -> object:
        code = frame.f_code
        name = self.names.get(code)
        if name is None:
            # A module's own lines run once a process, in whichever test imports it first.
            followed = code.co_filename.startswith(ROOM) and code.co_name != "<module>"
            # The same number in every process: coverage of another one can be joined to this.
            place = f"{code.co_filename[len(ROOM) :]}:{code.co_firstlineno}"
            name = (zlib.crc32(place.encode()) % 2**18 + 1) << 14 if followed else 0
            self.names[code] = name
            if followed:
                self.files.add(code.co_filename)
        if not name:
            return None
        counts = self.counts

        def line(frame: FrameType, event: str, arg: object) -> object:
            if event == "line":
                here = name + frame.f_lineno
                step = self.last << 32 | here
                counts[step] = counts.get(step, 0) + 1
                self.last = here
            return line

        return line


def words(files: set[str]) -> list[str]:
    """The short strings in these sources: names that the readers compare with."""
    found = set()
    for file in sorted(files):
        for node in ast.walk(ast.parse(Path(file).read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return sorted(word for word in found if 0 < len(word) <= 40 and not set(word) & set(" '"))
