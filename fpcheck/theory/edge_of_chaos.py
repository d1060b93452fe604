"""The edge of chaos: pairs sigma_w^2, sigma_b^2 with chi_1(q*) = 1 at q* = V(q*)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.roots import bracketed_root, roots_on_grid
from fpcheck.theory.variance_map import MARGINAL, VarianceMap, log_grid

LOWEST_UNBIASED_Q = 1e-3

LEAST_SLOPE = 1e-280  # E phi'^2 below is next to underflow: hardly an input reaches a slope
HELD = 0.9  # a spread of q at most 2.3 times that of one layer
POINTS_A_STEP = 16  # of q*, a decade, where the best point is looked for

# How many of the two signs of x a sparse activation lets through.
SIDES = {"shifted_relu": 1, "crelu": 1, "soft_threshold": 2, "cst": 2}
CLIPPED = ("crelu", "cst")


@dataclass(frozen=True, slots=True)
class EdgePoint:
    """One point on the edge of chaos, with V' and V'' at q*.

    `curvature` is None at q* = 0. `stable`: V'(q*) < 1; where it is not, the variance leaves q*.
    """

    q_star: float
    sigma_w2: float
    sigma_b2: float
    slope: float
    curvature: float | None
    stable: bool


@dataclass(frozen=True, slots=True)
class SparseEdge:
    """A sparse activation of a wanted sparsity at its point on the edge of chaos.

    `m` is None for the unclipped ones. sigma_w^2, sigma_b^2, V' and V'' are the point's.
    """

    function: ActivationFunction
    sparsity: float
    tau: float
    m: float | None
    point: EdgePoint


def edge_of_chaos(
    f: ActivationFunction, *, sigma_b2: float | None = None, q_star: float | None = None
) -> tuple[EdgePoint, ...]:
    """The points of the edge of chaos with the given sigma_b^2, or with the given q*.

    Exactly one of the two is given. With sigma_b^2 there may be none, one or several; for a
    scale-free function (ReLU) the edge is sigma_b = 0 alone, where every q is fixed, and the point
    is given at q* = 1. With q* there is none if it would need a negative sigma_b^2, or where phi is
    flat on all that such a q reaches.

    Raises:
        UnsupportedOperationError: the function is a step.
    """
    if (sigma_b2 is None) == (q_star is None):
        raise ValueError("give sigma_b2 or q_star")
    if q_star is not None:
        if not _has_slope(f, q_star):
            return ()
        point = _at(f, q_star)
        return () if point.sigma_b2 < -MARGINAL * q_star else (_without_rounding(point),)
    assert sigma_b2 is not None
    if scale_free_gain(f) is not None:
        return (_without_rounding(_at(f, 1.0)),) if sigma_b2 == 0.0 else ()
    at_zero = _at_zero(f) if sigma_b2 == 0.0 else ()

    def surplus(u: float) -> float:
        return _bias_variance(f, math.exp(u)) - sigma_b2

    # q* is at least sigma_b^2; without biases sigma_b^2(q), about q^3 for odd functions, is only
    # rounding in the linear range, and no point is there.
    lowest = LOWEST_UNBIASED_Q if sigma_b2 == 0.0 else max(1e-10, 0.5 * sigma_b2)
    grid = log_grid(lowest, 1e8)
    grid = [u for u in grid if _has_slope(f, math.exp(u))]
    at = (_at(f, math.exp(u)) for u in roots_on_grid(surplus, grid))
    found = (replace(point, sigma_b2=sigma_b2) for point in at)  # what was asked, less rounding
    return at_zero + tuple(found)


def edge_curve(f: ActivationFunction, q_stars: Sequence[float]) -> tuple[EdgePoint | None, ...]:
    """The edge of chaos over q*: one point each, None where it would need a negative sigma_b^2.

    Raises:
        UnsupportedOperationError: the function is a step.
    """
    return tuple(next(iter(edge_of_chaos(f, q_star=q)), None) for q in q_stars)


def best_edge_point(f: ActivationFunction, wanted_q: float = 1.0) -> EdgePoint | None:
    """The point of the edge of chaos to recommend; None if there is none (softplus).

    On the edge chi_1 = 1 everywhere, so what is left to choose is how firmly the variance is held.
    A width of N moves q from layer to layer, and V' decides what becomes of it: the spread of q is
    that of one layer over sqrt(1 - V'^2). Therefore, in this order:

    1. the point at q* nearest to `wanted_q` (1: pre-activations as large as normalised inputs)
       among those with V' <= HELD;
    2. if there is none, the point with the least V', where that is below 1 (GELU, Swish);
    3. else the point nearest to `wanted_q` with the least V', which is 1: ReLU and its scale-free
       kin keep every q, unclipped sparse activations hold q from below only. It has
       stable = False.
    """
    if scale_free_gain(f) is not None:
        return next(iter(edge_of_chaos(f, q_star=wanted_q)), None)
    steps = range(-2 * POINTS_A_STEP, 4 * POINTS_A_STEP + 1)  # 1e-2 to 1e4 times the wanted q
    qs = sorted((wanted_q * 10.0 ** (k / POINTS_A_STEP) for k in steps), key=_distance(wanted_q))
    points = [point for point in edge_curve(f, qs) if point is not None]
    if not points:
        return None
    held = next((point for point in points if point.slope <= HELD), None)
    # min keeps the first of equals, and the points stand in the order of their distance; slopes
    # that differ by rounding alone are equal.
    return held or min(points, key=lambda point: round(point.slope, 9))


def _distance(wanted: float) -> Callable[[float], float]:
    return lambda q: abs(math.log(q / wanted))


def sparse_edge(
    name: str, sparsity: float, m: float | None = None, q_star: float = 1.0
) -> SparseEdge | None:
    """The edge of chaos at q* for a sparsity s = P(phi = 0) and, where it is clipped, a clip m.

    name: shifted_relu, crelu, soft_threshold or cst. None where it would need a negative
    sigma_b^2.
    """
    tau = sparse_threshold(name, sparsity, q_star)
    if (m is None) == (name in CLIPPED):
        raise ValueError(f"{name} " + ("needs a clip m" if m is None else "has no clip m"))
    f = activation(name, {"tau": tau} if m is None else {"tau": tau, "m": m})
    points = edge_of_chaos(f, q_star=q_star)
    return SparseEdge(f, sparsity, tau, m, points[0]) if points else None


def sparse_threshold(name: str, sparsity: float, q_star: float = 1.0) -> float:
    """tau with P(phi(x) = 0) = sparsity at x ~ N(0, q*). [Price et al. 2024]

    name: shifted_relu, crelu, soft_threshold or cst.
    """
    share = sparsity if SIDES[name] == 1 else 0.5 * (1.0 + sparsity)
    return math.sqrt(q_star) * NormalDist().inv_cdf(share)


def clip_height(name: str, sparsity: float, slope: float, q_star: float = 1.0) -> float:
    """m for which V'(q*) = slope on the edge of chaos, for crelu or cst of the given sparsity.

    V' / chi_1 = 1 - (m / sqrt(q)) pdf(b) / (Phi(b) - Phi(a)) rises from 0 to 1 with m. [Price et
    al. 2024; 0 < slope < 1]
    """
    if not 0.0 < slope < 1.0:
        raise ValueError(f"a clipped activation has 0 < V'(q*) < 1 on the edge, got {slope}")
    tau = sparse_threshold(name, sparsity, q_star)

    def excess(log_m: float) -> float:
        f = activation(name, {"tau": tau, "m": math.exp(log_m)})
        rise = moments.second_moment_slope(f, q_star)
        return rise / moments.slope_moment(f, q_star) - slope

    spread = math.log(math.sqrt(q_star))
    return math.exp(bracketed_root(excess, spread - 12.0, spread + 3.0))


def _has_slope(f: ActivationFunction, q: float) -> bool:
    return moments.slope_moment(f, q) > LEAST_SLOPE


def _bias_variance(f: ActivationFunction, q: float) -> float:
    """sigma_b^2 that makes q a fixed point where sigma_w^2 = 1 / E phi'^2."""
    return q - moments.second_moment(f, q) / moments.slope_moment(f, q)


