"""Recurrent cells in the main job: the input that they are held at, and their attractors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fpcheck.attractors.measure import measure
from fpcheck.attractors.result import AttractorsResult, MapResult
from fpcheck.core.errors import UsageError
from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.constant_input import ConstantInput, constant_input, mean_row
from fpcheck.network.data import load_data
from fpcheck.network.inputs import InputLaw, draw_inputs
from fpcheck.network.load.registry import SPEC_SUFFIX
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.spec import read_spec
from fpcheck.network.subject import Subject


def held_input(
    choice: str,
    data: str | Path | None,
    target: str | None,
    preprocessing: Preprocessing | None,
    stated: object,
) -> ConstantInput:
    """The input at which recurrent cells are held; the mean is of the rows as cells see them.

    stated: the file whose preprocessing holds where the user gives none, if it is a spec.

    Raises:
        DataError: the file, or the data, cannot be read.
        UsageError: the mean of no data.
    """
    if choice != "mean" or data is None:
        return constant_input(choice)
    if preprocessing is None and isinstance(stated, str | Path):
        path = Path(stated)
        if path.suffix.lower() == SPEC_SUFFIX:
            preprocessing = read_spec(path).preprocessing
    return mean_row(load_data(data, target=target, preprocessing=preprocessing))


def check_held(held: ConstantInput, subject: Subject) -> None:
    """Raise a UsageError where an input is chosen for a subject without recurrent cells."""
    if held.row is not None and not subject.cells:
        raise UsageError(
            f"--input is of recurrent cells, and {subject.name} has none", hint="leave --input out"
        )


def attractors_of_cells(
    subject: Subject, law: InputLaw, settings: Settings, monitor: Monitor
) -> AttractorsResult:
    """The attractors of every cell, a map each, from starts of its own stream.

    law: of every entry of a cell's state, an LSTM's h and c alike.
    """
    maps: list[MapResult] = []
    for number, cell in enumerate(subject.cells):
        monitor.check()
        size = cell.network.program.input_size
        require_memory(24.0 * settings.starts * size, f"iterating {settings.starts} starts")
        rng = random_stream(settings.seed, "attractors", number)
        starts = draw_inputs(law, settings.starts, (size,), rng)
        found = measure(cell.network, starts, law.label, None, settings, rng, monitor)
        maps += [replace(one, name=cell.name) for one in found.maps]
    return AttractorsResult(tuple(maps))
