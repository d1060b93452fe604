"""The border between two basins near a point on it: its normal, and the saddle that it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array, image
from fpcheck.network.program import Program, trace, vjp

# Steps for which a pair of orbits on the two sides of the border is followed.
LONGEST = 128
# Entries of the orbits that are kept for it: 256 MB.
MOST_ENTRIES = 2**25
# The pair has parted once it is this much farther apart than at first: the difference then lies
# along the way out of the edge state, and its pull-back along the border's normal.
PARTED = 30.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Orbits of pairs of states that begin close together on both sides of a border.

    inner: (steps + 1, k, n), of the side that comes back; parted: (k,), the step at which each
    pair has parted; gap: (k, n), outer minus inner then.
    """

    inner: Array
    parted: NDArray[np.int64]
    gap: Array


def follow(program: Program, inner: Array, outer: Array) -> Pairs:
    """The orbits of k pairs until each has parted. inner, outer: (k, n)."""
    k = len(inner)
    orbit = [inner]
    parted = np.full(k, -1, dtype=np.int64)
    gap = outer - inner
    size = np.linalg.norm(gap, axis=1)
    x, y = inner, outer
    longest = max(1, min(LONGEST, MOST_ENTRIES // inner.size))
    for step in range(1, longest + 1):
        both = image(program, np.concatenate([x, y]))
        x, y = both[:k], both[k:]
        orbit.append(x)
        apart = np.linalg.norm(y - x, axis=1)
        # Written so that a pair that overflows has parted before.
        open_ = (parted < 0) & np.isfinite(apart) & np.isfinite(x).all(axis=1)
        gap[open_] = (y - x)[open_]
        parted[open_ & (apart >= PARTED * size)] = step
        if (parted >= 0).all() or not open_.any():
            break
    last = len(orbit) - 1
    parted[parted < 0] = last
    return Pairs(np.array(orbit), parted, gap)


def normals(program: Program, pairs: Pairs) -> Array:
    """The border's normal where each pair begins, towards the outside, of length 1. -> (k, n).

    To first order the pair's later distance along u = gap / |gap| is u . J_T ... J_1 d for an
    offset d at the start: the covector J_1^T ... J_T^T u turns towards the left eigenvector that
    leaves the edge state, pulled back, which is normal to the border. Rows of zeros where the
    pull-back vanishes.
    """
    shape = program.skeleton.input_shape
    covectors = _unit(pairs.gap)
    for step in range(int(pairs.parted.max(initial=0)) - 1, -1, -1):
        going = np.flatnonzero(pairs.parted > step)
        rows = np.ascontiguousarray(pairs.inner[step, going])
        values = trace(program, rows.reshape(-1, *shape))
        pulled = vjp(program, values, covectors[going].reshape(-1, *program.skeleton.output_shape))
        covectors[going] = _unit(pulled.reshape(len(going), -1))
    return covectors


def edge_states(
    pairs: Pairs, saddles: Sequence[tuple[str, Polished]]
) -> list[tuple[str, float] | None]:
    """For each pair the unstable fixed point that its orbit passes nearest to, and how near."""
    if not saddles:
        return [None] * pairs.inner.shape[1]
    points = np.array([point.point for _, point in saddles])
    lengths = np.einsum("ij,ij->i", points, points)
    best: list[tuple[str, float] | None] = []
    for column, parted in enumerate(pairs.parted):
        orbit = pairs.inner[: parted + 1, column]
        # |state - point|^2 by its products; the distance itself is then taken from the difference.
        squares = lengths - 2.0 * (orbit @ points.T) + np.einsum("ij,ij->i", orbit, orbit)[:, None]
        step, which = divmod(int(np.argmin(squares)), len(points))
        best.append((saddles[which][0], float(np.linalg.norm(orbit[step] - points[which]))))
    return best


def _unit(rows: Array) -> Array:
    """Each row at length 1; zeros and non-finite rows as zeros."""
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    usable = np.isfinite(sizes) & (sizes > 0.0)
    units: Array = np.divide(rows, sizes, out=np.zeros_like(rows), where=usable)
    return units
