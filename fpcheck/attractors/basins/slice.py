"""A plane of the state space coloured by where each of its points ends."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.attribute import attribute
from fpcheck.attractors.basins.entropy import basin_entropy
from fpcheck.attractors.basins.grid import labelled_grid
from fpcheck.attractors.basins.plane import Plane, plane_through
from fpcheck.attractors.basins.traps import ELSEWHERE, Labels, Trap
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.core.findings import Status
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

SIZE = 160  # cells along a side: 25 600 starts
# One character a basin; the letters are an attractor's own where it has just one.
SYMBOLS = string.ascii_uppercase + string.ascii_lowercase + string.digits
OTHERS = "*"  # basins beyond those, together
UNRESOLVED_SYMBOL, DIVERGED_SYMBOL, ELSEWHERE_SYMBOL = "?", "!", "+"
SPECIAL = {
    UNRESOLVED: UNRESOLVED_SYMBOL,
    DIVERGED: DIVERGED_SYMBOL,
    ELSEWHERE: ELSEWHERE_SYMBOL,
}
SHADES = 10
LEAST_SWING = 8.0  # from the lightest to the darkest is at least this factor in steps
RANGE = (0.02, 0.98)  # the share of the cells below which the scale of shades begins, and ends


@dataclass(frozen=True, slots=True)
class SliceRegion:
    """What a symbol of the rows stands for: an attractor's id, or other, unresolved, diverged."""

    symbol: str
    id: str
    kind: str
    cells: int
    share: float


@dataclass(frozen=True, slots=True)
class SliceMark:
    """A fixed point, or a cycle's point, that lies on the plane."""

    id: str
    x: float
    y: float
    stable: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Where each cell's centre ends. Shares are of the plane's area, of no law.

    plane, centre: what plane it is, and what state lies at its origin; through: the attractors that
    were named.
    cells_run: those that were started; the others lie among cells that all end alike.
    rows: one string a row of cells, the top one (largest y) first; shades: likewise, a digit of
    how long it took, on a scale of the logarithm of steps, 0 at fewest_steps and below, 9 at
    most_steps and above. State of a cell: origin + x first + y second. basin_entropy,
    boundary_entropy: in nats, over boxes of entropy_box cells.
    """

    plane: str
    centre: str
    through: tuple[str, ...]
    columns: int
    height: int
    cells_run: int
    x_title: str
    y_title: str
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    regions: tuple[SliceRegion, ...]
    marks: tuple[SliceMark, ...]
    fewest_steps: int
    most_steps: int
    max_steps: int
    entropy_box: int
    basin_entropy: float
    boundary_entropy: float
    rows: tuple[str, ...]
    shades: tuple[str, ...]
    origin: Array = field(metadata={"digits": 17})
    first: Array = field(metadata={"digits": 17})
    second: Array = field(metadata={"digits": 17})
    status: Status = "numerical"


def slice_plane(
    program: Program,
    traps: Sequence[Trap],
    through: Sequence[str] | Plane,
    saddles: Sequence[tuple[str, Polished]] = (),
    *,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    size: int = SIZE,
) -> Slice:
    """The plane through the attractors named, coloured by where its points end.

    Args:
        program: a self-map.
        traps: the attractors, the largest basin first.
        through: ids of up to three of them, ("auto",) for the first three, or a plane.
        saddles: ids and points of further fixed points, marked where they lie on the plane.
        settings: as for `attribute`.
        rng: completes a plane that fewer than three attractors span.
        monitor: progress, and the wish to stop.
        size: cells along a side.

    Raises:
        UsageError: an id that no attractor has.
    """
    plane = through if isinstance(through, Plane) else plane_through(traps, through, rng)
    monitor.report("slicing the basins", 0, 1)

    def ends_of(cells: NDArray[np.intp]) -> tuple[Labels, NDArray[np.int64]]:
        states = plane.states(size, size, cells)
        ends = attribute(program, traps, states, settings, monitor)
        return ends.labels, ends.steps.astype(np.int64)

    grid = labelled_grid(size, ends_of)
    labels, steps = grid.labels.ravel(), grid.steps.ravel()
    symbols = _symbols(traps, labels)
    entropy = basin_entropy(grid.labels)
    fewest, most = _range(steps[labels != UNRESOLVED])
    return Slice(
        plane=plane.name,
        centre=plane.centre,
        through=plane.through,
        columns=size,
        height=size,
        cells_run=grid.run,
        x_title=plane.x_title,
        y_title=plane.y_title,
        x_low=plane.x_low,
        x_high=plane.x_high,
        y_low=plane.y_low,
        y_high=plane.y_high,
        regions=_regions(traps, labels, symbols),
        marks=_marks(plane, traps, saddles),
        fewest_steps=fewest,
        most_steps=most,
        max_steps=settings.max_steps,
        entropy_box=entropy.box,
        basin_entropy=entropy.whole,
        boundary_entropy=entropy.boundary,
        rows=_rows(labels, symbols, size),
        shades=_shades(steps, fewest, most, size),
        origin=plane.origin,
        first=plane.first,
        second=plane.second,
    )


def _symbols(traps: Sequence[Trap], labels: Labels) -> dict[int, str]:
    """The character of every label that occurs: an id's own where it is one letter."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    ranked = [int(found[i]) for i in np.argsort(-counts, kind="stable")]
    own = {index: traps[index].id for index in ranked if traps[index].id in SYMBOLS}
    free = iter([symbol for symbol in SYMBOLS if symbol not in own.values()])
    given = {index: own.get(index) or next(free, OTHERS) for index in ranked}
    return given | SPECIAL


