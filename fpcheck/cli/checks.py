"""That every flag is given where it has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from fpcheck.core.config import Configuration
from fpcheck.core.errors import UsageError
from fpcheck.core.nearest import did_you_mean
from fpcheck.core.settings import asked_questions

TASKS = ("classification", "regression")


def asks(configuration: Configuration, question: str) -> bool:
    """Whether the question is asked, by name or because none is named."""
    asked = cast("tuple[str, ...]", configuration.value("questions").value)
    return question in asked_questions(asked)


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
