"""The whole list of fixed points, proved by branch and bound where the map is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.branching import Searched, distinct, search_box
from fpcheck.attractors.uniqueness.invariant import InvariantBall, inside, invariant_ball
from fpcheck.attractors.uniqueness.narrow import Turned, turned
from fpcheck.attractors.uniqueness.newton_boxes import looking
from fpcheck.core.findings import Status
from fpcheck.core.progress import Monitor
from fpcheck.network.enclosure import Ball, enclose
from fpcheck.network.enclosure.ball import bounds
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Activation, Conv, ConvTranspose, Dense, fan_in

# What it may cost at effort 1, by the entries of a state; a unit is about a microsecond. Up to 4 it
# nearly always succeeds; beyond, where the map is nearly linear, or its units nearly constant.
WORK = ((4, 1_500_000), (10, 400_000), (64, 100_000))
# The cost of a look at one box: for itself, a unit of an activation, a product of a tangent.
PER_BOX, PER_UNIT, PER_PRODUCT = 8.0, 1.0, 0.004


@dataclass(frozen=True, slots=True, eq=False)
class CompleteList:
    """How many fixed points there are in a region, where `complete`; else how far it came.

    count: of distinct fixed points that were proved, each within radius (max-norm) of its point;
    complete: whether it is proved that the region holds no others; region: "R^n", or "the
    invariant ball" where others may lie outside; dimension: of the space that was searched;
    boxes: that were looked at; left: of which nothing is proved; missing: those of `points` that
    are not among the known ones, by place; reason: why the list is not complete, "" where it is.
    """

    status: Status
    complete: bool
    count: int
    region: str
    dimension: int
    boxes: int
    left: int
    missing: tuple[int, ...]
    reason: str
    points: Array = field(repr=False, metadata={"digits": 17})
    radii: Array = field(repr=False, metadata={"digits": 17})

    @property
    def whole(self) -> bool:
        """Whether it is proved that there are no others anywhere."""
        return self.complete and self.region == "R^n"


def branch_and_bound(
    program: Program, known: Sequence[Polished], *, effort: float, monitor: Monitor
) -> CompleteList | None:
    """The proved list of all fixed points; None where the map is too wide or has no bounded region.

    known: fixed points that were found, which make it faster; effort: multiplies the boxes that it
    may look at (0: none). Points are of the network, (count, n), also where a narrower space was
    searched.
    """
    narrow = turned(program)
    if effort <= 0.0 or narrow.size > WORK[-1][0]:
        return None
    region = invariant_ball(narrow.turned)
    if isinstance(region, str):
        return None
    fixed = [each.point for each in known if each.period == 1]
    with np.errstate(all="ignore"):
        searched = search_box(
            looking(narrow.turned),
            *_ends(region),
            _turned_points(program, narrow, fixed),
            most_looks=_most_looks(narrow.turned, effort),
            monitor=monitor,
        )
        return _listed(narrow, region, searched, known)


def _most_looks(program: Program, effort: float) -> int:
    """The number of boxes that may be looked at. It counts work, not time."""
    shapes = program.skeleton.shapes
    units = products = 0
    for node in program.skeleton.nodes:
        if isinstance(node, Activation):
            units += math.prod(shapes[node.name])
        elif isinstance(node, Dense | Conv | ConvTranspose):
            products += math.prod(shapes[node.name]) * fan_in(node, shapes[node.inputs[0]])
    cost = PER_BOX + PER_UNIT * units + PER_PRODUCT * products * program.input_size
    work = next(work for size, work in WORK if program.input_size <= size)
    return max(1, int(effort * work / cost))


def _ends(region: InvariantBall) -> tuple[Array, Array]:
    low, high = bounds(region.box)
    return low[0], high[0]


def _turned_points(program: Program, narrow: Turned, points: list[Array]) -> Array:
    """Near where the known points lie in the space that is searched."""
    if not points:
        return np.empty((0, narrow.size))
    states = np.array(points)
    if narrow.ahead is None:
        return states
    return enclose(narrow.ahead, Ball(states, np.zeros_like(states))).mid


def _listed(
    narrow: Turned, region: InvariantBall, searched: Searched, known: Sequence[Polished]
) -> CompleteList:
    chosen = distinct(searched.singles)
    reason = searched.stopped if chosen is not None else "two of the points cannot be told apart"
    places = np.array(chosen or [], dtype=np.int64)
    # Where the region need not hold all, what was found on its edge counts only inside.
    inner = searched.singles.inner_low[places], searched.singles.inner_high[places]
    places = places[inside(region, inner[0]) & inside(region, inner[1])]
    low, high = searched.singles.inner_low[places], searched.singles.inner_high[places]
    mid = 0.5 * low + 0.5 * high
    box = Ball(mid, np.maximum(high - mid, mid - low) * (1.0 + 2.0**-50) + 1e-300)
    if narrow.back is not None and len(places):
        box = enclose(narrow.back, box)
    return CompleteList(
        status="proved" if not reason else "numerical",
        complete=not reason,
        count=len(places),
        region="R^n" if region.whole else "the invariant ball",
        dimension=narrow.size,
        boxes=searched.looks,
        left=len(searched.left_low),
        missing=_missing(box, known),
        reason=reason,
        points=box.mid,
        radii=box.rad.max(axis=1, initial=0.0),
    )


def _missing(box: Ball, known: Sequence[Polished]) -> tuple[int, ...]:
    """The places of the enclosures that meet no known point, each taken with its error."""
    fixed = [each for each in known if each.period == 1]
    return tuple(
        place
        for place, (mid, rad) in enumerate(zip(box.mid, box.rad, strict=True))
        if not any((np.abs(each.point - mid) <= rad + 4 * each.error).all() for each in fixed)
    )
