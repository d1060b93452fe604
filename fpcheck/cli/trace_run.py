"""What `fpcheck trace` does behind its flags: the watched run, what is kept of it, its outputs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpcheck.cli.deliver import Content
from fpcheck.cli.outputs import SUFFIXES, Output, write_whole
from fpcheck.cli.run import uncollected, watched
from fpcheck.cli.terminal import say
from fpcheck.core.errors import FpcheckError, UsageError
from fpcheck.core.wording import counted
from fpcheck.report.style import WIDTH, Style

if TYPE_CHECKING:
    from fpcheck.core.plain import Section
    from fpcheck.core.progress import Monitor
    from fpcheck.core.settings import Settings
    from fpcheck.report.report import Report

WRITING = 0.1  # share of the time that may go into keeping what is measured
EXAMPLE = "fpcheck trace FOLDER, or fpcheck trace step_*.pt"


def check_given(checkpoints: Sequence[str]) -> tuple[str, ...]:
    """The paths as they were given.

    Raises:
        UsageError: none was given, or one does not exist.
    """
    if not checkpoints:
        raise UsageError("no checkpoint was given", hint=EXAMPLE)
    for path in checkpoints:
        if not Path(path).exists():
            raise UsageError(
                f"no checkpoint or folder at '{path}'",
                where=path,
                hint=f"is the path right? {EXAMPLE}",
            )
    return tuple(checkpoints)


def check_outputs(plan: Sequence[Output], given: Sequence[str]) -> None:
    """Nothing, if no output would overwrite a checkpoint.

    Raises:
        UsageError: one would.
    """
    inputs = {os.path.realpath(path) for path in given}
    for output in plan:
        if output.path is None:
            continue
        target = os.path.realpath(output.path)
        # In a folder of the run a file that is no report may be a checkpoint.
        inside = os.path.dirname(target) in inputs and os.path.exists(target)
        if target in inputs or (inside and output.path.suffix not in SUFFIXES):
            raise UsageError(
                f"'{output.path}' is a checkpoint", where="--output", hint="name another file"
            )


def traced(
    given: Sequence[str],
    wishes: Mapping[str, Any],
    steps: Mapping[str, str | None],
    plan: Sequence[Output],
    settings: Settings,
) -> Section:
    """The trace, under a progress line, with Ctrl-C at hand and what is measured kept on the way.

    Raises:
        KeyboardInterrupt: it was interrupted; stderr then says where the first part of it is.
    """
    with uncollected():
        from fpcheck.jobs.trace import trace as run_trace
        from fpcheck.network.preprocessing import parse_preprocessing

    keeper = _Keeper(next((o.path for o in plan if o.format == "json" and o.path), None))
    chosen = parse_preprocessing(**steps) if any(steps.values()) else None

    def work(monitor: Monitor) -> Section:
        return run_trace(
            given,
            preprocessing=chosen,
            settings=settings,
            monitor=monitor,
            partial=keeper.keep if keeper.path is not None else None,
            **wishes,
        )

    try:
        return watched(work)
    except BaseException as error:  # Ctrl-C is none of the exceptions
        keeper.write()
        if isinstance(error, KeyboardInterrupt):
            say(keeper.said())
        raise


class _Keeper:
    """Writes what is measured to the file of the finished trace, whole at every moment.

    A long run's file takes long to write: it waits until that takes but WRITING of the time.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._count = 0
        self._waiting: Section | None = None
        self._due = 0.0

    def keep(self, document: Section) -> None:
        """Take in the trace so far, and write it if that is due."""
        self._waiting = document
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write what was taken in and is not in the file yet."""
        from fpcheck.report.document import write_json

        document, self._waiting = self._waiting, None
        if self.path is None or document is None:
            return
        start = time.monotonic()
        write_whole(self.path, write_json(document))
        self._count = len(document["checkpoints"])
        now = time.monotonic()
        self._due = now + (now - start) / WRITING

    def said(self) -> str:
        """What is to be said of it at Ctrl-C."""
        if self.path is None:
            return "interrupted: nothing was kept; -o json=FILE keeps what is measured"
        if not self._count:
            return "interrupted before the first checkpoint was measured"
        measured = counted(self._count, "checkpoint")
        return f"interrupted: {self.path} holds {measured}; --resume {self.path} goes on from there"


def rendered_trace(
    document: Section, plan: Sequence[Output], style: Style
) -> tuple[tuple[Output, Content], ...]:
    """Every output with what goes there; files of text have no colour and a fixed width."""
    plain = replace(style, colour=False, width=WIDTH)
    return tuple(
        (output, _content(document, output.format, style if output.path is None else plain))
        for output in plan
    )


def rejudged(document: Section, settings: Settings) -> Report:
    """A saved trace under other limits; one that was interrupted is not judged."""
    from fpcheck.core.limits import effective_limits
    from fpcheck.report.report import report_of

    if "skipped" in document["trends"]:
        judging = {"limits": effective_limits(settings.limits), "fail_on": settings.fail_on}
        return report_of({**document, "settings": {**document["settings"], **judging}})
    from fpcheck.jobs.trace.judge import judge_trace

    return report_of(judge_trace(document, settings))


def _content(document: Section, form: str, style: Style) -> Content:
    if form == "json":
        from fpcheck.report.document import write_json

        return write_json(document)
    if form == "html":
        from fpcheck.report.trace_page import write_trace_page

        return write_trace_page(document)
    if form == "terminal":
        from fpcheck.report.trace_terminal import write_trace

        return write_trace(document, style)
    from fpcheck.report.pictures import write_png, write_svg
    from fpcheck.report.trace_figures import figures

    first = next(figures(document), None)
    if first is None:
        return _no_figure()
    return write_png(first) if form == "png" else write_svg(first)


def _no_figure() -> FpcheckError:
    return UsageError(
        "a run of one checkpoint has no figure", where="--output", hint="-f json, or more of them"
    )
