"""The outputs of many narrow networks of one chain of dense layers on the same rows.

The networks one by one, the rows side by side as lanes, so that vectors are full whatever the
width is; see kernels.chain, whose table and product these are.
"""

from __future__ import annotations

from fpcheck.kernels.chain import (
    BIASES,
    FAMILY,
    INPUTS,
    OPCODE,
    OUTPUTS,
    WEIGHTS,
    activate,
    product,
)
from fpcheck.kernels.compile import kernel


@kernel
def chain_outputs(
    table, functions, networks, rows, hidden, spare, none, out, exponential, normal, periodic
):
    """Write every network's outputs on all rows; return 0.

    table: (layers, 6) int64 as in kernels.chain, places in a network's parameters, and -1 for
    BIASES where a layer has none; functions: (layers, 2) the activations' parameters;
    networks: (m, P); rows: (inputs, lanes); hidden, spare: (widest, lanes) scratch;
    none: (widest,) what stands for missing biases; out: (m, lanes, outputs).
    exponential, normal, periodic: see kernels.chain.iterate_chain.
    """
    lanes = rows.shape[1]
    for network in range(networks.shape[0]):
        parameters = networks[network]
        source = rows
        for layer in range(table.shape[0]):
            outputs = hidden[: table[layer, OUTPUTS]]
            product(
                parameters[table[layer, WEIGHTS] :], table[layer, INPUTS], source, outputs, lanes
            )
            shift = none if table[layer, BIASES] < 0 else parameters[table[layer, BIASES] :]
            activate(
                table[layer, FAMILY], table[layer, OPCODE], outputs, lanes, shift,
                functions[layer, 0], functions[layer, 1], exponential, normal, periodic,
            )  # fmt: skip
            source = hidden
            hidden, spare = spare, hidden
        for lane in range(lanes):
            for unit in range(out.shape[2]):
                out[network, lane, unit] = source[unit, lane]
    return 0
