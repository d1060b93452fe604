"""Where a value of a TOML text stands: the line of every key and array entry.

`tomllib` gives values without places. This scanner walks a text that `tomllib` has accepted, so it
checks nothing and needs to know only where keys, strings, arrays and inline tables end.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fpcheck.core.errors import SpecError

Path: TypeAlias = tuple[str | int, ...]  # such as ("network", "layers", 2, "activation")

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'",
    re.DOTALL,
)
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """A spec's text as far as errors need it: the file's name and the line of every path."""

    name: str
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of `path`, or of the closest entry around it that the text has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: Path, message: str, hint: str = "") -> SpecError:
        """The error at `path`, with its line."""
        return SpecError(message, where=f"{self.name}, line {self.line(path)}", hint=hint)


def parse_toml(text: str, name: str) -> tuple[dict[str, object], Source]:
    """The document and the places of its values.

    Raises:
        SpecError: not TOML; with the line.
    """
    try:
        document = tomllib.loads(text)
        return document, Source(name, _Scanner(text).run())
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        fact = _PLACE.sub("", str(error))
        line = int(found[1]) if found and found[1] else _unclosed(text, fact)
        raise SpecError(
            f"not valid TOML: {fact}",
            where=f"{name}, line {line}",
            hint="look at quotes, commas and brackets; a table { ... } stays on one line",
        ) from None
    except RecursionError:
        raise SpecError("the spec is nested too deeply", where=name) from None


def _unclosed(text: str, fact: str) -> int:
    """The line of an error that tomllib sees at the end: of the quote that nothing closes, else
    the last one with text."""
    quote = re.search(r"'+", fact)
    end = text.rfind(quote[0]) if quote else -1
    if "string" in fact and '"""' in text:
        end = text.rfind('"""')
    return text.rstrip().count("\n", 0, end if end >= 0 else None) + 1


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint for an unknown word: the nearest known one, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


class _Scanner:
    """The walk over the text: a position, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # entries so far of every array of tables

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self._skip()
        while self.place < len(self.text):
            if self.text[self.place] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self.lines

    def _skip(self) -> None:
        """Pass over space, newlines and comments."""
        match = _SPACE.match(self.text, self.place)
        self.place = match.end() if match else self.place

    def _mark(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self.starts, at))

    def _keys(self) -> list[tuple[str, int]]:
        """A dotted key's parts, each with its position."""
        keys = []
        while True:
            self._skip()
            at = self.place
            if self.text[at] in "\"'":
                keys.append((str(tomllib.loads(f"k = {self._string()}")["k"]), at))
            else:
                keys.append((self._match(_BARE_KEY), at))
            self._skip()
            if self.text[self.place] != ".":
                return keys
            self.place += 1

    def _header(self) -> Path:
        """The path of the table that `[a.b]` or `[[a.b]]` opens."""
        repeated = self.text.startswith("[[", self.place)
        self.place += 2 if repeated else 1
        keys = self._keys()
        self.place += 2 if repeated else 1
        path: Path = ()
        for number, (key, at) in enumerate(keys):
            path = (*path, key)
            self._mark(path, at)
            if repeated and number == len(keys) - 1:
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
                self._mark(path, at)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for key, at in self._keys():
            path = (*path, key)
            self._mark(path, at)
        self.place += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        self._mark(path, self.place)
        opening = self.text[self.place]
        if opening in "[{":
            self._bracket(path, "]" if opening == "[" else "}")
        elif opening in "\"'":
            self._string()
        else:
            self._match(_BARE_VALUE)

    def _bracket(self, path: Path, closing: str) -> None:
        """Pass over an array or an inline table."""
        self.place += 1
        count = 0
        self._skip()
        while self.text[self.place] != closing:
            if closing == "]":
                self._value((*path, count))
                count += 1
            else:
                self._pair(path)
            self._skip()
            if self.text[self.place] == ",":
                self.place += 1
                self._skip()
        self.place += 1

    def _string(self) -> str:
        return self._match(_STRING)

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.place)
        if match is None:  # cannot happen in a text that tomllib has read; never loop on it
            raise SpecError(f"cannot read the spec near position {self.place}")
        self.place = match.end()
        return match[0]
