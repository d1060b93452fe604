"""`fpcheck suggest`: the initialisation to use, as a table, a spec or code."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpcheck.cli import checks, options
from fpcheck.core.errors import UsageError
from fpcheck.report.style import Style

if TYPE_CHECKING:
    from fpcheck.core.progress import Monitor

FORMATS = ("terminal", "json", "spec", "pytorch", "keras", "jax")
AIM = "What it aims at"
SPARSE = "Sparse activations"
LOADING = ("spec", "activation", "output_activation", "key", "layout", "input_shape")


def suggest(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="A model file, a spec, or a live model, package.module:factory."
        ),
    ] = None,
    *,
    spec: options.Spec = None,
    activation: options.Activation = None,
    output_activation: options.OutputActivation = None,
    key: options.Key = None,
    layout: options.Layout = None,
    input_shape: options.InputShape = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="Rows for the trial start, for LSUV, and for a short run of training.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    target: options.Target = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            rich_help_panel=AIM,
            help="What the code draws: normal, orthogonal (for isometry), or lsuv (from the data).",
        ),
    ] = "normal",
    q_star: Annotated[
        float | None,
        typer.Option(
            "--q-star",
            metavar="Q",
            rich_help_panel=AIM,
            help="The edge of chaos at this variance of the pre-activations.",
        ),
    ] = None,
    sigma_b: Annotated[
        float | None,
        typer.Option(
            "--sigma-b",
            metavar="S",
            rich_help_panel=AIM,
            help="The edge of chaos with this standard deviation of biases.",
        ),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity",
            metavar="S",
            rich_help_panel=SPARSE,
            help="Which clip a sparse activation needs for this share of zeros.",
        ),
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option(
            "--clip", metavar="M", rich_help_panel=SPARSE, help="Judge this clip as well."
        ),
    ] = None,
    units: Annotated[
        int | None,
        typer.Option(
            "--units",
            metavar="N",
            rich_help_panel=SPARSE,
            help="Units a layer; the model's own, or 300, unless given.",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            rich_help_panel=SPARSE,
            help="Layers; the model's own, or 100, unless given.",
        ),
    ] = None,
    short_run: Annotated[
        bool | None,
        typer.Option(
            "--short-run/--no-short-run",
            help="Train for a moment on --data, as the network is and as suggested; yes.",
            show_default=False,
            rich_help_panel=options.WORK,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Seed of the trial start.",
            rich_help_panel=options.WORK,
        ),
    ] = 0,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            rich_help_panel=options.OUTPUT,
            help="terminal (default), json, spec, pytorch, keras or jax.",
        ),
    ] = None,
    output: options.OneFile = None,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Suggest the initialisation to use: on the edge of chaos, tried out, and as code.

    \b
      fpcheck suggest samples/autoencoder.pt --activation tanh
      fpcheck suggest net.toml -f pytorch -o initialise.py
      fpcheck suggest net.toml --method lsuv --data data.npz -f jax
      fpcheck suggest --sparsity 0.85 --units 300 --depth 100
    """
    from fpcheck.cli.outputs import check_format, check_writable, deliver_text

    form = format_ or "terminal"
    check_format(form, "--format", FORMATS)
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    checks.check_data_flags(data, {"target": target})
    if short_run is not None and data is None:
        raise UsageError("--short-run trains on the data", where="--short-run", hint="--data FILE")
    if output is not None:
        check_writable(output)
    shapes = {"sparsity": sparsity, "clip": clip, "units": units, "depth": depth}
    _check_question(model, form, shapes, {"sigma_b": sigma_b})
    wishes: dict[str, Any] = {
        "spec": spec, "activation": activation, "output_activation": output_activation,
        "key": key, "layout": layout, "data": data, "target": target, "method": method,
        "q_star": q_star, "sigma_b": sigma_b, "input_shape": options.shape_of(input_shape),
    }  # fmt: skip
    # Code and specs do not show it.
    wishes["short_run"] = short_run is not False and form in ("terminal", "json")
    document = _suggested(model, seed, wishes, shapes)
    text = _text(document, form, style)
    deliver_text(text, output)
    return 0


def _check_question(
    model: str | None, form: str, shapes: dict[str, Any], others: dict[str, Any]
) -> None:
    """Nothing, if it is clear what is asked."""
    if shapes["sparsity"] is None:
        given = next((name for name, value in shapes.items() if value is not None), None)
        if given:
            raise UsageError(f"--{given} goes with --sparsity", where=f"--{given}")
        if model is None:
            raise UsageError(
                "no model was given", hint="fpcheck suggest MODEL, or fpcheck suggest --sparsity S"
            )
        return
    given = next((name for name, value in others.items() if value is not None), None)
    if given:
        flag = f"--{given.replace('_', '-')}"
        raise UsageError(f"{flag} does not go with --sparsity", where=flag, hint="leave one out")
    if form not in ("terminal", "json"):
        raise UsageError(
            f"--sparsity has no format '{form}'",
            where="--format",
            hint="put the activation that it names into a spec, and suggest for that",
        )


def _suggested(
    model: str | None, seed: int, wishes: dict[str, Any], shapes: dict[str, Any]
) -> dict[str, Any]:
    """The suggestion, under a progress line and with Ctrl-C at hand."""
    from fpcheck.cli.run import watched
    from fpcheck.core.settings import Settings
    from fpcheck.jobs.suggest import suggest as run_suggestion
    from fpcheck.jobs.suggest import suggest_sparse

    def work(monitor: Monitor) -> dict[str, Any]:
        if shapes["sparsity"] is not None:
            loading = {name: wishes[name] for name in LOADING}
            wished = {**shapes, "q_star": wishes["q_star"], "target": wishes["target"]}
            data = wishes["data"] if wishes["short_run"] else None
            settings = Settings(seed=seed)
            return suggest_sparse(
                model, **loading, **wished, data=data, settings=settings, monitor=monitor
            )
        return run_suggestion(model, **wishes, settings=Settings(seed=seed), monitor=monitor)

    # What the code of a live model prints must not stand in the suggestion.
    with redirect_stdout(sys.stderr):
        return watched(work)


def _text(document: dict[str, Any], form: str, style: Style) -> str:
    if form == "json":
        from fpcheck.report.document import write_json

        return write_json(document)
    if form != "terminal":
        return str(document["code"][form])
    from fpcheck.report.sparse_suggestion import sparse_suggestion
    from fpcheck.report.suggestion import suggestion
    from fpcheck.report.terminal import write_panels

    panels = sparse_suggestion if "sparsity" in document else suggestion
    return write_panels(panels(document), style)
