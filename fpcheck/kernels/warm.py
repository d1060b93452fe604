"""All kernels compiled, or loaded from the cache, before they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.kernels import chain, compile, elementwise, labelling, opcodes, settle


def warm_kernels(monitor: Monitor) -> int:
    """Compile or load every kernel; return how many had to be compiled."""
    before = compile.compiled
    tasks = _tasks()
    for done, task in enumerate(tasks):
        monitor.check()
        monitor.report("compiling kernels", done, len(tasks))
        task()
    monitor.report("compiling kernels", len(tasks), len(tasks))
    return compile.compiled - before


def _tasks() -> list[Callable[[], object]]:
    """One call of every kernel, with the types that analyses call it with."""
    z = np.zeros((1, 1))
    shift = np.zeros(1)
    tasks: list[Callable[[], object]] = []
    for family, code in _SAMPLES.items():
        run, slope = elementwise.PASSES[family], elementwise.SLOPES[family]
        tasks.append(lambda run=run, code=code: run(code, z, 1, shift, 0.0, 0.0))
        tasks.append(lambda slope=slope, code=code: slope(code, z, 1, 0.0, 0.0))
    tasks.append(_warm_settle)
    tasks.append(
        lambda: labelling.label_states(z, np.zeros((1, 1)), 0, 1e-12, 1e-9, np.zeros(1, np.int64))
    )
    # A chain with one family of activations each; mixed ones are compiled when first met.
    tasks.append(lambda: _warm_chain(None, None, None))
    tasks.append(lambda: _warm_chain(1, None, None))
    tasks.append(lambda: _warm_chain(None, 1, None))
    tasks.append(lambda: _warm_chain(None, None, 1))
    return tasks


_SAMPLES = {
    opcodes.PIECEWISE: opcodes.RELU,
    opcodes.EXPONENTIAL: opcodes.TANH,
    opcodes.NORMAL: opcodes.GELU,
    opcodes.PERIODIC: opcodes.SIN,
}


def _block(order: Literal["C", "F"]) -> tuple[object, ...]:
    """x, y, reference of two entries and two lanes, and what `settle` keeps beside them."""
    return (
        np.zeros((2, 2), order=order),
        np.zeros((2, 2), order=order),
        np.zeros((2, 2), order=order),
        np.zeros((settle.CLOCK_ROWS, 2), np.int64),
        np.zeros((settle.GAUGE_ROWS, 2)),
        np.zeros(2, np.uint8),
    )


_RULE = (1e-12, 1e-9, 1e-5, 1e12, 1, 1)


def _ends() -> tuple[object, ...]:
    return np.zeros((1, 1)), np.zeros(1, np.int8), np.zeros(1, np.int32), np.zeros(1, np.int32)


def _warm_settle() -> None:
    settle.settle_rows(*_block("F"), 0, *_RULE, *_ends())


def _warm_chain(exponential: int | None, normal: int | None, periodic: int | None) -> None:
    x, y, reference, *kept = _block("C")
    table = np.zeros((1, chain.TABLE_COLUMNS), np.int64)
    empty = np.zeros((1, 1))
    chain.iterate_chain(
        table, np.zeros(1), np.zeros(1), np.zeros((1, 2)),
        x, y, reference, empty, np.zeros((1, 1)), *kept, 0, 2, np.zeros(1, np.uint8),
        *_RULE, *_ends(), exponential, normal, periodic,
    )  # fmt: skip
