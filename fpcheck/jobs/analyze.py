"""The main job: a model, and data where there are any, to a judged report."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck import __version__
from fpcheck.core.errors import UsageError
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import QUESTIONS, Settings, asked_questions, names_plane_file
from fpcheck.jobs.cells import check_held, held_input
from fpcheck.jobs.planes import check_plane, given_plane
from fpcheck.jobs.sections import Case, SectionData, measure_sections
from fpcheck.jobs.timing import Stopwatch
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.data import Task, fit_to, load_data
from fpcheck.network.load import load
from fpcheck.network.load.registry import SPEC_SUFFIX
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.spec import read_spec
from fpcheck.network.summary import summarise
from fpcheck.report.report import SCHEMA, Report, judge_document


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
    _check_draws(model, settings)
    plane = given_plane(settings)
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
            check_plane(plane, subject)
            preprocessing = preprocessing or subject.preprocessing
            rows = None
            if data is not None:
                steps = preprocessing or Preprocessing()
                rows = load_data(data, target=target, preprocessing=steps, task=task)
                if subject.network is not None:
                    rows = fit_to(rows, subject.network.skeleton.input_shape)
        case = Case(subject, subject.network, rows, settings, monitor)
        sections = measure_sections(case, watch)
        if settings.draws > 1 and _asked(settings, "attractors"):
            with watch.measured("draws"):
                sections["draws"] = _draws(case, model, held)
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


def _asked(settings: Settings, question: str) -> bool:
    return question in asked_questions(settings.questions)


def _draws(case: Case, model: object, held: ConstantInput) -> SectionData:
    """How the attractors of many networks of the spec `model` are distributed."""
    from fpcheck.jobs.draws import measure_draws

    path = Path(str(model))
    return as_section(measure_draws(read_spec(path), case.settings, case.monitor, held))


def _check_draws(model: object, settings: Settings) -> None:
    """Nothing, if many networks can be drawn where that is asked.

    Raises:
        UsageError: the model is no spec, or nothing is asked of the attractors.
        NothingToJudgeError: the spec's networks are no self-maps.
    """
    if settings.draws == 1:
        return
    from fpcheck.jobs.draws import require_self_maps

    if not (isinstance(model, str | Path) and Path(model).suffix.lower() == SPEC_SUFFIX):
        name = Path(model).name if isinstance(model, str | Path) else "a live model"
        raise UsageError(
            f"--draws is for specs, which draw their weights; {name} has its own",
            where="--draws",
            hint="leave it out, or give the spec alone: fpcheck analyze net.toml --draws 20",
        )
    if not _asked(settings, "attractors"):
        raise UsageError(
            "--draws counts attractors, which are not asked for",
            where="--draws",
            hint="add --question attractors, or leave --draws out",
        )
    require_self_maps(read_spec(Path(model)))


def _check_questions(settings: Settings) -> None:
    for name in settings.questions:
        if name not in QUESTIONS:
            raise UsageError(f"unknown question '{name}'", hint=f"known: {', '.join(QUESTIONS)}")


def _settings_block(case: Case, preprocessing: Preprocessing | None) -> SectionData:
    settings = as_section(case.settings)
    del settings["threads"]  # no number depends on it
    if names_plane_file(case.settings.slice):
        settings["slice"] = [Path(case.settings.slice[0]).name]
    return {
        **settings,
        "inputs": case.input_law.label,
        "data": case.data.name if case.data else None,
        "preprocessing": as_section(preprocessing) if preprocessing else None,
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }
