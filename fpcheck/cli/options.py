"""The flags that several commands share, each under its heading of --help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, cast

import typer

from fpcheck.core.config import Configuration
from fpcheck.core.errors import UsageError
from fpcheck.core.nearest import did_you_mean
from fpcheck.core.settings import asked_questions
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


def check_short_run(configuration: Configuration, data: Path | None) -> None:
    """Nothing, if a short run of training is asked for where there is something to run on.

    Raises:
        UsageError: the signal is not asked for, or there are no data: the flag would do nothing.
    """
    short_run = configuration.value("short-run")
    asked = asks(configuration, "signal")
    if short_run.source != "--short-run" or (asked and data is not None):
        return
    raise UsageError(
        "--short-run trains on the data" if asked else "--short-run is about the signal",
        where="--short-run",
        hint="--data FILE names its rows" if asked else "add --question signal, or leave it out",
    )


def asks(configuration: Configuration, question: str) -> bool:
    """Whether the question is asked, by name or because none is named."""
    asked = cast("tuple[str, ...]", configuration.value("questions").value)
    return question in asked_questions(asked)


def check_readout_flags(configuration: Configuration, *, read_out: bool) -> None:
    """Nothing, if every flag about the readout is given where it is asked for.

    Raises:
        UsageError: it is not: the flag would be of no effect.
    """
    if read_out:
        return
    for name in ("readout-draws", "bias-share"):
        flag = f"--{name}"
        if configuration.value(name).source == flag:
            missing = "--data FILE names its rows"
            if not asks(configuration, "readout"):
                missing = "add --question readout"
            raise UsageError(
                f"{flag} is about the readout, which is not asked for",
                where=flag,
                hint=f"{missing}, or leave {flag} out",
            )


def check_attractor_flags(configuration: Configuration) -> None:
    """Nothing, if every flag about the attractors is given where they are asked for.

    Raises:
        UsageError: they are not: the flag would be of no effect.
    """
    iterated = configuration.value("self-map").value is not False
    if iterated and asks(configuration, "attractors"):
        return
    about = ["slice", "continuation", "spectrum", "draws"]
    if not asks(configuration, "simplicity"):  # whose search has an effort too
        about.insert(0, "effort")
    for name in about:
        flag = f"--{name}"
        if configuration.value(name).source == flag:
            missing = "add --question attractors" if iterated else "leave --no-self-map out"
            raise UsageError(
                f"{flag} is about the attractors, which are not asked for",
                where=flag,
                hint=f"{missing}, or leave {flag} out",
            )


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


TASKS = ("classification", "regression")


def check_data_flags(data: Path | None, flags: Mapping[str, str | None]) -> None:
    """Nothing, if the flags about the data can be used.

    Raises:
        UsageError: one of them without data, which it would be silently ignored without, or an
            unknown task.
    """
    given = [name for name, value in flags.items() if value is not None]
    if data is None and given:
        raise UsageError(
            f"--{given[0]} is about the data, and no data were given",
            where=f"--{given[0]}",
            hint="--data FILE names them",
        )
    task = flags.get("task")
    if task is not None and task not in TASKS:
        raise UsageError(f"unknown task '{task}'", where="--task", hint=did_you_mean(task, TASKS))


def settings_table(configuration: Configuration, model: str) -> str:
    """Every setting, its value and where it came from, in aligned columns."""
    rows = (("setting", "value", "from"), *configuration.rows(model))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    return "\n".join(lines) + "\n"
