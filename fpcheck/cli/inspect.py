"""`fpcheck inspect`: what was understood of a file; nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpcheck.cli import options
from fpcheck.cli.screen import show


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file or a spec.")],
    *,
    spec: options.Spec = None,
    activation: options.Activation = None,
    output_activation: options.OutputActivation = None,
    key: options.Key = None,
    layout: options.Layout = None,
    format_: options.Format = None,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Show what a file holds: layers, shapes, tensors, and what can and cannot be analyzed.

    \b
      fpcheck inspect samples/autoencoder.pt
      fpcheck inspect samples/crelu100.toml
    """
    from fpcheck.cli.outputs import check_format
    from fpcheck.core.plain import as_section
    from fpcheck.network.load import load
    from fpcheck.network.summary import summarise
    from fpcheck.report.document import write_json
    from fpcheck.report.inspection import inspection
    from fpcheck.report.terminal import write_panels

    check_format(format_ or "terminal", "--format")
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    subject = load(
        model,
        spec=spec,
        activation=activation,
        output_activation=output_activation,
        key=key,
        layout=layout,
    )
    section = as_section(summarise(subject))
    show(write_json(section) if format_ == "json" else write_panels(inspection(section), style))
    return 0
