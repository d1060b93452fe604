"""The escape question: what the first steps of training do to the network as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.events import Curve, Events, curve_of, find_events
from fpcheck.escape.foretold import foretell
from fpcheck.escape.low_rank import depth_law, low_rank_at, low_rank_layers
from fpcheck.escape.probe import Run, run_probe
from fpcheck.escape.problem import MAX_ROWS, Problem, pose_problem
from fpcheck.escape.rate import Rate, choose_rate
from fpcheck.escape.record import record_run
from fpcheck.escape.result import (
    EscapeResult,
    LowRankLayer,
    SecondRun,
    Skipped,
    StepRecord,
    Verdict,
)
from fpcheck.escape.second_run import second_run, waits, with_second
from fpcheck.escape.trainability import Trainability, dead_start, judge_trainability
from fpcheck.escape.verdict import decide
from fpcheck.network.data import Data
from fpcheck.network.initializers import Law
from fpcheck.network.network import Network
from fpcheck.network.training import trained_names
from fpcheck.network.training.optimisers import degree

if TYPE_CHECKING:
    from fpcheck.escape.scan import Scan

LayerLaws = Mapping[str, tuple[Law, Law | None]]

FEWEST_ROWS = 2  # one row has no spread


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """A probe with all that is read from it."""

    problem: Problem
    rate: Rate
    run: Run
    records: tuple[StepRecord, ...]
    curve: Curve
    events: Events
    dead: bool
    silent: str
    trainability: Trainability
    second: SecondRun | Skipped


def probe(
    network: Network,
    data: Data,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    trained: bool = False,
    most: int = MAX_ROWS,
) -> Probed | Skipped:
    """The probe of the network on at most `most` rows of the data, or why there is none."""
    if settings.probe_steps < 1:
        return Skipped("no step of training was asked for")
    if not all(np.isfinite(tensor).all() for tensor in network.parameters.values()):
        return Skipped("the weights hold NaN or Inf")
    # Streams of their own, so that the records do not depend on how the rate was found.
    for_rows, for_rate, for_batches, for_records, for_second = rng.spawn(5)
    problem = pose_problem(
        network, data, for_rows, self_map=settings.self_map, trained=trained, most=most
    )
    if isinstance(problem, str):
        return Skipped(problem)
    if len(problem.inputs) < FEWEST_ROWS:
        return Skipped(f"{data.name} has one row")
    if settings.probe_optimiser == "norm-adaptive" and _all_zero(problem.network):
        return Skipped(
            "the weights are all 0, where the norm-adaptive rate c / |theta|^(L-2) has no value; "
            "pass another --optimiser"
        )
    monitor.report("training probe: learning rate", 0, 0)
    with np.errstate(all="ignore"):  # what overflows shows as a loss that is not finite
        rate = choose_rate(problem, settings, for_rate, monitor)
    run = run_probe(problem, rate.recipe, for_batches, monitor, threads=settings.threads)
    records, curve, events = _looked_at(run, problem, settings, for_records, monitor)
    dead, silent = dead_start(run, records)
    found = judge_trainability(curve, events, problem, dead=dead, silent=silent)
    second = second_run(problem, rate.recipe, found, settings, for_second, monitor, dead=dead)
    found = with_second(found, second)
    return Probed(problem, rate, run, records, curve, events, dead, silent, found, second)


def measure(
    network: Network,
    data: Data,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    laws: LayerLaws | None = None,
    trained: bool = False,
) -> EscapeResult | Skipped:
    """The first steps of training on the data, with what happened in them and when.

    Args:
        network: as given, a spec's draw or a checkpoint.
        data: rows with targets; without targets a self-map learns to give its input back.
        settings: the `probe_...` ones, escape_scan, self_map and threads are used.
        rng: every part draws from a child of its own.
        monitor: hears of steps and records.
        laws: of weights and biases by layer, for the draws of the scan.
        trained: whether the weights come from a file.

    Raises:
        DataError: the rows do not fit the network's input.
        UnsupportedOperationError: an activation without a derivative.
        MemoryLimitError: the parameters and their moments do not fit.
    """
    probed = probe(network, data, settings, rng, monitor, trained=trained)
    if isinstance(probed, Skipped):
        return probed
    for_direction, for_scan = rng.spawn(2)
    direction = foretell(
        probed.problem, probed.run, probed.curve, probed.events, probed.records,
        settings, for_direction, monitor,
    )  # fmt: skip
    scan = _scan(probed.problem, settings, for_scan, monitor, laws)
    return _result(probed, settings, direction, scan)


def _looked_at(
    run: Run, problem: Problem, settings: Settings, rng: np.random.Generator, monitor: Monitor
) -> tuple[tuple[StepRecord, ...], Curve, Events]:
    """The records, the curve and its events, which in full batch need no records.

    There the escape and the next saddle are then among the recorded steps; the dates of
    mini-batches are recorded steps anyhow.
    """
    if run.full_batch:
        curve = curve_of(run, ())
        events = find_events(curve, problem.constant_loss, settings.probe_steps)
        saddle = events.next_saddle and events.next_saddle["from"]
        dated = [step for step in (events.escaped_at, saddle, events.spike_at) if step]
        return (
            record_run(run, problem, rng, settings.threads, monitor, dated), curve, events
        )  # fmt: skip
    records = record_run(run, problem, rng, settings.threads, monitor)
    curve = curve_of(run, records)
    return records, curve, find_events(curve, problem.constant_loss, settings.probe_steps)


def _result(
    probed: Probed,
    settings: Settings,
    direction: Mapping[str, object] | Skipped,
    scan: Scan | Skipped,
) -> EscapeResult:
    """The section, of the probe and what is read from it."""
    problem, run, events, found = probed.problem, probed.run, probed.events, probed.trainability
    at = low_rank_at(run, events.escaped_at)
    low_rank = () if at is None else low_rank_layers(run, at)
    return EscapeResult(
        rows=len(problem.inputs),
        batch=run.recipe.batch,
        optimiser=settings.probe_optimiser,
        learning_rate=run.recipe.rate,
        learning_rate_rule=probed.rate.rule,
        loss_name=problem.loss,
        target=problem.target,
        constant_loss=problem.constant_loss,
        depth=degree(run.network.skeleton),
        probe_steps=settings.probe_steps,
        steps=probed.records,
        steps_made=run.steps,
        start_loss=float(probed.curve.loss[0]),
        best_loss=found.best_loss,
        end_loss=found.end_loss,
        trainability=found.answer,
        trainability_reason=found.reason,
        fall=found.fall,
        second_run=probed.second,
        **{event.name: getattr(events, event.name) for event in fields(events)},
        dead_start=probed.dead,
        dead_layer=probed.silent,
        moved=_moved(run),
        low_rank=low_rank,
        low_rank_at=at,
        low_rank_ratio=max((one.ratio for one in low_rank if one.ratio is not None), default=None),
        low_rank_layers=tuple(one.name for one in low_rank if one.low_rank),
        law=depth_law(low_rank),
        direction=direction,
        scan=scan,
        verdict=_verdict(probed, low_rank, given=settings.probe_rate > 0.0),
        notes=(*problem.notes, *_notes(run)),
    )


def _verdict(probed: Probed, low_rank: tuple[LowRankLayer, ...], *, given: bool) -> Verdict:
    recipe = probed.run.recipe
    return decide(
        probed.trainability, probed.events, low_rank,
        dead=probed.dead, rate=recipe.rate, steps=recipe.steps,
        adaptive=recipe.norm_adaptive,
        given=given, waits=waits(probed.second),
    )  # fmt: skip


def _scan(
    problem: Problem,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    laws: LayerLaws | None,
) -> Scan | Skipped:
    """The map over initialisation scale and depth, where it is asked for."""
    if not settings.escape_scan:
        return Skipped("not asked; pass --escape-scan")
    from fpcheck.escape.scan import scan

    found = scan(problem, settings, rng, monitor, laws=laws)
    return Skipped(found) if isinstance(found, str) else found


def _all_zero(network: Network) -> bool:
    """Whether everything that would be trained is 0."""
    names = trained_names(network.skeleton)
    return not any(np.any(network.parameters[name]) for name in names)


def _moved(run: Run) -> float:
    """|theta(end) - theta(0)| / |theta(0)|, of the last finite step."""
    start, end = run.kept[0], run.kept[max(run.kept)]
    norm = float(np.linalg.norm(start))
    distance = float(np.linalg.norm(end - start))
    return distance / norm if norm > 0.0 else (np.inf if distance > 0.0 else 0.0)


def _notes(run: Run) -> tuple[str, ...]:
    """What is to be known of the records."""
    if run.stride == 1:
        return ()
    return (
        f"weights were kept of every {run.stride}th step, to bound their memory: the records "
        "and the escape's weights are of the nearest of them",
    )
