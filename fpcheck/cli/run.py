"""The analysis of one or several models: watched, delivered, summed up in one exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from fpcheck.cli.deliver import deliver, index_row, rendered, worst
from fpcheck.cli.outputs import Output
from fpcheck.cli.terminal import say, say_error, show
from fpcheck.core.config import Configuration
from fpcheck.core.errors import FpcheckError
from fpcheck.report.style import Style

if TYPE_CHECKING:
    from fpcheck.core.progress import Monitor
    from fpcheck.core.settings import Settings
    from fpcheck.report.report import Report

Result = TypeVar("Result")
Analysis = Callable[[str, "Settings", "Monitor"], "Report"]


def analyze_one(
    flags: Mapping[str, Any],
    steps: Mapping[str, str | None],
    model: str,
    settings: Settings,
    monitor: Monitor,
) -> Report:
    """One model's report; the numerical half loads here, not for --help."""
    with uncollected():
        from fpcheck.jobs.analyze import analyze as run_analysis
        from fpcheck.network.load.live.target import is_target
        from fpcheck.network.preprocessing import parse_preprocessing

    preprocessing = parse_preprocessing(**steps) if any(steps.values()) else None
    # What the code of a live model prints must not stand in the report.
    with redirect_stdout(sys.stderr) if is_target(model) else nullcontext():
        return run_analysis(
            model, **flags, preprocessing=preprocessing, settings=settings, monitor=monitor
        )


@contextmanager
def uncollected() -> Iterator[None]:
    """A context for imports: what they make stays, and the collector does not look through it,
    neither on the way nor later, which is a twentieth of their time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def analyze_all(
    models: Sequence[str],
    plans: Sequence[tuple[Output, ...]],
    configuration: Configuration,
    analysis: Analysis,
    style: Style,
) -> int:
    """The exit code of all models together: an error of one does not keep the others waiting."""
    from fpcheck.report.report import exit_code

    codes = []
    rows = []
    for model, plan in zip(models, plans, strict=True):
        settings = configuration.settings_for(model)
        try:
            report = watched(partial(analysis, model, settings))
        except FpcheckError as error:
            if len(models) == 1:
                raise
            say_error(error)
            codes.append(error.exit_code)
            rows.append((model, "no report", *["-"] * 4))
            continue
        if rows and any(output.path is None for output in plan):
            show("\n")
        rows.append(index_row(model, report))
        codes.append(exit_code(report, settings.fail_on))
        try:
            deliver(rendered(report, plan, style), style)
        except FpcheckError as error:
            if len(models) == 1:
                raise
            say_error(error)
            codes.append(error.exit_code)
        if codes[-1] == 3:
            say("note: nothing that was asked could be judged")
    if len(models) > 1 and any(output.path is None for plan in plans for output in plan):
        from fpcheck.report.terminal import write_index

        show("\n" + write_index(rows, style))
    return worst(codes)


def watched(work: Callable[[Monitor], Result]) -> Result:
    """What `work` returns, under a progress line and with Ctrl-C at hand."""
    from fpcheck.cli.interrupt import interruptible
    from fpcheck.cli.progress import progress
    from fpcheck.kernels.cache import cache_folder, cache_is_cold

    stop = Event()
    with progress(stop) as (monitor, line), interruptible(stop):
        if line is not None and cache_is_cold():
            line.notice(f"compiling kernels, about 10 s, once (cache: {_short(cache_folder())})")
        return work(monitor)


def _short(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
