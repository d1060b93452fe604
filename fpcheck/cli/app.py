"""The commands by name, and their invocation without typer's own handling of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from fpcheck import __version__
from fpcheck.cli.analyze import analyze
from fpcheck.cli.bench import bench
from fpcheck.cli.explain import explain
from fpcheck.cli.inspect import inspect
from fpcheck.cli.new import new
from fpcheck.cli.report import report
from fpcheck.cli.screen import screen
from fpcheck.cli.suggest import suggest
from fpcheck.cli.terminal import show
from fpcheck.cli.trace import trace
from fpcheck.cli.warm import warm
from fpcheck.core.errors import UsageError

HELP = """Tell what a neural network does to its signal, where it settles, and what it reads out.

Start with

\b
  fpcheck analyze samples/autoencoder.pt --activation tanh
  fpcheck explain FP201
"""

app = typer.Typer(
    name="fpcheck",
    help=HELP,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (analyze, inspect, suggest, screen, trace, explain, new, report, warm, bench):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        show(f"fpcheck {__version__}\n")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that stand before a command."""


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code.

    Raises:
        FpcheckError: whatever stands in the way, errors of usage included.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=list(arguments) or ["--help"], prog_name="fpcheck", standalone_mode=False
        )
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        raise _usage_error(error) from error.__cause__
    return code if isinstance(code, int) else 0


def _usage_error(error: Exception) -> Exception:
    """What typer says about the command line as a UsageError; any other error as it is."""
    words = getattr(error, "format_message", None)
    if words is None:
        return error
    near = getattr(error, "possibilities", None)
    flag = max(getattr(getattr(error, "param", None), "opts", ()), key=len, default="")
    if "valid integer" in str(words()):
        message = f"{flag} must be a whole number"
    elif "valid number" in str(words()):
        message = f"{flag} must be a number"
    else:
        message = str(error.message) if near and hasattr(error, "message") else str(words())
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fpcheck"
    hint = f"did you mean {' or '.join(sorted(near))}?" if near else f"{path} --help"
    return UsageError(message.rstrip("."), where=flag if flag.startswith("-") else "", hint=hint)
