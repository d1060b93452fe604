"""The flags that several commands share, each under its heading of --help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from fpcheck.core.config import Configuration
from fpcheck.core.errors import UsageError
from fpcheck.report.style import Style

MODEL = "Model"
WORK = "What is done"
JUDGING = "How it is judged"
OUTPUT = "What is written"

NARROWEST = 40

Spec: TypeAlias = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="The skeleton, as TOML.", rich_help_panel=MODEL),
]
Activation: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help="Activation of the hidden layers: tanh, relu, 'crelu(1.04, 1.17)'.",
        rich_help_panel=MODEL,
    ),
]
OutputActivation: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output-activation",
        metavar="NAME",
        help="Activation of the last layer; linear unless given.",
        rich_help_panel=MODEL,
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="Which of several state dicts in the file.",
        rich_help_panel=MODEL,
    ),
]
Layout: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--layout",
        metavar="LAYOUT",
        help="How square matrices lie: out_in or in_out.",
        rich_help_panel=MODEL,
    ),
]
InputShape: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="N,N,N",
        help="One row of a model that leaves it open: 3,32,32.",
        rich_help_panel=MODEL,
    ),
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="The target column of a .csv; the target array of a .npz.",
        rich_help_panel=MODEL,
    ),
]
Task: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="classification or regression, where the targets do not tell.",
        rich_help_panel=MODEL,
    ),
]
Scale: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="FACTOR",
        help="Multiply the data by a number, or by what makes them 'unit'.",
        rich_help_panel=MODEL,
    ),
]
Centre: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--centre",
        metavar="VALUE",
        help="Subtract a number, or the 'mean' of every entry, first.",
        rich_help_panel=MODEL,
    ),
]
ShortRun: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--short-run",
        help="Train for some hundred steps on --data, beside the signal: does the loss fall?",
        show_default=False,
        rich_help_panel=WORK,
    ),
]
Seed: TypeAlias = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Of all that is drawn; 0.", rich_help_panel=WORK),
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="0, one a core. No number depends on it.",
        rich_help_panel=WORK,
    ),
]
Limits: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", metavar="NAME=VALUE", help="Set a limit. Repeatable.", rich_help_panel=JUDGING
    ),
]
Select: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--select", metavar="CODES", help="Only these rules: FP1, FP204.", rich_help_panel=JUDGING
    ),
]
Ignore: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore", metavar="CODES", help="Not these rules: FP1, FP204.", rich_help_panel=JUDGING
    ),
]
FailOn: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="LEVEL",
        help="Exit 1 from this level on: error (default), warning, info, never.",
        rich_help_panel=JUDGING,
    ),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings that come before fpcheck.toml and pyproject.toml.",
        rich_help_panel=JUDGING,
    ),
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="terminal (default) or json; png, svg, html of a picture.",
        rich_help_panel=OUTPUT,
    ),
]
Outputs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="FILE instead of stdout; FORMAT=FILE besides stdout. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
OneFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="FILE instead of stdout.", rich_help_panel=OUTPUT
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Only the verdict and the findings.", rich_help_panel=OUTPUT
    ),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also what passed; a traceback behind an error.",
        rich_help_panel=OUTPUT,
    ),
]
Ascii: TypeAlias = Annotated[
    bool, typer.Option("--ascii", help="ASCII characters alone.", rich_help_panel=OUTPUT)
]
Width: TypeAlias = Annotated[
    int | None,
    typer.Option("--width", metavar="N", help="Columns of the report.", rich_help_panel=OUTPUT),
]
Timings: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--timings",
        help="Add the seconds spent; the same report is then not the same bytes.",
        rich_help_panel=OUTPUT,
    ),
]
ShowSettings: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--show-settings",
        help="Print every setting and where it came from; analyze nothing.",
        rich_help_panel=OUTPUT,
    ),
]


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """The shape that `3,32,32` is; None for None.

    Raises:
        UsageError: it is no shape.
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 0 < len(word) < 10 for word in words):
        raise UsageError(
            f"'{text}' is no shape",
            where="--input-shape",
            hint="the sizes of one row, without the batch: --input-shape 3,32,32",
        )
    return tuple(int(word) for word in words)


def output_style(*, width: int | None, ascii_only: bool, quiet: bool, verbose: bool) -> Style:
    """The style for stdout under these flags.

    Raises:
        UsageError: too narrow a width, or both quiet and verbose.
    """
    import os
    import sys

    from fpcheck.cli.terminal import style_for

    if width is not None and width < NARROWEST:
        raise UsageError(
            f"--width must be at least {NARROWEST}, got {width}",
            where="--width",
            hint="leave it out for the terminal's own width",
        )
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other", hint="leave one out")
    return style_for(
        sys.stdout, os.environ, width=width, ascii_only=ascii_only, quiet=quiet, verbose=verbose
    )


def settings_table(configuration: Configuration, model: str) -> str:
    """Every setting, its value and where it came from, in aligned columns."""
    rows = (("setting", "value", "from"), *configuration.rows(model))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    return "\n".join(lines) + "\n"
