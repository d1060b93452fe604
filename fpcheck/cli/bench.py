"""`fpcheck bench`: our kernels against peers on this machine."""

from __future__ import annotations

from threading import Event

from fpcheck.cli import options
from fpcheck.cli.screen import show


def bench(
    *,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Time our kernels against peers on this machine, answers checked equal.

    \b
      fpcheck bench
    """
    from fpcheck.cli.interrupt import interruptible
    from fpcheck.cli.progress import progress
    from fpcheck.jobs.bench import run_bench
    from fpcheck.report.terminal import write_panels

    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    stop = Event()
    with progress(stop) as (monitor, _), interruptible(stop):
        panels = run_bench(monitor)
    show(write_panels(panels, style))
    return 0
