"""`fpcheck trace`: the checkpoints of one run in order, and what training did to the network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpcheck.cli import checks, options
from fpcheck.cli.deliver import deliver
from fpcheck.cli.outputs import plan_outputs
from fpcheck.cli.terminal import say
from fpcheck.cli.trace_run import check_given, check_outputs, rendered_trace, traced
from fpcheck.core.config import read_configuration

NOT_JUDGED = 3


def trace(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CKPT...",
            show_default=False,
            help="Checkpoints of one run, or the folder they are in; any mix of formats.",
        ),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="Rows, and their targets for loss, accuracy and readout: .npz, .npy, .csv, "
            ".parquet.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    target: options.Target = None,
    task: options.Task = None,
    spec: options.Spec = None,
    activation: options.Activation = None,
    output_activation: options.OutputActivation = None,
    key: options.Key = None,
    layout: options.Layout = None,
    scale: options.Scale = None,
    centre: options.Centre = None,
    attractors: Annotated[
        bool | None,
        typer.Option(
            "--attractors/--no-attractors",
            help="Follow the fixed points, or do not; without either, where input and output "
            "have one shape.",
            show_default=False,
            rich_help_panel=options.WORK,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="FILE",
            help="An earlier trace as JSON, whole or cut short: what is in it is not measured "
            "again.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    limit: options.Limits = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOn = None,
    config: options.Config = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="terminal (default) or json; html, png and svg go to a file: -o html=FILE.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    output: options.Outputs = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Trace a training run: what happened to the network from checkpoint to checkpoint.

    The checkpoints are ordered by the step in the file or in the name. Of
    each: loss, norm, singular values, tails of the weights, variance through
    depth, readout, fixed points.

    \b
      fpcheck trace samples/run_small_init --activation relu -d samples/digits.npz
      fpcheck trace run/*.pt --spec net.toml -d train.npz -o html=run.html
      fpcheck trace run --activation relu --resume run.json -o json=run.json

    With -o json=FILE an interrupted trace keeps what was measured; --resume
    goes on from there.

    Exit code: 0 nothing reached --fail-on; 1 a finding did; 2 something cannot
    be used; 3 nothing could be judged; 4 a bug; 130 interrupted.
    """
    from fpcheck.report.report import exit_code, report_of

    configuration = read_configuration(
        Path.cwd(),
        config=config,
        limits=limit or (),
        flags={
            "seed": seed,
            "threads": threads,
            "select": select or None,
            "ignore": ignore or None,
            "fail-on": fail_on,
        },
    )
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=quiet, verbose=verbose)
    steps = {"scale": scale, "centre": centre}
    checks.check_data_flags(data, {"target": target, "task": task, **steps})
    given = check_given(checkpoints or [])
    from fpcheck.jobs.trace.name import run_name

    (plan,) = plan_outputs(format_, output or (), [run_name(given)])
    check_outputs(plan, given)
    wishes: dict[str, Any] = {
        "spec": spec, "activation": activation, "output_activation": output_activation,
        "key": key, "layout": layout, "data": data, "target": target, "task": task,
        "attractors": attractors, "resume": resume,
    }  # fmt: skip
    settings = configuration.settings_for(given[0])
    document = traced(given, wishes, steps, plan, settings)
    deliver(rendered_trace(document, plan, style), style)
    code = exit_code(report_of(document), settings.fail_on)
    if code == NOT_JUDGED:
        say("note: nothing could be judged")
    return code
