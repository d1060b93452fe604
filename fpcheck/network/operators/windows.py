"""Sliding windows over the trailing axes of a batch, and their adjoint.

Convolution and pooling are both sums over the positions inside a window, so both are written with
the views that this module gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpcheck.network.operators.operator import Array


@dataclass(frozen=True, slots=True)
class Window:
    """A window's size, stride, dilation (one entry a dimension) and (before, after) padding."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    def outputs(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """The number of windows along every dimension of an input of these lengths."""
        return tuple(
            (length + sum(pad) - (k - 1) * d - 1) // s + 1
            for length, pad, k, d, s in zip(
                lengths, self.padding, self.size, self.dilation, self.stride, strict=True
            )
        )

    def padded(self, x: Array, fill: float) -> Array:
        """`x` (n, channels, *lengths) with its padding."""
        if not any(map(any, self.padding)):
            return x
        return np.pad(x, ((0, 0), (0, 0), *self.padding), constant_values=fill)

    def positions(self, outputs: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
        """For every position inside the window, where all windows have it in the padded input."""
        for place in itertools.product(*map(range, self.size)):
            spatial = (
                slice(k * d, k * d + (count - 1) * s + 1, s)
                for k, d, count, s in zip(place, self.dilation, outputs, self.stride, strict=True)
            )
            yield (slice(None), slice(None), *spatial)

    def unfold(self, x: Array, fill: float = 0.0) -> Array:
        """The windows of `x` (n, channels, *lengths) as (n, channels, positions, *outputs)."""
        outputs = self.outputs(x.shape[2:])
        padded = self.padded(x, fill)
        count = int(np.prod(self.size))
        out = np.empty((*x.shape[:2], count, *outputs))
        for index, place in enumerate(self.positions(outputs)):
            out[:, :, index] = padded[place]
        return out

    def fold(self, windows: Array, lengths: tuple[int, ...]) -> Array:
        """The adjoint of `unfold` with fill 0: (n, channels, positions, *outputs) summed back."""
        grown = tuple(n + sum(pad) for n, pad in zip(lengths, self.padding, strict=True))
        total = np.zeros((*windows.shape[:2], *grown))
        for index, place in enumerate(self.positions(windows.shape[3:])):
            total[place] += windows[:, :, index]
        inner = (slice(pad[0], pad[0] + n) for n, pad in zip(lengths, self.padding, strict=True))
        return np.ascontiguousarray(total[(slice(None), slice(None), *inner)])
