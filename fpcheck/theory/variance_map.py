"""The variance map V(q) = sigma_b^2 + sigma_w^2 E phi(sqrt(q) z)^2 and its fixed points.

q is the variance of a pre-activation at infinite width; W_ij ~ N(0, sigma_w^2 / fan_in),
b_i ~ N(0, sigma_b^2). [Poole et al. 2016; Schoenholz et al. 2017]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.basins import Cycle, basin_by_following, basins_of_increasing, cycles, followed
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.roots import roots_on_grid

# Fixed points are looked for between these variances, on a grid of this many points a decade.
LOWEST_Q, HIGHEST_Q = 1e-12, 1e12
POINTS_A_DECADE = 4
MARGINAL = 1e-9  # slopes this near to 1 are 1: nothing beyond rounding separates them
# V(q)/q - 1 is known to about 1e-14; where it turns back this near to zero, V touches q.
TOUCHING = 1e-13


@dataclass(frozen=True, slots=True)
class VarianceMap:
    """V for one activation function and one pair sigma_w^2, sigma_b^2."""

    function: ActivationFunction
    sigma_w2: float
    sigma_b2: float

    def __call__(self, q: float) -> float:
        """V(q)."""
        return self.sigma_b2 + self.sigma_w2 * moments.second_moment(self.function, q)

    def slope(self, q: float) -> float:
        """V'(q)."""
        return self.sigma_w2 * moments.second_moment_slope(self.function, q)

    def curvature(self, q: float) -> float:
        """V''(q), q > 0."""
        return self.sigma_w2 * moments.second_moment_curvature(self.function, q)

    def chi1(self, q: float) -> float | None:
        """chi_1(q) = sigma_w^2 E phi'(sqrt(q) z)^2; None for a step, where it is not defined."""
        if self.function.kind.derivative is None:
            return None
        return self.sigma_w2 * moments.slope_moment(self.function, q)


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A fixed point q of V: slope V'(q), curvature V''(q), chi_1(q), and its basin.

    `stable`: |V'| < 1. `curvature` is None at q = 0, `chi1` for a step. Iterating V from between
    `basin_low` and `basin_high` (infinite where nothing above escapes) ends on q; both are q where
    it repels. Where V touches q without crossing, V' = 1 and one side alone is drawn in.
    """

    q: float
    slope: float
    curvature: float | None
    stable: bool
    chi1: float | None
    basin_low: float
    basin_high: float


def every_q_is_fixed(v: VarianceMap) -> bool:
    """Whether V is the identity, as for ReLU with sigma_w^2 = 2 and no bias."""
    gain = scale_free_gain(v.function)
    return gain is not None and v.sigma_b2 == 0.0 and abs(v.sigma_w2 * gain - 1.0) <= MARGINAL


@lru_cache(maxsize=256)
def fixed_points(v: VarianceMap) -> tuple[FixedPoint, ...]:
    """The fixed points of V in ascending order; empty where every q is fixed (`every_q_is_fixed`).

    q = 0 is one where there are no biases and phi(0) = 0. Positive ones are found between
    LOWEST_Q and HIGHEST_Q, double ones included; for a scale-free function V is a straight line
    and there is one at most.
    """
    if every_q_is_fixed(v):
        return ()
    qs = ([0.0] if v(0.0) == 0.0 else []) + _positive_fixed_points(v)
    if never_falls(v.function):
        grid = _resolved_grid(v)
        highest = math.exp(grid[-1]) if grid else HIGHEST_Q
        basins = basins_of_increasing(lambda q: v(q) - q, qs, highest)
    else:
        basins = [_followed_basin(v, q) for q in qs]
    return tuple(_described(v, q, basin) for q, basin in zip(qs, basins, strict=True))


@lru_cache(maxsize=256)
def stable_cycles(v: VarianceMap) -> tuple[Cycle, ...]:
    """The cycles of period 2 and more on which q can end; none where V nowhere decreases."""
    if never_falls(v.function):
        return ()
    return cycles(v, v.slope, [math.exp(u) for u in log_grid()])


def settled(v: VarianceMap, q: float) -> FixedPoint | None:
    """The fixed point that iterating V from q ends on; None if it grows without bound or cycles."""
    points = fixed_points(v)
    if not points:
        return None
    if never_falls(v.function):  # then the iterates move one way, to the next fixed point
        if abs(v(q) - q) <= 1e-12 * q:
            return min(points, key=lambda p: abs(p.q - q))
        if v(q) > q:
            return next((p for p in points if p.q > q), None)
        return next((p for p in reversed(points) if p.q < q), None)
    end = followed(v, q)
    if end is None or len(end) > 1:
        return None
    return min(points, key=lambda p: abs(p.q - end[0]))


def depth_scale(slope: float) -> float:
    """-1 / log|slope|: the layers over which a deviation from a stable fixed point falls by e.

    Infinite at slope 1 and beyond, where it does not fall.
    """
    if slope == 0.0:
        return 0.0
    return -1.0 / math.log(abs(slope)) if abs(slope) < 1.0 else math.inf


def log_grid(low: float = LOWEST_Q, high: float = HIGHEST_Q) -> list[float]:
    """log q from `low` to `high`, POINTS_A_DECADE points a decade."""
    count = round(POINTS_A_DECADE * math.log10(high / low))
    start, stop = math.log(low), math.log(high)
    return [start + (stop - start) * i / count for i in range(count + 1)]


@lru_cache(maxsize=256)
def never_falls(f: ActivationFunction) -> bool:
    """Whether E phi^2 nowhere decreases with q, over the grid that fixed points are looked for on.

    True of every function of the registry but those that bend back towards 0 from phi(0) > 0.
    """
    values = [moments.second_moment(f, math.exp(u)) for u in log_grid()]
    return all(b >= a * (1.0 - 1e-13) for a, b in pairwise(values))


def _positive_fixed_points(v: VarianceMap) -> list[float]:
    gain = scale_free_gain(v.function)
    if gain is not None:
        rise = 1.0 - v.sigma_w2 * gain
        return [v.sigma_b2 / rise] if v.sigma_b2 > 0.0 and rise > 0.0 else []

    grid = _resolved_grid(v)
    return [math.exp(u) for u in roots_on_grid(lambda u: _growth(v, u), grid, TOUCHING)]


def _growth(v: VarianceMap, u: float) -> float:
    """V(q) / q - 1 at q = exp(u)."""
    q = math.exp(u)
    return v(q) / q - 1.0


def _resolved_grid(v: VarianceMap) -> list[float]:
    """The grid without the ends where V(q) / q - 1 goes to zero and is nothing but rounding.

    So GELU with sigma_w^2 = 2 at large q, where V(q) / q tends to 1.
    """
    grid = log_grid()
    while grid and abs(_growth(v, grid[-1])) <= TOUCHING:
        grid.pop()
    first = next((i for i, u in enumerate(grid) if abs(_growth(v, u)) > TOUCHING), len(grid))
    return grid[first:]


def _followed_basin(v: VarianceMap, q: float) -> tuple[float, float]:
    if abs(v.slope(q)) >= 1.0 - MARGINAL:
        return q, q
    return basin_by_following(v, q, [math.exp(u) for u in log_grid()])


def _described(v: VarianceMap, q: float, basin: tuple[float, float]) -> FixedPoint:
    slope = v.slope(q)
    curvature = v.curvature(q) if q > 0.0 else None
    return FixedPoint(q, slope, curvature, abs(slope) < 1.0 - MARGINAL, v.chi1(q), *basin)
