"""Ranges of skewed quantities from a few moments."""

from __future__ import annotations

import numpy as np

from fpcheck.theory.quadrature import Array

SYMMETRIC = 1e-3  # a skewness below this is none
MANY, NODES = 100, 40  # quantiles from which they are interpolated, and between how many points
RESOLVED = 2e-11  # of the first coefficient, the last ones of the interpolation; half is rounding
LARGEST_LOG = 700.0
FEWEST_DRAWS = 0.5  # of the gamma law's shape: skewer laws are taken to be that skew


def log_gamma_range(mean: Array, variance: Array, third: Array, tail: float) -> tuple[Array, Array]:
    """(low, high) of x, with `tail` of the law of log x outside each.

    mean, variance, third: (n,), the first cumulants of log x, whose law is that of a + b log G, G a
    gamma variable: exact for the mean square of Gaussian variables, and normal without skewness.
    With third > 0, b < 0: x is as the inverse of such a mean.
    """
    low, high = _log_range(np.where(third > 0.0, -mean, mean), variance, -np.abs(third), tail)
    low, high = np.where(third > 0.0, -high, low), np.where(third > 0.0, -low, high)
    return np.exp(np.minimum(low, LARGEST_LOG)), np.exp(np.minimum(high, LARGEST_LOG))


def _log_range(mean: Array, variance: Array, third: Array, tail: float) -> tuple[Array, Array]:
    """The range of log x, third <= 0."""
    from scipy.special import digamma, ndtri, polygamma

    spread = np.sqrt(np.maximum(variance, 0.0))
    cubed = np.where(spread > 0.0, spread**3, 1.0)
    skewness = np.minimum(third / cubed, -SYMMETRIC)
    # The skewness of log G is -1 / sqrt(k - 1/2 + 0.3/k) to 1 % from k = 1.5 on.
    shape = 1.0 / skewness**2 + 0.5
    shape = np.maximum(FEWEST_DRAWS, shape - 0.3 / shape)
    scale = spread / np.sqrt(polygamma(1, shape))
    offset = mean - scale * digamma(shape)
    low, high = (offset + scale * log for log in _log_gamma_quantiles(shape, tail))
    plain = third >= -SYMMETRIC * cubed
    reach = -ndtri(tail) * spread
    return np.where(plain, mean - reach, low), np.where(plain, mean + reach, high)


def _log_gamma_quantiles(shape: Array, tail: float) -> tuple[Array, Array]:
    """log of the quantiles of gamma laws, `tail` of them below and above. shape: (n,).

    Of many they are interpolated: log(x / k) sqrt(k) is smooth in 1 / sqrt(k), down to the normal
    law's quantile at 0.
    """
    if shape.size < MANY:
        return _exact_quantiles(shape, tail)
    u = 1.0 / np.sqrt(shape)
    low, high = float(u.min()), float(u.max())
    if not high > low:
        one = _exact_quantiles(shape[:1], tail)
        return np.full(shape.shape, one[0][0]), np.full(shape.shape, one[1][0])
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    points = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    at = middle + half * points
    logs = np.stack(_exact_quantiles(at**-2.0, tail))
    values = (logs + 2.0 * np.log(at)) / at
    fit = np.polynomial.chebyshev.chebfit(points, values.T, NODES - 1)
    if not float(np.abs(fit[-3:]).max()) <= RESOLVED * float(np.abs(fit[0]).min()):
        return _exact_quantiles(shape, tail)
    found = np.polynomial.chebyshev.chebval((u - middle) / half, fit) * u - 2.0 * np.log(u)
    return found[0], found[1]


def _exact_quantiles(shape: Array, tail: float) -> tuple[Array, Array]:
    from scipy.special import gammainccinv, gammaincinv

    with np.errstate(divide="ignore"):
        return np.log(gammaincinv(shape, tail)), np.log(gammainccinv(shape, tail))


def beta_range(mean: Array, variance: Array, tail: float) -> tuple[Array, Array]:
    """(low, high) of shares of the given mean and variance, `tail` of their law outside each.

    The quantiles of the beta law with these moments, and half a unit beyond: a unit counts as the
    whole whose share has that variance. mean, variance: (n,).
    """
    from scipy.special import betaincinv

    varied = (mean > 0.0) & (mean < 1.0) & (variance > 0.0)
    share = np.where(varied, mean, 0.5)
    draws = share * (1.0 - share) / np.where(varied, variance, 1.0)
    inside, other = draws * share, draws * (1.0 - share)
    low = np.maximum(0.0, betaincinv(inside, other, tail) - 0.5 / draws)
    high = np.minimum(1.0, betaincinv(inside, other, 1.0 - tail) + 0.5 / draws)
    return np.where(varied, low, mean), np.where(varied, high, mean)
