"""The main job: a model, and data where there are any, to a judged report."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fpcheck import __version__
from fpcheck.attractors.measure import measure as measure_attractors
from fpcheck.core.errors import UsageError
from fpcheck.core.memory import require_memory
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import QUESTIONS, Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.cells import attractors_of_cells, check_held, held_input
from fpcheck.jobs.timing import Stopwatch
from fpcheck.network.data import Data, Task, fit_to, load_data
from fpcheck.network.inputs import InputLaw, draw_inputs
from fpcheck.network.layers import Layer, layers
from fpcheck.network.load import load
from fpcheck.network.network import Network
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.skeleton import Conv
from fpcheck.network.subject import Subject
from fpcheck.network.summary import summarise
from fpcheck.readout.measure import measure as measure_readout
from fpcheck.report.report import SCHEMA, Report, judge_document
from fpcheck.signal.measure import block_rows
from fpcheck.signal.measure import measure as measure_signal
from fpcheck.weights.late import measure_late
from fpcheck.weights.measure import measure as measure_weights

Array = NDArray[np.float64]
SectionData = dict[str, Any]

NO_WEIGHTS = "there are no weights to look at"
BLACK_BOX = "the model is a black box: the values of its layers are not known"
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


def analyze(
    model: object,
    *,
    data: str | Path | None = None,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    target: str | None = None,
    task: Task | None = None,
    input_choice: str = "zeros",
    input_shape: Sequence[int] | None = None,
    preprocessing: Preprocessing | None = None,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
    timings: bool = False,
) -> Report:
    """The report on a model file or spec, judged under `settings`.

    Args:
        model: a checkpoint (.npz, .safetensors, .pt, .pth) or a spec (.toml); or a live model: a
            torch.nn.Module, a keras.Model, a Network, a function f(x) -> y on batches of rows, or
            the target `package.module:factory` of one, which is imported.
        data: rows that the network is meant for; see `load_data`.
        spec: the skeleton of a checkpoint whose names and shapes do not tell it.
        activation, output_activation: of the hidden layers and of the last one.
        key: which state dict of several.
        layout: how square matrices lie, `out_in` or `in_out`.
        target: the target column of a CSV file, or the target array of a .npz.
        task: what the targets are, where it is not to be told from them.
        input_choice: the constant input of recurrent cells: `zeros`, `mean` (of the data's rows)
            or a file of one row.
        input_shape: of one row of a live model that does not tell it, such as (3, 32, 32).
        preprocessing: what is done to the data's rows before the network sees them.
        settings: seed, questions, starts, limits and the rest.
        monitor: hears of progress and can stop the work.
        timings: add the seconds that every question took.

    Raises:
        FpcheckError: the model, the spec, the data or the settings cannot be used.
    """
    settings = settings or Settings()
    monitor = monitor or Monitor()
    _check_questions(settings)
    watch = Stopwatch()
    # One and two threads of BLAS differ in the last bits: it gets one, and chunks get the cores.
    with threadpool_limits(1, "blas"):
        with watch.measured("load"):
            held = held_input(input_choice, data, target, preprocessing, spec or model)
            subject = load(
                model,
                spec=spec,
                activation=activation,
                output_activation=output_activation,
                key=key,
                layout=layout,
                seed=settings.seed,
                input_choice=held,
                input_shape=input_shape,
            )
            check_held(held, subject)
            preprocessing = preprocessing or subject.preprocessing
            rows = None
            if data is not None:
                steps = preprocessing or Preprocessing()
                rows = load_data(data, target=target, preprocessing=steps, task=task)
                if subject.network is not None:
                    rows = fit_to(rows, subject.network.skeleton.input_shape)
        case = Case(subject, subject.network, rows, settings, monitor)
        sections = _sections(case, watch)
    document: SectionData = {
        "schema": SCHEMA,
        "fpcheck": __version__,
        "subject": as_section(summarise(subject, settings.self_map)),
        "settings": _settings_block(case, preprocessing),
        **sections,
    }
    if timings:
        document["timings"] = watch.seconds
    return judge_document(document, settings)


def _sections(case: Case, watch: Stopwatch) -> SectionData:
    questions: dict[str, Callable[[Case], SectionData]] = {
        "weights": _weights,
        "signal": _signal,
        "attractors": _attractors,
        "readout": _readout,
    }
    asked = case.settings.questions or QUESTIONS
    broken = _nonfinite(case.subject)
    sections: SectionData = {}
    for name, ask in questions.items():
        case.monitor.check()
        if name != "weights" and name not in asked:
            sections[name] = {"skipped": f"not asked; pass --question {name}", "asked": False}
        elif reason := _obstacle(case, name, broken):
            sections[name] = {"skipped": reason}
        else:
            case.monitor.report(name, 0, 0)
            with watch.measured(name):
                sections[name] = ask(case)
    return sections


def _obstacle(case: Case, name: str, broken: str) -> str:
    """Why the question cannot be asked of the subject, "" where it can."""
    subject = case.subject
    if name == "weights":
        return "" if subject.tensors or subject.late else NO_WEIGHTS
    of_cells = name == "attractors" and bool(subject.cells)
    if case.network is None and not of_cells:
        return f"{subject.no_network}: {subject.hint}"
    if subject.partial is not None and name in ("attractors", "readout") and not of_cells:
        return subject.partial.skipped
    if _black_box(case) and name != "attractors":
        return BLACK_BOX
    return f"{broken} holds NaN or Inf" if broken else ""


def _black_box(case: Case) -> bool:
    return case.network is not None and case.network.skeleton.black_box


def _weights(case: Case) -> SectionData:
    if case.subject.late:
        result = measure_late(case.subject.late, case.settings, case.monitor)
    else:
        seen = None if _black_box(case) else case.network
        result = measure_weights(case.subject.tensors, seen, case.settings, case.monitor)
    # Without a network nothing says what is unused, and an empty list would look like a pass.
    known = case.network is not None and case.subject.partial is None and not _black_box(case)
    unused = list(case.subject.unused) if known else None
    return {**as_section(result), "unused": unused}


def _signal(case: Case) -> SectionData:
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
    rows = None
    if case.data is not None:
        chosen = _choose(len(case.data.inputs), settings.starts, rng)
        rows = case.data.inputs[chosen].reshape(-1, size)
    law = case.input_law.label
    return as_section(measure_attractors(network, starts, law, rows, settings, rng, case.monitor))


def _readout(case: Case) -> SectionData:
    if case.data is None:
        return {"skipped": "there are no data; pass --data FILE"}
    rng = random_stream(case.settings.seed, "readout")
    result = measure_readout(
        _network(case),
        case.data,
        case.settings,
        rng,
        case.monitor,
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


def _check_questions(settings: Settings) -> None:
    for name in settings.questions:
        if name not in QUESTIONS:
            raise UsageError(f"unknown question '{name}'", hint=f"known: {', '.join(QUESTIONS)}")


def _settings_block(case: Case, preprocessing: Preprocessing | None) -> SectionData:
    settings = as_section(case.settings)
    del settings["threads"]  # no number depends on it
    return {
        **settings,
        "inputs": case.input_law.label,
        "data": case.data.name if case.data else None,
        "preprocessing": as_section(preprocessing) if preprocessing else None,
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }
