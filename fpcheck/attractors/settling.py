"""Where starts end: the first ones find the attractors, the others are held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.attribute import Attribution, attribute
from fpcheck.attractors.basins.traps import ELSEWHERE, Trap, trap_of
from fpcheck.attractors.certify import Certificate
from fpcheck.attractors.discover import Discovery, discover
from fpcheck.attractors.iterate import Iterated, iterate_starts
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.proving import certify_all
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Starts that are iterated to rest. A basin of 1 % is then missed once in 13 times, which costs only
# that its later starts come to rest, too.
FIRST = 256


@dataclass(frozen=True, slots=True)
class Settled:
    """What iteration came to.

    discovery: of the starts and then the rows; certificates: of its found attractors, in order;
    states: (k, n), where each start and row was last; iterations: the most that any start took.
    """

    discovery: Discovery
    certificates: tuple[Certificate, ...]
    states: Array
    iterations: int


def settle(
    program: Program, starts: Array, rows: Array, settings: Settings, monitor: Monitor
) -> Settled:
    """The attractors that the starts and the rows settle on.

    The first quarter of the starts, at most FIRST of them, is iterated to rest. What it finds is
    certified, and of the other starts and the rows each is followed only until it is inside a ball
    that is proved to flow to one of those; what comes to rest elsewhere adds to the list.

    starts: (k, n); rows: (r, n), possibly none.
    """
    first = max(1, min(len(starts) // 4, FIRST))
    ended = iterate_starts(program, starts[:first], settings, monitor)
    listed = discover(program, ended, settings, monitor)
    proofs = certify_all(program, listed.found, settings.threads, monitor)
    later = np.concatenate([starts[first:], rows])
    if not len(later):
        return Settled(listed, proofs, ended.states, int(ended.steps.max()))
    if listed.other_periods or all(proof.attracting is None for proof in proofs):
        # Nothing to be caught by: then all of it is one pass, and counted ends are counted once.
        return _at_once(program, ended, later, len(starts), settings, monitor)
    caught = attribute(program, traps_of(listed.found, proofs), later, settings, monitor)
    steps = max(ended.steps.max(), caught.steps[: len(starts) - first].max(initial=0))
    discovery, proofs = _with_later(program, listed, proofs, caught, settings, monitor)
    states = np.concatenate([ended.states, caught.states])
    return Settled(discovery, proofs, states, int(steps))


def traps_of(found: Sequence[Polished], proofs: Sequence[Certificate]) -> list[Trap]:
    """The found attractors as traps, named by their labels."""
    pairs = zip(found, proofs, strict=True)
    return [trap_of(str(i), each, proof.attracting) for i, (each, proof) in enumerate(pairs)]


def _at_once(
    program: Program,
    ended: Iterated,
    later: Array,
    starts: int,
    settings: Settings,
    monitor: Monitor,
) -> Settled:
    rest = iterate_starts(program, later, settings, monitor)
    whole = Iterated(
        *(
            np.concatenate([getattr(ended, name), getattr(rest, name)])
            for name in ("states", "fates", "periods", "steps")
        )
    )
    discovery = discover(program, whole, settings, monitor)
    proofs = certify_all(program, discovery.found, settings.threads, monitor)
    return Settled(discovery, proofs, whole.states, int(whole.steps[:starts].max()))


def _with_later(
    program: Program,
    listed: Discovery,
    proofs: tuple[Certificate, ...],
    caught: Attribution,
    settings: Settings,
    monitor: Monitor,
) -> tuple[Discovery, tuple[Certificate, ...]]:
    """The discovery of all, from that of the first quarter and the others' attribution."""
    labels = caught.labels.copy()
    elsewhere: NDArray[np.intp] = np.flatnonzero(labels == ELSEWHERE)
    found, periods = listed.found, dict(listed.other_periods)
    if len(elsewhere):
        # They are at rest: iterating them again says at once on what kind of end.
        resting = iterate_starts(program, caught.states[elsewhere], settings, monitor)
        more = discover(program, resting, settings, monitor, known=found)
        labels[elsewhere] = more.labels
        proofs += certify_all(program, more.found[len(found) :], settings.threads, monitor)
        found, periods = more.found, dict(more.other_periods)
    return Discovery(np.concatenate([listed.labels, labels]), found, periods), proofs
