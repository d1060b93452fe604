"""The flags of the simplicity question, and whether they are given where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from fpcheck.cli.checks import asks
from fpcheck.core.config import Configuration
from fpcheck.core.errors import UsageError

HEADING = "Simplicity of the labels (--question simplicity)"

Rows: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--label-rows",
        metavar="N",
        help="Training rows whose labels are to be hit; by default as many as are affordable, "
        "64 at most.",
        rich_help_panel=HEADING,
    ),
]
Errors: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--errors",
        metavar="K",
        help="Training rows that may be wrong; 0. Fix it before you look.",
        rich_help_panel=HEADING,
    ),
]
LawName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--label-law",
        metavar="LAW",
        help="Of the random weights: uniform, normal, lattice:Q, he_normal, ...; the spec's, or "
        "uniform on [-1, 1].",
        rich_help_panel=HEADING,
    ),
]
Tolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--label-tolerance",
        metavar="X",
        help="Of numbers: how far off counts as right, in standard deviations of the target; 0.5.",
        rich_help_panel=HEADING,
    ),
]
Shuffles: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--label-shuffles",
        metavar="K",
        help="Random labellings of the same class balance; 5.",
        rich_help_panel=HEADING,
    ),
]
Scan: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--label-scan",
        metavar="WHAT",
        help="The bits at other sizes: width or depth. Repeatable.",
        rich_help_panel=HEADING,
    ),
]
ScaledNeurons: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--scaled-neurons",
        help="Give every hidden unit a random scale of its own.",
        show_default=False,
        rich_help_panel=HEADING,
    ),
]
Training: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--label-training/--no-label-training",
        help="Train the same architecture beside it; yes.",
        show_default=False,
        rich_help_panel=HEADING,
    ),
]
FLAGS = {
    "label-rows": "--label-rows",
    "label-errors": "--errors",
    "label-law": "--label-law",
    "label-tolerance": "--label-tolerance",
    "label-shuffles": "--label-shuffles",
    "label-scan": "--label-scan",
    "scaled-neurons": "--scaled-neurons",
    "label-training": "--label-training",
}


def check_label_flags(configuration: Configuration, data: Path | None) -> None:
    """Nothing, if every flag about the labels' simplicity is given where that is asked for.

    Raises:
        UsageError: it is not: the flag would be of no effect.
    """
    asked = asks(configuration, "simplicity")
    if asked and data is not None:
        return
    why, missing = "which is not asked for", "add --question simplicity"
    if asked:
        why, missing = "which needs data with targets", "name them by --data FILE"
    for name, flag in FLAGS.items():
        if configuration.value(name).source.startswith("--"):
            raise UsageError(
                f"{flag} is about the simplicity of the labels, {why}",
                where=flag,
                hint=f"{missing}, or leave {flag} out",
            )
