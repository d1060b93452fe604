"""`fpcheck analyze`: a model, and data where there are any, to a report and an exit code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fpcheck.cli import checks, label_options, options, probe_options
from fpcheck.cli.outputs import check_pictures, plan_outputs
from fpcheck.cli.run import analyze_all, analyze_one
from fpcheck.cli.terminal import show
from fpcheck.core.config import read_configuration
from fpcheck.core.errors import UsageError


def analyze(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            show_default=False,
            help="Model files, specs, or live models as package.module:factory; without any, "
            "`models` of the configuration.",
        ),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Rows the network is meant for: .npz, .npy, .csv, .parquet.",
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
    input_shape: options.InputShape = None,
    input_choice: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="CHOICE",
            help="Constant input of recurrent cells: zeros, mean (of --data) or a file of one row.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    scale: options.Scale = None,
    centre: options.Centre = None,
    clip: Annotated[
        str | None,
        typer.Option(
            "--clip",
            metavar="LOW,HIGH",
            help="Clip the data, last: --clip=-1,1.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            "--question",
            "-Q",
            metavar="NAME",
            help="Only weights, signal, attractors, readout, or simplicity and escape, which are "
            "asked by name alone. Repeatable.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    seed: options.Seed = None,
    starts: Annotated[
        int | None,
        typer.Option(
            "--starts", metavar="N", help="Iteration starts; 1024.", rich_help_panel=options.WORK
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            metavar="N",
            help="Iterations before a start is unresolved; 2000.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    max_period: Annotated[
        int | None,
        typer.Option(
            "--max-period",
            metavar="N",
            help="The longest cycle that is looked for; 64.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    effort: Annotated[
        float | None,
        typer.Option(
            "--effort",
            metavar="X",
            help="Of the searches for fixed points, and for networks that fit the labels: 1; 10 "
            "looks ten times as long, 0 for no fixed points.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    slice_: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="PLANE",
            help="Draw the basins in a plane: auto or A,B,C (attractors), random, principal "
            "(of --data, or of where the starts end), or a file of two directions, one a row.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    continuation: Annotated[
        bool | None,
        typer.Option(
            "--continuation",
            help="Scale the weights and follow the fixed points: how far is a bifurcation?",
            show_default=False,
            rich_help_panel=options.WORK,
        ),
    ] = None,
    spectrum: Annotated[
        bool | None,
        typer.Option(
            "--spectrum",
            help="All Lyapunov exponents of a motion that does not settle.",
            show_default=False,
            rich_help_panel=options.WORK,
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="K",
            help="Of a spec: how the attractors of K networks are distributed.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            metavar="N",
            help="Inputs on which the signal is measured; 512.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    short_run: options.ShortRun = None,
    splits: Annotated[
        int | None,
        typer.Option(
            "--splits",
            metavar="N",
            help="Random splits of the readout; 20.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    readout_draws: Annotated[
        int | None,
        typer.Option(
            "--readout-draws",
            metavar="K",
            help="Random networks whose last layer is fitted; 5, 0 for none.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    bias_share: Annotated[
        float | None,
        typer.Option(
            "--bias-share",
            metavar="BETA",
            help="What biases of variance BETA, weights times 1 - BETA, change in the readout.",
            rich_help_panel=options.WORK,
        ),
    ] = None,
    threads: options.Threads = None,
    self_map: Annotated[
        bool | None,
        typer.Option(
            "--self-map/--no-self-map",
            help="Insist on iterating the network, or do not.",
            show_default=False,
            rich_help_panel=options.WORK,
        ),
    ] = None,
    label_rows: label_options.Rows = None,
    errors: label_options.Errors = None,
    label_law: label_options.LawName = None,
    label_tolerance: label_options.Tolerance = None,
    label_shuffles: label_options.Shuffles = None,
    label_scan: label_options.Scan = None,
    scaled_neurons: label_options.ScaledNeurons = None,
    label_training: label_options.Training = None,
    probe_steps: probe_options.Steps = None,
    optimiser: probe_options.Optimiser = None,
    lr: probe_options.LearningRate = None,
    batch: probe_options.Batch = None,
    escape_scan: probe_options.Scan = None,
    limit: options.Limits = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOn = None,
    config: options.Config = None,
    format_: options.Format = None,
    output: options.Outputs = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
    timings: options.Timings = False,
    show_settings: options.ShowSettings = False,
) -> int:
    """Analyze a network: its weights, its signal, where it settles, what it reads out.

    A model is a file (.pt, .safetensors, .npz, .onnx, .keras, .h5, .skops,
    ...), a spec (.toml) or a live model (package.module:factory). The weights
    are always looked at, the attractors where input and output have one
    shape, the readout where there are --data; the simplicity of the labels
    and the escape, the first steps of training, where they are asked for.

    \b
      fpcheck analyze samples/autoencoder.pt --activation tanh
      fpcheck analyze samples/autoencoder.npz --activation tanh -Q attractors
      fpcheck analyze samples/flip_flop_rnn.safetensors --slice principal
      fpcheck analyze samples/crelu100.toml -f json -o report.json
      fpcheck analyze samples/untrained_*.npz --activation tanh -o 'json={name}.json'

    Exit code: 0 nothing reached --fail-on; 1 a finding did; 2 something cannot
    be used; 3 nothing that was asked could be judged; 4 a bug; 130 interrupted.
    """
    configuration = read_configuration(
        Path.cwd(),
        config=config,
        limits=limit or (),
        flags={
            "questions": question or None,
            "seed": seed,
            "starts": starts,
            "max-steps": max_steps,
            "max-period": max_period,
            "effort": effort,
            "slice": slice_,
            "continuation": continuation,
            "spectrum": spectrum,
            "draws": draws,
            "samples": samples,
            "short-run": short_run,
            "splits": splits,
            "readout-draws": readout_draws,
            "bias-share": bias_share,
            "threads": threads,
            "self-map": self_map,
            "label-rows": label_rows,
            "label-errors": errors,
            "label-law": label_law,
            "label-tolerance": label_tolerance,
            "label-shuffles": label_shuffles,
            "label-scan": label_scan or None,
            "scaled-neurons": scaled_neurons,
            "label-training": label_training,
            "probe-steps": probe_steps,
            "probe-optimiser": optimiser,
            "probe-rate": lr,
            "probe-batch": batch,
            "escape-scan": escape_scan,
            "select": select or None,
            "ignore": ignore or None,
            "fail-on": fail_on,
        },
    )
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=quiet, verbose=verbose)
    steps = {"scale": scale, "centre": centre, "clip": clip}
    checks.check_data_flags(data, {"target": target, "task": task, **steps})
    chosen = tuple(models or ()) or configuration.models()
    checks.check_attractor_flags(configuration)
    checks.check_short_run(configuration, data)
    label_options.check_label_flags(configuration, data)
    probe_options.check_probe_flags(configuration, data)
    if show_settings:
        show(options.settings_table(configuration, chosen[0] if chosen else ""))
        return 0
    if not chosen:
        raise UsageError(
            "no model was given", hint="fpcheck analyze MODEL, or models = [...] in fpcheck.toml"
        )
    plans = plan_outputs(format_, output or (), chosen)
    asked = configuration.value
    read_out = checks.asks(configuration, "readout") and data is not None
    checks.check_readout_flags(configuration, read_out=read_out)
    of_data = [checks.asks(configuration, name) for name in ("readout", "simplicity", "escape")]
    pictured = data is not None and any(of_data)
    drawn = bool(asked("slice").value or asked("continuation").value or pictured)
    check_pictures(plans, drawn=drawn)
    flags = {
        "data": data,
        "target": target,
        "task": task,
        "spec": spec,
        "activation": activation,
        "output_activation": output_activation,
        "key": key,
        "layout": layout,
        "input_choice": input_choice or "zeros",
        "input_shape": options.shape_of(input_shape),
        "timings": timings,
    }
    analysis = partial(analyze_one, flags, steps)
    return analyze_all(chosen, plans, configuration, analysis, style)
