from __future__ import annotations

import io
import sys
from threading import Event

import pytest

from fpcheck.cli import progress as progress_module
from fpcheck.cli.progress import ERASE, ProgressLine, progress, progress_text
from fpcheck.cli.terminal import columns, say, show, style_for
from fpcheck.core.errors import UsageError


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def latin() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="latin-1")


def test_colour_only_on_a_terminal_that_wants_it():
    assert style_for(Terminal(), {"TERM": "xterm"}).colour
    assert not style_for(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}).colour
    assert not style_for(Terminal(), {"TERM": "dumb"}).colour
    assert style_for(Terminal(), {"TERM": "xterm", "NO_COLOR": ""}).colour  # as no-color.org has it
    assert not style_for(io.StringIO(), {"TERM": "xterm"}).colour
    assert style_for(io.StringIO(), {"FORCE_COLOR": "1"}).colour
    assert not style_for(io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}).colour


def test_an_encoding_without_box_characters_gets_ascii():
    assert style_for(latin(), {}).ascii_only
    assert not style_for(Terminal(), {}).ascii_only
    assert style_for(Terminal(), {}, ascii_only=True).ascii_only


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, 100), ({"COLUMNS": "72"}, 72), ({"COLUMNS": "wide"}, 100), ({"COLUMNS": "0"}, 100)],
)
def test_without_a_terminal_the_width_is_100_unless_columns_says_otherwise(environment, expected):
    assert columns(io.StringIO(), environment) == expected


def test_a_flag_beats_columns():
    assert style_for(io.StringIO(), {"COLUMNS": "72"}, width=60).width == 60


def test_a_reader_that_went_away_is_no_error(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    show("text")
    monkeypatch.setattr(sys, "stderr", Gone())
    say("text")


def test_a_line_to_stderr_is_one_line_in_its_encoding(monkeypatch):
    stream = latin()
    monkeypatch.setattr(sys, "stderr", stream)
    say("a → b\nc")
    assert stream.buffer.getvalue() == b"a -> b\\nc\n"


def test_the_progress_line_counts_and_estimates():
    assert progress_text("starts", 128, 256, 1.0) == "starts   128/256"
    assert progress_text("starts", 64, 256, 4.0) == "starts   64/256   12 s left"
    assert progress_text("signal", 0, 0, 9.0) == "signal"
    assert progress_text("starts", 256, 256, 9.0) == "starts   256/256"


def test_short_work_shows_no_line(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress(Event()) as (monitor, _):
        monitor.report("starts", 1, 2)
    assert stream.getvalue() == ""


def test_longer_work_shows_one_line_and_erases_it(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: float(next(clock)))
    stream = Terminal()
    line = ProgressLine(stream)
    line.report("starts \x1b[2J", 1, 2)
    line.erase()
    assert stream.getvalue() == f"{ERASE}starts \\x1b[2J   1/2{ERASE}"


def test_a_line_never_reaches_the_last_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    ProgressLine(stream).notice("x" * 100)
    assert stream.getvalue() == ERASE + "x" * 19


def test_without_a_terminal_nothing_is_shown(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_module, "DELAY", 0.0)
    with progress(Event()) as (monitor, line):
        monitor.report("starts", 1, 2)
    assert line is None
    assert stream.getvalue() == ""


def test_the_monitor_stops_with_its_event():
    stop = Event()
    with progress(stop) as (monitor, _):
        monitor.check()
        stop.set()
        with pytest.raises(KeyboardInterrupt):
            monitor.check()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_stdout_that_cannot_be_written_is_told_and_not_called_a_bug(monkeypatch, error):
    class Full(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(UsageError, match="cannot write to stdout"):
        show("text")
    monkeypatch.setattr(sys, "stderr", Full())
    say("nobody can read this, and the exit code still has to be the error's own")
