"""Which attractor each start ends on, told the moment that it enters a proved attracting ball."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.traps import (
    Labels,
    Places,
    Trap,
    caught,
    places_of,
    settled_on,
)
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED
from fpcheck.attractors.iterate import (
    Fate,
    Flag,
    Iterated,
    Running,
    empty_ends,
    hold_blas,
    lanes_of,
    part,
    run_blocks,
)
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Steps before the first look at the balls, and the share of the steps taken until the next one: a
# look costs a quarter of a step, and a start runs on for half a stretch after it is in.
FIRST_STRETCH = 4
STRETCH_SHARE = 1.0 / 16.0


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where each start goes.

    labels: (k,), the index of a trap, UNRESOLVED, DIVERGED or ELSEWHERE (it settled on something
    that is no trap); steps: (k,), taken until that was known; states: (k, n), where it then was;
    absorbed: (k,), whether it was inside a proved ball by then, rather than at rest.
    """

    labels: Labels
    steps: NDArray[np.int64]
    states: Array
    absorbed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every block looks at; the result fills up on the way. ends: views of the result."""

    program: Program
    traps: Sequence[Trap]
    places: Places
    settings: Settings
    result: Attribution
    ends: Iterated


def attribute(
    program: Program,
    traps: Sequence[Trap],
    starts: Array,
    settings: Settings,
    monitor: Monitor,
) -> Attribution:
    """The trap that each start ends on.

    The starts run through the ordinary iteration, which is halted for looks at the balls: what
    comes to rest, or on a cycle, is held against the traps by its residual, as an end of the
    ordinary iteration is.

    Args:
        program: a self-map.
        traps: the known attractors; those without a ball catch only what comes to rest on them.
        starts: (k, n).
        settings: max_steps, max_period, atol, rtol, threads.
        monitor: progress, and the wish to stop.
    """
    k, n = starts.shape
    ends = empty_ends(k, n)
    result = Attribution(
        labels=np.full(k, UNRESOLVED, dtype=np.int64),
        steps=np.zeros(k, np.int64),
        states=ends.states,
        absorbed=np.zeros(k, np.bool_),
    )
    work = _Work(program, traps, places_of(traps, n), settings, result, ends)

    def run(block: slice, stop: Flag) -> None:
        with np.errstate(all="ignore"):  # diverging starts overflow on purpose
            _follow(work, starts[block], block, stop)

    with hold_blas(program):
        lanes = lanes_of(program, k, n)
        run_blocks(run, k, lanes, settings.threads, monitor, "attributing starts")
    result.steps[:] = ends.steps
    return result


def _follow(work: _Work, starts: Array, block: slice, stop: Flag) -> None:
    """Run these starts until each is labelled or out of steps."""
    running = Running(work.program, starts, work.settings, part(work.ends, block))
    labels, absorbed = work.result.labels[block], work.result.absorbed[block]
    taken = 0
    while running.count:
        inside = _caught(work, running.states)
        held = inside != UNRESOLVED
        if held.any():
            which = running.leave(held)
            labels[which], absorbed[which] = inside[held], True
        stretch = 2 * int(max(FIRST_STRETCH, STRETCH_SHARE * taken) / 2)
        running.advance(stretch, stop)
        taken += stretch
        if stop[0]:
            return
    _told_by_ends(work, running.result, labels, absorbed)


def _caught(work: _Work, states: Array) -> Labels:
    return caught(work.program, work.traps, work.places, states)


def _told_by_ends(
    work: _Work, ended: Iterated, labels: Labels, absorbed: NDArray[np.bool_]
) -> None:
    """Label the starts that were in no ball when they were looked at, by how they ended."""
    open_ = np.flatnonzero(~absorbed)
    fates = ended.fates[open_]
    labels[open_[fates == Fate.DIVERGED]] = DIVERGED
    resting = open_[(fates == Fate.FIXED_POINT) | (fates == Fate.CYCLE)]
    labels[resting] = settled_on(
        work.program, work.traps, work.places, ended.states[resting], work.settings
    )
    late = open_[fates == Fate.UNRESOLVED]
    labels[late] = _caught(work, ended.states[late])
    absorbed[late] = labels[late] != UNRESOLVED
