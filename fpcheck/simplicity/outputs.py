"""The outputs of many networks on the same rows: three bodies behind one function.

No network's outputs depend on which others stand beside it, so that work may be cut at will.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.kernels import chain, elementwise
from fpcheck.kernels.batched import chain_outputs
from fpcheck.kernels.opcodes import EXPONENTIAL, FAMILY_OF, IDENTITY, NORMAL, PERIODIC
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, Dense, Flatten, Reshape, Skeleton
from fpcheck.network.training.cost import multiply_adds
from fpcheck.simplicity.networks import Prior

Array = NDArray[np.float64]

# Up to this width of the widest layer, inputs among them, one kernel takes whole networks; beyond
# it BLAS multiplies. Processor microseconds a network on 64 rows (Zen 4, one core), kernel against
# BLAS, of tanh in one and two hidden layers and ReLU in two: 10-16 2.4:2.5 4.5:15 2.6:11.5, 32-32
# 6.5:8.8 14:39 9.5:11.4, 48-48 12:14 26:26 20:21, 64-16 6.5:4.7 8.5:7.5 6.4:5.1, 64-64 26:22 47:42
# 39:33, 784-16 58:41 66:47 66:43.
NARROW_WIDTH = 48
# Rows side by side in the kernel: the layers of so many stay in the nearest cache.
LANES = 128
# Multiply-adds of one call of a body, some 10 ms: between calls the monitor is asked. What a
# network costs beside them counts as so many: its activations in the kernel, the products' calls,
# the making of a program (0.1 ms).
WORK = 2.0**25
BESIDE = 2.0**12
BESIDE_PROGRAM = 2.0**19
# Entries of one layer's values over all networks of a call, 4 MiB.
ENTRIES = 2**19


@dataclass(frozen=True, slots=True, eq=False)
class ChainPlan:
    """A plain chain of dense layers as kernels.batched takes it.

    table: (layers, 6), places among a network's parameters; functions: (layers, 2).
    """

    table: NDArray[np.int64]
    functions: Array
    families: tuple[int | None, int | None, int | None]  # exponential, normal, periodic
    widest: int


def outputs(prior: Prior, parameters: Array, rows: Array, monitor: Monitor | None = None) -> Array:
    """The outputs of networks on rows. parameters: (m, P), rows: (n, *input shape) -> (m, n, c).

    An output of several axes is flat. Overflow gives inf or NaN, without a warning.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    plan = chain_plan(prior)
    out = np.empty((len(parameters), len(rows), prior.outputs))
    parameters = np.ascontiguousarray(parameters)
    step = _networks_a_call(prior, plan, len(rows))
    with np.errstate(all="ignore"):
        for begin in range(0, len(parameters), step):
            if monitor is not None:
                monitor.check()
            part = slice(begin, begin + step)
            if plan is None:
                _by_program(prior, parameters[part], rows, out[part])
            elif plan.widest <= NARROW_WIDTH:
                _by_kernel(plan, parameters[part], rows, out[part])
            else:
                _by_products(plan, parameters[part], rows, out[part])
    return out


def cost(prior: Prior, n: int) -> float:
    """Multiply-adds of one network on n rows."""
    return float(n * multiply_adds(prior.skeleton))


def chain_plan(prior: Prior) -> ChainPlan | None:
    """The prior's skeleton as a plain chain of dense layers, None where it is none."""
    places = tuple((block.name, block.place.start) for block in prior.blocks)
    return _plan(prior.skeleton, places)


@lru_cache(maxsize=32)
def _plan(skeleton: Skeleton, places: tuple[tuple[str, int], ...]) -> ChainPlan | None:
    place = dict(places)
    table: list[list[int]] = []
    functions: list[tuple[float, float]] = []
    for before, node in zip(skeleton.nodes, skeleton.nodes[1:], strict=False):
        shape = skeleton.shapes[before.name]
        if node.inputs != (before.name,):
            return None
        if isinstance(node, Dense) and len(shape) == 1:
            biases = -1 if node.bias is None else place[node.bias]
            family = FAMILY_OF[IDENTITY]
            table.append([shape[0], node.units, place[node.weight], biases, IDENTITY, family])
            functions.append((0.0, 0.0))
        elif isinstance(node, Activation) and table and table[-1][chain.OPCODE] == IDENTITY:
            function = node.function
            table[-1][chain.OPCODE] = function.opcode
            table[-1][chain.FAMILY] = FAMILY_OF[function.opcode]
            functions[-1] = (function.p0, function.p1)
        elif not isinstance(node, Flatten | Reshape):
            return None
    if not table:
        return None
    present = {row[chain.FAMILY] for row in table}
    exponential, normal, periodic = (
        1 if family in present else None for family in (EXPONENTIAL, NORMAL, PERIODIC)
    )
    return ChainPlan(
        np.array(table, dtype=np.int64),
        np.array(functions),
        (exponential, normal, periodic),
        max(max(row[chain.INPUTS], row[chain.OUTPUTS]) for row in table),
    )


def _networks_a_call(prior: Prior, plan: ChainPlan | None, n: int) -> int:
    """How many networks a body takes at once: for the monitor's sake, and the memory's."""
    beside = BESIDE_PROGRAM if plan is None else BESIDE
    by_work = WORK / (cost(prior, n) + beside)
    by_memory = ENTRIES / max(n * (plan.widest if plan else 1), 1)
    if plan is not None and plan.widest > NARROW_WIDTH:
        return max(1, int(min(by_work, by_memory)))
    return max(1, int(by_work))


def _by_kernel(plan: ChainPlan, parameters: Array, rows: Array, out: Array) -> None:
    columns = np.ascontiguousarray(rows.reshape(len(rows), -1).T)
    hidden = np.empty((plan.widest, min(LANES, len(rows))))
    spare, none = np.empty_like(hidden), np.full(plan.widest, -0.0)
    for begin in range(0, len(rows), LANES):
        lanes = slice(begin, begin + LANES)
        block = np.ascontiguousarray(columns[:, lanes])
        result = np.empty((len(parameters), block.shape[1], out.shape[2]))
        chain_outputs(
            plan.table, plan.functions, parameters, block, hidden, spare, none, result,
            *plan.families,
        )  # fmt: skip
        out[:, lanes] = result


def _by_products(plan: ChainPlan, parameters: Array, rows: Array, out: Array) -> None:
    """Each layer by one product a network, of one shape whatever the number of networks.

    One product for all of them would round by where a network stands in it.
    """
    values: Array = np.ascontiguousarray(rows.reshape(len(rows), -1).T)
    for row, (p0, p1) in zip(plan.table, plan.functions, strict=True):
        inputs, units, weights, biases = (int(entry) for entry in row[:4])
        weight = parameters[:, weights : weights + units * inputs].reshape(-1, units, inputs)
        values = np.matmul(np.ascontiguousarray(weight), values)
        if biases >= 0:
            values += parameters[:, biases : biases + units, None]
        elementwise.apply(int(row[chain.OPCODE]), float(p0), float(p1), values, values)
    out[:] = np.swapaxes(values, 1, 2)


def _by_program(prior: Prior, parameters: Array, rows: Array, out: Array) -> None:
    for network, result in zip(parameters, out, strict=True):
        result[:] = forward(prior.program(network), rows).reshape(result.shape)
