"""One map's result, put together from what every step found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.continuation import GainMargin
from fpcheck.attractors.discover import APERIODIC, DIVERGED, UNRESOLVED, Discovery
from fpcheck.attractors.listing import Listing, continuum, others
from fpcheck.attractors.long_run import APERIODIC_KINDS, LongRun
from fpcheck.attractors.looking import Looked
from fpcheck.attractors.motion import MotionSet
from fpcheck.attractors.result import Aperiodic, FixedPoint, MapResult, Skipped
from fpcheck.attractors.shares import held_out, share_of, undiscovered_mass_upper
from fpcheck.attractors.surroundings import Basins
from fpcheck.attractors.uniqueness import Uniqueness
from fpcheck.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What the steps of the measurement found. law: of the starts, in words."""

    law: str
    starts: int
    iterations: int
    moving: LongRun
    listing: Listing
    search: Looked
    uniqueness: Uniqueness
    basins: Basins
    continuation: GainMargin | Skipped | None


def map_result(parts: Parts, settings: Settings) -> MapResult:
    """The map's result; all shares are of the law's starts."""
    discovery, listing, total = parts.moving.discovery, parts.listing, parts.starts
    labels = discovery.labels[:total]
    test = held_out(labels)
    points, loops = listing.fixed_points, listing.cycles
    unlisted = others(labels, listing.resting[len(points) :], _counted(discovery, fixed=True))
    return MapResult(
        name="network",
        starts=total,
        start_law=parts.law,
        iterations=parts.iterations,
        max_steps=settings.max_steps,
        fixed_points=points,
        other_fixed_points=unlisted,
        continuum=None if _finite(parts) else continuum(listing.resting),
        cycles=loops,
        other_cycles=others(
            labels, listing.cycling[len(loops) :], _counted(discovery, fixed=False)
        ),
        cycling=share_of(_cycling(labels, discovery), total),
        aperiodic=_aperiodic(labels, parts.moving),
        unresolved=share_of(int(np.count_nonzero(labels == UNRESOLVED)), total),
        diverged=share_of(int(np.count_nonzero(labels == DIVERGED)), total),
        motion=_motion(parts),
        slow_points=parts.search.slow_points,
        search=parts.search.summary,
        index_sum=None if unlisted else _index_sum(points),
        completeness=parts.search.completeness,
        undiscovered_mass_upper=undiscovered_mass_upper(test),
        undiscovered_mass_upper_status="sampled",
        held_out=test,
        uniqueness=_uniqueness(parts, points),
        uniqueness_proof=parts.uniqueness,
        lipschitz_upper=parts.uniqueness.lipschitz_upper,
        complete=parts.search.complete,
        boundaries=parts.basins.boundaries,
        data=parts.basins.data,
        restoration=parts.basins.restoration,
        slice=parts.basins.slice,
        continuation=parts.continuation,
    )


def _motion(parts: Parts) -> tuple[MotionSet, ...]:
    """The sets of motion, each with the id of the orbit that it is on or on its way to."""
    motion, listing = parts.moving.motion, parts.listing
    points = zip(listing.resting, listing.fixed_points, strict=False)
    loops = zip(listing.cycling, listing.cycles, strict=False)
    ids = {id(entry.found): item.id for entry, item in points}
    ids |= {id(entry.found): item.id for entry, item in loops}
    targets = [None if at is None else parts.moving.orbits[at] for at in motion.targets]
    return tuple(
        replace(each, target=ids.get(id(target), ""))
        for each, target in zip(motion.sets, targets, strict=True)
    )


def _counted(discovery: Discovery, *, fixed: bool) -> set[int]:
    """The labels of ends that were counted but not polished, of fixed points or of cycles."""
    periods = discovery.other_periods
    return {label for label, period in periods.items() if (period == 1) is fixed}


def _cycling(labels: NDArray[np.int64], discovery: Discovery) -> int:
    """The number of starts that end on a cycle, listed or not."""
    cycling = [label for label, found in enumerate(discovery.found) if found.period > 1]
    cycling += _counted(discovery, fixed=False)
    return int(np.count_nonzero(np.isin(labels, cycling)))


def _aperiodic(labels: NDArray[np.int64], moving: LongRun) -> Aperiodic:
    """The starts that never repeat, with the exponent of the set that most of them move on."""
    kinds = moving.motion.kinds
    share = share_of(int(np.count_nonzero(labels == APERIODIC)), len(labels))
    sets = [each for each in moving.motion.sets if each.kind in APERIODIC_KINDS]
    largest: MotionSet | None = max(sets, key=lambda each: each.states, default=None)
    return Aperiodic(
        starts=share.starts,
        share=share.share,
        share_low=share.share_low,
        share_high=share.share_high,
        chaotic=kinds.count("chaotic"),
        quasi_periodic=kinds.count("quasi-periodic"),
        lyapunov=largest.lyapunov if largest else None,
        lyapunov_low=largest.lyapunov_low if largest else None,
        lyapunov_high=largest.lyapunov_high if largest else None,
    )


def _finite(parts: Parts) -> bool:
    """Whether it is proved that there are only so many fixed points."""
    whole = parts.search.complete
    return parts.uniqueness.status == "proved" or (whole is not None and whole.whole)


def _uniqueness(parts: Parts, points: Iterable[FixedPoint]) -> str:
    """Proved by the ladder or a complete list, disproved by two proved points, else unknown."""
    whole = parts.search.complete
    alone = whole is not None and whole.whole and whole.count == 1
    if alone or parts.uniqueness.status == "proved":
        return "proved"
    # Proved points that are proved equal are listed once.
    return "disproved" if sum(point.status == "proved" for point in points) > 1 else "unknown"


def _index_sum(points: tuple[FixedPoint, ...]) -> int | None:
    """The sum of the index signs; None where one is not known, or there is no point."""
    signs = [point.index_sign for point in points if point.index_sign]
    if not points or len(signs) < len(points):
        return None
    return sum(signs)
