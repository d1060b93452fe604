"""The exponent of a power law fitted to the eigenvalues of W^T W, and its place among noise.

Noise has exponents too, from 2 to beyond 6, by its size and shape: the number alone says nothing.
So it comes with its percentile among matrices of independent normal entries of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.weights.null_spectra import percentile

Array = NDArray[np.float64]

FEWEST_IN_TAIL = 2
FEWEST_VALUES = 8  # fewer eigenvalues have no tail to fit
BLOCK = 64  # x_min that are tried at once
ROUNDING = 1e-12  # eigenvalues below this share of the largest are rounding


@dataclass(frozen=True, slots=True)
class SpectralExponent:
    """The fit: its exponent, and how many eigenvalues it rests on.

    null_percentile: the share, in per cent, of noise matrices of this shape that have a smaller
    exponent; None where the shape is outside the table.
    """

    exponent: float
    in_tail: int
    null_percentile: float | None


def spectral_exponent(singular_values: Array, shape: tuple[int, int]) -> SpectralExponent | None:
    """The exponent from all singular values of a matrix of `shape`; None where there is none.

    It is None for too few values, or if they are all but equal (an orthogonal matrix).
    """
    largest = singular_values.max()
    if not largest > 0.0:
        return None
    fitted = power_law((singular_values / largest) ** 2)  # an exponent has no scale
    if fitted is None:
        return None
    exponent, _, in_tail = fitted
    return SpectralExponent(exponent, in_tail, percentile(exponent, shape))


def power_law(eigenvalues: Array) -> tuple[float, float, int] | None:
    """(exponent, x_min, number of values in the tail) of p(x) ~ x^-exponent above x_min.

    The exponent by maximum likelihood, 1 + n / sum log(x / x_min); x_min the eigenvalue that gives
    the smallest Kolmogorov-Smirnov distance. [Clauset, Shalizi, Newman 2009]
    """
    values = np.sort(eigenvalues)
    if values.size < FEWEST_VALUES or not values[-1] > 0.0:
        return None
    logs = np.log(values[values > ROUNDING * values[-1]])
    count = logs.size
    if count < FEWEST_VALUES or logs[-1] - logs[0] < ROUNDING:
        return None
    slopes, distances = _scanned(logs)
    start = int(np.argmin(distances))
    if not distances[start] < np.inf:
        return None
    return 1.0 + float(slopes[start]), float(np.exp(logs[start])), count - start


def _scanned(logs: Array) -> tuple[Array, Array]:
    """(exponent - 1, Kolmogorov-Smirnov distance) for every x_min, inf where there is no fit.

    logs: ascending logarithms of the values.
    """
    count = logs.size
    starts = np.arange(count - FEWEST_IN_TAIL + 1)
    sizes = count - starts
    excess = np.cumsum(logs[::-1])[::-1][: starts.size] - sizes * logs[: starts.size]
    fits = excess > ROUNDING * sizes
    slopes = np.where(fits, sizes / np.where(fits, excess, 1.0), 0.0)
    distances = np.full(starts.size, np.inf)
    for first in range(0, starts.size, BLOCK):
        block = starts[first : first + BLOCK, None]
        tail = logs[None, first:]
        ranks = np.arange(first, count) - block
        below = -np.expm1(-slopes[block] * np.maximum(tail - logs[block], 0.0))
        gaps = np.maximum(below - ranks / (count - block), (ranks + 1) / (count - block) - below)
        distances[first : first + BLOCK] = np.max(gaps, axis=1, where=ranks >= 0, initial=0.0)
    return slopes, np.where(fits, distances, np.inf)
