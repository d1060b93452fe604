"""Every model and every part beside them, on the same splits, in the order of the report."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.memory import fits
from fpcheck.core.workers import side_by_side, worker_count
from fpcheck.readout.duplicates import duplicates
from fpcheck.readout.features import Frozen
from fpcheck.readout.further import (
    DRAWS,
    LEARNING,
    LOGISTIC,
    STAGES,
    Bench,
    alignments,
    bias_part,
    error_rows,
    kernel_part,
    probes_part,
    width_part,
)
from fpcheck.readout.infinite import (
    NNGP,
    NTK,
    Infinite,
    infinite_models,
    infinite_part,
    no_kernels,
)
from fpcheck.readout.learning import learning_curve
from fpcheck.readout.logistic_choice import LogisticTrial
from fpcheck.readout.models import (
    Scored,
    baselines,
    logistic_fits,
    with_logistic,
    with_losses,
    without,
)
from fpcheck.readout.parts import Parts
from fpcheck.readout.random_draws import AT_INIT, at_initialisation
from fpcheck.readout.result import Skipped
from fpcheck.readout.stages import StageModels, entering, staged
from fpcheck.readout.trial import Models

Array = NDArray[np.float64]

# The first splits, of which the costly models see no more: a kernel, a network drawn; a logistic
# fit or a layer trained on.
COSTLY = 6
DEAREST = 4

# Entries of rows x features x classes above which no logistic fit is made: several minutes.
MOST_LOGISTIC = 4e8

SIDE_BY_SIDE = 20.0  # tables of n x n that the RBF kernel and the dual kernels take together

SPEC_START = "the weights drawn from the spec"
FILE_START = "the weights as they are"


def compare(
    bench: Bench,
    models: Models,
    frozen: Frozen,
    found: dict[str, Scored],
    own_shares: Array | None,
    *,
    trained: bool,
) -> tuple[dict[str, Scored], Parts]:
    """All models by name, and the parts of the report.

    found: majority, linear_on_input, trained and last_layer. own_shares: the network's own
    probabilities (n, classes).
    """
    asked = bench.asked
    compared = dict(found)
    logistic = _with_losses(bench, models, compared, own_shares)
    (near, rbf), (at_init, drawn, infinite) = _kernels(bench)
    compared |= {"neighbours": near, "rbf": rbf}
    compared[AT_INIT] = at_init
    compared |= {model.name: model for model in infinite.models}
    stages = _staged(bench, models, found["last_layer"], logistic, trained)
    compared |= {model.name: model for model in stages.models}
    infinite_width = (
        Skipped(bench.without_start)
        if bench.start is None
        else infinite_part(asked, infinite, at_init, bench.start, bench.last)
    )
    parts = Parts(
        initial=bench.start.law if bench.start else bench.without_start,
        infinite_width=infinite_width,
        kernel=kernel_part(bench, drawn),
        alignment=alignments(bench, infinite, frozen.features),
        learning_curve=learning_curve(
            asked, models.last_layer.rows, found["last_layer"].values, bench.stream(LEARNING)
        ),
        width_curve=width_part(bench, at_init, compared[NNGP]),
        stages=stages.part,
        probes=probes_part(bench, found["last_layer"], found["linear_on_input"]),
        bias_correction=bias_part(bench, compared[NNGP]),
        duplicates=duplicates(asked.inputs, asked.problem, asked.splits),
    )
    return compared, parts


def _with_losses(
    bench: Bench, models: Models, compared: dict[str, Scored], own_shares: Array | None
) -> list[LogisticTrial]:
    """Log-losses of the models that give probabilities; the last layer's logistic fits."""
    asked = bench.asked
    labels = asked.problem.labels
    if labels is None:
        return []
    rates = [asked.problem.targets[split.train].mean(axis=0) for split in asked.splits]
    shares = [np.tile(rate, (len(s.test), 1)) for rate, s in zip(rates, asked.splits, strict=True)]
    compared["majority"] = with_losses(compared["majority"], asked, shares)
    if own_shares is not None and compared["trained"].known:
        own = [own_shares[split.test] for split in asked.splits]
        compared["trained"] = with_losses(compared["trained"], asked, own)
    rngs = bench.stream(LOGISTIC).spawn(2)
    kept: list[LogisticTrial] = []
    tables = (("last_layer", models.last_layer), ("linear_on_input", models.linear))
    for (name, table), rng in zip(tables, rngs, strict=True):
        if isinstance(table, str | int) or table.rows.size * len(asked.problem.classes) > (
            MOST_LOGISTIC
        ):
            continue
        fits = logistic_fits(asked, table.rows, min(DEAREST, len(asked.splits)), rng)
        compared[name] = with_logistic(compared[name], asked, fits)
        asked.monitor.report("readout, logistic", 0, 0)
        kept = kept or (fits if name == "last_layer" else [])
    return kept


