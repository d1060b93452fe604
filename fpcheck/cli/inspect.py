"""`fpcheck inspect`: what was understood of a file; nothing is run."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from fpcheck.cli import options
from fpcheck.cli.terminal import show


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model file, a spec, or a live model, package.module:factory."
        ),
    ],
    *,
    spec: options.Spec = None,
    activation: options.Activation = None,
    output_activation: options.OutputActivation = None,
    key: options.Key = None,
    layout: options.Layout = None,
    input_shape: options.InputShape = None,
    format_: options.Format = None,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Show what a file holds: layers, tensors, initialisers, what can and cannot be analyzed.

    \b
      fpcheck inspect samples/autoencoder.pt
      fpcheck inspect samples/crelu100.toml
    """
    from fpcheck.cli.outputs import TEXTS, check_format
    from fpcheck.jobs.inspect import inspect as inspect_subject
    from fpcheck.network.load import load
    from fpcheck.report.document import write_json
    from fpcheck.report.inspection import inspection
    from fpcheck.report.terminal import write_panels

    check_format(format_ or "terminal", "--format", TEXTS)
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    # What the code of a live model prints must not stand in the summary.
    with redirect_stdout(sys.stderr):
        subject = load(
            model,
            spec=spec,
            activation=activation,
            output_activation=output_activation,
            key=key,
            layout=layout,
            input_shape=options.shape_of(input_shape),
        )
    section = inspect_subject(subject)
    show(write_json(section) if format_ == "json" else write_panels(inspection(section), style))
    return 0
