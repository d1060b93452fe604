"""Where each start of an iterated network ends: three bodies behind one function.

The bodies differ in how they map a block of states; what becomes of a start is decided by one
kernel for all of them (kernels.settle, which states the rules).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from fpcheck.attractors.images import (
    Image,
    PackedChain,
    chain_image,
    pack_chain,
    program_image,
)
from fpcheck.core.errors import UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import available_cores
from fpcheck.kernels import settle as kernel
from fpcheck.kernels.chain import LANE_BLOCK, iterate_chain
from fpcheck.network.program import Program, dense_chain

Array: TypeAlias = NDArray[np.float64]
Flag: TypeAlias = NDArray[np.uint8]  # one entry, set to stop
# What `settle_rows` takes: atol, rtol, noise, bound, max_steps, max_period.
Rule: TypeAlias = tuple[float, float, float, float, int, int]

# Starts that run side by side. Fixed, never by the number of threads: a product's last bits depend
# on how many rows it has. At 256 a tanh layer of width 8 takes 14 ns a start, at 128 16, at 64 18.
LANES = 256
# Where Python takes every step there are more, since the last few starts of a block take as many
# steps as all of it; they are still mapped LANES at a time, which stay in the cache.
STEPPED_LANES = 1024
# Fewer where states are large, so that an array of them stays below 16 MB.
BLOCK_ENTRIES = 2**21
FEWEST_LANES = 8
# Unused columns beside them: rows a power of two apart would share few cache sets.
SPARE_COLUMNS = 8
# A state with a larger entry is lost. Far above what a network at work holds, far below overflow.
BOUND = 1e12
# Up to this width of the widest layer the chain runs in one kernel, beyond it BLAS multiplies.
# Processor milliseconds for 1024 starts of two tanh layers, up to 300 steps (Zen 4, AVX-512, one
# core), one kernel against BLAS: width 8 11:27, 16 20:36, 32 57:80, 48 124:130, 64 233:198; with
# ReLU 64 30:36 and 128 32:34. Several threads favour the kernel, which needs no interpreter.
NARROW_WIDTH = 48
# Returns within this many roundings, relative to the tolerance, are noise, not drift.
NOISE_ROUNDINGS = 64.0
# How long an interruption may go unseen.
POLL_SECONDS = 0.05


class Fate(IntEnum):
    """How the iteration of a start ended; every start has exactly one."""

    FIXED_POINT = kernel.FIXED_POINT
    CYCLE = kernel.CYCLE
    UNRESOLVED = kernel.UNRESOLVED
    DIVERGED = kernel.DIVERGED


@dataclass(frozen=True, slots=True)
class Iterated:
    """Where each start ended.

    states: (k, n), the last state (the last within BOUND where it diverged); fates: (k,) of Fate;
    periods: (k,), 1 for a fixed point, p for a cycle, else 0; steps: (k,), steps taken.
    """

    states: Array
    fates: NDArray[np.int8]
    periods: NDArray[np.int32]
    steps: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Lanes:
    """A block of running starts as columns; kernels.settle says what the rows mean."""

    x: Array
    y: Array
    reference: Array
    clock: NDArray[np.int64]
    gauge: Array
    attention: NDArray[np.uint8]


def iterate_starts(
    program: Program, starts: Array, settings: Settings, monitor: Monitor
) -> Iterated:
    """Where x <- f(x) takes each start.

    Args:
        program: a network whose output has as many entries as its input.
        starts: (k, n), one flat start a row.
        settings: max_steps, max_period, atol, rtol, threads.
        monitor: told of every finished block; a stop acts within a step and 0.05 s.

    Raises:
        UsageError: the starts' width is not the network's.
        KeyboardInterrupt: the monitor asked to stop.
    """
    _check(program, starts)
    k, n = starts.shape
    result = empty_ends(k, n)

    def run(block: slice, stop: Flag) -> None:
        with np.errstate(all="ignore"):  # diverging starts overflow on purpose
            running = Running(program, starts[block], settings, part(result, block))
            running.advance(settings.max_steps, stop)

    with hold_blas(program):
        lanes = lanes_of(program, k, n)
        run_blocks(run, k, lanes, settings.threads, monitor, "iterating starts")
    return result


def hold_blas(program: Program) -> AbstractContextManager[object]:
    """A context in which BLAS keeps to one thread, where the iteration uses it at all.

    A narrow chain does not.
    """
    return nullcontext() if _is_narrow(program) else _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> ThreadpoolController:
    # Looking for them takes some milliseconds. Steps are taken by NumPy's alone, which is loaded.
    return ThreadpoolController()


def lanes_of(program: Program, k: int, n: int) -> int:
    """How many of k starts of n entries run side by side, never by the number of cores.

    The number of blocks is even, so that two cores are done at one time; but where Python takes the
    steps, a half of few starts takes it as long as all of them.
    """
    stepped = not _is_narrow(program)
    room = max(FEWEST_LANES, BLOCK_ENTRIES // max(n, 1))
    if stepped and k <= min(LANES // 2, room):
        return max(FEWEST_LANES, k)
    most = min(STEPPED_LANES if stepped else LANES, room)
    blocks = 2 * -(-k // (2 * most))
    return max(FEWEST_LANES, -(-k // max(blocks, 1)))


def empty_ends(k: int, n: int) -> Iterated:
    """Room for the ends of k starts."""
    return Iterated(
        states=np.empty((k, n)),
        fates=np.empty(k, np.int8),
        periods=np.empty(k, np.int32),
        steps=np.empty(k, np.int32),
    )


def _check(program: Program, starts: Array) -> None:
    sizes = (program.input_size, program.output_size)
    if starts.ndim != 2 or sizes != (starts.shape[1],) * 2:
        raise UsageError(
            f"starts of shape {starts.shape} cannot be iterated by a network of "
            f"{sizes[0]} inputs and {sizes[1]} outputs"
        )


def _rule(settings: Settings) -> Rule:
    epsilon = float(np.finfo(np.float64).eps)
    noise = min(1.0, NOISE_ROUNDINGS * epsilon / max(settings.rtol, epsilon))
    return settings.atol, settings.rtol, noise, BOUND, settings.max_steps, settings.max_period


def _is_narrow(program: Program) -> bool:
    chain = dense_chain(program)
    return chain is not None and max(max(each.weight_t.shape) for each in chain) <= NARROW_WIDTH


def run_blocks(
    work: Callable[[slice, Flag], None],
    total: int,
    lanes: int,
    threads: int,
    monitor: Monitor,
    words: str,
) -> None:
    """Run `work` on every block of `lanes` of so many starts, on a pool of threads.

    work(block, stop) looks at stop[0] in every step; words: what the monitor is told.
    """
    stop = np.zeros(1, np.uint8)
    blocks = [slice(begin, min(begin + lanes, total)) for begin in range(0, total, lanes)]
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        try:
            pending = {pool.submit(work, block, stop): block for block in blocks}
            _collect(pending, total, monitor, words)
        except BaseException:  # also an interruption: the kernels look at the flag in every step
            stop[0] = 1
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _collect(pending: dict[Future[None], slice], total: int, monitor: Monitor, words: str) -> None:
    done = 0
    monitor.report(words, done, total)
    while pending:
        finished, _ = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        monitor.check()
        for future in finished:
            future.result()
            block = pending.pop(future)
            done += block.stop - block.start
        if finished:
            monitor.report(words, done, total)


def part(result: Iterated, block: slice) -> Iterated:
    """Views of the block's ends."""
    return Iterated(
        result.states[block], result.fates[block], result.periods[block], result.steps[block]
    )


