"""A grid of cells labelled with fewer starts than cells: coarse first, fine where basins meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.traps import Labels

STRIDE = 4  # cells between those of the first pass
Flags: TypeAlias = NDArray[np.bool_]
# evaluate(cells) -> (labels, steps) of these cells, by their flat index.
Evaluate: TypeAlias = Callable[[NDArray[np.intp]], tuple[Labels, NDArray[np.int64]]]


@dataclass(frozen=True, slots=True)
class Grid:
    """labels, steps: (size, size); run: how many cells were started, the others were filled in."""

    labels: Labels
    steps: NDArray[np.int64]
    run: int


def labelled_grid(size: int, evaluate: Evaluate) -> Grid:
    """The labels of a size x size grid.

    Every fourth cell of every fourth row is started, and those of the last row and column. A block
    between four of them that end alike, with all eight blocks around it, is filled with that end
    and with steps in between; all other cells are started. What is smaller than two blocks, and
    away from every border that was seen, can be missed.
    """
    places = np.unique(np.append(np.arange(0, size, STRIDE), size - 1))
    corners = (places[:, None] * size + places).ravel()
    labels = np.zeros(size * size, np.int64)
    steps = np.zeros(size * size, np.int64)
    labels[corners], steps[corners] = evaluate(corners)
    coarse = labels[corners].reshape(len(places), len(places))
    mixed = _grown(_mixed(coarse))
    block = np.clip(np.searchsorted(places, np.arange(size), side="right") - 1, 0, len(places) - 2)
    open_ = mixed[np.ix_(block, block)]
    known = np.zeros(size * size, np.bool_)
    known[corners] = True
    rest = np.flatnonzero(open_.ravel() & ~known)
    if len(rest):
        labels[rest], steps[rest] = evaluate(rest)
    filled = np.flatnonzero(~open_.ravel() & ~known)
    rows, columns = np.divmod(filled, size)
    labels[filled] = coarse[block[rows], block[columns]]
    steps[filled] = _between(steps[corners].reshape(coarse.shape), places, block, rows, columns)
    shape = (size, size)
    return Grid(labels.reshape(shape), steps.reshape(shape), size * size - len(filled))


def _mixed(coarse: Labels) -> Flags:
    """Which blocks have corners that end differently. (m, m) -> (m - 1, m - 1)."""
    first = coarse[:-1, :-1]
    different: Flags = (
        (coarse[1:, :-1] != first) | (coarse[:-1, 1:] != first) | (coarse[1:, 1:] != first)
    )
    return different


def _grown(flags: Flags) -> Flags:
    """The flags, and their eight neighbours."""
    padded = np.pad(flags, 1)
    rows, columns = flags.shape
    grown = np.zeros_like(flags)
    for down in range(3):
        for across in range(3):
            grown |= padded[down : down + rows, across : across + columns]
    return grown


def _between(
    steps: NDArray[np.int64],
    places: NDArray[np.intp],
    block: NDArray[np.intp],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> NDArray[np.int64]:
    """The steps of cells inside blocks, bilinear between the blocks' corners."""
    top, left = block[rows], block[columns]
    down = (rows - places[top]) / (places[top + 1] - places[top])
    across = (columns - places[left]) / (places[left + 1] - places[left])
    upper = (1.0 - across) * steps[top, left] + across * steps[top, left + 1]
    lower = (1.0 - across) * steps[top + 1, left] + across * steps[top + 1, left + 1]
    return np.rint((1.0 - down) * upper + down * lower).astype(np.int64)
