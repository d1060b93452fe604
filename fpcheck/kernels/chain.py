"""Batch iteration of a narrow chain of dense layers, all in one kernel.

States are (n, lanes) with the starts side by side: a product adds w[i, j] * x[j, :] to y[i, :],
which fills vector registers whatever the width is, and needs no reassociated sum.
"""

from __future__ import annotations

from fpcheck.kernels import passes
from fpcheck.kernels.arithmetic import multiply_add
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.opcodes import EXPONENTIAL, NORMAL, PERIODIC
from fpcheck.kernels.settle import settle_columns

# Columns of `table`, one row a layer.
INPUTS = 0
OUTPUTS = 1
WEIGHTS = 2  # where its weights begin, (outputs, inputs) in C order
BIASES = 3  # where its biases begin
OPCODE = 4
FAMILY = 5
TABLE_COLUMNS = 6

# Lanes are worked on in whole vectors of the unrolled loop; what stands in the idle ones is unread.
LANE_BLOCK = 32


@kernel
def iterate_chain(
    table, weights, biases, parameters, x, y, reference, hidden, spare,
    clock, gauge, attention, running, stretch, stop,
    atol, rtol, noise, bound, max_steps, max_period,
    states, fates, periods, steps,
    exponential, normal, periodic,
):  # fmt: skip
    """Take the lanes of x so many steps on; return how many still run.

    Less than the stretch where all have ended before, or stop[0] is set. It is even: then what
    still runs is in x again, which changes places with y in every step.
    table: (layers, 6) int64; weights, biases: all layers' in a row; parameters: (layers, 2);
    x, y, reference: (n, lanes); hidden, spare: (widest, lanes) scratch; the rest: see settle.
    exponential, normal, periodic: 1 where the chain has an activation of that family, else None,
    for which numba leaves the family's code out: only what a network needs is compiled.
    """
    lanes = x.shape[1]
    for _ in range(stretch):
        if running == 0 or stop[0] != 0:
            break
        columns = min(lanes, (running + LANE_BLOCK - 1) // LANE_BLOCK * LANE_BLOCK)
        source = x
        for layer in range(table.shape[0]):
            target = y if layer == table.shape[0] - 1 else hidden
            outputs = target[: table[layer, OUTPUTS]]
            product(
                weights[table[layer, WEIGHTS] :], table[layer, INPUTS], source, outputs, columns
            )
            activate(
                table[layer, FAMILY], table[layer, OPCODE], outputs, columns,
                biases[table[layer, BIASES] :], parameters[layer, 0], parameters[layer, 1],
                exponential, normal, periodic,
            )  # fmt: skip
            source = target
            hidden, spare = spare, hidden
        running = settle_columns(
            x, y, reference, clock, gauge, attention, running,
            atol, rtol, noise, bound, max_steps, max_period, states, fates, periods, steps,
        )  # fmt: skip
        x, y = y, x
    return running


@scalar
def product(weights, inputs, x, y, columns):
    """y[i, :] = sum_j weights[i, j] x[j, :] for the first `columns`, two rows of y at a time."""
    pairs = y.shape[0] // 2
    for pair in range(pairs):
        _two_rows(weights[2 * pair * inputs :], inputs, x, y, 2 * pair, columns)
    row = 2 * pairs
    if row < y.shape[0]:
        for lane in range(columns):
            y[row, lane] = 0.0
        for j in range(inputs):
            w = weights[row * inputs + j]
            for lane in range(columns):
                y[row, lane] = multiply_add(w, x[j, lane], y[row, lane])


@scalar
def _two_rows(w, inputs, x, y, row, columns):
    """Rows `row` and `row + 1` of the product, four terms at a pass over the lanes."""
    for lane in range(columns):
        y[row, lane] = 0.0
        y[row + 1, lane] = 0.0
    j = 0
    while j + 4 <= inputs:
        a0, a1, a2, a3 = w[j], w[j + 1], w[j + 2], w[j + 3]
        b0, b1, b2, b3 = w[inputs + j], w[inputs + j + 1], w[inputs + j + 2], w[inputs + j + 3]
        for lane in range(columns):
            x0, x1, x2, x3 = x[j, lane], x[j + 1, lane], x[j + 2, lane], x[j + 3, lane]
            upper = multiply_add(a0, x0, y[row, lane])
            lower = multiply_add(b0, x0, y[row + 1, lane])
            upper = multiply_add(a1, x1, upper)
            lower = multiply_add(b1, x1, lower)
            upper = multiply_add(a2, x2, upper)
            lower = multiply_add(b2, x2, lower)
            y[row, lane] = multiply_add(a3, x3, upper)
            y[row + 1, lane] = multiply_add(b3, x3, lower)
        j += 4
    while j < inputs:
        a0, b0 = w[j], w[inputs + j]
        for lane in range(columns):
            y[row, lane] = multiply_add(a0, x[j, lane], y[row, lane])
            y[row + 1, lane] = multiply_add(b0, x[j, lane], y[row + 1, lane])
        j += 1


@scalar
def activate(family, opcode, z, columns, shift, p0, p1, exponential, normal, periodic):
    """z[i, :] <- phi(z[i, :] + shift[i]) for the first `columns`, by the family's pass."""
    if exponential is not None and family == EXPONENTIAL:
        passes.exponential(opcode, z, columns, shift, p0, p1)
    elif normal is not None and family == NORMAL:
        passes.normal(opcode, z, columns, shift, p0, p1)
    elif periodic is not None and family == PERIODIC:
        passes.periodic(opcode, z, columns, shift, p0, p1)
    else:
        passes.piecewise(opcode, z, columns, shift, p0, p1)
