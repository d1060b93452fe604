"""What stands beside the comparison: the kernel, its alignment, curves, probes, bias correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.core.workers import in_order
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense
from fpcheck.readout.alignment import alignment, feature_alignment
from fpcheck.readout.bias_correction import bias_correction
from fpcheck.readout.infinite import Infinite
from fpcheck.readout.initial import Initial
from fpcheck.readout.kernel_curve import spread_rows
from fpcheck.readout.kernel_error import kernel_error
from fpcheck.readout.models import Asked, Scored
from fpcheck.readout.probes import probe_layers
from fpcheck.readout.result import (
    Alignment,
    BiasCorrection,
    DepthSpread,
    KernelError,
    KernelPart,
    Probes,
    Skipped,
    WidthCurve,
)
from fpcheck.readout.width import score_by_width
from fpcheck.theory.dual_kernel import depth_profile, dual_kernel
from fpcheck.theory.layer_scales import LayerLaws
from fpcheck.theory.recursion_state import NotKnown

Array = NDArray[np.float64]
Part = TypeVar("Part")

# Blocks of the question's random stream; block 0 makes the splits.
DRAWS, LOGISTIC, LEARNING, STAGES, WIDTHS, BIAS = 1, 2, 3, 4, 5, 6

SPREAD_ROWS = 300  # whose kernel is looked at layer by layer
ERROR_ROWS = 500  # of the kernel that random networks are held against
PROBE_SPLITS = 5

NOT_INITIAL = "fresh random networks were not asked for"


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What all parts look at. rows: (n, *input shape). start: None without random networks."""

    asked: Asked
    network: Network
    laws: LayerLaws | None
    last: Dense
    rows: Array
    settings: Settings
    start: Initial | None
    without_start: str

    def stream(self, block: int) -> np.random.Generator:
        """The part's own random numbers, which no other part's use of them moves."""
        return random_stream(self.settings.seed, "readout", block)


def error_rows(rows: int) -> NDArray[np.intp]:
    """The rows on which the kernels of random networks are held against the dual kernel."""
    return spread_rows(rows, ERROR_ROWS)


def kernel_part(bench: Bench, drawn: Sequence[Array]) -> KernelPart | Skipped:
    """The dual kernel's spread by depth, and how far networks of this width are from it.

    drawn: what enters the last layer of every random network, on the `error_rows`.
    """
    start = bench.start
    if start is None:
        return Skipped(bench.without_start)
    some = bench.rows[spread_rows(len(bench.rows), SPREAD_ROWS)]
    node, asked = bench.last.inputs[0], bench.asked

    def work() -> KernelPart | Skipped:
        found = depth_profile(
            start.skeleton,
            start.scales,
            some,
            node=node,
            parameters=start.constants,
            threads=asked.threads,
            monitor=asked.monitor,
        )
        if isinstance(found, NotKnown):
            return Skipped(found.reason)
        depths = tuple(
            DepthSpread(
                node=point.node,
                depth=point.depth,
                effective_rank=point.spread.effective_rank,
                centred_rank=point.spread.centred_rank,
                off_diagonal_mean=point.spread.off_diagonal_mean,
                off_diagonal_sd=point.spread.off_diagonal_sd,
            )
            for point in found.points
        )
        return KernelPart(node, len(some), depths, found.stopped, _error(bench, start, drawn))

    return _or_skipped(work)


def _error(bench: Bench, start: Initial, drawn: Sequence[Array]) -> KernelError | Skipped:
    if not drawn:
        return Skipped("no random network was drawn")
    some = bench.rows[error_rows(len(bench.rows))]
    kernel = dual_kernel(
        start.skeleton,
        start.scales,
        some,
        node=bench.last.inputs[0],
        parameters=start.constants,
        threads=bench.asked.threads,
        monitor=bench.asked.monitor,
    )
    if isinstance(kernel, NotKnown):
        return Skipped(kernel.reason)
    return kernel_error(drawn, kernel.nngp)


def alignments(bench: Bench, found: Infinite, features: Array) -> tuple[Alignment, ...] | Skipped:
    """How well the targets lie along the dual kernels, these features and the input itself."""
    targets = bench.asked.problem.targets

    kernels = [("nngp", found.nngp), ("ntk", found.ntk)]
    tables = [("features", features), ("input", bench.asked.inputs)]
    jobs: list[Callable[[], Alignment | Skipped]] = [
        *(
            partial(alignment, kernel, targets, name=name)
            for name, kernel in kernels
            if kernel is not None
        ),
        *(partial(feature_alignment, table, targets, name=name) for name, table in tables),
    ]

    def work() -> tuple[Alignment, ...] | Skipped:
        parts = in_order(lambda job: job(), jobs, bench.asked.threads, bench.asked.monitor)
        known = tuple(part for part in parts if isinstance(part, Alignment))
        why = next((part for part in parts if isinstance(part, Skipped)), None)
        return known if known or why is None else why

    return _or_skipped(work)


def width_part(bench: Bench, at_init: Scored, nngp: Scored) -> WidthCurve | Skipped:
    """The last layer's score over the width."""
    if bench.start is None:
        return Skipped(bench.without_start)
    present = at_init.values if at_init.known and len(at_init.values) > 1 else None
    return _or_skipped(
        lambda: score_by_width(
            bench.network,
            bench.laws,
            bench.asked.problem,
            bench.rows,
            bench.last,
            bench.asked.splits,
            bench.stream(WIDTHS),
            present=present,
            nngp=float(nngp.values.mean()) if nngp.known else None,
            threads=bench.asked.threads,
            monitor=bench.asked.monitor,
        )
    )


def probes_part(bench: Bench, last_layer: Scored, linear: Scored) -> Probes | Skipped:
    """The score by depth, on the first splits."""
    skeleton = bench.network.skeleton
    known = {bench.last.inputs[0]: last_layer.values}
    if linear.known and not bench.asked.problem.copies_input:
        known.setdefault(skeleton.nodes[0].name, linear.values)
    return _or_skipped(
        lambda: probe_layers(
            bench.network,
            bench.rows,
            bench.asked.problem,
            bench.asked.splits[:PROBE_SPLITS],
            known=known,
            threads=bench.asked.threads,
            monitor=bench.asked.monitor,
        )
    )


def bias_part(bench: Bench, nngp: Scored) -> BiasCorrection | Skipped:
    """What the bias correction changes, where it was asked for."""
    beta = bench.settings.bias_share
    if beta is None:
        return Skipped("not asked; pass --bias-share with a share between 0 and 1")
    if bench.start is None:
        return Skipped(bench.without_start)
    return _or_skipped(
        lambda: bias_correction(
            bench.network,
            bench.laws,
            bench.asked.problem,
            bench.rows,
            bench.last,
            bench.asked.splits,
            bench.stream(BIAS),
            beta=beta,
            draws=bench.settings.readout_draws,
            nngp=nngp.values if nngp.known else None,
            threads=bench.asked.threads,
            monitor=bench.asked.monitor,
        )
    )


def _or_skipped(work: Callable[[], Part | Skipped]) -> Part | Skipped:
    """The part, or why it does not fit into memory."""
    try:
        return work()
    except MemoryLimitError as error:
        return Skipped(error.message)
