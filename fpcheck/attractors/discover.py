"""From the ends of iteration to distinct attractors: cluster, polish, accept, merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.grouping import clusters
from fpcheck.attractors.iterate import Fate, Iterated
from fpcheck.attractors.polish import Polished, in_order, polish, size_of, unpolished
from fpcheck.attractors.selfmap import Array, differentiable, image
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Above this many units the Jacobian is not formed: n = 2048 takes 32 MB and its spectrum a minute.
DENSE_LIMIT = 2048
# Attractors of one period that are polished, by width; the other ends are counted only. Their
# Jacobians are kept until the spectra are taken: at most 128 MB together at every width.
POLISH_LIMITS = ((64, 256), (512, 64), (1024, 16), (DENSE_LIMIT, 4))
# An end state belongs to a polished point if it is within this multiple of the distance that its
# own residual explains, |f(x) - x| / sigma_min(I - J): 1 for a linear map, more for curvature.
WALK = 10.0
# Ends that the convergence rule cannot tell apart lie within some multiples of it.
CLUSTER_RADIUS = 1e3
# Two points of one orbit that differ by less, relative to their size, are one point.
EQUAL = 1e-12

UNRESOLVED = -1
DIVERGED = -2
APERIODIC = -4  # -3 is basins.traps' ELSEWHERE

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Discovery:
    """The distinct attractors and, for every start, which one it ended on.

    labels: (k,) index into `found`, UNRESOLVED, DIVERGED, or, for ends that were counted but not
    polished, a number from `len(found)` upwards, one for each distinct end; `other_periods` says
    what period each of those has.
    """

    labels: NDArray[np.int64]
    found: tuple[Polished, ...]
    other_periods: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of the discovery looks at; `labels` and `found` fill up on the way."""

    program: Program
    states: Array
    settings: Settings
    monitor: Monitor
    labels: NDArray[np.int64]
    found: list[Polished]


def discover(
    program: Program,
    iterated: Iterated,
    settings: Settings,
    monitor: Monitor,
    known: Sequence[Polished] = (),
) -> Discovery:
    """The distinct fixed points and cycles behind the ends of iteration.

    Ends are clustered; of each cluster, the largest first, one is polished by Newton and accepted
    if the polished point is where the end's residual says that it is. An end that Newton carries
    further off, or from which it does not converge, was slow and not at a fixed point: its
    cluster is unresolved. Two points are one if they are closer than what residual and
    conditioning leave open: |dx| <= residual / sigma_min(I - J), plus `settings.atol`.
    The `known` attractors come first in `found`.
    """
    fates = iterated.fates
    labels = np.full(len(fates), UNRESOLVED, dtype=np.int64)
    labels[fates == Fate.DIVERGED] = DIVERGED
    work = _Work(program, iterated.states, settings, monitor, labels, [*known])
    settled = (fates == Fate.FIXED_POINT) | (fates == Fate.CYCLE)
    beyond: list[tuple[int, Indices]] = []
    for period in sorted(set(iterated.periods[settled].tolist())):
        members = np.flatnonzero(settled & (iterated.periods == period))
        beyond += [(period, group) for group in _settle(work, members, period)]
    first = len(work.found)
    for label, (_, group) in enumerate(beyond, start=first):
        labels[group] = label
    periods = {label: period for label, (period, _) in enumerate(beyond, start=first)}
    return Discovery(labels, tuple(work.found), periods)


def polished(program: Program, state: Array, period: int, monitor: Monitor) -> Polished | None:
    """The polished point of least period at or near `state`, or None if there is none.

    Where no dense Jacobian can be had, the state itself. A slow oscillation onto a fixed point
    looks like a cycle of period 2 to the iteration; here it comes out with its least period.
    """
    if len(state) > DENSE_LIMIT or not differentiable(program):
        return unpolished(program, state, period)
    point = polish(program, state, period, monitor)
    if point is None:
        return None
    for divisor in range(1, period):
        if period % divisor:
            continue
        moved = float(np.linalg.norm(point.points[divisor] - point.point))
        if moved <= WALK * point.error + EQUAL * size_of(point.points):
            return polish(program, point.point, divisor, monitor)
    return point


