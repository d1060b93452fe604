"""Which curves to follow next, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fpcheck.attractors.search.fibers import Lane, Lanes, advance, begin, go_on, new_lanes
from fpcheck.attractors.search.pieces import Pieces, Walk, pieces_of
from fpcheck.attractors.search.registry import Registry
from fpcheck.attractors.search.space import Space
from fpcheck.attractors.search.systems import solve_stack
from fpcheck.attractors.selfmap import Array
from fpcheck.core.workers import available_cores

# Lanes are worked on in groups, a thread each; all groups then meet and share what they found.
# The numbers are fixed, so that no result depends on the cores.
GROUPS = 4
ROUNDS = 6
WIDEST_GROUP = 32
GROUP_ENTRIES = 2**18  # of the matrices of a group
NOTHING_NEW = "arcs in a row led to nothing new"
CONTINUUM = "the fixed points seem to form a continuum"
SINGULAR = "singular points kept turning up"
# Arcs in a row that led to nothing new, after which the search ends: for one point, and for K of
# them BARREN + BARREN_EACH K. Fixed points lie in clusters between which few arcs lead: of the 35,
# 65 and 83 points of three random maps of 64 units, 12 + 6 K missed up to two thirds.
BARREN_ALONE = 20
BARREN = 100
BARREN_EACH = 8
# A curve is followed through so many known points in a row, and then left.
STALE_ARCS = 4
# The index sum wanders by a few units as points are found. A search whose budget is spent goes on
# for at most so much of it again, and steers, to end where the sum is +1; or has points enough a
# little before.
LEEWAY = 1.0
SLACK = 1 / 8
FIRST = 8  # times the first share of work, to come upon a first point
EACH = 2  # curves side by side for every point that is still wanted
OPEN_SHARE = 1 / 16  # of the curves begin at states that are no fixed points
SPARSE_ENTRIES = 3.0  # of a sparse direction, on average


@dataclass(frozen=True, slots=True)
class Budget:
    """Linear systems that may be solved: some at first, as many again for every new point.

    points: so many known points are enough.
    """

    share: int
    most: int
    points: int

    def allowed(self, new: int) -> int:
        """How many, when `new` points have been found."""
        return min(self.most, self.share * (1 + new))


@dataclass(slots=True)
class Frontier:
    """What is still to be followed.

    waiting: places where the first curves begin; pool: (k, n), places where later ones may;
    tried: how many curves began at each known point.
    """

    rng: np.random.Generator
    waiting: list[Array]
    pool: Array
    tried: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """What every round of the search looks at; begun: work and points at its beginning."""

    space: Space
    registry: Registry
    frontier: Frontier
    groups: Sequence[Lanes]
    length: float
    budget: Budget
    begun: tuple[int, int]


def explore(
    space: Space, registry: Registry, frontier: Frontier, length: float, budget: Budget
) -> str:
    """Follow curves until little can be left or the budget is spent; say why it ended.

    A curve from a known point has a random direction c; one through a state x that is no fixed
    point has c = x - f(x), on which x itself lies, and runs towards s = 0.
    """
    size = space.size + 1
    wide = max(2, min(WIDEST_GROUP, GROUP_ENTRIES // (size * size)))
    groups = [new_lanes(wide, space.size) for _ in range(GROUPS)]
    begun = registry.work, len(registry.points)
    work = _Work(space, registry, frontier, groups, length, budget, begun)
    pieces = pieces_of(space.layers)
    with ThreadPoolExecutor(min(GROUPS, available_cores())) as pool:
        while True:
            registry.monitor.check()
            reason = _reason_to_stop(work)
            if reason:
                return reason
            if pieces is not None:
                _walk(work, pieces)
                continue
            for group in groups:
                _fill(work, group)
            running = [pool.submit(advance, space, group, ROUNDS, length) for group in groups]
            registry.work += sum(each.result() for each in running)
            for group in groups:
                _collect(work, group)
            registry.monitor.report("following curves to fixed points", len(registry.points), 0)


def typical_length(space: Space, places: Array) -> float:
    """A typical distance between states: the spread of some and of their images, times sqrt(n)."""
    both = np.concatenate([places, space.image(places)])
    both = both[np.isfinite(both).all(axis=1)]
    spread = float(np.sqrt(both.var(axis=0).mean())) if len(both) > 1 else 0.0
    if not (math.isfinite(spread) and spread > 0.0):
        spread = 1.0
    return spread * math.sqrt(space.size)


def _reason_to_stop(work: _Work) -> str:
    registry, points = work.registry, len(work.registry.points)
    if registry.exhausted:
        return _exhausted(registry.singular, points)
    if _full(work):
        return f"{points} points are known: more effort may find more"
    if _spent(work):
        return "the budget of work was spent"
    if points == 0:
        return "" if work.frontier.waiting or _flying(work) else "no curve led to a fixed point"
    if registry.barren >= _enough(registry):
        return f"{registry.barren} {NOTHING_NEW}"
    return ""


def _exhausted(singular: int, points: int) -> str:
    """What to say of a search that ended for so many singular ones among its points."""
    return CONTINUUM if 2 * singular > points else SINGULAR


def _full(work: _Work) -> bool:
    """Whether as many points are known as were asked for."""
    even = work.registry.index_sum == 1
    return len(work.registry.points) >= (1.0 + (-SLACK if even else LEEWAY)) * work.budget.points


def _spent(work: _Work, leeway: float = LEEWAY) -> bool:
    """Whether the budget of work is spent."""
    registry, (begun, known) = work.registry, work.begun
    if not registry.points:
        return registry.work - begun >= min(work.budget.most, FIRST * work.budget.share)
    if not known:  # what it took to come upon the first point tells nothing of the others
        begun = registry.discovery[0].work
    allowed = work.budget.allowed(len(registry.points) - known)
    # A list that is cut short anyhow is cut where its index sum is +1, if that is near.
    return registry.work - begun >= (1.0 if registry.index_sum == 1 else 1.0 + leeway) * allowed


def _enough(registry: Registry) -> int:
    """Barren arcs in a row that end the search; more of them while the index sum is not +1."""
    points = len(registry.points)
    arcs = BARREN_ALONE if points == 1 else BARREN + BARREN_EACH * points
    return arcs if registry.index_sum == 1 else 2 * arcs


def _surplus(work: _Work) -> int:
    """The sign of which the search has too many points and must steer away from; 0: of none.

    A curve alternates between points of either sign, so it is from points of the surplus that
    curves lead to the missing ones. It is time to steer once the search would be cut but for its
    index sum, or has only room for the missing ones: iteration ends on stable points alone.
    """
    registry, points = work.registry, len(work.registry.points)
    over = registry.index_sum - 1
    if not over or not points:
        return 0
    full = points + abs(over) >= work.budget.points
    if full or _spent(work, 0.0):
        return 1 if over > 0 else -1
    return 0


def _flying(work: _Work) -> int:
    return sum(int((group.states == Lane.RUNNING).sum()) for group in work.groups)


@dataclass(frozen=True, slots=True)
class _Curve:
    """Where a curve begins; origin: the index of a known point, -1 for none."""

    x: Array
    s: float
    direction: Array
    side: float
    origin: int


def _fill(work: _Work, lanes: Lanes) -> None:
    """Give idle lanes a curve each, but no more than could be needed to come to an end."""
    registry, points = work.registry, len(work.registry.points)
    needed = WIDEST_GROUP
    if points:
        wanted = max(work.budget.points - points, abs(registry.index_sum - 1))
        needed = max(min(_enough(registry) - registry.barren, EACH * wanted), 1)
    free = max(0, needed - _flying(work))
    for where in np.flatnonzero(lanes.states == Lane.IDLE)[:free].tolist():
        curve = _next_curve(work)
        if curve is not None:
            lanes.origins[where] = curve.origin
            begin(lanes, where, x=curve.x, s=curve.s, direction=curve.direction, side=curve.side,
                  length=work.length)  # fmt: skip


def _next_curve(work: _Work) -> _Curve | None:
    """The next curve: from a waiting place, an open state or a known point."""
    frontier, points = work.frontier, len(work.registry.points)
    if frontier.waiting:
        return _open_curve(work, frontier.waiting.pop(0))
    if points and frontier.rng.random() < OPEN_SHARE:
        return _open_curve(work, frontier.pool[int(frontier.rng.integers(len(frontier.pool)))])
    return _known_curve(work) if points else None


def _open_curve(work: _Work, x: Array) -> _Curve | None:
    gap = x - work.space.image(x[None])[0]
    s = float(np.linalg.norm(gap))
    if not (math.isfinite(s) and s > 0.0):
        return None
    return _Curve(x, s, gap / s, 1.0, -1)


def _known_curve(work: _Work) -> _Curve:
    """A curve from the point that the fewest began at (of a surplus), in one of three directions.

    c is uniform, or sparse, or (I - J)^-1 of a uniform one, which leans towards where the map
    hardly moves: together they lead further than each alone.
    """
    frontier, rng = work.frontier, work.frontier.rng
    frontier.tried += [0] * (len(work.registry.points) - len(frontier.tried))
    order = np.array(frontier.tried) + 0.5 * rng.random(len(frontier.tried))
    surplus = _surplus(work)
    if surplus in work.registry.signs:
        order[np.array(work.registry.signs) != surplus] = np.inf
    chosen = int(np.argmin(order))
    frontier.tried[chosen] += 1
    n, place = work.space.size, work.registry.places[chosen]
    c = rng.standard_normal(n)
    kind = int(rng.integers(3))
    if kind == 1:
        c *= rng.random(n) < SPARSE_ENTRIES / n
        c[int(rng.integers(n))] += 1.0
    elif kind == 2:
        _, jacobians = work.space.linearised(place[None])
        leaning = solve_stack(np.eye(n) - jacobians, c[None, :, None])[0, :, 0]
        c = leaning if np.isfinite(leaning).all() and leaning.any() else c
    return _Curve(place, 0.0, c / np.linalg.norm(c), float(rng.choice([-1.0, 1.0])), chosen)


def _walk(work: _Work, pieces: Pieces) -> None:
    """Follow one curve of a piecewise linear map, region by region."""
    registry, curve = work.registry, _next_curve(work)
    if curve is None:
        return
    walk = Walk(pieces, curve.x, curve.s, curve.direction, curve.side)
    stale = 0
    while stale < STALE_ARCS and not registry.exhausted:
        crossing = walk.next()
        registry.work += crossing.regions
        if crossing.place is None:
            registry.barren += 1
            return
        index, new = registry.meet(crossing.place, "regions")
        stale = 0 if new else stale + 1
        if index is None:
            registry.barren += 1
        if index is None or index == curve.origin:
            return


def _collect(work: _Work, lanes: Lanes) -> None:
    """Enter what the lanes came to; a curve that is not back where it began may go on."""
    registry = work.registry
    for where in np.flatnonzero((lanes.states != Lane.IDLE) & (lanes.states != Lane.RUNNING)):
        if _full(work):
            return
        index, new = None, False
        if lanes.states[where] == Lane.CROSSED:
            index, new = registry.meet(lanes.hits[where], "curves")
        if index is None:
            registry.barren += 1
        lanes.stale[where] = 0 if new else lanes.stale[where] + 1
        closed = index == lanes.origins[where]
        if index is None or closed or lanes.stale[where] >= STALE_ARCS or _astray(work, index):
            lanes.states[where] = Lane.IDLE
        else:
            go_on(lanes, int(where))


def _astray(work: _Work, index: int) -> bool:
    """Whether the next point of a curve that is at this one would add to a surplus."""
    surplus = _surplus(work)
    return surplus != 0 and work.registry.signs[index] == -surplus
