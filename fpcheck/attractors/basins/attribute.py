"""Which attractor each start ends on, told the moment that it enters a proved attracting ball."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    BLOCK_ENTRIES,
    FEWEST_LANES,
    LANES,
    Fate,
    Flag,
    hold_blas,
    iterate_block,
    run_blocks,
)
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Steps before the first look at the balls, and how much longer each stretch is than the last: a
# look costs about a step, and a start runs on for a fifth of its steps, on average, after it is in.
FIRST_STRETCH = 4
GROWTH = 1.5


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
    """What every block looks at; the result fills up on the way."""

    program: Program
    traps: Sequence[Trap]
    places: Places
    settings: Settings
    result: Attribution


def attribute(
    program: Program,
    traps: Sequence[Trap],
    starts: Array,
    settings: Settings,
    monitor: Monitor,
) -> Attribution:
    """The trap that each start ends on.

    Between looks at the balls the starts run through the ordinary iteration, in stretches that
    grow: what comes to rest there, or on a cycle, is held against the traps by its residual, as an
    end of the ordinary iteration is. A stretch as long as a few periods finds their cycles.

    Args:
        program: a self-map.
        traps: the known attractors; those without a ball catch only what comes to rest on them.
        starts: (k, n).
        settings: max_steps, max_period, atol, rtol, threads.
        monitor: progress, and the wish to stop.
    """
    k, n = starts.shape
    result = Attribution(
        labels=np.full(k, UNRESOLVED, dtype=np.int64),
        steps=np.zeros(k, np.int64),
        states=np.array(starts, dtype=np.float64, order="C"),
        absorbed=np.zeros(k, np.bool_),
    )
    work = _Work(program, traps, places_of(traps, n), settings, result)
    # Halves of few starts, so that a second core has its share. Never by the number of cores.
    lanes = max(FEWEST_LANES, min(LANES, BLOCK_ENTRIES // n, -(-k // 2)))

    def run(block: slice, stop: Flag) -> None:
        with np.errstate(all="ignore"):  # diverging starts overflow on purpose
            _follow(work, np.arange(block.start, block.stop), stop)

    with hold_blas(program):
        run_blocks(run, k, lanes, settings.threads, monitor, "attributing starts")
    return result


def _follow(work: _Work, running: NDArray[np.intp], stop: Flag) -> None:
    """Run these starts until each is labelled or out of steps."""
    running = _look(work, running)
    taken, stretch, limit = 0, FIRST_STRETCH, work.settings.max_steps
    while len(running) and taken < limit and not stop[0]:
        length = min(stretch, limit - taken)
        running = _look(work, _run(work, running, length, stop))
        taken += length
        stretch = int(GROWTH * stretch)


def _run(work: _Work, running: NDArray[np.intp], steps: int, stop: Flag) -> NDArray[np.intp]:
    """Take the running starts on by so many steps; return those that neither rest nor left."""
    result, settings = work.result, replace(work.settings, max_steps=steps)
    ended = iterate_block(work.program, result.states[running], settings, stop)
    if stop[0]:  # what it was doing is not written
        return running[:0]
    result.states[running] = ended.states
    result.steps[running] += ended.steps
    result.labels[running[ended.fates == Fate.DIVERGED]] = DIVERGED
    resting = running[(ended.fates == Fate.FIXED_POINT) | (ended.fates == Fate.CYCLE)]
    result.labels[resting] = settled_on(
        work.program, work.traps, work.places, result.states[resting], settings
    )
    going: NDArray[np.intp] = running[ended.fates == Fate.UNRESOLVED]
    return going


def _look(work: _Work, running: NDArray[np.intp]) -> NDArray[np.intp]:
    """Label the running starts that are inside a ball; return the others."""
    result = work.result
    labels = caught(work.program, work.traps, work.places, result.states[running])
    held = labels != UNRESOLVED
    result.labels[running[held]] = labels[held]
    result.absorbed[running[held]] = True
    free: NDArray[np.intp] = running[~held]
    return free