def index_of(point: Polished, known: Sequence[Polished], atol: float) -> int | None:
    """The index of the known orbit that `point` lies on, within what is known of both, or None."""
    alike = [index for index, other in enumerate(known) if other.period == point.period]
    if not alike:
        return None
    distances = distance_to(point, np.array([known[index].point for index in alike]))
    errors = np.array([known[index].error for index in alike])
    same = distances <= errors + point.error + atol * size_of(point.points)
    return alike[int(np.argmax(same))] if same.any() else None


def distance_to(found: Polished, states: Array) -> Array:
    """The 2-norm distance of every state to the nearest point of the orbit. (k, n) -> (k,)."""
    nearest = np.full(len(states), np.inf)
    for point in found.points:
        np.minimum(nearest, np.linalg.norm(states - point, axis=1), out=nearest)
    return nearest


def polish_limit(n: int) -> int:
    """How many attractors of one period are polished for a network of n units."""
    return next((limit for width, limit in POLISH_LIMITS if n <= width), POLISH_LIMITS[-1][1])


def _settle(work: _Work, members: Indices, period: int) -> list[Indices]:
    """Label the members whose attractor is found; return the groups beyond the limit.

    Those count as found only if at least half of the ends within the limit were: where Newton
    confirms few, as on a slow drift, what was not polished is as little known.
    """
    settings = work.settings
    groups = [
        members[group]
        for group in clusters(
            work.states[members], CLUSTER_RADIUS * settings.atol, CLUSTER_RADIUS * settings.rtol
        )
    ]
    ends = work.states[[group[0] for group in groups]]
    walks = np.linalg.norm(image(work.program, ends, period) - ends, axis=1)
    waiting = np.ones(len(groups), dtype=bool)
    tried = refused = 0
    for _ in range(polish_limit(work.states.shape[1])):
        work.monitor.check()
        if not waiting.any():
            break
        here = int(np.argmax(waiting))
        waiting[here] = False
        point = polished(work.program, ends[here], period, work.monitor)
        tried += 1
        if point is None or not explains(point, ends[[here]], walks[[here]], settings.atol)[0]:
            refused += 1
            continue
        label = _label(work, point)
        work.labels[groups[here]] = label
        rest = np.flatnonzero(waiting)
        near = _belongs(work.found[label], ends[rest], walks[rest], settings.atol)
        for index in rest[near]:
            work.labels[groups[index]] = label
        waiting[rest[near]] = False
    confirmed = 2 * refused <= tried
    return [groups[index] for index in np.flatnonzero(waiting)] if confirmed else []


def explains(found: Polished, ends: Array, walks: Array, atol: float) -> NDArray[np.bool_]:
    """Whether each end is as near to the point as its residual and the conditioning allow.

    ends: (k, n); walks: (k,), |f^p(end) - end|. Near a double root a distance d leaves a residual
    of order d^2, so there the root of the residual is allowed.
    """
    size = size_of(found.points)
    if found.sigma is None:
        reach = np.zeros_like(walks)
    elif found.degenerate:
        reach = np.sqrt(walks * size)
    else:
        reach = walks / found.sigma
    return np.asarray(distance_to(found, ends) <= WALK * reach + found.error + atol * size)


def _belongs(found: Polished, ends: Array, walks: Array, atol: float) -> NDArray[np.bool_]:
    """Whether each end needs no polishing of its own.

    Beside a degenerate point there may be others, as on a line of them, so only ends that cannot
    be told from it belong to it.
    """
    if found.degenerate:
        return np.asarray(distance_to(found, ends) <= found.error)
    return explains(found, ends, walks, atol)


def _label(work: _Work, point: Polished) -> int:
    label = index_of(point, work.found, work.settings.atol)
    if label is None:
        label = len(work.found)
        work.found.append(in_order(work.program, point))
    return label
