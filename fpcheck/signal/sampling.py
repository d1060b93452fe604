"""Means over inputs with their 95 % intervals.

The inputs are the sampling unit: units of one network are fixed and depend on each other, so every
quantity is first averaged over the units for each input, and Student's t interval is taken over
the inputs, which are drawn independently. A lower end is never NaN; an end that a single input
leaves open is infinite.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.intervals import Interval, binomial_upper, mean_t
from fpcheck.theory.quadrature import Array

UNKNOWN = Interval(math.nan, math.nan)
LARGEST_EXPONENT = 700.0
# A distribution-free interval of the median needs so many values: the chance that all of 6 lie on
# one side of it is 2 / 2^6 = 3 %.
FEWEST_FOR_MEDIAN = 6


def standard_error(values: Array) -> float:
    """Of the mean of independent values; infinite for a single one."""
    if len(values) < 2:
        return math.inf
    scale = float(np.abs(values).max())  # squares of values near the ends of the range overflow
    spread = scale * float((values / scale).std(ddof=1)) if scale > 0.0 else 0.0
    return spread / math.sqrt(len(values))


def plain_mean(values: Array) -> tuple[float, Interval]:
    """Mean of values of either sign, with Student's t interval."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, Interval(-math.inf, math.inf)
    return mean, mean_t(mean, standard_error(values), len(values) - 1)


def positive_mean(values: Array) -> tuple[float, Interval]:
    """Mean and interval of values >= 0: t on the logarithm of the mean, by the delta method.

    Squares of signals and gradients are skewed to the right; so the interval is too, and it never
    reaches 0.
    """
    mean, n = float(values.mean()), len(values)
    if mean == 0.0:
        return mean, Interval(0.0, 0.0 if n > 1 else math.inf)
    if n < 2:
        return mean, Interval(0.0, math.inf)
    half = mean_t(0.0, standard_error(values) / mean, n - 1).high
    return mean, Interval(mean * math.exp(-half), mean * math.exp(min(half, LARGEST_EXPONENT)))


def root_mean(squares: Array) -> tuple[float, Interval]:
    """The root of the mean of squares, with its interval."""
    mean, interval = positive_mean(squares)
    return math.sqrt(mean), Interval(math.sqrt(interval.low), math.sqrt(interval.high))


def median(values: Array) -> tuple[float, Interval]:
    """The median with the range of the values, which holds the true one at 95 % and more.

    The range of fewer than FEWEST_FOR_MEDIAN values does not; then both ends are open.
    """
    middle = float(np.median(values))
    if len(values) < FEWEST_FOR_MEDIAN:
        return middle, Interval(0.0, math.inf)
    return middle, Interval(float(values.min()), float(values.max()))


def share(values: Array) -> tuple[float, Interval]:
    """Mean and interval of shares in [0, 1].

    Where no input had any (or all had all), t gives an empty interval; then the exact bound holds
    for the inputs that would have some.
    """
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return mean, Interval(0.0, 1.0)
    interval = mean_t(mean, standard_error(values), n - 1)
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    rare = binomial_upper(0, n)
    if mean == 0.0:
        high = max(high, rare)
    if mean == 1.0:
        low = min(low, 1.0 - rare)
    return mean, Interval(low, high)


def excess_kurtosis(means: Array, moments: Array) -> tuple[float | None, Interval]:
    """E (z - m)^4 / (E (z - m)^2)^2 - 3 over all units and inputs, m the mean over both.

    means: (n,) of z over the units, for each input; moments: (n, 3), those of z^2, z^3, z^4. The
    interval is t over the inputs' linear influence on the logarithm of the ratio, for the ratio is
    skewed to the right. None where nothing varies.
    """
    second, third, fourth = moments.T
    m = float(means.mean())
    squares = second - 2.0 * m * means + m * m
    cubes = third - 3.0 * m * second + 3.0 * m * m * means - m**3
    fourths = fourth - 4.0 * m * third + 6.0 * m * m * second - 4.0 * m**3 * means + m**4
    variance, quartic = float(squares.mean()), float(fourths.mean())
    if not variance > 0.0:
        return None, UNKNOWN
    ratio = quartic / variance**2
    if len(means) < 2:
        return ratio - 3.0, Interval(-math.inf, math.inf)
    influence = (
        (fourths - quartic) / variance**2
        - 2.0 * ratio * (squares - variance) / variance
        - 4.0 * float(cubes.mean()) * (means - m) / variance**2
    )
    half = mean_t(0.0, standard_error(influence) / ratio, len(means) - 1).high
    high = ratio * math.exp(min(half, LARGEST_EXPONENT)) - 3.0
    return ratio - 3.0, Interval(max(-2.0, ratio * math.exp(-half) - 3.0), high)  # at least -2
