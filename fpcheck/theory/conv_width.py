"""How many independent units stand behind q of a convolution.

A convolution shares its N channels' weights between the P positions of its picture, so q, averaged
over the picture, is a mean of N P squares of which those of one channel are alike. What they have
in common is set by c, the correlation of the pre-activations of two positions: over any pair the
correlation of phi^2 is at most |c| (its Hermite coefficients of order k weigh c^k, k >= 1), so

    N_l = N P / (1 + (P - 1) c_l)

is a lower bound on the width of a dense layer with the same noise. Averaging over the kernel keeps
the covariance of a lag, if the picture's statistics are the same everywhere, so c_l follows the
correlation map of the dense network, for every lag alike. On the edge of chaos c_l rises to 1 in a
few layers: a deep convolution is as noisy as a dense network with as many units as it has channels.

Approximations: one correlation for all lags, starting from `first` (0: independent pixels); nothing
is lost at the borders (zero padding lowers q there); and the law of the gradient treats it as
independent at GRADIENT_PLACES places that share their slopes, where a dense network has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fpcheck.theory.correlation_map import CorrelationMap
from fpcheck.theory.variance_map import VarianceMap

# The gradient starts white over the picture, and its Fourier modes grow by factors of their own
# until a few dominate: simulated 3 x 3 convolutions of 100 channels and depth 50 lower and spread
# log G as two to three independent places do.
GRADIENT_PLACES = 3
NODES = 7  # values of the correlation map that its curve goes through: C to about 1e-4
ALIKE = 0.99  # a correlation from which on all positions count as one: 1 % of the width at most


def effective_width(
    v: VarianceMap, q: float, channels: int, positions: int, depth: int, first: float = 0.0
) -> float:
    """The harmonic mean over `depth` layers of N_l, at q, a fixed point of `v`.

    Between `channels` and channels x positions; the harmonic mean is the one that adds up noise.
    """
    if positions == 1:
        return float(channels)
    c_map = _interpolated(CorrelationMap(v, q))
    c, total = max(first, 0.0), 0.0
    for layer in range(depth):
        if c > ALIKE:
            total += depth - layer
            break
        total += (1.0 + (positions - 1) * c) / positions
        c = min(1.0, max(0.0, c_map(c)))
    return channels * depth / total


def _interpolated(c_map: CorrelationMap) -> Callable[[float], float]:
    """C on [0, 1] from a few of its values; it is smooth in sqrt(1 - c) at kinks of phi as well."""
    s = 0.5 * (1.0 - np.cos(np.pi * np.arange(NODES) / (NODES - 1)))
    values = [c_map(1.0 - x * x) for x in s.tolist()]
    curve = np.polynomial.Polynomial.fit(s, values, NODES - 1, domain=[0.0, 1.0])
    return lambda c: float(curve(math.sqrt(1.0 - c)))
