"""The correlation map c -> C(c) at a fixed point q* of the variance map, and what it decides.

C(c) = (sigma_w^2 E phi(u1) phi(u2) + sigma_b^2) / q*, u1, u2 ~ N(0, q*) with correlation c; C(1) =
1 and C'(1) = chi_1. [Poole et al. 2016; Schoenholz et al. 2017]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fpcheck.theory.pair_curve import pair_curve
from fpcheck.theory.roots import bracketed_root
from fpcheck.theory.variance_map import VarianceMap, depth_scale

Phase: TypeAlias = Literal["ordered", "chaotic", "critical", "none"]

# |chi_1 - 1| below this is called critical: the edge-of-chaos pairs that are published, and pasted,
# have three digits, which leaves chi_1 within 3e-3 of 1 and xi_c above 300 layers.
CRITICAL_BAND = 3e-3
# How deep a network can be trained: about this many correlation depth scales.
USABLE_DEPTH_SCALES = 6.0


@dataclass(frozen=True, slots=True)
class CorrelationMap:
    """C at q = q*, a fixed point of the variance map `v`."""

    v: VarianceMap
    q: float

    def __call__(self, c: float) -> float:
        """C(c)."""
        pair = pair_curve(self.v.function, self.q)(c)
        return (self.v.sigma_w2 * pair + self.v.sigma_b2) / self.q

    def slope(self, c: float) -> float:
        """C'(c) = sigma_w^2 E phi'(u1) phi'(u2)."""
        return self.v.sigma_w2 * pair_curve(self.v.function, self.q).slope(c)


def phase_of(chi1: float, band: float = CRITICAL_BAND) -> Phase:
    """The phase that chi_1 at q* means; `band` is how near to 1 counts as critical."""
    if abs(chi1 - 1.0) <= band:
        return "critical"
    return "ordered" if chi1 < 1.0 else "chaotic"


def stable_correlation(m: CorrelationMap) -> float:
    """c*: the correlation that two different inputs approach with depth.

    On [0, 1] C is a power series with coefficients >= 0, so convex: for C'(1) <= 1 only c = 1
    attracts, for C'(1) > 1 there is exactly one fixed point below 1, and it does.
    """
    if m.slope(1.0) <= 1.0:
        return 1.0
    if not m(0.0) > 0.0:
        return 0.0

    def drift(c: float) -> float:
        return m(c) - c

    # Just below 1 the drift is negative, but only to second order in chi_1 - 1: walk towards 1.
    gap = 0.5
    while drift(1.0 - gap) >= 0.0:
        gap *= 0.5
        if gap < 1e-12:  # the fixed point and 1 are one number in floating point
            return 1.0
    return bracketed_root(drift, 0.0, 1.0 - gap)


def correlation_depth(m: CorrelationMap, c_star: float) -> float:
    """xi_c = -1 / log C'(c*): the layers over which a correlation nears c* by a factor e."""
    return depth_scale(m.slope(c_star))


def usable_depth(xi_c: float) -> float:
    """6 xi_c, the depth up to which networks were found to train. [Schoenholz et al. 2017]"""
    return USABLE_DEPTH_SCALES * xi_c if xi_c < math.inf else math.inf
