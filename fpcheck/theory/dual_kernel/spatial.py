"""Pairs of positions: which of them a layer meets, and the sums over them.

A value with P positions has covariances between position p of one row and p' of another; a pair is
the code p P + p'. Dense and flattened networks need p = p' alone, pooling brings the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.skeleton import Conv, ConvTranspose, Pool, Shape
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import NotKnown

Indices: TypeAlias = NDArray[np.int64]
# (axis, tap, positions before, positions behind) -> the source of every position behind, or -1
Met: TypeAlias = Callable[[int, int, int, int], Indices]

MOST_PAIRS = 2**21  # of positions at one layer: all pairs of 38 x 38
MOST_TERMS = 2**25  # of one layer's sums over pairs
TERM_BYTES = 28.0  # as measured: what a term takes, and its share in laying them out
MASKED = 2**26  # pairs up to which a table of flags is shorter work than sorting


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """What every position behind a layer is the mean of.

    sources: (taps, positions behind), the position before that each tap meets, -1 for none.
    weights: (positions behind), the factor of its sum. before: the number of positions before.
    shared: whether the two rows of a pair go through the same tap, as independent weights have it;
    else each through every one, as in a mean.
    """

    sources: Indices
    weights: Array
    before: int
    shared: bool

    @property
    def combinations(self) -> int:
        """How many pairs of taps two rows go through."""
        return len(self.sources) ** (1 if self.shared else 2)

    @property
    def behind(self) -> int:
        """The number of positions behind."""
        return int(self.sources.shape[1])

    @property
    def unmoved(self) -> bool:
        """Whether every position is taken over as it is."""
        return len(self.sources) == 1 and bool(
            self.behind == self.before
            and np.array_equal(self.sources[0], np.arange(self.before))
            and (self.weights == 1.0).all()
        )


def same_positions(count: int) -> Indices:
    """The pairs (p, p)."""
    return np.arange(count, dtype=np.int64) * (count + 1)


def convolution_taps(node: Conv | ConvTranspose, before: Shape, after: Shape) -> Taps:
    """The taps of a convolution's kernel, or of a transposed one's."""
    sources = _window_sources(node.kernel, before, after, lambda *at: _met(node, *at))
    count = math.prod(node.kernel)
    return Taps(sources, np.full(sources.shape[1], 1.0 / count), math.prod(before), shared=True)


def pooling_taps(node: Pool, before: Shape, after: Shape) -> Taps:
    """The windows of mean pooling."""
    sources = _window_sources(node.size, before, after, lambda *at: _window_place(node, *at))
    counts = np.full(sources.shape[1], math.prod(node.size))
    if not node.count_padding:
        counts = (sources >= 0).sum(axis=0)
    return Taps(sources, 1.0 / np.maximum(counts, 1), math.prod(before), shared=False)


def moved_taps(sources: Indices, before: int) -> Taps:
    """Positions taken over from `sources`."""
    return Taps(sources[None, :], np.ones(len(sources)), before, shared=True)


def unmoved_taps(count: int) -> Taps:
    """Positions as they are."""
    return moved_taps(np.arange(count, dtype=np.int64), count)


def collapsing_taps(count: int) -> Taps:
    """The mean of the same position of two rows: what weights of their own for each make of it."""
    sources = np.arange(count, dtype=np.int64)[:, None]
    return Taps(sources, np.full(1, 1.0 / count), count, shared=True)


def _window_sources(size: tuple[int, ...], before: Shape, after: Shape, met: Met) -> Indices:
    """(taps, positions behind): along every axis met(axis, tap, before, after) gives the source."""
    rows = []
    for taps in itertools.product(*map(range, size)):
        total = np.zeros((1,) * len(after), dtype=np.int64)
        inside = np.ones((1,) * len(after), dtype=bool)
        for axis, tap in enumerate(taps):
            source = met(axis, tap, before[axis], after[axis])
            source = source.reshape(*(-1 if other == axis else 1 for other in range(len(after))))
            total = total * before[axis] + source
            inside = inside & (source >= 0)
        rows.append(np.where(inside, total, -1).ravel())
    return np.array(rows)


def _met(node: Conv | ConvTranspose, axis: int, tap: int, before: int, after: int) -> Indices:
    shift = tap * node.dilation[axis] - node.padding[axis][0]
    stride = node.stride[axis]
    target = np.arange(after, dtype=np.int64)
    if isinstance(node, Conv):
        source = target * stride + shift
        return np.where((source >= 0) & (source < before), source, -1)
    source, rest = np.divmod(target - shift, stride)
    return np.where((rest == 0) & (source >= 0) & (source < before), source, -1)


def _window_place(node: Pool, axis: int, tap: int, before: int, after: int) -> Indices:
    place = np.arange(after, dtype=np.int64) * node.stride[axis] + tap - node.padding[axis][0]
    return np.where((place >= 0) & (place < before), place, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """The sums over pairs that give the pairs behind from those before.

    matrix: sparse (pairs behind, pairs before); None: `index` takes pairs over, and where it is
    None too they are the same pairs.
    """

    matrix: Any
    index: Indices | None

    def __call__(self, values: Array) -> Array:
        """The pairs behind (pairs, ...) from those before; may be `values` itself."""
        if self.matrix is not None:
            flat = values.reshape(len(values), -1)
            return np.asarray(self.matrix @ flat).reshape(-1, *values.shape[1:])
        return values if self.index is None else values[self.index]


def pairs_before(taps: Taps, pairs: Indices, what: str) -> Indices | NotKnown:
    """The pairs before that the pairs behind are sums of, ascending."""
    if taps.combinations * len(pairs) > MOST_TERMS:
        return _too_many(what, taps.combinations * len(pairs))
    if taps.unmoved:
        return pairs
    if taps.before**2 <= MASKED:
        met = np.zeros(taps.before**2, dtype=bool)
        for codes in _codes(taps, pairs):
            met[codes[codes >= 0]] = True
        before = np.flatnonzero(met).astype(np.int64)
    else:
        before = np.unique(np.concatenate(list(_codes(taps, pairs)), axis=None))
        before = before[before >= 0]
    return before if len(before) <= MOST_PAIRS else _too_many(what, len(before))


def gather(taps: Taps, pairs: Indices, before: Indices) -> Gather:
    """The sums of `pairs` over the pairs `before`."""
    if len(taps.sources) == 1 and taps.shared and (taps.sources >= 0).all():
        codes = next(_codes(taps, pairs))[0]
        index = _places(codes, before, taps.before**2)
        still = len(pairs) == len(before) and np.array_equal(index, np.arange(len(pairs)))
        if (taps.weights == 1.0).all():
            return Gather(None, None if still else index)
    from scipy.sparse import csr_array

    codes = np.concatenate(list(_codes(taps, pairs))).T  # (pairs, combinations)
    inside = codes >= 0
    starts = np.concatenate(([0], np.cumsum(inside.sum(axis=1))))
    columns = _places(codes[inside], before, taps.before**2)
    left, right = np.divmod(pairs, taps.behind)
    weights = taps.weights[left] * (1.0 if taps.shared else taps.weights[right])
    data = np.repeat(weights, np.diff(starts))
    matrix = csr_array((data, columns, starts), shape=(len(pairs), len(before)))
    return Gather(matrix, None)


def _places(codes: Indices, known: Indices, count: int) -> Indices:
    """Where `codes` stand among the `known` ones, out of `count`."""
    if len(known) == count:
        return codes
    if count > MASKED:
        return np.searchsorted(known, codes)
    place = np.empty(count, dtype=np.int64)
    place[known] = np.arange(len(known))
    return place[codes]


def _codes(taps: Taps, pairs: Indices) -> Iterator[Indices]:
    """By combinations of taps the pairs before that `pairs` meet, -1 for none; (some, pairs)."""
    left, right = np.divmod(pairs, taps.behind)
    others = taps.sources[:, right]
    for index, row in enumerate(taps.sources):
        first, second = row[left], others[index : index + 1] if taps.shared else others
        yield np.where((first >= 0) & (second >= 0), first * taps.before + second, -1)


def _too_many(what: str, count: float) -> NotKnown:
    return NotKnown(f"{what} needs sums over {count:.2g} pairs of positions, too many to follow")


def position_means(taps: Taps, values: Array) -> Array:
    """The means (positions behind, n) of values (positions before, n)."""
    padded = np.concatenate((values, np.zeros((1, values.shape[1]))))  # -1 is the last
    total = padded[taps.sources].sum(axis=0) if len(taps.sources) > 1 else padded[taps.sources[0]]
    return np.asarray(total * taps.weights[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Pairs that stand together: every one of `left` with every one of `right`, in that order."""

    left: Indices
    right: Indices
    place: slice


def runs(pairs: Indices, count: int) -> tuple[Run, ...]:
    """The pairs of `count` positions, ascending, as products of positions."""
    if len(pairs) == count * count:
        every = np.arange(count, dtype=np.int64)
        return (Run(every, every, slice(0, len(pairs))),)
    left, right = np.divmod(pairs, count)
    starts = np.flatnonzero(np.diff(left, prepend=-1))
    ends = np.append(starts[1:], len(pairs))
    return tuple(
        Run(left[start : start + 1], right[start:end], slice(int(start), int(end)))
        for start, end in zip(starts, ends, strict=True)
    )
