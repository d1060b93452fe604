"""What the network has stored: which row of the data falls to which attractor, and how near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.spacing import (
    FarLimit,
    Spacing,
    far_limit,
    nearest_rows,
    row_spacing,
)
from fpcheck.attractors.basins.traps import ELSEWHERE, Labels, Trap
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED, distance_to
from fpcheck.attractors.selfmap import Array, image
from fpcheck.core.findings import Status
from fpcheck.network.program import Program

# A row counts as reproduced if the network changes it by at most a tenth of its own length.
REPRODUCED = 0.1
# Rows that are named one by one: those that the network changes most.
NAMED_ROWS = 16
# Rows whose end is listed one by one.
LISTED_ROWS = 4096

# Where an attractor lies: on a row, as near to the rows as they are to each other, or farther.
Place = Literal["on a row", "among the rows", "spurious"]


@dataclass(frozen=True, slots=True)
class RowsOf:
    """The rows that end on one attractor, and where it lies among all rows.

    median_distance: from those rows to it, None where none ends there; nearest_row: index of the
    row nearest to it, at nearest_distance; `on a row` where that is at most `tolerance` of the
    row's length. All distances are 2-norms; of a cycle, to its nearest point.
    """

    id: str
    rows: int
    median_distance: float | None
    nearest_row: int
    nearest_distance: float
    place: Place


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row, by its index, and how far the network moves it: |f(x) - x| / |x|."""

    row: int
    change: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Where the data's own rows go; they are not counted in any share.

    reproduced: rows with |f(x) - x| <= tolerance |x|; stored: rows that end on a fixed point that
    close to themselves; most_changed: rows that are not reproduced, the worst first.
    row_spacing: the median distance of a row to its nearest other row; spurious_limit: beyond that
    an attractor is farther from every row than rows are from each other; None for a single row.
    spurious_false_alarm: the chance that the limit is passed by any of as many further rows.
    row_numbers: which rows of the data these are; row_ends: the id of each row's end, or ?, inf,
    elsewhere; both () where there are too many;
    row_distances: from each row to its end, None where it has none.
    """

    rows: int
    tolerance: float
    reproduced: int
    stored: int
    median_change: float
    most_changed: tuple[ChangedRow, ...]
    fixed_points: int
    cycles: int
    elsewhere: int
    unresolved: int
    diverged: int
    ends: tuple[RowsOf, ...]
    row_spacing: float | None
    spurious_limit: float | None
    spurious_false_alarm: float | None
    spurious: tuple[str, ...]
    row_numbers: tuple[int, ...]
    row_ends: tuple[str, ...]
    row_distances: tuple[float | None, ...] = field(metadata={"digits": 6})
    status: Status = "numerical"
    spurious_status: Status = "sampled"


WORDS = {UNRESOLVED: "?", DIVERGED: "inf", ELSEWHERE: "elsewhere"}


def memory(
    program: Program,
    rows: Array,
    labels: Labels,
    traps: Sequence[Trap],
    numbers: NDArray[np.intp] | None = None,
) -> Memory:
    """What becomes of the data's rows.

    Args:
        program: a self-map.
        rows: (r, n), at least one.
        labels: (r,), the index of the trap that each ends on, or UNRESOLVED, DIVERGED, ELSEWHERE.
        traps: the attractors.
        numbers: (r,), of the rows in the data that they were chosen from; 0, 1, ... where left out.
    """
    numbers = np.arange(len(rows)) if numbers is None else numbers
    changes = _changes(program, rows)
    distances = _own_distances(rows, labels, traps)
    lengths = np.linalg.norm(rows, axis=1)
    periods = np.array([0 if label < 0 else traps[label].found.period for label in labels])
    spacing = row_spacing(rows) if len(rows) > 1 else None
    limit = far_limit(spacing, len(traps)) if spacing else None
    ends = _ends(rows, labels, distances, traps, limit, numbers)
    listed = range(len(rows) if len(rows) <= LISTED_ROWS else 0)
    return Memory(
        rows=len(rows),
        tolerance=REPRODUCED,
        reproduced=int(np.count_nonzero(changes <= REPRODUCED)),
        stored=int(np.count_nonzero((periods == 1) & (distances <= REPRODUCED * lengths))),
        median_change=float(np.median(changes)),
        most_changed=_most_changed(changes, numbers),
        fixed_points=int(np.count_nonzero(periods == 1)),
        cycles=int(np.count_nonzero(periods > 1)),
        elsewhere=int(np.count_nonzero(labels == ELSEWHERE)),
        unresolved=int(np.count_nonzero(labels == UNRESOLVED)),
        diverged=int(np.count_nonzero(labels == DIVERGED)),
        ends=ends,
        row_spacing=_median(spacing),
        spurious_limit=limit.distance if limit else None,
        spurious_false_alarm=limit.false_alarm if limit else None,
        spurious=tuple(end.id for end in ends if end.place == "spurious"),
        row_numbers=tuple(int(numbers[i]) for i in listed),
        row_ends=tuple(WORDS.get(int(labels[i])) or traps[labels[i]].id for i in listed),
        row_distances=tuple(
            float(distances[i]) if np.isfinite(distances[i]) else None for i in listed
        ),
    )


def _changes(program: Program, rows: Array) -> Array:
    """|f(x) - x| / |x| of every row: a row of zeros that is moved at all changes without bound."""
    lengths = np.linalg.norm(rows, axis=1)
    moved = np.linalg.norm(image(program, rows) - rows, axis=1)
    still = np.where(moved > 0.0, np.inf, 0.0)
    changes: Array = np.divide(moved, lengths, out=still, where=lengths > 0.0)
    return changes


def _own_distances(rows: Array, labels: Labels, traps: Sequence[Trap]) -> Array:
    """The distance of each row to the attractor that it ends on, inf where to none. -> (r,)."""
    distances = np.full(len(rows), np.inf)
    for index in np.unique(labels[labels >= 0]):
        mine = labels == index
        distances[mine] = distance_to(traps[index].found, rows[mine])
    return distances


def _ends(
    rows: Array,
    labels: Labels,
    distances: Array,
    traps: Sequence[Trap],
    limit: FarLimit | None,
    numbers: NDArray[np.intp],
) -> tuple[RowsOf, ...]:
    out = []
    for index, trap in enumerate(traps):
        mine: NDArray[np.bool_] = labels == index
        near, gaps = nearest_rows(rows, trap.found.points)
        best = int(np.argmin(gaps))
        row, gap = int(near[best]), float(gaps[best])
        place: Place = "among the rows"
        if gap <= REPRODUCED * float(np.linalg.norm(rows[row])):
            place = "on a row"
        elif limit is not None and gap > limit.distance:
            place = "spurious"
        median = float(np.median(distances[mine])) if mine.any() else None
        out.append(RowsOf(trap.id, int(mine.sum()), median, int(numbers[row]), gap, place))
    return tuple(out)


def _most_changed(changes: Array, numbers: NDArray[np.intp]) -> tuple[ChangedRow, ...]:
    order = np.argsort(-changes, kind="stable")[:NAMED_ROWS]
    return tuple(
        ChangedRow(int(numbers[i]), float(changes[i])) for i in order if changes[i] > REPRODUCED
    )


def _median(spacing: Spacing | None) -> float | None:
    return float(np.median(spacing.sorted)) if spacing else None
