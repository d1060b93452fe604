"""Confidence intervals: Wilson for shares, Student's t for means, exact binomial upper bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054  # two-sided 95 % quantile of the standard normal


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval [low, high]."""

    low: float
    high: float


def wilson(successes: float, trials: int, z: float = Z95) -> Interval:
    """Wilson's score interval for a share. [Wilson 1927]

    successes: a count, or a mean of counts whose trials vary no more than single ones do.

    Raises:
        ValueError: `trials` is not positive, or `successes` is outside [0, trials].
    """
    if trials <= 0 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    share = successes / trials
    denominator = 1.0 + z * z / trials
    centre = share + z * z / (2.0 * trials)
    spread = z * math.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials))
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / denominator)
    high = 1.0 if successes == trials else min(1.0, (centre + spread) / denominator)
    return Interval(low, high)


def binomial_upper(successes: int, trials: int, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a share. [Clopper, Pearson 1934]"""
    if successes >= trials:
        return 1.0
    if successes == 0:
        return -math.expm1(math.log1p(-confidence) / trials)
    from scipy.special import betaincinv

    return float(betaincinv(successes + 1, trials - successes, confidence))


def mean_t(mean: float, standard_error: float, degrees_of_freedom: float) -> Interval:
    """The 95 % interval of a mean by Student's t; unbounded with no degree of freedom left."""
    if degrees_of_freedom < 1:
        return Interval(-math.inf, math.inf)
    from scipy.special import stdtrit

    half = float(stdtrit(degrees_of_freedom, 0.975)) * standard_error
    return Interval(mean - half, mean + half)
