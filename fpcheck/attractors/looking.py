"""The search for all fixed points, until the index sum or a proof says that they are all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.attractors.certify import Certificate
from fpcheck.attractors.completeness import DISAGREES, Completeness, completeness
from fpcheck.attractors.polish import Polished, polish
from fpcheck.attractors.proving import certify_all, distinct
from fpcheck.attractors.result import Search
from fpcheck.attractors.search import Discovery, SearchResult, Seeds, SlowPoint, find_all
from fpcheck.attractors.settling import Settled
from fpcheck.attractors.uniqueness import (
    CompleteList,
    InvariantBall,
    branch_and_bound,
    invariant_ball,
)
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Searches in all, the later ones where the index sum proves that a point is missing.
ROUNDS = 3
# A point without a certificate that is larger than all settled states by this factor is not listed.
FAR = 3.0
# Wider maps of several fixed points have never been proved complete within an analysis's time.
NARROW = 10

Pairs = list[tuple[Polished, Certificate]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found beyond the ends of iteration, and how complete all of it is known to be."""

    extra: Pairs
    slow_points: tuple[SlowPoint, ...]
    summary: Search
    completeness: Completeness
    complete: CompleteList | None
    region: InvariantBall | str
    hits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    program: Program
    resting: Pairs  # fixed points that iteration ended on
    settings: Settings
    rng: np.random.Generator
    monitor: Monitor


def look_for_all(
    program: Program,
    settled: Settled,
    seeds: Seeds,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    unique: bool,
) -> Looked:
    """The fixed points beyond those that iteration ended on, each with its certificate.

    Where the signs of det(I - J) prove that one is missing though the search found nothing new, it
    goes on, twice at most, each time with twice the effort. A narrow map's list is then completed
    by branch and bound. unique: whether there is exactly one fixed point, so that nothing is looked
    for once it is known.
    """
    pairs = list(zip(settled.discovery.found, settled.certificates, strict=True))
    resting = [pair for pair in pairs if pair[0].period == 1]
    work = _Work(program, resting, settings, rng, monitor)
    region, reach = invariant_ball(program), _reach(settled, seeds)
    extra: Pairs = []
    nothing_left = unique and any(proof.proved for _, proof in resting)
    effort = 0.0 if nothing_left else settings.effort
    searches: list[SearchResult] = []
    unconfirmed = 0
    for _ in range(ROUNDS):
        searches.append(_search(work, extra, seeds, effort))
        proofs = certify_all(program, searches[-1].found, settings.threads, monitor)
        found = list(zip(searches[-1].found, proofs, strict=True))
        kept = [pair for pair in found if _credible(*pair, reach)]
        unconfirmed += len(found) - len(kept)
        extra += distinct([*resting, *extra], kept)
        said = _completeness(program, region, [*resting, *extra], searches[-1].hits)
        if said.index_verdict != DISAGREES or not searches[-1].flat:
            break
        effort *= 2.0
    complete = _complete(work, [found for found, _ in [*resting, *extra]], nothing_left)
    if complete is not None and complete.missing:
        extra += _missed(work, complete, [*resting, *extra])
    if complete is not None:
        kept = [pair for pair in extra if not _refuted(*pair, complete)]
        unconfirmed += len(extra) - len(kept)
        extra = kept
        said = _completeness(program, region, [*resting, *extra], searches[-1].hits)
    summary = _summary(searches, unconfirmed)
    if nothing_left:
        summary = replace(summary, stopped="it is proved that there is no other", flat=True)
    slow = tuple(point for point in searches[-1].slow_points if math.isfinite(point.speed))
    return Looked(extra, slow, summary, said, complete, region, tuple(searches[-1].hits))


def with_later(program: Program, looked: Looked, ended: Pairs, since: int) -> Looked:
    """The same with what the whole list says where points were found on since.

    ended: all that iteration ended on; since: how many of them were known to `look_for_all`.
    """
    if all(found.period > 1 for found, _ in ended[since:]):
        return looked
    resting = [pair for pair in ended if pair[0].period == 1]
    said = _completeness(program, looked.region, [*resting, *looked.extra], looked.hits)
    return replace(looked, completeness=said)


