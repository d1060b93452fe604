"""`fpcheck new`: a commented spec to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpcheck.cli.terminal import say, show
from fpcheck.core.errors import UsageError


def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="mlp, cnn1d, autoencoder or rnn.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, not to stdout."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
) -> int:
    """Write a commented spec to start from: mlp, cnn1d, autoencoder or rnn.

    \b
      fpcheck new mlp
      fpcheck new autoencoder -o net.toml
    """
    from fpcheck.cli.outputs import check_writable, write_whole
    from fpcheck.network.spec import template

    text = template(kind)
    if output is None:
        show(text)
        return 0
    if output.exists() and not force:
        raise UsageError(f"'{output}' exists already", hint="--force overwrites it")
    check_writable(output)
    write_whole(output, text)
    say(f"Wrote {output}.  Next: fpcheck analyze {output}")
    return 0
