"""Guess and check of narrow and wide chains of dense layers, one network after the other.

A network's layers are drawn when its first eight rows reach them, and it is given up as soon as
more rows are wrong than may be. The rows stand side by side, eight to a vector (see `lanes`).
"""

from __future__ import annotations

from fpcheck.kernels.answers import ARGMAX, SIGN
from fpcheck.kernels.chain import activate
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.counter import AT, LAW, LEVELS, SIZE, WORD, draw_block, network_key
from fpcheck.kernels.lanes import LANES, product
from fpcheck.kernels.opcodes import IDENTITY

# Columns of the table of layers.
INPUTS = 0
OUTPUTS = 1
WEIGHTS = 2  # where its weights begin, (outputs, inputs) in C order
BIASES = 3  # where its biases begin
OPCODE = 4
FAMILY = 5
FIRST_BLOCK = 6  # the blocks of numbers that it needs, in order
END_BLOCK = 7
SCALES = 8  # where the scales of its units begin, or NONE
NONE = -1


@kernel
def guess(
    layers, activations, blocks, parameters, rows, wanted, last, rule, tolerance,
    key, first, count, allowed, numbers, shift, values, accepted,
    exponential, normal, periodic,
):  # fmt: skip
    """Try networks first .. first + count - 1; return how many have at most `allowed` rows wrong.

    Their numbers are in `accepted`. layers: (l, 9) int64; activations: (l, 2) parameters; blocks,
    parameters: see `counter`; rows: (r, inputs, 8); wanted: (r, outputs or 1, 8); last: how many
    rows the last eight hold; numbers: scratch for the blocks, one longer than they are, and behind
    that the zeros that BIASES of a layer without biases names; shift: [-0.0];
    values: (2, 8 widest) scratch; accepted: (count,) int64. exponential, normal, periodic: as in
    `chain.iterate_chain`.
    """
    found = 0
    half = values.shape[1]
    inputs = rows.shape[1]
    for number in range(first, first + count):
        h1, h2 = network_key(key, number)
        wrong = 0
        for eight in range(rows.shape[0]):
            for layer in range(layers.shape[0]):
                if eight == 0:
                    _draw_layer(layers, layer, blocks, parameters, h1, h2, numbers)
                weights, biases = layers[layer, WEIGHTS], layers[layer, BIASES]
                outputs, target = layers[layer, OUTPUTS], layer % 2
                if layer == 0:
                    at = eight * inputs * LANES
                    product(numbers, weights, biases, inputs, outputs, rows, at, values, 0)
                else:
                    product(
                        numbers, weights, biases, layers[layer, INPUTS], outputs,
                        values, (1 - target) * half, values, target * half,
                    )  # fmt: skip
                if layers[layer, OPCODE] != IDENTITY:
                    activate(
                        layers[layer, FAMILY], layers[layer, OPCODE], values[target : target + 1],
                        LANES * outputs, shift, activations[layer, 0], activations[layer, 1],
                        exponential, normal, periodic,
                    )  # fmt: skip
            lanes = LANES if eight < rows.shape[0] - 1 else last
            wrong += _count_wrong(values, target, wanted, eight, outputs, lanes, rule, tolerance)
            if wrong > allowed:
                break
        if wrong <= allowed:
            accepted[found] = number
            found += 1
    return found


@kernel
def draw_networks(layers, blocks, parameters, key, first, out):
    """The parameters of networks first, first + 1, ... as `guess` draws them, scales applied.

    out: (networks, numbers of all blocks + 1), the last entry of each unused.
    """
    for row in range(out.shape[0]):
        h1, h2 = network_key(key, first + row)
        for layer in range(layers.shape[0]):
            _draw_layer(layers, layer, blocks, parameters, h1, h2, out[row])
    return 0


@kernel
def _draw_layer(layers, layer, blocks, parameters, h1, h2, numbers):
    for block in range(layers[layer, FIRST_BLOCK], layers[layer, END_BLOCK]):
        draw_block(
            h1, h2, blocks[block, WORD], blocks[block, LAW], blocks[block, LEVELS],
            parameters[block, 0], parameters[block, 1],
            numbers, blocks[block, AT], blocks[block, SIZE],
        )  # fmt: skip
    scales = layers[layer, SCALES]
    if scales != NONE:
        inputs = layers[layer, INPUTS]
        for unit in range(layers[layer, OUTPUTS]):
            at = layers[layer, WEIGHTS] + unit * inputs
            for j in range(at, at + inputs):
                numbers[j] *= numbers[scales + unit]
    return 0


@scalar
def _count_wrong(f, row, wanted, eight, outputs, lanes, rule, tolerance):
    """How many of the first `lanes` rows are answered wrong; an answer of NaN is.

    Output j of a lane is f[row, 8 j + lane].
    """
    wrong = 0
    if rule == SIGN:
        for lane in range(lanes):
            positive = wanted[eight, 0, lane] > 0.0
            right = f[row, lane] > 0.0 if positive else f[row, lane] <= 0.0
            wrong += 0 if right else 1
    elif rule == ARGMAX:
        for lane in range(lanes):
            best = int(wanted[eight, 0, lane])
            highest = f[row, LANES * best + lane]
            right = True
            for j in range(outputs):
                other = f[row, LANES * j + lane]
                right = right and (highest > other if j < best else highest >= other)
            wrong += 0 if right else 1
    else:
        for lane in range(lanes):
            right = True
            for j in range(outputs):
                off = abs(f[row, LANES * j + lane] - wanted[eight, j, lane])
                right = right and off <= tolerance
            wrong += 0 if right else 1
    return wrong
