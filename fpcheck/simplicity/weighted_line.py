"""A straight line through points of known errors, and its slope's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import mean_t

Array = NDArray[np.float64]

# An error below this share of the largest would let one point alone decide.
SMALLEST_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """The slope of the line with its 95 % interval."""

    slope: float
    low: float
    high: float


def weighted_line(x: Array, y: Array, errors: Array, freedom: float) -> Line:
    """The line by weighted least squares, with weights 1 / error^2.

    The slope's variance is that of the stated errors, times chi^2 / (points - 2) where the points
    scatter more than that: a curve is no line. [Birge 1932]

    Args:
        x, y: (m,), m > 1.
        errors: (m,) standard errors of y, as estimated with so many degrees of freedom.
        freedom: for Student's t.
    """
    largest = float(errors.max())
    if largest <= 0.0:
        errors = np.full(len(x), 1e-12)
        largest = 1e-12
    weights = 1.0 / np.maximum(errors, SMALLEST_ERROR * largest) ** 2
    centre = float(weights @ x / weights.sum())
    spread = float(weights @ (x - centre) ** 2)
    slope = float(weights @ ((x - centre) * y)) / spread
    rest = y - float(weights @ y / weights.sum()) - slope * (x - centre)
    scatter = float(weights @ rest**2) / (len(x) - 2) if len(x) > 2 else 1.0
    interval = mean_t(slope, math.sqrt(max(scatter, 1.0) / spread), freedom)
    return Line(slope, interval.low, interval.high)
