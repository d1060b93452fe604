"""How far a kernel still tells rows apart, at one node and by depth.

Very deep fully connected kernels degenerate: all correlations go to one number, and nothing that is
linear in the features separates the rows [Daniely, Frostig, Singer 2016].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.network.skeleton import (
    Activation,
    Conv,
    ConvTranspose,
    Dense,
    Node,
    Skeleton,
)
from fpcheck.theory.dual_kernel.compose import dual_kernels
from fpcheck.theory.dual_kernel.constants import Parameters, starting_constants
from fpcheck.theory.dual_kernel.limits import describe
from fpcheck.theory.dual_kernel.plan import needed_nodes
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import NotKnown

SPECTRUM_ROWS = 1000  # whose eigenvalues take half a second
MOST_POINTS = 40  # of a profile, each with a kernel of its own


@dataclass(frozen=True, slots=True)
class KernelSpread:
    """Of the kernel's correlations K(x, y) / sqrt(K(x, x) K(y, y)).

    effective_rank: exp of the entropy of the eigenvalues' shares, 1 where all rows look the same,
    n where each is orthogonal to all others. centred_rank: the same once the mean over rows is
    taken out, which a free intercept does. participation: (sum of eigenvalues)^2 / sum of squares.
    off_diagonal_mean, _sd, _low, _high: of the correlations of different rows. rows: of those that
    have a variance; the ranks are of `ranked` of them.
    """

    effective_rank: float
    centred_rank: float
    participation: float
    off_diagonal_mean: float
    off_diagonal_sd: float
    off_diagonal_low: float
    off_diagonal_high: float
    rows: int
    ranked: int


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """The spread of one node's kernel, `depth` layers with weights above the input."""

    node: str
    depth: int
    spread: KernelSpread


@dataclass(frozen=True, slots=True)
class DepthProfile:
    """The spread from the input on; `stopped` says why it ends before the target does, else ""."""

    points: tuple[DepthPoint, ...]
    stopped: str


def kernel_spread(kernel: Array) -> KernelSpread | NotKnown:
    """The spread of a symmetric kernel (n, n) of two rows or more."""
    variances = np.diagonal(kernel)
    alive = np.flatnonzero(variances > 0.0)
    n = len(alive)
    if n < 2 or not np.isfinite(kernel).all():
        return NotKnown(f"{n} rows with a variance have no correlations to speak of")
    scale = 1.0 / np.sqrt(variances[alive])
    c = kernel if n == len(kernel) else kernel[np.ix_(alive, alive)]
    c = c * scale[:, None]
    c *= scale
    pairs = n * (n - 1.0)
    mean = (float(c.sum()) - float(np.trace(c))) / pairs
    squares = float(np.vdot(c, c))
    np.fill_diagonal(c, mean)
    deviations = c - mean
    sd = math.sqrt(float(np.vdot(deviations, deviations)) / pairs)
    low, high = float(c.min()), float(c.max())
    np.fill_diagonal(c, 1.0)
    chosen = np.unique(np.linspace(0, n - 1, min(n, SPECTRUM_ROWS)).round().astype(np.int64))
    ranked = c if len(chosen) == n else c[np.ix_(chosen, chosen)]
    centred = ranked - ranked.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    return KernelSpread(
        effective_rank=_effective_rank(ranked),
        centred_rank=_effective_rank(centred),
        participation=n * n / squares,
        off_diagonal_mean=mean,
        off_diagonal_sd=sd,
        off_diagonal_low=low,
        off_diagonal_high=high,
        rows=n,
        ranked=len(chosen),
    )


def _effective_rank(c: Array) -> float:
    """exp of the entropy of the eigenvalues' shares; 0 where there are none."""
    values = np.linalg.eigvalsh(c)
    floor = len(c) * np.finfo(np.float64).eps  # of a trace of n and less: rounding
    values = values[values > floor]
    if not len(values):
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def depth_profile(
    skeleton: Skeleton,
    scales: Mapping[str, LayerScale],
    rows: Array,
    *,
    node: str,
    parameters: Parameters | None = None,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> DepthProfile | NotKnown:
    """The spread of the kernel at the input and behind every activation on the way to `node`.

    rows: (n, *input shape), a few hundred: there is a kernel of n x n at up to MOST_POINTS nodes,
    those of a deeper network evenly chosen. Raises MemoryLimitError as `dual_kernels`.
    """
    layouts = describe(skeleton, starting_constants(skeleton) if parameters is None else parameters)
    needed = needed_nodes(skeleton, (node,))
    depths = _depths(needed)
    asked = [each for each in needed if isinstance(each, Activation) or not each.inputs]
    known = [each.name for each in asked if not isinstance(layouts[each.name], NotKnown)]
    stopped = layouts[node]
    chosen = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_POINTS)).round())
    names = [known[int(index)] for index in chosen]
    kernels = dual_kernels(
        skeleton,
        scales,
        rows,
        nodes=names,
        parameters=parameters,
        threads=threads,
        monitor=monitor,
    )
    if isinstance(kernels, NotKnown):
        return kernels
    points = []
    for name in names:
        spread = kernel_spread(kernels[name].nngp)
        if isinstance(spread, NotKnown):
            return spread
        points.append(DepthPoint(name, depths[name], spread))
    return DepthProfile(tuple(points), stopped.reason if isinstance(stopped, NotKnown) else "")


def _depths(nodes: Sequence[Node]) -> dict[str, int]:
    """The most layers with weights that lie between the input and each node."""
    depths: dict[str, int] = {}
    for node in nodes:
        below = max((depths[name] for name in node.inputs), default=0)
        depths[node.name] = below + isinstance(node, Dense | Conv | ConvTranspose)
    return depths
