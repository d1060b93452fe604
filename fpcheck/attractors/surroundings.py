"""What surrounds the attractors: the data's rows, damaged rows, borders of basins, a slice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.boundary import Boundary, boundary
from fpcheck.attractors.basins.choice import Cloud, chosen_plane
from fpcheck.attractors.basins.memory import Memory, memory
from fpcheck.attractors.basins.restoration import Restoration, restoration
from fpcheck.attractors.basins.slice import Slice, slice_plane
from fpcheck.attractors.basins.traps import ELSEWHERE, Labels, Trap
from fpcheck.attractors.basins.widening import widened
from fpcheck.attractors.listing import Entry, Listing
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.result import Skipped
from fpcheck.attractors.selfmap import Array
from fpcheck.core.errors import DataError, UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Attractors whose border is looked for, the largest basins first, at effort 1.
BORDERS = 16


@dataclass(frozen=True, slots=True)
class Basins:
    """What was found around the attractors; None where there is nothing to look at."""

    boundaries: tuple[Boundary, ...] = ()
    data: Memory | None = None
    restoration: Restoration | None = None
    slice: Slice | Skipped | None = None


@dataclass(frozen=True, slots=True)
class _Ends:
    """The attractors that something ended on, as traps, and the other fixed points, by id."""

    traps: list[Trap]
    saddles: list[tuple[str, Polished]]
    place: dict[int, int]  # label -> index into traps


def look_at_basins(
    program: Program,
    rows: Array,
    labels: Labels,
    listing: Listing,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    bordered: bool,
    numbers: NDArray[np.intp] | None = None,
) -> Basins:
    """The borders of the basins, what the data's rows do, and the slice that was asked for.

    rows: (r, n), possibly none; labels: of the law's starts and then of the rows; bordered: whether
    any basin can have a border; numbers: of the rows in the data that they were chosen from.
    """
    ends = _ends(listing)
    # Larger balls that are not proved: all that is told below is numerical or sampled anyway.
    ends = replace(ends, traps=list(widened(program, ends.traps)))
    of_rows = _places(labels[len(labels) - len(rows) :], ends)
    borders: tuple[Boundary, ...] = ()
    if bordered:
        limit = max(1, int(BORDERS * max(settings.effort, 1.0)))
        borders = boundary(
            program, ends.traps[:limit], ends.saddles, settings=settings, rng=rng, monitor=monitor
        )
    kept = repaired = None
    if len(rows):
        kept = memory(program, rows, of_rows, ends.traps, numbers)
        repaired = restoration(
            program, rows, of_rows, ends.traps, settings=settings, rng=rng, monitor=monitor
        )
    cut: Slice | Skipped | None = None
    if settings.slice:
        cloud = _cloud(rows, _places(labels[: len(labels) - len(rows)], ends), ends.traps)
        cut = _slice(program, ends, cloud, settings, rng, monitor)
    return Basins(borders, kept, repaired, cut)


def _places(labels: Labels, ends: _Ends) -> Labels:
    """The index of the trap that each label stands for; ELSEWHERE where it is not listed."""
    places = [ends.place.get(int(each), ELSEWHERE) if each >= 0 else int(each) for each in labels]
    return np.array(places, dtype=np.int64)


def _ends(listing: Listing) -> _Ends:
    entries: list[tuple[str, str, Entry]] = [
        (item.id, item.kind, entry)
        for entry, item in zip(listing.resting, listing.fixed_points, strict=False)
    ]
    entries += [
        (item.id, item.kind, entry)
        for entry, item in zip(listing.cycling, listing.cycles, strict=False)
    ]
    attracting = [each for each in entries if each[1] == "stable" or each[2].ended_on]
    attracting.sort(key=lambda each: -each[2].starts)
    traps = [Trap(name, entry.found, entry.proof.attracting) for name, _, entry in attracting]
    others = {name for name, _, _ in entries} - {trap.id for trap in traps}
    return _Ends(
        traps=traps,
        saddles=[(name, entry.found) for name, _, entry in entries if name in others],
        place={
            entry.label: index for index, (_, _, entry) in enumerate(attracting) if entry.label >= 0
        },
    )


def _cloud(rows: Array, ended: Labels, traps: list[Trap]) -> Cloud:
    """What a slice's principal directions are of: the data's rows, else the ends of the starts.

    ended: the index of the trap that each of the law's starts ended on.
    """
    if len(rows):
        return Cloud(rows, np.ones(len(rows)), f"{len(rows)} rows of the data")
    counts = np.bincount(ended[ended >= 0], minlength=len(traps))
    weights = [
        np.full(trap.found.period, counts[i] / trap.found.period) for i, trap in enumerate(traps)
    ]
    return Cloud(
        points=np.concatenate(
            [np.empty((0, rows.shape[1])), *(trap.found.points for trap in traps)]
        ),
        weights=np.concatenate([np.empty(0), *weights]),
        words=f"the ends of {counts.sum()} starts",
    )


def _slice(
    program: Program,
    ends: _Ends,
    cloud: Cloud,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Slice | Skipped:
    """The slice that was asked for; why there is none, rather than an end of all the other work."""
    try:
        plane = chosen_plane(program.input_size, ends.traps, cloud, settings, rng)
    except (UsageError, DataError) as error:
        return Skipped(f"no slice: {error.message}; {error.hint}")
    return slice_plane(
        program, ends.traps, plane, ends.saddles, settings=settings, rng=rng, monitor=monitor
    )