def _kernels(
    bench: Bench,
) -> tuple[tuple[Scored, Scored], tuple[Scored, list[Array], Infinite]]:
    """The baselines, and what `_fresh` gives: each with half of the threads, if memory allows.

    Most of the work are factorisations, of which each takes one thread.
    """
    asked, rows = bench.asked, len(bench.rows)
    why = no_kernels(rows)
    threads = asked.threads
    if worker_count(threads, 2) == 2 and fits(8.0 * SIDE_BY_SIDE * rows * rows):
        each = max(1, worker_count(threads, rows) // 2)
        bench = replace(bench, asked=replace(asked, threads=each))
    else:
        threads = 1
    return side_by_side(lambda: baselines(bench.asked, COSTLY, why), lambda: _fresh(bench), threads)


def _fresh(bench: Bench) -> tuple[Scored, list[Array], Infinite]:
    """Random networks' last layers, what enters them, and their infinite width."""
    if bench.start is None:
        why = bench.without_start
        nothing = Infinite(None, None, (without(NNGP, why), without(NTK, why)), ((), ()))
        return without(AT_INIT, why), [], nothing
    asked = bench.asked
    count = min(COSTLY, len(asked.splits))
    draws = bench.stream(DRAWS).spawn(bench.settings.readout_draws)
    with np.errstate(over="ignore", invalid="ignore"):
        at_init, drawn = at_initialisation(
            asked, bench.start, bench.rows, bench.last, draws, count, error_rows(len(bench.rows))
        )
        infinite = infinite_models(asked, bench.start, bench.rows, bench.last, count)
    return at_init, drawn, infinite


def _staged(
    bench: Bench,
    models: Models,
    last_layer: Scored,
    logistic: list[LogisticTrial],
    trained: bool,
) -> StageModels:
    asked, network = bench.asked, bench.network
    try:
        values = node_values(bench, entering(network, bench.last))
        return staged(
            asked,
            network,
            bench.last,
            values,
            last_layer,
            logistic,
            min(DEAREST, len(asked.splits)),
            bench.stream(STAGES),
            FILE_START if trained else SPEC_START,
        )
    except MemoryLimitError as error:
        names = ("last_2_layers", "last_3_layers")
        return StageModels(
            tuple(without(name, error.message) for name in names), Skipped(error.message)
        )


def node_values(bench: Bench, names: list[str]) -> dict[str, Array]:
    """The values (n, width) of some nodes, flat, by blocks of rows."""
    from fpcheck.core.memory import require_memory
    from fpcheck.network.program import ROW_BLOCK, trace

    shapes = bench.network.skeleton.shapes
    widths = {name: math.prod(shapes[name]) for name in names}
    require_memory(
        8.0 * len(bench.rows) * sum(widths.values()), "the values that enter the last layers"
    )
    values = {name: np.empty((len(bench.rows), width)) for name, width in widths.items()}
    for start in range(0, len(bench.rows) if names else 0, ROW_BLOCK):
        bench.asked.monitor.check()
        block = slice(start, start + ROW_BLOCK)
        traced = trace(bench.network.program, bench.rows[block])
        for name, table in values.items():
            table[block] = traced[name].reshape(-1, table.shape[1])
    return values
