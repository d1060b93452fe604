"""All fixed points that can be found: Newton's method first, then curves, deflation last."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck.attractors.discover import DENSE_LIMIT
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.search.explore import (
    NOTHING_NEW,
    Budget,
    Frontier,
    explore,
    typical_length,
)
from fpcheck.attractors.search.newton import descend
from fpcheck.attractors.search.registry import Registry
from fpcheck.attractors.search.result import SearchResult, Seeds, SlowPoint
from fpcheck.attractors.search.slow import slow_points
from fpcheck.attractors.search.space import Space, narrowest_space, whole_space
from fpcheck.attractors.search.symmetry import oddness
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.core.findings import Status
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Conv, Dense

# Work is counted in linear systems. One of size n takes about n^3 + 600 n^2 + 400 000 units beside
# its Jacobian's products, 45 000 of them a microsecond (measured for n = 10 to 256): SHARE is some
# two seconds of one core, MOST forty.
CUBE, SQUARE, FLAT = 1.0, 600.0, 4e5
SHARE = 1e11
MOST = 1.8e12
# Newton starts of each kind: the law's, the data's, points on the way, unresolved ends, and
# halfway between known points.
NEWTON_EACH = 24
NEWTON_STEPS = 24
NEWTON_BLOCK = 32
NEWTON_SHARE = 0.2  # of SHARE at most
# Curves that begin at states that are no fixed points: near the middle of things, where x - f(x) is
# small and a random map has most of its fixed points, and far away.
MIDDLE_CURVES = 6
MIDDLE = 0.1  # spread, in units of the states' own
FAR_CURVES = 4
FAR = 4.0
HALF = 0.3  # later curves begin at the seeds, and at these shrunk towards their middle
# Points that are enough at effort 1: a trained network of 64 units has thousands, and each is to be
# certified, which takes some 2.5 ms a layer. As many as can be in CERTIFYING seconds, but FEWEST.
CERTIFYING = 0.8
PER_LAYER, PER_CUBE = 2.5e-3, 4e-9
FEWEST_POINTS = 64
# States this many times as large as all seeds are no fixed points: where x + b rounds to x, any
# large x looks like one.
REACH = 1e6
DEFLATED = 8
DEFLATED_STEPS = 30
SLOW_STARTS = 12
SLOW_SIZE = 128  # the widest network for which slow points are looked for


def find_all(
    program: Program,
    known: Sequence[Polished],
    seeds: Seeds,
    *,
    effort: float,
    atol: float,
    rng: np.random.Generator,
    monitor: Monitor,
) -> SearchResult:
    """The fixed points beyond the known ones, slow points, and what tells how many are missing.

    Newton's method from the seeds takes the easy ones. Then curves {x : x - f(x) = s c} are
    followed from every known point to further ones until the discovery curve is flat, and Newton's
    method on the deflated residual comes last; or until points or work are enough, and then the
    list is cut where its index sum is +1. The search takes place in the network's narrowest layer.

    Args:
        program: a self-map.
        known: what iteration found; its fixed points are entered, longer cycles are not looked at.
        seeds: states (k, n) to begin from.
        effort: multiplies the work; 0 does nothing.
        atol: two points that differ by less, relative to their size, are one.
        rng: draws directions and starts.
        monitor: progress, and the wish to stop.
    """
    resting = [point for point in known if point.period == 1]
    n = program.input_size
    if not effort > 0.0 or n > DENSE_LIMIT or not differentiable(program):
        return _nothing(resting, _why_not(effort, n), n)
    space = narrowest_space(program)
    states = _states(seeds, n)
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        odd, odd_status = oddness(program, states)
        reach = REACH * max(1.0, float(np.abs(states).max()))
        registry = Registry(program, space, atol, odd, reach, monitor)
        registry.know(resting)
        registry.close()
        share = max(1, int(effort * SHARE / _units(space)))
        most = max(share, int(effort * MOST / _units(space)))
        enough = max(1, int(effort * _points(program)))
        budget = Budget(share, most, max(enough, len(resting) + enough // 2))
        stuck = _newton(registry, _newton_starts(seeds, resting), int(NEWTON_SHARE * share) + 64)
        places = space.lower(states)
        length = typical_length(space, places)
        stopped = explore(space, registry, _frontier(registry, places, rng), length, budget)
        if stopped.endswith(NOTHING_NEW):
            _deflated(registry, places[-DEFLATED:])
        slow = _slow(registry, program, np.concatenate([stuck, _spread(states, SLOW_STARTS)]))
    return _result(registry, resting, slow, stopped, (odd, odd_status))


def _points(program: Program) -> float:
    """How many points are enough at effort 1."""
    layers = sum(isinstance(node, Dense | Conv) for node in program.skeleton.nodes)
    seconds = PER_LAYER * max(layers, 1) + PER_CUBE * program.input_size**3
    return max(FEWEST_POINTS, CERTIFYING / seconds)


def _why_not(effort: float, n: int) -> str:
    if not effort > 0.0:
        return "no effort was asked for"
    if n > DENSE_LIMIT:
        return f"more than {DENSE_LIMIT} units: no dense Jacobian"
    return "an activation has no useful derivative"


def _nothing(resting: Sequence[Polished], why: str, n: int) -> SearchResult:
    hits = (0,) * len(resting)
    return SearchResult((), (), hits, (), why, False, False, "numerical", {}, 0, n)


def _units(space: Space) -> float:
    """The work of one linear system with its Jacobian."""
    n = space.size
    return CUBE * n**3 + SQUARE * n**2 + FLAT + space.products


def _states(seeds: Seeds, n: int) -> Array:
    """All finite seeds in one array, at least the origin."""
    parts = (np.zeros((1, n)), seeds.data, seeds.trajectory, seeds.unresolved, seeds.law)
    states = np.concatenate([part.reshape(-1, n) for part in parts])
    finite: Array = states[np.isfinite(states).all(axis=1)]
    return finite


def _newton_starts(seeds: Seeds, resting: Sequence[Polished]) -> Array:
    n = seeds.law.shape[1]
    halfway = [
        0.5 * (a.point + b.point)
        for a, b in itertools.islice(itertools.combinations(resting, 2), NEWTON_EACH)
    ]
    parts = [np.zeros((1, n)), seeds.origin, np.array(halfway).reshape(-1, n)]
    parts += [
        _spread(part, NEWTON_EACH)
        for part in (seeds.unresolved, seeds.trajectory, seeds.data, seeds.law)
    ]
    starts = np.concatenate(parts)
    finite: Array = starts[np.isfinite(starts).all(axis=1)]
    return finite


def _spread(rows: Array, count: int) -> Array:
    """At most `count` rows, evenly spread over all."""
    if len(rows) <= count:
        return rows
    picked: Array = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return picked


def _newton(registry: Registry, starts: Array, budget: int) -> Array:
    """Enter what Newton's method finds; return the states at which it got stuck, (k, n)."""
    space, stuck = registry.space, []
    limit = registry.work + budget
    for begin in range(0, len(starts), NEWTON_BLOCK):
        registry.monitor.check()
        if registry.work >= limit or registry.exhausted:
            break
        reached = descend(space, space.lower(starts[begin : begin + NEWTON_BLOCK]), NEWTON_STEPS)
        registry.work += reached.systems
        for place in reached.states[reached.converged]:
            registry.meet(place, "newton")
        stuck.append(reached.states[~reached.converged])
    registry.barren = 0
    if not stuck:
        return np.empty((0, starts.shape[1]))
    left = np.concatenate(stuck)
    return space.lift(left[np.isfinite(left).all(axis=1)])


