"""Every question asked of one subject: what it is asked about, or why it cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.measure import measure as measure_attractors
from fpcheck.core.errors import UsageError
from fpcheck.core.memory import require_memory
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import QUESTIONS, Settings, asked_questions
from fpcheck.core.streams import random_stream
from fpcheck.jobs.cells import attractors_of_cells
from fpcheck.jobs.short_run import NOT_ASKED, beside_rules, of_escape, short_run
from fpcheck.jobs.timing import Stopwatch
from fpcheck.network.data import Data
from fpcheck.network.inputs import InputLaw, draw_inputs
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv
from fpcheck.network.subject import Subject
from fpcheck.weights.measure import measure as measure_weights

Array = NDArray[np.float64]
SectionData = dict[str, Any]

NO_WEIGHTS = "there are no weights to look at"
BLACK_BOX = "the model is a black box: the values of its layers are not known"
# What a part of a network says nothing of.
OF_THE_WHOLE = ("attractors", "readout", "simplicity", "escape")
NOT_TAKEN = "not taken as a self-map, because --no-self-map was given"


@dataclass(frozen=True, slots=True)
class Case:
    """What every question is asked about."""

    subject: Subject
    network: Network | None
    data: Data | None
    settings: Settings
    monitor: Monitor

    @property
    def input_law(self) -> InputLaw:
        """The stated law of inputs, standard normal where none is stated."""
        return self.subject.input_law or InputLaw()


def measure_sections(case: Case, watch: Stopwatch) -> SectionData:
    """The section of every question, or why it is skipped."""
    questions: dict[str, Callable[[Case], SectionData]] = {
        "weights": _weights,
        "signal": _signal,
        "attractors": _attractors,
        "readout": _readout,
        "simplicity": _simplicity,
        "escape": _escape,
    }
    asked = asked_questions(case.settings.questions)
    broken = _nonfinite(case.subject)
    sections: SectionData = {}
    for name in QUESTIONS:
        case.monitor.check()
        if name != "weights" and name not in asked:
            sections[name] = {"skipped": f"not asked; pass --question {name}", "asked": False}
        elif reason := _obstacle(case, name, broken):
            sections[name] = {"skipped": reason}
        else:
            case.monitor.report(name, 0, 0)
            with watch.measured(name):
                sections[name] = questions[name](case)
    if "skipped" not in sections["signal"]:
        with watch.measured("short run"):
            run = _short_run(case, sections["escape"])
        sections["signal"] = beside_rules(sections["signal"], run, case.settings)
    return sections


def _obstacle(case: Case, name: str, broken: str) -> str:
    """Why the question cannot be asked of the subject, "" where it can."""
    subject = case.subject
    if name == "weights":
        return "" if subject.tensors or subject.late else NO_WEIGHTS
    of_cells = name == "attractors" and bool(subject.cells)
    if case.network is None and not of_cells:
        return f"{subject.no_network}: {subject.hint}"
    if subject.partial is not None and name in OF_THE_WHOLE and not of_cells:
        return subject.partial.skipped
    if _black_box(case) and name != "attractors":
        return BLACK_BOX
    return f"{broken} holds NaN or Inf" if broken else ""


def _black_box(case: Case) -> bool:
    return case.network is not None and case.network.skeleton.black_box


def _weights(case: Case) -> SectionData:
    if case.subject.late:
        from fpcheck.weights.late import measure_late

        result = measure_late(case.subject.late, case.settings, case.monitor)
    else:
        seen = None if _black_box(case) else case.network
        result = measure_weights(case.subject.tensors, seen, case.settings, case.monitor)
    # Without a network nothing says what is unused, and an empty list would look like a pass.
    known = case.network is not None and case.subject.partial is None and not _black_box(case)
    unused = list(case.subject.unused) if known else None
    return {**as_section(result), "unused": unused}


def _signal(case: Case) -> SectionData:
    from fpcheck.signal.measure import measure as measure_signal

    network = _network(case)
    rng = random_stream(case.settings.seed, "signal")
    inputs, source = _inputs(case, case.settings.samples)
    _require_room(network, "the signal question")
    result = measure_signal(
        network,
        inputs,
        source,
        case.settings,
        rng,
        case.monitor,
        layer_laws=case.subject.layer_laws,
    )
    return as_section(result)


def _short_run(case: Case, escape: SectionData) -> SectionData:
    """Whether the loss falls at all: as the escape question saw it, else by a run of its own."""
    if escape.get("asked") is not False:
        return of_escape(escape)
    if not case.settings.short_run:
        return {"skipped": NOT_ASKED, "asked": False}
    if case.subject.partial is not None:
        return {"skipped": case.subject.partial.skipped}
    trained = case.subject.format != "spec"
    return short_run(_network(case), case.data, case.settings, case.monitor, trained=trained)


def _attractors(case: Case) -> SectionData:
    settings = case.settings
    if settings.self_map is False:
        return {"skipped": NOT_TAKEN}
    if case.subject.cells:
        return as_section(attractors_of_cells(case.subject, case.input_law, settings, case.monitor))
    network = _network(case)
    if not network.skeleton.self_map:
        shapes = f"{list(network.skeleton.input_shape)} to {list(network.skeleton.output_shape)}"
        if settings.self_map:
            raise UsageError(
                f"--self-map insists on iterating {case.subject.name}, which maps {shapes}",
                where="--self-map",
                hint="leave it out to iterate only where the shapes agree",
            )
        return {"skipped": f"not a self-map: it maps {shapes}, so it cannot be fed to itself"}
    size = network.program.input_size
    require_memory(24.0 * settings.starts * size, f"iterating {settings.starts} starts")
    rng = random_stream(settings.seed, "attractors")
    shape = network.skeleton.input_shape
    starts = draw_inputs(case.input_law, settings.starts, shape, rng).reshape(-1, size)
    rows = chosen = None
    if case.data is not None:
        chosen = _choose(len(case.data.inputs), settings.starts, rng)
        rows = case.data.inputs[chosen].reshape(-1, size)
    law = case.input_law.label
    result = measure_attractors(
        network, starts, law, rows, settings, rng, case.monitor, numbers=chosen
    )
    return as_section(result)


def _readout(case: Case) -> SectionData:
    if case.data is None:
        return {"skipped": "there are no data; pass --data FILE"}
    from fpcheck.readout.measure import measure as measure_readout

    rng = random_stream(case.settings.seed, "readout")
    result = measure_readout(
        _network(case),
        case.data,
        case.settings,
        rng,
        case.monitor,
        trained=case.subject.format != "spec",
        laws=case.subject.layer_laws or None,
    )
    return as_section(result)


def _simplicity(case: Case) -> SectionData:
    if case.data is None:
        return {"skipped": "there are no data; pass --data FILE"}
    from fpcheck.simplicity.measure import measure as measure_simplicity
    from fpcheck.simplicity.result import Skipped

    result = measure_simplicity(
        _network(case),
        case.data,
        case.settings,
        case.monitor,
        laws=case.subject.layer_laws or None,
    )
    return as_section(result) if isinstance(result, Skipped) else result.section()


def _escape(case: Case) -> SectionData:
    if case.data is None:
        return {"skipped": "there are no data; pass --data FILE"}
    from fpcheck.escape.measure import measure as measure_escape

    result = measure_escape(
        _network(case),
        case.data,
        case.settings,
        random_stream(case.settings.seed, "escape"),
        case.monitor,
        laws=case.subject.layer_laws or None,
        trained=case.subject.format != "spec",
    )
    return as_section(result)


def _network(case: Case) -> Network:
    if case.network is None:  # callers ask only where there is one
        raise ValueError("the subject has no network")
    return case.network


def _inputs(case: Case, count: int) -> tuple[Array, str]:
    """(inputs, where they come from): rows of the data, or draws from the law of inputs."""
    rng = random_stream(case.settings.seed, "inputs")
    if case.data is not None:
        chosen = _choose(len(case.data.inputs), count, rng)
        return case.data.inputs[chosen], f"{len(chosen)} rows of {case.data.name}"
    shape = _network(case).skeleton.input_shape
    require_memory(24.0 * count * math.prod(shape), f"drawing {count} inputs")
    drawn = draw_inputs(case.input_law, count, shape, rng)
    return drawn, f"{count} draws from {case.input_law.label}"


def _choose(rows: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `count` of the rows, without replacement, in their own order."""
    if rows <= count:
        return np.arange(rows)
    return np.sort(rng.choice(rows, count, replace=False))


def _require_room(network: Network, what: str) -> None:
    """Refuse a network whose working copy and one block of rows do not fit into memory."""
    from fpcheck.signal.measure import block_rows

    weights = sum(tensor.size for tensor in network.parameters.values())
    values = sum(math.prod(shape) for shape in network.skeleton.shapes.values())
    windows = max(map(_unfolded, layers(network.skeleton)), default=0)
    per_row = 3 * values + 2 * windows
    require_memory(8.0 * (2 * weights + block_rows(network) * per_row), what)


def _unfolded(layer: Layer) -> int:
    """The entries of one row's windows, side by side as a convolution multiplies them."""
    node = layer.node
    return layer.fan_in * node.groups * math.prod(layer.shape[1:]) if isinstance(node, Conv) else 0


def _nonfinite(subject: Subject) -> str:
    """The first tensor with a NaN or Inf entry, empty where there is none."""
    for name, tensor in subject.tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            return f"'{name}'"
    return ""
