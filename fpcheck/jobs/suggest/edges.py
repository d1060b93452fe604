"""The point on the edge of chaos that a layer aims at, for its activation function."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from fpcheck.core.errors import UsageError
from fpcheck.jobs.suggest.result import Edge
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.edge_of_chaos import EdgePoint, best_edge_point, edge_curve, edge_of_chaos

Q = 1.0  # aimed at where nothing decides
HELD_WELL = 0.95  # above, a spread of q lives for twenty layers and more
SCAN = tuple(10.0 ** (0.1 * k) for k in range(-20, 41))  # q* at which stable points are looked for


def edges(
    q_star: float | None, sigma_b2: float | None
) -> Callable[[ActivationFunction, bool], Edge]:
    """The edge by activation and whether its layers have biases; one of the two may be asked for.

    The returned function raises UsageError where no point has what was asked for.
    """

    @cache
    def edge_of(f: ActivationFunction, biases: bool) -> Edge:
        gain = scale_free_gain(f)
        if gain is not None:
            return Edge(f.label, biases, None, 1.0 / gain, 0.0, 1.0, stable=True, note="")
        if f.kind.derivative is None:
            return _kept(f, biases, "chi_1 is not defined for a step: q alone is kept")
        if not biases:
            return _without_biases(f)
        point = _asked(f, q_star, sigma_b2) or best_edge_point(f)
        if point is None:
            return _off_edge(f, biases)
        return _edge(f, biases, point, _hold(f, point))

    return edge_of


def _asked(f: ActivationFunction, q_star: float | None, sigma_b2: float | None) -> EdgePoint | None:
    """The point that was asked for, None if none was; of several the stablest."""
    if q_star is None and sigma_b2 is None:
        return None
    if q_star is not None:
        points = edge_of_chaos(f, q_star=q_star)
        asked = f"q* = {q_star:g}"
    else:
        points = edge_of_chaos(f, sigma_b2=sigma_b2)
        asked = f"sigma_b^2 = {sigma_b2:g}"
    if not points:
        raise UsageError(
            f"{f.label} has no point on the edge of chaos with {asked}",
            where="--q-star" if q_star is not None else "--sigma-b",
            hint="leave it out for the point that is recommended",
        )
    return min(points, key=lambda point: point.slope)


def _hold(f: ActivationFunction, point: EdgePoint) -> str:
    """How badly the point holds q, where it does: "" if well."""
    if point.slope <= HELD_WELL:
        return ""
    stable = [each.sigma_b2 for each in edge_curve(f, SCAN) if each is not None and each.stable]
    words = "q does not return to q*" if not point.stable else "q returns to q* slowly"
    words = f"{words} (V' = {point.slope:.3g})"
    if not stable:
        return f"{words}, and no point on the edge is stable: normalise layers"
    least = math.sqrt(min(stable))
    return f"{words}: below about sigma_b = {least:.2g} no point is stable; or normalise layers"


def _without_biases(f: ActivationFunction) -> Edge:
    """Layers without biases have the edge's points at sigma_b = 0 alone, mostly q* = 0."""
    points = edge_of_chaos(f, sigma_b2=0.0)
    if not points:
        return _off_edge(f, biases=False)
    point = max(points, key=lambda each: (each.stable, each.q_star))
    if point.q_star > 0.0:
        return _edge(f, False, point, _hold(f, point))
    return _edge(f, False, point, "without biases the edge is at q* = 0: q falls slowly with depth")


def _off_edge(f: ActivationFunction, biases: bool) -> Edge:
    chi1 = Q / moments.second_moment(f, Q) * moments.slope_moment(f, Q)
    return _kept(f, biases, f"no edge of chaos: q is kept, and chi_1 is {chi1:.3g}")


def _kept(f: ActivationFunction, biases: bool, note: str) -> Edge:
    """No point on the edge: the sigma_w^2 that keeps q without biases."""
    gain = moments.second_moment(f, Q) / Q
    slope = 0.0 if f.kind.derivative is None else moments.second_moment_slope(f, Q) / gain
    return Edge(f.label, biases, Q, 1.0 / gain, 0.0, slope, stable=slope < 1.0, note=note)


def _edge(f: ActivationFunction, biases: bool, point: EdgePoint, note: str) -> Edge:
    return Edge(
        f.label, biases, point.q_star, point.sigma_w2, point.sigma_b2, point.slope,
        stable=point.stable, note=note,
    )  # fmt: skip
