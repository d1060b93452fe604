"""The state of a pickle's reading: its bytes, a stack, marks and a memo, each with a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.constructors import Constructor, Storage, constructor
from fpcheck.network.load.files import shown

MAX_OPCODES = 10_000_000  # a checkpoint takes about 40 a tensor; each makes at most a small object
MAX_MARKS = 10_000  # open lists, tuples and dictionaries

Fault = Callable[[str, str], ModelFileError]


@dataclass(slots=True)
class Machine:
    """The state of the reading: where it stands, the stack, where its marks are, the memo.

    `lookup`: the allow-list, from a global name to what stands for it; `storages`: those that were
    named, by key; `cut`: whether it ended because the data did.
    """

    data: bytes
    fault: Fault
    place: int = 0
    stack: list[object] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    done: bool = False
    cut: bool = False
    lookup: Callable[[str], Constructor | None] = constructor
    storages: dict[str, Storage] = field(default_factory=dict)

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self.place + length
        if end > len(self.data):
            self.cut = True
            raise self.fault("the pickle is cut off", "")
        part = self.data[self.place : end]
        self.place = end
        return part

    def line(self) -> str:
        """The text up to the next newline."""
        end = self.data.find(b"\n", self.place)
        if end < 0:
            self.cut = True
            raise self.fault("the pickle is cut off", "")
        part = self.data[self.place : end]
        self.place = end + 1
        return part.decode("utf-8", "replace")

    def number(self, width: int) -> int:
        """The next `width` bytes as an unsigned number."""
        return int.from_bytes(self.take(width), "little")

    def pop(self) -> object:
        """The top of the stack; what lies below the last mark is out of reach."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.fault("the pickle takes from an empty stack", "")
        return self.stack.pop()

    def top(self) -> object:
        """The top of the stack, left there."""
        value = self.pop()
        self.stack.append(value)
        return value

    def open_mark(self) -> None:
        """A mark at the top of the stack."""
        if len(self.marks) >= MAX_MARKS:
            raise self.fault(f"the pickle nests deeper than {MAX_MARKS} levels", "")
        self.marks.append(len(self.stack))

    def to_mark(self) -> list[object]:
        """Everything above the last mark, taken off with it."""
        if not self.marks:
            raise self.fault("the pickle closes what it has not opened", "")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def remember(self, index: int) -> None:
        """The top of the stack under `index` in the memo."""
        if not 0 <= index <= MAX_OPCODES:
            raise self.fault(f"the pickle's memo index {shown(hex(index))} is out of bounds", "")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Push what the memo has under `index`."""
        if index not in self.memo:
            raise self.fault("the pickle recalls what it has not stored", "")
        self.stack.append(self.memo[index])
