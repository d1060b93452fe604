"""Deviations of a finite network from infinite width, as sums of independent sources.

A deviation is a vector of coefficients over sources of variance 1, so that what two quantities
share, through a skip connection or a layer's units, is the product of their vectors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Few:
    """A deviation by a few sources: (index, coefficient) of each."""

    terms: tuple[tuple[int, float], ...]

    def times(self, factor: float) -> Few:
        """All coefficients times a factor."""
        return Few(tuple((source, factor * size) for source, size in self.terms))

    def plus(self, other: Few) -> Few:
        """The sum of two that share no source."""
        return Few(self.terms + other.terms)


# In single precision: there are as many coefficients as layers behind, times layers.
Coefficients: TypeAlias = NDArray[np.float32]
Deviation: TypeAlias = Coefficients | Few
NONE = Few(())


@dataclass(slots=True)
class Sources:
    """Hands out sources."""

    count: int = 0

    def fresh(self, size: float) -> Few:
        """A deviation by a source that nothing else has."""
        self.count += 1
        return Few(((self.count - 1, size),))

    def combined(self, parts: Iterable[tuple[float, Deviation]]) -> Coefficients:
        """The sum of factors times deviations."""
        total = np.zeros(self.count, dtype=np.float32)
        for factor, part in parts:
            if isinstance(part, Few):
                for source, size in part.terms:
                    total[source] += factor * size
            elif factor:
                total[: len(part)] += np.float32(factor) * part
        return total


def variance(deviation: Deviation) -> float:
    """The sum of squares."""
    if isinstance(deviation, Few):
        return float(sum(size * size for _, size in deviation.terms))
    return float(deviation @ deviation)
