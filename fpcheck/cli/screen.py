"""`fpcheck screen`: several skeletons on one data set, nothing trained; which one to take."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpcheck.cli import checks, options
from fpcheck.cli.terminal import say
from fpcheck.core.errors import UsageError
from fpcheck.core.settings import Settings

if TYPE_CHECKING:
    from fpcheck.core.progress import Monitor

FORMATS = ("terminal", "json")
NOT_JUDGED = 3


def screen(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC...",
            help="Specs, model files or live models, package.module:factory; two or more.",
        ),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="The rows and their targets.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    target: options.Target = None,
    task: options.Task = None,
    scale: options.Scale = None,
    centre: options.Centre = None,
    activation: options.Activation = None,
    output_activation: options.OutputActivation = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows",
            metavar="N",
            help="Look at N rows at most, drawn by class; 500.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    splits: Annotated[
        int | None,
        typer.Option(
            "--splits", metavar="N", help="Random splits; 20.", rich_help_panel=options.WORK
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="N",
            help="Random networks of every skeleton; 5.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    ntk: Annotated[
        bool,
        typer.Option(
            "--ntk/--no-ntk",
            help="Also all layers trained at infinite width.",
            rich_help_panel=options.WORK,
        ),
    ] = True,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="NAME",
            help="Rank by nngp, ntk or at_init; nngp where it is known.",
            rich_help_panel=options.JUDGING,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Seed of splits and draws.",
            rich_help_panel=options.WORK,
        ),
    ] = 0,
    threads: Annotated[
        int,
        typer.Option(
            "--threads",
            metavar="N",
            min=0,
            help="Threads; one a core unless given.",
            rich_help_panel=options.WORK,
        ),
    ] = 0,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="terminal (default) or json.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    output: options.OneFile = None,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Screen several skeletons on one data set: which one to take, before anything is trained.

    Each is scored at infinite width and by the last layers of random networks, on the same
    splits; they are ranked, and what may be chance is called undecided.

    \b
      fpcheck screen samples/signals_*.toml --data samples/signals.npz --rows 200
      fpcheck screen a.toml b.pt --activation tanh -d train.csv --target y

    Exit code: 0 they were ranked; 2 something cannot be used; 3 nothing could
    be judged.
    """
    from fpcheck.cli.outputs import check_format, check_writable, deliver_text

    form = format_ or "terminal"
    check_format(form, "--format", FORMATS)
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    if data is None:
        raise UsageError("no data were given", where="--data", hint="--data FILE names them")
    checks.check_data_flags(data, {"task": task})
    if output is not None:
        check_writable(output)
    usual = Settings()
    settings = Settings(
        seed=seed,
        splits=usual.splits if splits is None else splits,
        readout_draws=usual.readout_draws if draws is None else draws,
        threads=threads,
    )
    wishes: dict[str, Any] = {
        "activation": activation, "output_activation": output_activation, "target": target,
        "task": task, "ntk": ntk, "by": by, **({} if rows is None else {"rows": rows}),
    }  # fmt: skip
    document = _screened(models or [], data, {"scale": scale, "centre": centre}, wishes, settings)
    if form == "json":
        from fpcheck.report.document import write_json

        text = write_json(document)
    else:
        from fpcheck.report.screening import screening
        from fpcheck.report.terminal import write_panels

        text = write_panels(screening(document), style)
    deliver_text(text, output)
    if document["ranked_by"] is None:
        say("note: nothing that was asked could be judged")
        return NOT_JUDGED
    return 0


def _screened(
    models: list[str],
    data: Path,
    steps: dict[str, str | None],
    wishes: dict[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """The screen, under a progress line and with Ctrl-C at hand."""
    from fpcheck.cli.run import watched
    from fpcheck.jobs.screen import screen as run_screen
    from fpcheck.network.preprocessing import parse_preprocessing

    chosen = parse_preprocessing(**steps) if any(steps.values()) else None

    def work(monitor: Monitor) -> dict[str, Any]:
        return run_screen(
            models, data, preprocessing=chosen, settings=settings, monitor=monitor, **wishes
        )

    # What the code of a live model prints must not stand in the answer.
    with redirect_stdout(sys.stderr):
        return watched(work)