def _frontier(registry: Registry, places: Array, rng: np.random.Generator) -> Frontier:
    """Curves to begin with: from open states where no fixed point is known yet."""
    middle, spread = places.mean(axis=0), float(places.std()) or 1.0
    noise = rng.standard_normal((MIDDLE_CURVES + FAR_CURVES, places.shape[1]))
    near = middle + MIDDLE * spread * noise[:MIDDLE_CURVES]
    far = middle + FAR * spread * noise[MIDDLE_CURVES:]
    waiting = [] if registry.points else [places[0], *near, *far]
    return Frontier(rng, waiting, np.concatenate([places, middle + HALF * (places - middle)]))


def _deflated(registry: Registry, places: Array) -> None:
    avoid = np.array(registry.places)
    reached = descend(registry.space, places, DEFLATED_STEPS, avoid)
    registry.work += reached.systems
    for place in reached.states[reached.converged]:
        registry.meet(place, "deflation")


def _slow(registry: Registry, program: Program, starts: Array) -> tuple[SlowPoint, ...]:
    if program.input_size > SLOW_SIZE or registry.exhausted:
        return ()
    found, systems = slow_points(whole_space(program), _spread(starts, 2 * SLOW_STARTS))
    registry.work += systems
    return found


def _result(
    registry: Registry,
    resting: Sequence[Polished],
    slow: tuple[SlowPoint, ...],
    stopped: str,
    odd: tuple[bool, Status],
) -> SearchResult:
    return SearchResult(
        found=tuple(registry.points[len(resting) :]),
        slow_points=slow,
        hits=tuple(registry.hits),
        discovery=tuple(registry.discovery),
        stopped=stopped,
        flat=stopped.endswith(NOTHING_NEW),
        odd=odd[0],
        odd_status=odd[1],
        methods=dict(registry.methods),
        work=registry.work,
        dimension=registry.space.size,
    )
