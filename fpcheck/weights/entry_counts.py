"""The entries of a matrix counted by size: what every test of a law works on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_ENTRIES = 10**7  # larger tensors are thinned to about this many
SAMPLE = 4096  # entries that the unit of the bins and the number of levels are read from
FINE, REACH = 32, 8  # bins a unit, and the units that they reach over
FAR_STEPS, FAR_DOUBLINGS = 4, 200  # wider and wider bins beyond, a doubling in 4 of them
MOST_LEVELS = 256  # of a quantised tensor


@dataclass(frozen=True)
class EntryCounts:
    """A matrix's entries, counted by their absolute value.

    Args:
        matrix: (units, fan_in), thinned where it was too large.
        stride: every how many rows or columns were kept, 1 for all.
        precision: the relative rounding of the stored numbers (2^-23 for float32).
        largest: the largest absolute value.
        mean_square, mean_absolute: of the entries.
        edges: (bins + 1,) bounds of the bins, from 0 to infinity.
        counts: (bins,) entries in each.
        bins: (units, fan_in) the bin of each.
    """

    matrix: Array
    stride: int
    precision: float
    largest: float
    mean_square: float
    mean_absolute: float
    edges: Array
    counts: NDArray[np.int64]
    bins: NDArray[np.intp]

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.matrix.size)

    @cached_property
    def shares(self) -> Array:
        """(bins,) the share of entries below each bin's upper edge."""
        return np.cumsum(self.counts) / self.size

    @cached_property
    def median(self) -> float:
        """The median absolute value, to a bin."""
        place = int(np.searchsorted(self.shares, 0.5))
        below = self.shares[place - 1] if place else 0.0
        within = (0.5 - below) / max(self.shares[place] - below, 1e-300)
        low, high = self.edges[place], self.edges[place + 1]
        return float(low + within * (high - low)) if math.isfinite(high) else float(low)


def count_entries(matrix: Array, precision: float) -> EntryCounts:
    """The counts of a finite, non-zero matrix.

    The bins are powers of two apart from the data, so that counts in them are multinomial: fine
    ones up to about six medians, then ones that grow by a fixed factor, the last one unbounded.
    """
    kept, stride = thinned(matrix)
    absolute = np.abs(kept)
    unit = _unit(absolute)
    largest, mean_absolute = float(absolute.max()), float(absolute.mean())
    scaled = np.multiply(absolute, FINE / unit, out=absolute)
    far = np.flatnonzero(scaled >= FINE * REACH)
    doublings = np.log2(scaled.ravel()[far] / (FINE * REACH))
    bins = np.minimum(scaled, FINE * REACH, out=scaled).astype(np.intp)
    steps = FAR_STEPS * FAR_DOUBLINGS
    bins.ravel()[far] += np.minimum(FAR_STEPS * doublings, steps).astype(np.intp)
    near = np.arange(FINE * REACH) * (unit / FINE)
    beyond = unit * REACH * 2.0 ** (np.arange(steps + 1) / FAR_STEPS)
    counts = np.bincount(bins.ravel(), minlength=FINE * REACH + steps + 1)
    last = int(np.flatnonzero(counts)[-1]) + 1
    flat = kept.ravel()
    return EntryCounts(
        matrix=kept,
        stride=stride,
        precision=precision,
        largest=largest,
        mean_square=float(np.dot(flat, flat)) / flat.size,
        mean_absolute=mean_absolute,
        edges=np.concatenate([near, beyond, [np.inf]])[: last + 1],
        counts=counts[:last],
        bins=bins,
    )


def thinned(matrix: Array) -> tuple[Array, int]:
    """(matrix, stride): every stride-th of the longer side's vectors of a matrix too large."""
    stride = -(-matrix.size // MOST_ENTRIES)
    if stride == 1:
        return np.ascontiguousarray(matrix), 1
    kept = matrix[::stride] if matrix.shape[0] >= matrix.shape[1] else matrix[:, ::stride]
    return np.ascontiguousarray(kept), stride


def levels(matrix: Array) -> int | None:
    """How many values the entries take, where they are few: at most MOST_LEVELS, and each taken
    four times on average; else None."""
    flat = matrix.ravel()
    sample = flat[:: -(-flat.size // SAMPLE)]
    most = min(MOST_LEVELS, flat.size // 4)
    if len(np.unique(sample)) > most:
        return None
    values = np.unique(thinned(matrix)[0])
    return len(values) if len(values) <= most else None


def precision_of(tensor: NDArray[np.generic]) -> float:
    """The relative rounding of stored numbers: of their type, or of a narrower one that they came
    from (bfloat16 and float16 that were widened to float32)."""
    if tensor.dtype == np.float32:
        flat = np.ascontiguousarray(tensor).ravel()
        bits = np.ascontiguousarray(flat[:: -(-flat.size // SAMPLE)]).view(np.uint32)
        for lost, width in ((0xFFFF, 2.0**-7), (0x1FFF, 2.0**-10)):
            if not np.any(bits & np.uint32(lost)):
                return width
    mantissas = {2: 10, 4: 23}  # of float16 and float32 by their bytes
    return float(2.0 ** -mantissas.get(tensor.dtype.itemsize, 52))


def _unit(absolute: Array) -> float:
    """The power of two next to the median of a few thousand of the non-zero entries."""
    flat = absolute.ravel()
    sample = flat[:: -(-flat.size // SAMPLE)]
    sample = sample[sample > 0.0]
    median = float(np.median(sample)) if sample.size else float(flat.max())
    return float(2.0 ** round(math.log2(median)))
