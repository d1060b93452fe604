"""The readout question: is the last layer, fitted again on the frozen features, enough?"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import UsageError
from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order, worker_count
from fpcheck.network.data import Data, fit_to
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense, Skeleton
from fpcheck.readout.baselines import bottleneck
from fpcheck.readout.compared import compare
from fpcheck.readout.duplicates import class_notes
from fpcheck.readout.estimate import summarised, trial_models
from fpcheck.readout.features import Table, frozen_features, last_dense, prepared
from fpcheck.readout.further import NOT_INITIAL, Bench
from fpcheck.readout.initial import Initial, NotPossible
from fpcheck.readout.initial import initial as initial_networks
from fpcheck.readout.models import Asked
from fpcheck.readout.notes import edge_notes, fewer_splits
from fpcheck.readout.problem import (
    Problem,
    choose_problem,
    own_predictions,
    own_probabilities,
)
from fpcheck.readout.result import ReadoutResult, Skipped
from fpcheck.readout.ridge import working_memory
from fpcheck.readout.splits import Split, random_split
from fpcheck.readout.trial import Models, Trial, run_trial
from fpcheck.theory.layer_scales import LayerLaws

MIN_ROWS = 20  # fewer leave held-out scores that no interval can make honest
FROM_SPEC = "the weights are drawn from a spec, so nothing was trained"
SEEN_ROWS = (
    "the layers may have been trained on these very rows; then no score of their features, refits, "
    "stages and probes included, is a forecast: pass rows that training did not see"
)


def measure(
    network: Network,
    data: Data,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    trained: bool = True,
    laws: LayerLaws | None = None,
    initial: bool = True,
) -> ReadoutResult | Skipped:
    """Held-out scores of the last layer fitted again, and of all that it is to be held against.

    Args:
        network: its last layer is dense.
        data: rows with targets; without targets, a self-map is asked to reproduce its rows.
        settings: splits, test_share, readout_draws, bias_share, self_map and threads are used.
        rng: every split draws from a child of its own (`Generator.spawn`).
        monitor: hears of every split.
        trained: whether the weights come from a file; else the network's own score says nothing.
        laws: of weights and biases by layer, from a spec; fresh random networks are drawn by them,
            without any by each layer's own measured scale.
        initial: whether fresh random networks and their infinite width are measured.

    Raises:
        DataError: the rows do not fit the network's input.
        UsageError: fewer than two splits, or a share of held-out rows outside (0, 1).
        MemoryLimitError: the work does not fit into memory.
    """
    _check(settings)
    skeleton = network.skeleton
    data = fit_to(data, skeleton.input_shape)
    last = last_dense(skeleton)
    if isinstance(last, str):
        return Skipped(last)
    problem = choose_problem(data, skeleton, settings.self_map)
    if isinstance(problem, str):
        return Skipped(problem)
    if data.rows < MIN_ROWS:
        return Skipped(
            f"{data.name} has {data.rows} rows; a held-out score needs {MIN_ROWS}, so nothing can "
            "be concluded on the last layer, on what it is held against or on infinite width"
        )
    if problem.copies_input and last.inputs[0] == skeleton.nodes[0].name:
        return Skipped(f"'{last.name}' sees the input itself, which is also its target; pass y")
    frozen = frozen_features(network, data.inputs, last, monitor)
    if not np.isfinite(frozen.features).all():
        return Skipped(f"the values that enter '{last.name}' are not finite on these rows")
    _require_room(data.rows, max(frozen.features.shape[1], network.program.input_size), settings)
    models = Models(
        last_layer=prepared(frozen.features),
        linear=_linear(problem, data, skeleton, last),
        own=own_predictions(problem, skeleton, frozen.outputs) if trained else FROM_SPEC,
    )
    splits = [
        random_split(data.rows, settings.test_share, child, problem.labels)
        for child in rng.spawn(settings.splits)
    ]
    trials = _run(problem, models, splits, settings, monitor)
    if not all(math.isfinite(one.held_out.value) for trial in trials for one in trial.values()):
        return Skipped("the targets of some held-out rows do not vary, so they have no R^2")
    flat = data.inputs.reshape(data.rows, -1)
    asked = Asked(flat, problem, splits, settings.threads, monitor)
    start, why = _start(network, laws, settings) if initial else (None, NOT_INITIAL)
    bench = Bench(asked, network, laws, last, data.inputs, settings, start, why)
    own_shares = own_probabilities(problem, skeleton, frozen.outputs) if trained else None
    compared, parts = compare(
        bench, models, frozen, trial_models(models, trials), own_shares, trained=trained
    )
    seen = (SEEN_ROWS,) if trained else ()
    notes = (
        *data.notes,
        *seen,
        *class_notes(problem, splits),
        *fewer_splits(compared, settings.splits),
        *edge_notes(parts.infinite_width, len(splits[0].train)),
    )
    return summarised(
        problem, models, trials, compared, parts,
        last=last, split=splits[0], notes=notes, trained=trained,
    )  # fmt: skip


def _start(
    network: Network, laws: LayerLaws | None, settings: Settings
) -> tuple[Initial | None, str]:
    """What fresh random networks are drawn from, or why there are none."""
    if settings.readout_draws < 1:
        return None, "no random network was asked for"
    with np.errstate(over="ignore", invalid="ignore"):
        start = initial_networks(network, laws)
    if isinstance(start, NotPossible):
        return None, start.reason
    broken = [name for name, one in start.scales.items() if not math.isfinite(one.sigma_b2)]
    if broken:
        return None, f"the size of the weights of '{broken[0]}' leaves the range of numbers"
    return start, ""


def _linear(problem: Problem, data: Data, skeleton: Skeleton, last: Dense) -> Table | int | str:
    """The linear model beside the last layer: its inputs, its width, or why there is none."""
    if last.inputs[0] == skeleton.nodes[0].name:
        return "the network has one layer, so its last layer is the linear model"
    inputs = data.inputs.reshape(data.rows, -1)
    if not problem.copies_input:
        return prepared(inputs)
    rank = bottleneck(skeleton)
    if rank < inputs.shape[1]:
        return rank
    return "a linear model without a bottleneck copies its input"


def _run(
    problem: Problem, models: Models, splits: list[Split], settings: Settings, monitor: Monitor
) -> list[dict[str, Trial]]:
    """The trials of all splits in their order, whatever the number of threads."""

    def one(split: Split) -> dict[str, Trial]:
        return run_trial(problem, models, split)

    return in_order(one, splits, settings.threads, monitor, "readout, random splits")


def _require_room(rows: int, width: int, settings: Settings) -> None:
    """Refuse work that does not fit: two tables, their spectra, and a fit in every thread."""
    side = min(rows, width)
    tables = 8.0 * (3.0 * rows * width + 3.0 * side * side)
    busy = worker_count(settings.threads, settings.splits)
    fits = busy * working_memory(rows, side)
    require_memory(tables + fits, f"the readout of {rows} rows of {width} features")


def _check(settings: Settings) -> None:
    if settings.splits < 2:
        raise UsageError(
            f"{settings.splits} random splits of the readout; an interval needs two or more"
        )
    if not 0.0 < settings.test_share < 1.0:
        raise UsageError(
            f"a share of {settings.test_share:g} of the rows held out is not between 0 and 1"
        )
