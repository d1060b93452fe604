"""The found attractors in the order and form of the report: ids, stability, shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.discover import DENSE_LIMIT, Discovery
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.result import Continuum, Cycle, Eigenvalue, FixedPoint, Others
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.attractors.shares import share_of
from fpcheck.attractors.stability import (
    Stability,
    arnoldi_stability,
    dense_stability,
    lyapunov_exponent,
    time_constant,
    trial_stability,
)
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

# Fixed points, and cycles, that are listed one by one; the others are summed.
LISTED = 64
# So many points at which I - J is singular are no coincidence.
CONTINUUM_POINTS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One found attractor: its label, its orbit, and how many starts and rows ended on it."""

    label: int
    found: Polished
    starts: int
    rows: int

    @property
    def found_by(self) -> str:
        """What led to it."""
        return "starts" if self.starts else "data" if self.rows else "newton"


@dataclass(frozen=True, slots=True)
class Listing:
    """The attractors as the report lists them, and all entries behind them in the same order."""

    fixed_points: tuple[FixedPoint, ...]
    cycles: tuple[Cycle, ...]
    resting: list[Entry]
    cycling: list[Entry]

    @property
    def ids(self) -> dict[int, str]:
        """Label -> id of those that iteration ended on and that are listed."""
        points = zip(self.resting, self.fixed_points, strict=False)
        loops = zip(self.cycling, self.cycles, strict=False)
        named = [(entry.label, item.id) for entry, item in points]
        named += [(entry.label, item.id) for entry, item in loops]
        return {label: name for label, name in named if label >= 0}


def list_attractors(
    program: Program,
    discovery: Discovery,
    extra: Sequence[Polished],
    *,
    total: int,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Listing:
    """Fixed points and cycles, by share and then by coordinates, with their stability.

    extra: what Newton's method found besides; total: the number of the law's starts, which come
    first in the labels. An orbit begins with its smallest state, wherever the iteration stopped.
    """
    found = sorted(
        _entries(discovery, extra, total),
        key=lambda entry: (-entry.starts, _coordinates(entry.found.point)),
    )
    resting = [entry for entry in found if entry.found.period == 1]
    cycling = [entry for entry in found if entry.found.period > 1]
    points, loops = [], []
    for number, entry in enumerate(resting[:LISTED]):
        monitor.check()
        stability = _stability(program, entry.found, rng)
        points.append(_fixed_point(letters(number), entry, stability, total))
    for number, entry in enumerate(cycling[:LISTED]):
        monitor.check()
        stability = _stability(program, entry.found, rng)
        loops.append(_cycle(f"c{number + 1}", entry, stability, total))
    return Listing(tuple(points), tuple(loops), resting, cycling)


def others(labels: NDArray[np.int64], unlisted: list[Entry], counted: set[int]) -> Others | None:
    """What is not listed one by one, if anything.

    labels: (k,), of the law's starts; counted: the labels that were not polished.
    """
    ends = {int(label) for label in labels} & counted
    beyond = [entry for entry in unlisted if entry.starts]
    if not ends and not beyond:
        return None
    starts = int(np.count_nonzero(np.isin(labels, list(ends)))) + sum(e.starts for e in beyond)
    share = share_of(starts, len(labels))
    note = f"{len(ends)} of them counted where iteration ended, not polished" if ends else ""
    return Others(
        len(ends) + len(beyond),
        starts,
        share.share,
        share.share_low,
        share.share_high,
        share.share_status,
        note,
    )


def continuum(listed: list[Entry]) -> Continuum | None:
    """The line, plane, ... of fixed points that several degenerate ones are signs of, if any."""
    singular = [entry.found for entry in listed if entry.found.degenerate]
    if len(singular) < CONTINUUM_POINTS:
        return None
    dimension = max(found.nullity for found in singular)
    note = "infinitely many fixed points: I - J is singular at each of those listed as degenerate"
    return Continuum(len(singular), dimension, note)


def letters(number: int) -> str:
    """A, B, ..., Z, AA, AB, ... for 0, 1, ..."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def _entries(discovery: Discovery, extra: Sequence[Polished], total: int) -> list[Entry]:
    law, data = discovery.labels[:total], discovery.labels[total:]
    listed = [
        Entry(
            label,
            _in_order(found),
            int(np.count_nonzero(law == label)),
            int(np.count_nonzero(data == label)),
        )
        for label, found in enumerate(discovery.found)
    ]
    return listed + [Entry(-1, found, 0, 0) for found in extra]


def _fixed_point(name: str, entry: Entry, stability: Stability, total: int) -> FixedPoint:
    found, share = entry.found, share_of(entry.starts, total)
    return FixedPoint(
        id=name,
        kind=stability.kind,
        status=stability.status,
        residual=found.residual,
        spectral_radius=stability.spectral_radius,
        leading_eigenvalue=_plain(stability.leading),
        time_constant=time_constant(stability.spectral_radius),
        unstable_directions=stability.unstable_directions,
        index_sign=stability.index_sign,
        smallest_singular_value=found.sigma,
        location_error=found.error,
        starts=share.starts,
        share=share.share,
        share_low=share.share_low,
        share_high=share.share_high,
        share_status=share.share_status,
        found_by=entry.found_by,
        note=stability.note,
        point=found.point,
    )


def _cycle(name: str, entry: Entry, stability: Stability, total: int) -> Cycle:
    found, share = entry.found, share_of(entry.starts, total)
    return Cycle(
        id=name,
        period=found.period,
        kind=stability.kind,
        status=stability.status,
        residual=found.residual,
        spectral_radius=stability.spectral_radius,
        leading_eigenvalue=_plain(stability.leading),
        lyapunov=lyapunov_exponent(stability.spectral_radius, found.period),
        location_error=found.error,
        starts=share.starts,
        share=share.share,
        share_low=share.share_low,
        share_high=share.share_high,
        share_status=share.share_status,
        found_by=entry.found_by,
        note=stability.note,
        point=found.point,
    )


def _stability(program: Program, found: Polished, rng: np.random.Generator) -> Stability:
    if found.jacobian is not None:
        stability = dense_stability(found.jacobian, found.degenerate)
        if program.skeleton.black_box:
            return replace(stability, note="Jacobian by finite differences")
        return stability
    if len(found.point) > DENSE_LIMIT and differentiable(program):
        return arnoldi_stability(program, found, rng)
    return trial_stability(program, found, rng)


def _in_order(found: Polished) -> Polished:
    first = min(range(found.period), key=lambda i: _coordinates(found.points[i]))
    if first == 0:
        return found
    return replace(found, points=np.roll(found.points, -first, axis=0))


def _coordinates(point: Array) -> tuple[float, ...]:
    # Rounded, so that the order does not hang on the last bits.
    return tuple((point.round(9) + 0.0).tolist())


def _plain(value: complex | None) -> Eigenvalue | None:
    return None if value is None else Eigenvalue(value.real, value.imag)
