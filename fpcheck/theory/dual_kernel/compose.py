"""The kernels of infinitely wide networks over a whole skeleton: NNGP and NTK of given rows.

Rows' own variances come first (`row_moments`); then every block of pairs of rows goes through all
layers (`steps`), so that no more than the result and a few blocks is held at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import available_cores
from fpcheck.network.skeleton import Node, Skeleton
from fpcheck.theory.dual_kernel.blocks import block_kernels
from fpcheck.theory.dual_kernel.constants import Parameters, affine, starting_constants
from fpcheck.theory.dual_kernel.cost import LONGEST, cost, large_rows, too_long
from fpcheck.theory.dual_kernel.fixed import by_position, fixed_values
from fpcheck.theory.dual_kernel.limits import describe, without_limit
from fpcheck.theory.dual_kernel.meeting import Rules, Side, beside
from fpcheck.theory.dual_kernel.plan import Walk, needed_nodes, walk, with_sums
from fpcheck.theory.dual_kernel.row_moments import row_moments, wanted_means
from fpcheck.theory.dual_kernel.spatial import TERM_BYTES
from fpcheck.theory.dual_kernel.tiles import Block, in_threads, rows_a_block, tiles
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import NotKnown

ROWS_ALONE = 2**22  # entries of one array of rows that meet themselves
SPARE = 2.0**25  # bytes: what series keep of their coefficients, and work in


@dataclass(frozen=True, slots=True, eq=False)
class DualKernel:
    """The kernel of a node at infinite width, (m, k).

    nngp: E over the weights of the product of two rows' values, mean over units (and positions).
    ntk: the tangent kernel in the NTK parameterisation, of weights and biases (norms' constants are
    held); None where it was not asked for.
    """

    nngp: Array
    ntk: Array | None = None


def dual_kernel(
    skeleton: Skeleton,
    scales: Mapping[str, LayerScale],
    left: Array,
    right: Array | None = None,
    *,
    node: str,
    ntk: bool = False,
    parameters: Parameters | None = None,
    longest: float = LONGEST,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> DualKernel | NotKnown:
    """The kernel of `node`, or why it has none.

    Args:
        skeleton: the network's graph.
        scales: sigma_w^2 and sigma_b^2 by layer name.
        left: rows (m, *input shape).
        right: other rows (k, *input shape); None: `left` with itself, symmetric.
        node: whose value it is; of positions the mean over the same position of two rows.
        ntk: also the tangent kernel, all layers up to the node trained.
        parameters: where norms and Scale nodes have their constants; None: norms at their start.
        longest: seconds of one core, by an estimate, from which on the kernel is refused.
        threads: 0 is one a core; the result does not depend on it.
        monitor: hears of the blocks.

    Raises:
        MemoryLimitError: the work does not fit into memory.
    """
    found = dual_kernels(
        skeleton,
        scales,
        left,
        right,
        nodes=(node,),
        ntk=ntk,
        parameters=parameters,
        longest=longest,
        threads=threads,
        monitor=monitor,
    )
    return found if isinstance(found, NotKnown) else found[node]


def dual_kernels(
    skeleton: Skeleton,
    scales: Mapping[str, LayerScale],
    left: Array,
    right: Array | None = None,
    *,
    nodes: Sequence[str],
    ntk: bool = False,
    parameters: Parameters | None = None,
    longest: float = LONGEST,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> dict[str, DualKernel] | NotKnown:
    """The kernels of several nodes by name, in one pass; the rest as `dual_kernel`."""
    constants = starting_constants(skeleton) if parameters is None else parameters
    layouts = describe(skeleton, constants)
    needed = needed_nodes(skeleton, nodes)
    unknown = without_limit(needed, nodes, layouts, scales, ntk)
    if unknown is not None:
        return unknown
    walks = [walk(skeleton, layouts, nodes, of_rows=of_rows) for of_rows in (False, True)]
    for each in walks:
        if isinstance(each, NotKnown):
            return each
    pairs, alone = (each for each in walks if isinstance(each, Walk))
    rules = Rules(
        layouts=layouts,
        scales=scales,
        affines={node.name: affine(node, constants) for node in pairs.nodes},
        wanted_means=wanted_means(skeleton, pairs.nodes, layouts),
        ntk=ntk,
    )
    heard = monitor or Monitor()
    job = _Job(skeleton, needed, constants, pairs, alone, rules, longest, threads, heard)
    with threadpool_limits(1, "blas"), np.errstate(over="ignore", invalid="ignore"):
        return _worked_out(job, left, right)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What is asked: pairs, alone are the ways of two rows that meet and of one by itself."""

    skeleton: Skeleton
    needed: tuple[Node, ...]
    constants: Parameters
    pairs: Walk
    alone: Walk
    rules: Rules
    longest: float
    threads: int
    monitor: Monitor

    def values(self, rows: Array) -> dict[tuple[str, int | None], Array]:
        """The fixed values of rows that enter anything random, by node and axis of units."""
        rows = np.asarray(rows, dtype=np.float64).reshape(-1, *self.skeleton.input_shape)
        found = fixed_values(self.skeleton, self.needed, self.rules.layouts, self.constants, rows)
        edges = [edge for step in self.pairs.steps for edge in step.edges]
        edges += [edge for final in self.pairs.finals.values() for edge in final]
        places = {(e.link.source, e.link.axis) for e in edges if e.link.fixed}
        return {place: by_position(found[place[0]], place[1]) for place in sorted(places, key=str)}