def _at(f: ActivationFunction, q: float) -> EdgePoint:
    sigma_w2 = 1.0 / moments.slope_moment(f, q)
    v = VarianceMap(f, sigma_w2, 0.0)
    slope = v.slope(q)
    return EdgePoint(q, sigma_w2, q - v(q), slope, v.curvature(q), slope < 1.0 - MARGINAL)


def _at_zero(f: ActivationFunction) -> tuple[EdgePoint, ...]:
    """The point q* = 0 without biases, where phi(0) = 0 and phi has a slope there."""
    if moments.second_moment(f, 0.0) != 0.0 or moments.slope_moment(f, 0.0) == 0.0:
        return ()
    sigma_w2 = 1.0 / moments.slope_moment(f, 0.0)
    slope = sigma_w2 * moments.second_moment_slope(f, 0.0)
    return (EdgePoint(0.0, sigma_w2, 0.0, slope, None, slope < 1.0 - MARGINAL),)


def _without_rounding(point: EdgePoint) -> EdgePoint:
    """The point with a sigma_b^2 that is only rounding set to 0."""
    if abs(point.sigma_b2) > MARGINAL * point.q_star:
        return point
    return EdgePoint(point.q_star, point.sigma_w2, 0.0, point.slope, point.curvature, point.stable)
