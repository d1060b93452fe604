"""The simplest models beside the readout: the majority or mean, and a linear map of the input."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.skeleton import Skeleton

Array = NDArray[np.float64]


def constant_prediction(targets: Array, rows: int) -> Array:
    """(rows, k): the mean of targets (m, k); its largest entry is the majority where one-hot."""
    return np.tile(targets.mean(axis=0), (rows, 1))


def bottleneck(skeleton: Skeleton) -> int:
    """The least number of entries through which everything passes on its way to the output.

    Nodes that an edge leads past do not count.
    """
    place = {node.name: index for index, node in enumerate(skeleton.nodes)}
    edges = [(place[name], place[node.name]) for node in skeleton.nodes for name in node.inputs]
    return min(
        math.prod(skeleton.shapes[node.name])
        for index, node in enumerate(skeleton.nodes)
        if not any(source < index < sink for source, sink in edges)
    )


def principal_reconstruction(train: Array, test: Array, rank: int) -> tuple[Array, Array]:
    """Train (m, d) and test rows after projection on `rank` principal components of train.

    The best that a linear network with a bottleneck of `rank` units can do on the training rows
    [Baldi, Hornik 1989].
    """
    mean = train.mean(axis=0)
    centred = train - mean
    rows, width = centred.shape
    if width <= rows:
        basis = np.linalg.eigh(centred.T @ centred)[1][:, -rank:]
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        floor = rows * np.finfo(np.float64).eps * values[-1]  # below it a direction is rounding
        kept = max(rows - rank, int(np.searchsorted(values, floor, side="right")))
        basis = centred.T @ (vectors[:, kept:] / np.sqrt(values[kept:]))
    return _projected(train, mean, basis), _projected(test, mean, basis)


def _projected(table: Array, mean: Array, basis: Array) -> Array:
    projected: Array = (table - mean) @ basis @ basis.T + mean
    return projected
