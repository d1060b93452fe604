"""One transient line on stderr that says how far the work is; nothing where that is no terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import TextIO

from fpcheck.cli.terminal import can_show, is_terminal
from fpcheck.core.printable import printable
from fpcheck.core.progress import Monitor

DELAY = 0.5  # seconds before the line appears: shorter work needs none
INTERVAL = 0.1  # seconds between two lines
ESTIMATE_AFTER = 2.0  # seconds before the time left is worth guessing
ERASE = "\r\x1b[K"


class ProgressLine:
    """The line: shown after DELAY, rewritten at most every INTERVAL, erased at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._started = time.monotonic()
        self._stage = ("", self._started)  # what is counted now, and since when
        self._written = float("-inf")
        self._shown = False

    def notice(self, text: str) -> None:
        """Show `text` at once; the next progress takes its place."""
        with self._lock:
            self._write(text)

    def report(self, text: str, done: int, total: int) -> None:
        """Show `text` with `done` of `total` (0: no count) if it is time to; from any thread."""
        with self._lock:
            now = time.monotonic()
            stage = text.split(" ", 1)[0]
            if self._stage[0] != stage:
                self._stage = (stage, now)
            if now - self._started >= DELAY and now - self._written >= INTERVAL:
                self._write(progress_text(text, done, total, now - self._stage[1]))
                self._written = now

    def erase(self) -> None:
        """Take the line away."""
        with self._lock:
            if self._shown:
                self._stream.write(ERASE)
                self._stream.flush()
                self._shown = False

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size((80, 24)).columns
        shown = printable(text, ascii_only=not can_show(self._stream, text))
        self._stream.write(ERASE + shown[: width - 1])
        self._stream.flush()
        self._shown = True


def progress_text(text: str, done: int, total: int, elapsed: float) -> str:
    """The line's words: `starts   128/256   3 s left`."""
    parts = [text]
    if total > 0:
        parts.append(f"{done}/{total}")
        if 0 < done < total and elapsed >= ESTIMATE_AFTER:
            parts.append(f"{elapsed * (total - done) / done:.0f} s left")
    return "   ".join(parts)


@contextmanager
def progress(stop: Event) -> Iterator[tuple[Monitor, ProgressLine | None]]:
    """(monitor, line) for a block of work; without a terminal the line is None, nothing shows."""
    if not is_terminal(sys.stderr):
        yield Monitor(stop=stop), None
        return
    line = ProgressLine(sys.stderr)
    try:
        yield Monitor(report=line.report, stop=stop), line
    finally:
        line.erase()