def _regions(
    traps: Sequence[Trap], labels: Labels, symbols: dict[int, str]
) -> tuple[SliceRegion, ...]:
    """What occurs, basins first, the largest first, and what is no basin behind them."""
    cells: dict[str, int] = {}
    names: dict[str, tuple[str, str]] = {
        UNRESOLVED_SYMBOL: ("?", "unresolved"),
        DIVERGED_SYMBOL: ("inf", "diverged"),
        ELSEWHERE_SYMBOL: ("elsewhere", "other"),
        OTHERS: ("others", "other"),
    }
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        symbol = symbols[int(label)]
        cells[symbol] = cells.get(symbol, 0) + int(count)
        if label >= 0 and symbol != OTHERS:
            names[symbol] = (traps[int(label)].id, "basin")
    order = sorted(cells, key=lambda each: (names[each][1] != "basin", -cells[each], each))
    return tuple(
        SliceRegion(each, *names[each], cells[each], cells[each] / len(labels)) for each in order
    )


def _marks(
    plane: Plane, traps: Sequence[Trap], saddles: Sequence[tuple[str, Polished]]
) -> tuple[SliceMark, ...]:
    named = [(trap.id, point, True) for trap in traps for point in trap.found.points]
    named += [(name, found.point, False) for name, found in saddles]
    if not named:
        return ()
    points = np.array([point for _, point, _ in named])
    feet, _ = plane.coordinates(points)
    inside = (plane.x_low <= feet[:, 0]) & (feet[:, 0] <= plane.x_high)
    inside &= (plane.y_low <= feet[:, 1]) & (feet[:, 1] <= plane.y_high)
    inside &= plane.holds(points)
    return tuple(
        SliceMark(named[i][0], float(feet[i, 0]), float(feet[i, 1]), named[i][2])
        for i in np.flatnonzero(inside)
    )


def _rows(labels: Labels, symbols: dict[int, str], size: int) -> tuple[str, ...]:
    text = "".join(symbols[int(label)] for label in labels)
    return tuple(text[begin : begin + size] for begin in range(0, len(text), size))


def _range(steps: NDArray[np.int64]) -> tuple[int, int]:
    """What all but a few of the cells took, at least and at most."""
    if not len(steps):
        return 0, 0
    low, high = np.quantile(steps, RANGE)
    return int(low), int(high)


def _shades(steps: NDArray[np.int64], fewest: int, most: int, size: int) -> tuple[str, ...]:
    """A digit a cell: the logarithm of its steps, in SHADES parts from the fewest to the most."""
    steps = np.clip(steps, fewest, most)
    low, high = np.log1p(fewest), np.log1p(most)
    scale = SHADES / max(high - low, np.log(LEAST_SWING))
    digits = np.minimum((np.log1p(steps) - low) * scale, SHADES - 1).astype(np.int64)
    text = "".join(map(str, digits.tolist()))
    return tuple(text[begin : begin + size] for begin in range(0, len(text), size))
