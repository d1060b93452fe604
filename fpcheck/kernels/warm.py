"""All kernels compiled, or loaded from the cache, before they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.kernels import (
    answers,
    batched,
    chain,
    compile,
    counter,
    dual_bends,
    dual_series,
    duals,
    elementwise,
    guess,
    labelling,
    margins,
    opcodes,
    settle,
    unit_moves,
)


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
    tasks += [lambda: _warm_batched(None), lambda: _warm_batched(1)]
    one = np.zeros((1, 1, 1))
    tasks.append(lambda: margins.shortfalls(one, np.zeros(1, np.int64), 0.0, np.zeros((1, 1))))
    tasks += [lambda: _warm_unit_moves(None), lambda: _warm_unit_moves(1)]
    tasks.append(lambda: _warm_guess(None, None, None))
    tasks.append(lambda: _warm_guess(1, None, None))
    tasks.append(lambda: _warm_guess(None, 1, None))
    tasks.append(lambda: _warm_guess(None, None, 1))
    tasks += [_warm_closed_duals, _warm_dual_series, _warm_dual_bends]
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


def _warm_batched(exponential: int | None) -> None:
    table = np.zeros((1, chain.TABLE_COLUMNS), np.int64)
    block = np.zeros((1, 1))
    batched.chain_outputs(
        table, np.zeros((1, 2)), block, block, block, block, np.zeros(1), np.zeros((1, 1, 1)),
        exponential, None, None,
    )  # fmt: skip


def _warm_unit_moves(exponential: int | None) -> None:
    table = np.array([[1, 1, 0, -1, opcodes.IDENTITY, opcodes.PIECEWISE, 0]])
    one, whole, z = np.zeros(1), np.zeros(1, np.int64), np.zeros((1, 1))
    forms, scales = np.zeros((1, 3), np.int64), np.zeros((1, 2))
    unit_moves.move_units(
        table, scales, np.array([[0, 0, 0, 1]]), forms, scales, z, 0, whole, z, 0.0, 0,
        z.copy(), one.copy(), 1.0, 0.5, 1, np.zeros(2, np.uint64), 0, False,
        *np.zeros((4, 1, 1)), one.copy(), np.full(1, -0.0), one.copy(), np.zeros(2, np.int64),
        np.zeros(12), np.zeros(4), exponential, None, None,
    )  # fmt: skip


def _warm_guess(exponential: int | None, normal: int | None, periodic: int | None) -> None:
    layers = np.array([[1, 1, 0, 1, 0, 0, 0, 1, guess.NONE]])
    blocks, laws, key = np.array([[0, 2, counter.UNIFORM, 0, 0]]), np.zeros((1, 2)), _KEY
    rows, drawn = np.zeros((1, 1, guess.LANES)), np.zeros((1, 3))
    guess.guess(
        layers, laws, blocks, laws, rows, rows, 1, answers.SIGN, 0.0, key, 0, 1, 0, drawn[0],
        np.zeros(1), np.zeros((2, guess.LANES)), np.zeros(1, np.int64),
        exponential, normal, periodic,
    )  # fmt: skip
    guess.draw_networks(layers, blocks, laws, key, 0, drawn)
    counter.draw_numbers(blocks, laws, key, 0, drawn)


_KEY = np.zeros(2, np.uint64)


def _warm_closed_duals() -> None:
    row, block = np.ones(1), np.zeros((1, 1))
    duals.correlations(row, row, block, 0.0, block)
    duals.closed_pairs(opcodes.RELU, row, row, block, 0.0, np.zeros((1, 1)))
    duals.closed_slope_pairs(opcodes.RELU, row, row, block, 0.0, np.zeros((1, 1)))


def _warm_dual_series() -> None:
    row, block, scratch = np.ones(1), np.zeros((1, 1)), np.zeros(dual_series.CHUNK)
    terms = np.zeros((1, dual_series.STEP))
    columns = np.zeros((1, dual_series.STEP, dual_series.CHUNK))
    tail = np.zeros((1, 2))
    dual_series.count_beyond(block, row, row)
    dual_series.series_pairs(
        terms, columns, block, True, True, tail, tail, row, row, 0.0, scratch, scratch.copy(),
        np.zeros((1, 1)),
    )  # fmt: skip
    place = np.zeros(1, np.int64)
    dual_series.aligned_pairs(
        np.zeros((1, 2, dual_series.LANES)), np.zeros((1, dual_series.LANES)), place, place,
        np.ones((1, 1), np.bool_), block, False, (0.0, 1.0), scratch, np.zeros((1, 1)),
    )  # fmt: skip


def _warm_dual_bends() -> None:
    row, rows, knots = np.zeros(1), np.zeros((1, 3)), np.zeros((1, 1))
    nodes, weights, plain, bend = np.full((4, dual_bends.NODES), 0.5)
    rule = nodes, weights, plain, bend
    block, slope = np.zeros((1, 1)), np.zeros((1, 1))
    dual_bends.bent_pairs(knots, knots, row, False, rows, rows, knots, *rule, block, slope)
    dual_bends.bent_rows(knots, row, False, rows, *rule, row.copy(), row.copy())
