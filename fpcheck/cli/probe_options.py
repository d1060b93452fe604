"""The flags of the training probe, and whether they are given where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from fpcheck.cli.checks import asks
from fpcheck.core.config import Configuration
from fpcheck.core.errors import UsageError
from fpcheck.core.settings import PROBE_OPTIMISERS

HEADING = "Training probe (--question escape)"

Steps: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--probe-steps",
        metavar="N",
        help="Steps of the training probe; 300.",
        rich_help_panel=HEADING,
    ),
]
Optimiser: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--optimiser",
        metavar="NAME",
        help=f"How it steps: {', '.join(PROBE_OPTIMISERS)}; sgd.",
        rich_help_panel=HEADING,
    ),
]
LearningRate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--lr",
        metavar="X",
        help="Its learning rate (norm-adaptive: c of c / |theta|^(L-2)); chosen by the curvature.",
        rich_help_panel=HEADING,
    ),
]
Batch: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--batch", metavar="N", help="Rows of a step; 0, all of them.", rich_help_panel=HEADING
    ),
]
Scan: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--escape-scan",
        help="Map lazy, saddle-to-saddle and failing starts over initialisation scale and depth.",
        show_default=False,
        rich_help_panel=HEADING,
    ),
]
# By key; those of OF_SHORT_RUNS are the short run's beside the signal as well.
FLAGS = {
    "probe-steps": "--probe-steps",
    "probe-optimiser": "--optimiser",
    "probe-rate": "--lr",
    "probe-batch": "--batch",
    "escape-scan": "--escape-scan",
}
OF_SHORT_RUNS = ("probe-steps", "probe-optimiser", "probe-rate", "probe-batch")


def check_probe_flags(configuration: Configuration, data: Path | None) -> None:
    """Nothing, if every flag about the training probe is given where one is run.

    Raises:
        UsageError: it is not: the flag would be of no effect.
    """
    asked = asks(configuration, "escape")
    if asked and data is not None:
        return
    short = bool(configuration.value("short-run").value) and asks(configuration, "signal")
    for name, flag in FLAGS.items():
        if not configuration.value(name).source.startswith("--"):
            continue
        of_short_run = short and name in OF_SHORT_RUNS
        if of_short_run and data is not None:
            continue
        why, missing = "which is not asked for", "add --question escape"
        if asked or of_short_run:
            why, missing = "which needs data with targets", "name them by --data FILE"
        raise UsageError(
            f"{flag} is about the training probe, {why}",
            where=flag,
            hint=f"{missing}, or leave {flag} out",
        )
