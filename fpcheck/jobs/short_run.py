"""A short run of training for the signal question: does the loss fall at all?"""

from __future__ import annotations

from typing import Any

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.core.limits import effective_limits
from fpcheck.core.plain import Section, as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Skeleton
from fpcheck.network.training.cost import GRADIENT_PASSES, multiply_adds

SectionData = dict[str, Any]

# Multiplications of one run, some ten seconds of one core: deep or wide networks get fewer rows,
WORK = 1e11
FEWEST_ROWS = 128  # but not fewer,
MOST_WORK = 1e12  # and none beyond.
NOT_ASKED = "not asked; pass --short-run with --data FILE"


def short_run(
    network: Network, data: Data | None, settings: Settings, monitor: Monitor, *, trained: bool
) -> SectionData:
    """Whether the loss falls within settings.probe_steps, on as many rows as are affordable.

    The run is the one of the question `escape`. trained: whether the weights come from a file.
    """
    from fpcheck.escape.measure import probe
    from fpcheck.escape.problem import MAX_ROWS
    from fpcheck.escape.result import Skipped

    if data is None:
        return {"skipped": "there are no data; pass --data FILE"}
    work = row_work(network.skeleton, settings.probe_steps)
    if work * min(FEWEST_ROWS, data.rows) > MOST_WORK:
        return {"skipped": "a short run of a network of this size takes minutes; pass -Q escape"}
    most = max(FEWEST_ROWS, min(MAX_ROWS, int(WORK / max(work, 1.0))))
    stream = random_stream(settings.seed, "escape")
    try:
        found = probe(network, data, settings, stream, monitor, trained=trained, most=most)
    except UnsupportedOperationError as error:
        return {"skipped": error.message}
    if isinstance(found, Skipped):
        return {"skipped": found.skipped}
    result = {
        "answer": found.trainability.answer,
        "reason": found.trainability.reason,
        "fall": found.trainability.fall,
        "start_loss": float(found.curve.loss[0]),
        "best_loss": found.trainability.best_loss,
        "constant_loss": found.problem.constant_loss,
        "steps": found.run.steps,
        "rows": len(found.problem.inputs),
        "learning_rate": found.run.recipe.rate,
        "learning_rate_rule": found.rate.rule,
        "optimiser": settings.probe_optimiser,
        "status": "numerical",
    }
    return as_section(result)


def of_escape(section: Section) -> SectionData:
    """The same, read from the section of the question `escape`: the run is there already."""
    if "skipped" in section:
        return {"skipped": section["skipped"]}
    names = {"answer": "trainability", "reason": "trainability_reason", "steps": "steps_made"}
    same = (
        "fall", "start_loss", "best_loss", "constant_loss", "rows", "learning_rate",
        "learning_rate_rule", "optimiser",
    )  # fmt: skip
    read = {key: section[name] for key, name in names.items()}
    return {**read, **{key: section[key] for key in same}, "status": "numerical"}


def beside_rules(signal: Section, run: SectionData, settings: Settings) -> SectionData:
    """The signal's section with the run, and whether it agrees with what the rules foretell."""
    from fpcheck.signal.rules import judge
    from fpcheck.signal.short_run import agreement

    if "skipped" not in run:
        findings = judge(signal, effective_limits(settings.limits))
        agrees, predicted = agreement(findings, run["answer"])
        run = {**run, "agrees": agrees, "predicted": predicted}
    return {**signal, "short_run": run}


def row_work(skeleton: Skeleton, steps: int) -> float:
    """Multiplications of a run of so many steps for one row."""
    return float(GRADIENT_PASSES) * multiply_adds(skeleton) * max(steps, 1)
