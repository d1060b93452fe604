"""What this process's streams can show: width, colour, characters; and writing to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

from fpcheck.core.errors import FpcheckError, UsageError
from fpcheck.core.printable import printable
from fpcheck.report.style import WIDTH, Style

# What the terminal report draws with; an encoding without these gets ASCII.
DRAWN = "─█·→×χρσ±"


def style_for(
    stream: TextIO,
    environment: Mapping[str, str],
    *,
    width: int | None = None,
    ascii_only: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> Style:
    """The style for `stream`: colour on a terminal that is not dumb, or under FORCE_COLOR.

    NO_COLOR wins over both.
    """
    able = is_terminal(stream) and environment.get("TERM", "") != "dumb"
    colour = not environment.get("NO_COLOR") and (able or bool(environment.get("FORCE_COLOR")))
    return Style(
        width=width or columns(stream, environment),
        colour=colour,
        ascii_only=ascii_only or not can_show(stream, DRAWN),
        quiet=quiet,
        verbose=verbose,
    )


def columns(stream: TextIO, environment: Mapping[str, str]) -> int:
    """COLUMNS where it is set, else the terminal's width, else 100."""
    stated = environment.get("COLUMNS", "")
    if stated.isascii() and stated.isdigit() and int(stated) > 0:
        return int(stated)
    if is_terminal(stream):
        return shutil.get_terminal_size((WIDTH, 24)).columns
    return WIDTH


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` is a terminal; a closed stream is none."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def can_show(stream: TextIO, text: str) -> bool:
    """Whether the encoding of `stream` has all characters of `text`."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def show(text: str) -> None:
    """Write to stdout. A reader that went away, as `head` does, is no error.

    Raises:
        UsageError: stdout cannot be written, because its disk is full or it is closed.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except (OSError, ValueError) as error:
        _forget_stdout()
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot write to stdout: {why}", hint="-o FILE writes to a file"
        ) from None


def _forget_stdout() -> None:
    """Send what is still in stdout's buffer nowhere, or the interpreter would try it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Write one line to stderr, hostile characters escaped; where it cannot be, nothing is lost."""
    shown = printable(text, ascii_only=not can_show(sys.stderr, text))
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(shown + "\n")
        sys.stderr.flush()


def say_error(error: FpcheckError) -> None:
    """Write an error in its three lines: what, where, what to do."""
    say(f"error: {error.message}")
    if error.where:
        say(f"   in: {error.where}")
    if error.hint:
        say(f" hint: {error.hint}")
