"""The interval of a probability from unbiased estimates of it that spread like a log-normal law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CELLS = 1000  # of equal chance, over which the pivot's distribution is averaged
BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class LogInterval:
    """ln of the probability with its 95 % interval; spread: the standard deviation of the logs."""

    log: float
    low: float
    high: float
    spread: float


def log_mean(logs: Array, least_variance: float = 0.0) -> LogInterval:
    """ln E p^ by the logarithms of independent unbiased estimates p^, -inf for 0.

    Where the logs are normal with variance s^2, ln E p^ = mean + s^2 / 2; its limits are those of
    the generalized pivot mean + Z s / sqrt(R v) + s^2 / (2 v), Z normal and (R - 1) v chi-squared
    with R - 1 degrees of freedom. [Krishnamoorthy, Mathew 2003] For a small s that is Student's t
    interval of the logs, and of the mean of p^.
    Estimates that are 0 are counted apart: E p^ is the share of the others times their mean; the
    two intervals are then multiplied, each at 97.5 %, so that both hold in 95 % of the cases.

    Args:
        logs: (R,) natural logarithms.
        least_variance: what s^2 is at least, whatever the sample says.
    """
    from scipy.special import betaincinv

    alive = logs[np.isfinite(logs)]
    runs, left = len(logs), len(alive)
    if left == 0:
        return LogInterval(-math.inf, -math.inf, 0.0, math.inf)
    share = math.log(left / runs)
    if left == 1:
        return LogInterval(float(alive[0]) + share, -math.inf, 0.0, math.inf)
    mean, variance = float(alive.mean()), max(float(alive.var(ddof=1)), least_variance)
    beyond = 0.025 if left == runs else 0.0125
    low, high = (mean + _pivot(variance, left, at) for at in (beyond, 1.0 - beyond))
    if left < runs:
        low += math.log(float(betaincinv(left, runs - left + 1, beyond)))
        high += math.log(float(betaincinv(left + 1, runs - left, 1.0 - beyond)))
    centre = min(mean + 0.5 * variance + share, 0.0)
    return LogInterval(centre, low, min(high, 0.0), math.sqrt(variance))


def _pivot(variance: float, runs: int, level: float) -> float:
    """The quantile of Z s / sqrt(R v) + s^2 / (2 v): given v it is normal."""
    from scipy.special import ndtr

    if variance == 0.0:
        return 0.0
    v = _ratios(runs - 1)
    shift, spread = 0.5 * variance / v, np.sqrt(variance / (runs * v))
    low, high = float((shift - 40.0 * spread).min()), float((shift + 40.0 * spread).max())
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if float(ndtr((middle - shift) / spread).mean()) < level:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@lru_cache(maxsize=16)
def _ratios(freedom: int) -> Array:
    """v at the middles of cells of equal chance."""
    from scipy.special import gammaincinv

    shares = (np.arange(CELLS) + 0.5) / CELLS
    v: Array = gammaincinv(0.5 * freedom, shares) / (0.5 * freedom)
    return v
