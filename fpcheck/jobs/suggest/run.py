"""The job: a model or a spec to the initialisation that it should start with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck import __version__
from fpcheck.core.errors import UnsupportedOperationError, UsageError
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.suggest.choice import Chooser
from fpcheck.jobs.suggest.edges import edges
from fpcheck.jobs.suggest.inputs import data_rows, trial_inputs
from fpcheck.jobs.suggest.result import Suggestion
from fpcheck.jobs.suggest.rows import code, notes, present, q_ratios, suggested_layers
from fpcheck.jobs.suggest.trial import lsuv_scales, suggested_start
from fpcheck.jobs.suggest.tried import tried_starts
from fpcheck.network.layers import layers
from fpcheck.network.load import load
from fpcheck.network.network import Network
from fpcheck.network.subject import Subject

SCHEMA = "fpcheck/suggestion/1"
METHODS = ("normal", "orthogonal", "lsuv")


def suggest(
    model: object,
    *,
    data: str | Path | None = None,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    target: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    method: str = "normal",
    q_star: float | None = None,
    sigma_b: float | None = None,
    short_run: bool = True,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
) -> dict[str, Any]:
    """The initialisation that the model should start with, as plain data.

    Args:
        model: a checkpoint, a spec or a live model, as `analyze` takes it.
        data: rows that the network is meant for; without them the law of inputs is drawn from.
        spec, activation, output_activation, key, layout, target, input_shape: as `analyze`.
        method: what the code draws: `normal`, `orthogonal`, or `lsuv` (orthogonal weights scaled
            on the inputs, no biases).
        q_star, sigma_b: aim at the point of the edge of chaos with this q*, or with this standard
            deviation of biases, in place of the recommended one.
        short_run: train from the network as it is and from the suggestion, where there are data.
        settings: the seed, the number of threads, and how the short run steps.
        monitor: hears of progress and can stop the work.

    Raises:
        FpcheckError: the model, the data or the wishes cannot be used.
    """
    _check_wishes(method, q_star, sigma_b)
    settings, monitor = settings or Settings(), monitor or Monitor()
    with threadpool_limits(1, "blas"):
        subject = load(
            model, spec=spec, activation=activation, output_activation=output_activation, key=key,
            layout=layout, seed=settings.seed, input_shape=input_shape,
        )  # fmt: skip
        network = _network(subject)
        monitor.check()
        rows = None if data is None else data_rows(subject, network, data, target)
        inputs, source, input_q = trial_inputs(subject, network, rows, settings.seed)
        monitor.report("trial start", 0, 0)
        edge_of = edges(q_star, None if sigma_b is None else sigma_b * sigma_b)
        chooser = Chooser(network.skeleton, edge_of, input_q)
        with np.errstate(all="ignore"):
            choices, measured, started = suggested_start(
                network, inputs, chooser, random_stream(settings.seed, "draw")
            )
            monitor.check()
            lsuv = lsuv_scales(network, inputs, random_stream(settings.seed, "draw", 1))
        scales = suggested_layers(network, subject, choices, measured, lsuv)
        low, high = q_ratios(scales)
        tried = tried_starts(
            network, started, rows, settings, monitor,
            wanted=short_run, trained=subject.format != "spec",
        )  # fmt: skip
        result = Suggestion(
            present=present(network, subject, inputs),
            edges=chooser.edges,
            layers=scales,
            source=source,
            q_ratio_low=low,
            q_ratio_high=high,
            notes=notes(network, inputs),
            code=code(network, subject, scales, method),
            short_run=tried,
        )
    return {
        "schema": SCHEMA,
        "fpcheck": __version__,
        "subject": {"name": subject.name, "format": subject.format, "sha256": subject.sha256},
        "settings": {
            "seed": settings.seed, "method": method, "q_star": q_star, "sigma_b": sigma_b,
            "versions": {"numpy": np.__version__},
        },
        **as_section(result),
    }  # fmt: skip


def _check_wishes(method: str, q_star: float | None, sigma_b: float | None) -> None:
    if method not in METHODS:
        raise UsageError(f"unknown method '{method}'", hint=f"known: {', '.join(METHODS)}")
    if q_star is not None and sigma_b is not None:
        raise UsageError("--q-star and --sigma-b exclude each other", hint="leave one out")
    if q_star is not None and not 0.0 < q_star < math.inf:
        raise UsageError(f"q* must be positive, got {q_star:g}", where="--q-star")
    if sigma_b is not None and not 0.0 <= sigma_b < math.inf:
        raise UsageError(f"sigma_b must not be negative, got {sigma_b:g}", where="--sigma-b")


def _network(subject: Subject) -> Network:
    """The subject's network.

    Raises:
        UnsupportedOperationError: it is not known as a whole, or has no layers.
    """
    network = subject.network
    where = subject.name
    if network is None:
        if subject.cells:
            raise UnsupportedOperationError(
                "the initialisation of recurrent cells is not judged", where=where
            )
        raise UnsupportedOperationError(subject.no_network, where=where, hint=subject.hint)
    if subject.partial is not None:
        raise UnsupportedOperationError(
            subject.partial.skipped,
            where=where,
            hint="a spec describes the whole: --spec FILE; `fpcheck analyze` measures the part",
        )
    if network.skeleton.black_box or not layers(network.skeleton):
        raise UnsupportedOperationError("there is no dense or convolutional layer", where=where)
    return network
