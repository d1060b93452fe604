"""Moments over units of each input's values, gathered block of inputs by block of inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fpcheck.core.intervals import Interval
from fpcheck.signal.sampling import UNKNOWN, excess_kurtosis, plain_mean, positive_mean
from fpcheck.theory.quadrature import Array

# Of values scaled to at most about 1, a variance below this is the rounding of their mean.
ROUNDING_VARIANCE = 1e-30


@dataclass(slots=True)
class RowMoments:
    """Per-input moments of one array of units, in the order in which the blocks came.

    Powers above the square are of z = (value - shift) / scale, shift and scale those of the first
    block, so that they neither overflow nor cancel.
    """

    seconds: list[Array] = field(default_factory=list)
    contrasts: list[Array] = field(default_factory=list)
    means: list[Array] = field(default_factory=list)
    powers: list[Array] = field(default_factory=list)
    shift: float = 0.0
    scale: float = 0.0
    lowest: Array | None = None
    highest: Array | None = None

    def add(self, rows: Array) -> None:
        """Take in a block. rows: (inputs, units); neighbouring rows make the pairs."""
        units = rows.shape[1]
        low, high = rows.min(axis=0), rows.max(axis=0)
        if self.lowest is None or self.highest is None:
            self.lowest, self.highest = low, high
            self.scale = _power_of_two(max(abs(float(low.min())), abs(float(high.max()))))
            self.shift = float(rows.mean())
        else:
            np.minimum(self.lowest, low, out=self.lowest)
            np.maximum(self.highest, high, out=self.highest)
        self.seconds.append(np.einsum("ij,ij->i", rows, rows) / units)
        self.contrasts.append(contrasts(rows))
        z = rows - self.shift
        z *= 1.0 / self.scale
        squares = z * z
        third = np.einsum("ij,ij->i", z, squares)
        fourth = np.einsum("ij,ij->i", squares, squares)
        self.means.append(z.mean(axis=1))
        self.powers.append(np.stack([squares.sum(axis=1), third, fourth], axis=1) / units)

    @property
    def input_dependent(self) -> bool:
        """Whether any unit took two different values."""
        return not bool(np.array_equal(self.lowest, self.highest))  # type: ignore[arg-type]

    def mean(self) -> tuple[float, Interval]:
        """Over units and inputs."""
        return plain_mean(np.concatenate(self.means) * self.scale + self.shift)

    def variance(self) -> tuple[float, Interval]:
        """About the mean over units and inputs."""
        means, squares = np.concatenate(self.means), np.concatenate(self.powers)[:, 0]
        m = float(means.mean())
        about = squares - 2.0 * m * means + m * m
        if not float(about.mean()) > ROUNDING_VARIANCE:
            about = np.where(np.isnan(about), about, 0.0)
        return positive_mean(np.maximum(about, 0.0) * self.scale * self.scale)

    def kurtosis(self) -> tuple[float | None, Interval]:
        """In excess of a Gaussian's, over units and inputs; None where nothing varies."""
        variance, _ = self.variance()
        if variance == 0.0:
            return None, UNKNOWN
        return excess_kurtosis(np.concatenate(self.means), np.concatenate(self.powers))

    def second(self) -> tuple[float, Interval]:
        """q: the second moment over units and inputs."""
        return positive_mean(np.concatenate(self.seconds))

    def contrast(self) -> tuple[float | None, Interval]:
        """1 - cosine of neighbouring inputs; None for a single one."""
        values = np.concatenate(self.contrasts)
        return positive_mean(values) if len(values) else (None, UNKNOWN)


def contrasts(rows: Array) -> Array:
    """1 - cosine of rows 0 and 1, 2 and 3, ...: half the squared distance of the unit vectors.

    Not 1 minus a quotient: of two nearly equal vectors that would be rounding. Pairs with a zero
    vector count as equal, for nothing tells the two inputs apart.
    """
    pairs = len(rows) // 2
    even, odd = rows[0 : 2 * pairs : 2], rows[1 : 2 * pairs : 2]
    lengths = [np.sqrt(np.einsum("ij,ij->i", r, r)) for r in (even, odd)]
    valid = (lengths[0] > 0.0) & (lengths[1] > 0.0)
    scale = [np.where(valid, length, 1.0)[:, None] for length in lengths]
    difference = even / scale[0] - odd / scale[1]
    return np.where(valid, 0.5 * np.einsum("ij,ij->i", difference, difference), 0.0)


def _power_of_two(size: float) -> float:
    """The power of two just above `size`; 1 where there is none."""
    exponent = min(math.frexp(size)[1], 1023)  # just above the largest number there is none
    return math.ldexp(1.0, exponent) if 0.0 < size < math.inf else 1.0