def _search(work: _Work, extra: Pairs, seeds: Seeds, effort: float) -> SearchResult:
    return find_all(
        work.program,
        [found for found, _ in [*work.resting, *extra]],
        seeds,
        effort=effort,
        atol=work.settings.atol,
        rng=work.rng,
        monitor=work.monitor,
    )


def _complete(work: _Work, known: list[Polished], nothing_left: bool) -> CompleteList | None:
    """What branch and bound proves of the list; None where it has no chance, or nothing to add."""
    narrow = min(math.prod(shape) for shape in work.program.skeleton.shapes.values())
    if nothing_left or (narrow > NARROW and len(known) > 1):
        return None
    return branch_and_bound(work.program, known, effort=work.settings.effort, monitor=work.monitor)


def _credible(found: Polished, proof: Certificate, reach: float) -> bool:
    """Whether a found point may be listed: it is proved, or lies where states of the map settle.

    Where a gate is shut to the last bit, f(x) = x holds in double precision far outside of all that
    the map ever reaches.
    """
    return proof.proved or bool(np.abs(found.point).max() <= FAR * reach)


def _reach(settled: Settled, seeds: Seeds) -> float:
    """The largest entry of the states that settled, or of the starts where none did; 1 at least."""
    ends = settled.states[settled.discovery.labels >= 0]
    rows = ends if len(ends) else seeds.law
    return max(1.0, float(np.abs(rows).max()))


def _missed(work: _Work, complete: CompleteList, known: Pairs) -> Pairs:
    """The points that branch and bound proved and the search had not found."""
    candidates = [
        polish(work.program, complete.points[index], 1, work.monitor) for index in complete.missing
    ]
    found = [point for point in candidates if point is not None]
    proofs = certify_all(work.program, found, work.settings.threads, work.monitor)
    return distinct(known, list(zip(found, proofs, strict=True)))


def _refuted(found: Polished, proof: Certificate, complete: CompleteList) -> bool:
    """Whether there is no fixed point near a point without a certificate, by the whole list."""
    if proof.proved or not complete.whole:
        return False
    away = np.abs(complete.points - found.point).max(axis=1, initial=0.0)
    return not bool((away <= complete.radii + 4 * found.error).any())


def _completeness(
    program: Program, region: InvariantBall | str, pairs: Pairs, hits: Sequence[int]
) -> Completeness:
    """The index sum of all that is known, and what the hits of the last search say."""
    points = np.array([found.point for found, _ in pairs]).reshape(-1, program.input_size)
    signs = [proof.index_sign or _index_sign(found) for found, proof in pairs]
    sure = all(proof.proved and proof.index_sign for _, proof in pairs)
    return completeness(region, points, signs, hits, proved=sure)


def _summary(searches: Sequence[SearchResult], unconfirmed: int) -> Search:
    methods: dict[str, int] = {}
    for each in searches:
        for name, count in each.methods.items():
            methods[name] = methods.get(name, 0) + count
    last = searches[-1]
    return Search(
        dimension=last.dimension,
        work=sum(each.work for each in searches),
        stopped=last.stopped,
        flat=last.flat,
        odd=last.odd,
        odd_status=last.odd_status,
        methods=methods,
        unconfirmed=unconfirmed,
        discovery=_joined(searches),
    )


def _joined(searches: Sequence[SearchResult]) -> tuple[Discovery, ...]:
    """One discovery curve, the work of each search counted on from that of those before it."""
    joined: list[Discovery] = []
    before = 0
    for each in searches:
        joined += [Discovery(before + at.work, at.distinct) for at in each.discovery]
        before += each.work
    return tuple(joined)


def _index_sign(found: Polished) -> int | None:
    """sign det(I - J) as computed; None where it is not known."""
    if found.jacobian is None or found.degenerate:
        return None
    return round(float(np.linalg.slogdet(np.eye(len(found.jacobian)) - found.jacobian)[0]))
