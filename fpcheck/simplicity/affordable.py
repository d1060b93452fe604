"""How many rows are affordable, and what each estimate may cost."""

from __future__ import annotations

import math
from dataclasses import replace

from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Effort, chance_work
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.rare import LEAST_EFFORT

FEWEST_ROWS = 8
# Multiply-adds of plain sampling, which counts them high: it leaves at the first wrong row.
TRUE_PLAIN = 2.0**34
CHEAP_PLAIN = 2.0**32
# Splitting is given up beyond so many times what labels of chance cost in expectation, and beyond
# so many multiply-adds: some 20 s and some 3 s of one core.
PATIENCE, CHEAP_PATIENCE = 2.0, 1.5
TRUE_WORK, CHEAP_WORK = 2.0**36, 2.0**33.5
# Multiply-adds of one cheap estimate of labels of chance, above which fewer rows are taken; and how
# many times that is too much for curves of such estimates.
AFFORDABLE = 2.0**32.25
DEAR = 8.0


def true_effort(settings: Settings) -> Effort:
    """Of the labels as they are."""
    return _scaled(Effort(8, 192, PATIENCE, TRUE_WORK, 100, TRUE_PLAIN), settings)


def cheap_effort(settings: Settings) -> Effort:
    """Of one of several shuffles, or of many points of a curve: together they are surer."""
    return _scaled(Effort(2, 64, CHEAP_PATIENCE, CHEAP_WORK, 40, CHEAP_PLAIN), settings)


def scan_effort(settings: Settings) -> Effort:
    """Of one size of the network."""
    return _scaled(Effort(4, 96, PATIENCE, TRUE_WORK, 100, TRUE_PLAIN), settings)


def _scaled(effort: Effort, settings: Settings) -> Effort:
    factor = max(settings.effort, LEAST_EFFORT)
    return replace(
        effort,
        particles=round(effort.particles * factor),
        work=effort.work * factor,
        plain=effort.plain * factor,
    )


def affordable_rows(prior: Prior, labelling: Labelling, settings: Settings) -> int:
    """The most rows for which labels of chance are affordable, of the labelling's; 8 at least.

    The work grows as their square: bits a row times the cost of a row.
    """
    n = labelling.count
    most = n / math.sqrt(_dearness(prior, labelling, settings))
    return min(n, max(FEWEST_ROWS, int(most)))


def too_dear(prior: Prior, labelling: Labelling, settings: Settings) -> str:
    """Why curves of many estimates are left out, "" where they are affordable."""
    if _dearness(prior, labelling, settings) <= DEAR:
        return ""
    return (
        f"a search with this network on {labelling.count} rows takes too long to repeat it for "
        "many points; --effort allows more, fewer rows (--label-rows) need less"
    )


def _dearness(prior: Prior, labelling: Labelling, settings: Settings) -> float:
    factor = max(settings.effort, LEAST_EFFORT)
    return chance_work(prior, labelling, cheap_effort(settings)) / (AFFORDABLE * factor)
