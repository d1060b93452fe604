"""`fpcheck bench`: our kernels against peers on this machine."""

from __future__ import annotations

from threading import Event
from typing import Annotated

import typer

from fpcheck.cli import options
from fpcheck.cli.terminal import show


def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes and fewer rounds.")] = False,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Time our kernels against peers on this machine, answers checked equal.

    A peer's figure is its time over ours: above 1 we are faster. Needs a few minutes, and a quiet
    machine for figures to quote.

    \b
      fpcheck bench
      fpcheck bench --quick
    """
    from fpcheck.cli.interrupt import interruptible
    from fpcheck.cli.progress import progress
    from fpcheck.jobs.bench import run_bench
    from fpcheck.jobs.bench.panel import bench_panel
    from fpcheck.report.terminal import write_panels

    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    stop = Event()
    with progress(stop) as (monitor, _), interruptible(stop):
        result = run_bench(monitor, quick)
    show(write_panels((bench_panel(result),), style))
    return 0
