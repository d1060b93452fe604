"""What the last layer sees: the frozen features of every row, and the network's own outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.network.network import Network
from fpcheck.network.program import ROW_BLOCK, trace
from fpcheck.network.skeleton import (
    Activation,
    BatchNorm,
    Dense,
    Flatten,
    LayerNorm,
    Reshape,
    Skeleton,
    Softmax,
)

Array = NDArray[np.float64]

# What may stand behind the last dense layer: it changes no row's features.
BEHIND = (Activation, Softmax, BatchNorm, LayerNorm, Flatten, Reshape)

# A column whose entries differ by less than this share of their size is constant: 16 units in the
# last place, which a sum of a few terms in another order can make.
CONSTANT = 16 * 2.0**-52


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """The features (n, p) that enter the last layer and the network's outputs (n, k), flat."""

    features: Array
    outputs: Array


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The singular values of the centred features, summed up.

    condition: largest over smallest, inf where features are constant or depend linearly on each
    other. rank: how many exceed rounding. effective_rank: exp of the entropy of the singular
    values' shares, between 1 and rank [Roy, Vetterli 2007]; 0 where nothing varies.
    """

    condition: float
    rank: int
    effective_rank: float


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a ridge fit sees: centred rows in units of `unit`, in min(n, width) coordinates."""

    rows: Array
    width: int
    unit: float
    spectrum: Spectrum


def last_dense(skeleton: Skeleton) -> Dense | str:
    """The dense layer whose output is the network's, or why there is none.

    An activation, a norm or a change of shape may stand behind it.
    """
    by_name = {node.name: node for node in skeleton.nodes}
    node = skeleton.nodes[-1]
    while isinstance(node, BEHIND):
        node = by_name[node.inputs[0]]
    if isinstance(node, Dense):
        return node
    kind = type(node).__name__.lower()
    return f"the network ends in '{node.name}' ({kind}), not in a dense layer to fit again"


def frozen_features(network: Network, inputs: Array, last: Dense, monitor: Monitor) -> Frozen:
    """The features and outputs for inputs (n, *input shape), by blocks of rows."""
    program = network.program
    shapes = program.skeleton.shapes
    width, rows = math.prod(shapes[last.inputs[0]]), len(inputs)
    values = sum(math.prod(shape) for shape in shapes.values())
    require_memory(
        8.0 * (rows * (width + program.output_size) + ROW_BLOCK * values),
        f"the features of {rows} rows",
    )
    features, outputs = np.empty((rows, width)), np.empty((rows, program.output_size))
    for start in range(0, rows, ROW_BLOCK):
        monitor.check()
        block = slice(start, start + ROW_BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for Inf and NaN
            traced = trace(program, inputs[block])
        features[block] = traced[last.inputs[0]].reshape(-1, width)
        outputs[block] = traced[program.skeleton.nodes[-1].name].reshape(-1, outputs.shape[1])
    return Frozen(features, outputs)


def prepared(values: Array) -> Table:
    """The rows of `values` (n, p), finite, as a table for ridge."""
    centred, unit = rescaled(values)
    return Table(compressed(centred), values.shape[1], unit, spectrum(centred))


def rescaled(table: Array) -> tuple[Array, float]:
    """`table` centred and divided by a power of two that brings its largest entry to [1, 2).

    Ridge with a relative penalty does not change under either, and neither squares of 1e-200 nor
    of 1e200 are then lost. Columns that vary by rounding alone are set to 0. Returns the table
    and the power of two.
    """
    largest = float(np.abs(table).max(initial=0.0))
    factor = 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0
    centred = table / factor
    magnitude = np.abs(centred).max(axis=0)
    centred -= centred.mean(axis=0)
    centred[:, np.abs(centred).max(axis=0) <= CONSTANT * magnitude] = 0.0
    return centred, factor


def compressed(centred: Array) -> Array:
    """Coordinates (n, min(n, p)) of centred rows (n, p) with the same inner products.

    Ridge sees rows only through their inner products, so that with more features than rows the
    coordinates give the same predictions for less work.
    """
    rows, width = centred.shape
    if width <= rows:
        return centred
    eigenvalues, basis = np.linalg.eigh(centred @ centred.T)
    coordinates: Array = basis * np.sqrt(np.maximum(eigenvalues, 0.0))
    return coordinates


def spectrum(centred: Array) -> Spectrum:
    """The condition and the ranks of centred features (n, p)."""
    rows, width = centred.shape
    if rows > width:  # the triangular factor has the same singular values for less work
        centred = np.asarray(np.linalg.qr(centred, mode="r"), dtype=np.float64)
    values = np.linalg.svd(centred, compute_uv=False)
    values = values[: min(rows - 1, width)]  # centring takes one dimension
    largest = float(values.max(initial=0.0))
    floor = max(rows, width) * np.finfo(np.float64).eps * largest
    rank = int(np.count_nonzero(values > floor))
    if rank == 0:
        return Spectrum(math.inf, 0, 0.0)
    shares = values[:rank] / values[:rank].sum()
    condition = largest / float(values[-1]) if rank == len(values) else math.inf
    return Spectrum(condition, rank, float(np.exp(-np.sum(shares * np.log(shares)))))