def _worked_out(job: _Job, left: Array, right: Array | None) -> dict[str, DualKernel] | NotKnown:
    values = [job.values(rows) for rows in ((left,) if right is None else (left, right))]
    if not all(np.isfinite(each).all() for side in values for each in side.values()):
        return NotKnown("the rows, or what the first layers make of them, are not finite")
    counts = [next(iter(side.values())).shape[1] for side in values]
    most = _within_limits(job, values[0], counts)
    if isinstance(most, NotKnown):
        return most
    m, k = counts[0], counts[-1]
    kept = {
        name: DualKernel(np.empty((m, k)), np.empty((m, k)) if job.rules.ntk else None)
        for name in job.pairs.finals
    }
    if not m * k:
        return kept
    job = replace(job, pairs=with_sums(job.pairs), alone=with_sums(job.alone))
    sides: list[Side] = []
    for each, count in zip(values, counts, strict=True):
        side = _alone(job, each, count)
        if isinstance(side, NotKnown):
            return side
        sides.append(side)
        long = large_rows(job.pairs, side.q, job.rules.ntk, job.longest)
        if long is not None:
            return long

    def work(block: Block) -> None:
        _one_block(job, sides, block, kept, mirrored=right is None)

    in_threads(work, tiles(m, None if right is None else k, most), job.threads, job.monitor)
    if not all(np.isfinite(kernel.nngp).all() for kernel in kept.values()):
        return NotKnown("the kernel overflows")
    return kept


def _one_block(
    job: _Job, sides: Sequence[Side], block: Block, kept: Mapping[str, DualKernel], mirrored: bool
) -> None:
    own = mirrored and block.diagonal
    made = block_kernels(
        job.pairs, sides[0].rows(block.left), sides[-1].rows(block.right), job.rules, own=own
    )
    for name, field in made.items():
        kernel = kept[name]
        for whole, part in ((kernel.nngp, field.cov), (kernel.ntk, field.ntk)):
            if whole is None:
                continue
            assert part is not None
            values = part[0]
            if own:
                values = 0.5 * (values + values.T)
            whole[block.left, block.right] = values
            if mirrored and not own:
                whole[block.right, block.left] = values.T


def _within_limits(
    job: _Job, values: Mapping[tuple[str, int | None], Array], counts: Sequence[int]
) -> int | NotKnown:
    """How many rows a block may have, once memory and time are found to do."""
    ntk = job.rules.ntk
    pair, alone = (
        cost(job.pairs, values, ntk=ntk),
        cost(job.alone, values, ntk=False, of_rows=True),
    )
    m, k, total = counts[0], counts[-1], sum(counts)
    meetings = m * k if len(counts) > 1 else 0.5 * m * (m + 1)
    seconds = meetings * pair.seconds + total * alone.seconds
    rows = f"{m} x {k}"
    refused = too_long(seconds, rows, pair.largest, pair.where, job.longest)
    if refused is not None:
        return refused
    most = rows_a_block(pair.largest)
    threads = job.threads or available_cores()
    needed = SPARE + 8.0 * m * k * len(job.pairs.finals) * (2 if ntk else 1)
    needed += 8.0 * threads * min(most, m) * min(most, k) * pair.entries
    needed += 8.0 * min(total * alone.entries, threads * ROWS_ALONE * 4)
    needed += 8.0 * total * sum(len(each) * each.shape[2] for each in values.values()) * 2
    needed += 8.0 * total * alone.kept
    needed += TERM_BYTES * (pair.terms + alone.terms)
    require_memory(needed, f"the kernel of {rows} rows")
    return most


def _alone(
    job: _Job, values: Mapping[tuple[str, int | None], Array], count: int
) -> Side | NotKnown:
    """The moments of all rows, worked out in parts."""
    most = max(1, ROWS_ALONE // max(1, cost(job.alone, values, ntk=False).largest))
    parts = [slice(start, min(start + most, count)) for start in range(0, count, most)]
    found: dict[int, Side | NotKnown] = {}

    def work(block: Block) -> None:
        part = block.left
        mine = {key: value[:, part] for key, value in values.items()}
        found[part.start] = row_moments(mine, job.alone, job.rules)

    in_threads(work, [Block(part, slice(0, 1)) for part in parts], job.threads, job.monitor)
    sides: list[Side] = []
    for part in parts:
        side = found[part.start]
        if isinstance(side, NotKnown):
            return side
        sides.append(side)
    return beside(values, sides)
