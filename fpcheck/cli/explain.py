"""`fpcheck explain`: one rule in full, or the table of rules."""

from __future__ import annotations

from typing import Annotated

import typer

from fpcheck.cli import options
from fpcheck.cli.terminal import show


def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]",
            show_default=False,
            help="A code, the beginning of several, or a rule's name.",
        ),
    ] = None,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Explain a finding: what it checks, why it matters, how it decides, what to do.

    \b
      fpcheck explain
      fpcheck explain FP201
      fpcheck explain vanishing-signal
    """
    from fpcheck.core.catalogue import rules
    from fpcheck.core.printable import printable
    from fpcheck.report.explanation import explanation, find_rules, rule_table

    style = options.output_style(width=width, ascii_only=ascii_only, quiet=False, verbose=False)
    found = find_rules(code) if code else tuple(rules().values())
    if code and len(found) == 1:
        text = explanation(found[0], style.width)
    else:
        text = rule_table(found, style.width)
    lines = (printable(line, ascii_only=style.ascii_only) for line in text.splitlines())
    show("\n".join(lines) + "\n")
    return 0