class Running:
    """One block of starts on their way, in the calling thread; see `hold_blas`.

    The ends of those that ended are in `result`, in the order of the starts.
    """

    def __init__(
        self, program: Program, starts: Array, settings: Settings, result: Iterated
    ) -> None:
        self.count, self.result, self.rule = len(starts), result, _rule(settings)
        chain, rows = dense_chain(program), min(len(starts), LANES)
        if chain is not None and _is_narrow(program):
            self.lanes = _new_lanes(starts, "C")
            self._advance = functools.partial(_in_one_kernel, pack_chain(chain))
            return
        # A lane's entries lie together, as the rows of a product: BLAS takes 32 rows of 1024
        # entries at twice the rate of 32 columns.
        self.lanes = _new_lanes(starts, "F")
        image = program_image(program) if chain is None else chain_image(chain, rows)
        self._advance = functools.partial(_by_steps, image)

    @property
    def states(self) -> Array:
        """The states of the starts that still run. (count, n)"""
        return self.lanes.x[:, : self.count].T

    def advance(self, steps: int, stop: Flag) -> None:
        """Take all that still run so many steps on, an odd number made even."""
        self.count = self._advance(self, steps + steps % 2, stop)

    def leave(self, gone: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Take these of the running starts out, as they are; return which of the block they are.

        gone: (count,). Their states and steps are written into `result`.
        """
        lanes, kept = self.lanes, np.flatnonzero(~gone)
        which: NDArray[np.int64] = lanes.clock[kernel.START, : self.count][gone]
        self.result.states[which] = self.states[gone]
        self.result.steps[which] = lanes.clock[kernel.STEP, : self.count][gone]
        for rows in (lanes.x, lanes.reference, lanes.clock, lanes.gauge):
            rows[:, : len(kept)] = rows[:, kept]
        self.count = len(kept)
        return which


def _new_lanes(starts: Array, order: Literal["C", "F"]) -> _Lanes:
    k, n = starts.shape
    # Whole vectors, so that no pass over the lanes ends in single elements.
    columns = -(-k // LANE_BLOCK) * LANE_BLOCK + SPARE_COLUMNS
    x = np.zeros((n, columns), order=order)
    x[:, :k] = starts.T
    clock = np.zeros((kernel.CLOCK_ROWS, columns), np.int64)
    clock[kernel.START, :k] = np.arange(k)
    clock[kernel.WINDOW] = 1
    clock[kernel.DUE] = 1
    return _Lanes(
        x=x,
        y=np.zeros_like(x),
        reference=x.copy(order=order),
        clock=clock,
        gauge=np.zeros((kernel.GAUGE_ROWS, columns)),
        attention=np.zeros(columns, np.uint8),
    )


def _in_one_kernel(packed: PackedChain, running: Running, steps: int, stop: Flag) -> int:
    lanes, result = running.lanes, running.result
    hidden = np.zeros((packed.widest, lanes.x.shape[1]))
    return int(
        iterate_chain(
            packed.table, packed.weights, packed.biases, packed.parameters,
            lanes.x, lanes.y, lanes.reference, hidden, np.zeros_like(hidden),
            lanes.clock, lanes.gauge, lanes.attention, running.count, steps, stop, *running.rule,
            result.states, result.fates, result.periods, result.steps, *packed.families,
        )
    )  # fmt: skip


def _by_steps(image: Image, running: Running, steps: int, stop: Flag) -> int:
    lanes, result, count = running.lanes, running.result, running.count
    x, y = lanes.x, lanes.y
    for _ in range(steps):
        if not count or stop[0]:
            break
        for begin in range(0, count, LANES):
            end = min(begin + LANES, count)
            image(x.T[begin:end], y.T[begin:end])
        count = kernel.settle_rows(
            x, y, lanes.reference, lanes.clock, lanes.gauge, lanes.attention, count,
            *running.rule, result.states, result.fates, result.periods, result.steps,
        )  # fmt: skip
        x, y = y, x
    return int(count)
