"""Attractors of a network that feeds itself: where starts end, and what those ends are.

A first version: what is found is `numerical`, shares are `sampled`, and no list is claimed to be
complete; the bound of the undiscovered mass says how much the list may miss.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.discover import DIVERGED, UNRESOLVED, Discovery, discover
from fpcheck.attractors.iterate import iterate_starts
from fpcheck.attractors.listing import LISTED, Listing, continuum, list_attractors, others
from fpcheck.attractors.result import AttractorsResult, FixedPoint, MapResult
from fpcheck.attractors.rows import data_fates
from fpcheck.attractors.search import search
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.shares import held_out, share_of, undiscovered_mass_upper
from fpcheck.core.errors import NothingToJudgeError, UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.network import Network
from fpcheck.network.program import Program


def measure(
    network: Network,
    starts: Array,
    law: str,
    rows: Array | None,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> AttractorsResult:
    """The fixed points and cycles that iteration x <- f(x) settles on, with their shares.

    Args:
        network: a self-map.
        starts: (k, n), drawn from the law; all shares are of these.
        law: the law in words, for the report.
        rows: (r, n), rows of the data as further starts, reported apart.
        settings: steps, tolerances, periods.
        rng: draws the neighbours that test a network without derivatives, and Arnoldi's start.
        monitor: progress, and the wish to stop.

    Raises:
        NothingToJudgeError: the network's input and output sizes differ.
        UsageError: there are no starts.
    """
    _check(network.program, starts)
    program, total = network.program, len(starts)
    fates = None
    # States of diverging starts overflow on the way; a NaN there passes for nothing.
    with np.errstate(all="ignore"):
        everything = np.concatenate([starts, _flat(rows, starts)])
        iterated = iterate_starts(program, np.ascontiguousarray(everything), settings, monitor)
        discovery = discover(program, iterated, settings, monitor)
        unresolved = iterated.states[discovery.labels == UNRESOLVED]
        extra = search(
            program, discovery.found, unresolved, starts, atol=settings.atol, monitor=monitor
        )
        listing = list_attractors(
            program, discovery, extra.found, total=total, rng=rng, monitor=monitor
        )
        if rows is not None:
            labels = discovery.labels[total:]
            flat = everything[total:]
            fates = data_fates(program, flat, labels, discovery=discovery, ids=listing.ids)
    result = replace(
        _map_result(listing, discovery, total, law, settings),
        iterations=int(iterated.steps[:total].max()),
        newton_starts=extra.starts,
        data=fates,
    )
    return AttractorsResult((result,))


def _check(program: Program, starts: Array) -> None:
    if program.input_size != program.output_size:
        raise NothingToJudgeError(
            f"the network maps {program.input_size} numbers to {program.output_size}: "
            "it cannot be fed to itself",
            hint="attractors are for networks whose input and output shapes agree",
        )
    if len(starts) == 0:
        raise UsageError("no starts to iterate from", hint="--starts must be at least 1")


def _map_result(
    listing: Listing, discovery: Discovery, total: int, law: str, settings: Settings
) -> MapResult:
    """The map's result from the ends of the law's starts alone."""
    labels = discovery.labels[:total]
    test = held_out(labels)
    unlisted = others(labels, listing.resting[LISTED:], _counted(discovery, fixed=True))
    return MapResult(
        name="network",
        starts=total,
        start_law=law,
        iterations=0,
        max_steps=settings.max_steps,
        fixed_points=listing.fixed_points,
        other_fixed_points=unlisted,
        continuum=continuum(listing.resting),
        cycles=listing.cycles,
        other_cycles=others(labels, listing.cycling[LISTED:], _counted(discovery, fixed=False)),
        cycling=share_of(_cycling(labels, discovery), total),
        unresolved=share_of(int(np.count_nonzero(labels == UNRESOLVED)), total),
        diverged=share_of(int(np.count_nonzero(labels == DIVERGED)), total),
        index_sum=None if unlisted else _index_sum(listing.fixed_points),
        undiscovered_mass_upper=undiscovered_mass_upper(test),
        undiscovered_mass_upper_status="sampled",
        held_out=test,
        uniqueness="unknown",
        newton_starts=0,
        data=None,
    )


def _flat(rows: Array | None, starts: Array) -> Array:
    """The rows as flat states, none where there is no data."""
    if rows is None:
        return np.empty((0, starts.shape[1]))
    return rows.reshape(len(rows), -1)


def _counted(discovery: Discovery, *, fixed: bool) -> set[int]:
    """The labels of ends that were counted but not polished, of fixed points or of cycles."""
    periods = discovery.other_periods
    return {label for label, period in periods.items() if (period == 1) is fixed}


def _cycling(labels: NDArray[np.int64], discovery: Discovery) -> int:
    """The number of starts that end on a cycle, listed or not."""
    cycling = [label for label, found in enumerate(discovery.found) if found.period > 1]
    cycling += _counted(discovery, fixed=False)
    return int(np.count_nonzero(np.isin(labels, cycling)))


def _index_sum(points: tuple[FixedPoint, ...]) -> int | None:
    """The sum of the index signs; None where one is not known, or there is no point."""
    signs = [point.index_sign for point in points if point.index_sign]
    if not points or len(signs) < len(points):
        return None
    return sum(signs)
