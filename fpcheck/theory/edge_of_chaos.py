"""The edge of chaos: pairs sigma_w^2, sigma_b^2 with chi_1(q*) = 1 at q* = V(q*)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.roots import bracketed_root, roots_on_grid
from fpcheck.theory.variance_map import MARGINAL, VarianceMap, log_grid

LOWEST_UNBIASED_Q = 1e-3

# How many of the two signs of x a sparse activation lets through.
SIDES = {"shifted_relu": 1, "crelu": 1, "soft_threshold": 2, "cst": 2}


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


def edge_of_chaos(
    f: ActivationFunction, *, sigma_b2: float | None = None, q_star: float | None = None
) -> tuple[EdgePoint, ...]:
    """The points of the edge of chaos with the given sigma_b^2, or with the given q*.

    Exactly one of the two is given. With sigma_b^2 there may be none, one or several; for a
    scale-free function (ReLU) the edge is sigma_b = 0 alone, where every q is fixed, and the point
    is given at q* = 1. With q* there is none if it would need a negative sigma_b^2.

    Raises:
        UnsupportedOperationError: the function is a step.
    """
    if (sigma_b2 is None) == (q_star is None):
        raise ValueError("give sigma_b2 or q_star")
    if q_star is not None:
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
    grid = [u for u in grid if moments.slope_moment(f, math.exp(u)) > 0.0]
    found = (_at(f, math.exp(u)) for u in roots_on_grid(surplus, grid))
    return at_zero + tuple(found)


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
