"""Gaussian expectations over correlated pairs: E phi(x) phi(y) and E phi'(x) phi'(y).

x ~ N(0, q1), y ~ N(0, q2), correlation c. Without a closed form, x and y are split into a shared
and two private parts, x = sqrt(q1) (sqrt|c| w + sqrt(1 - |c|) z), likewise y: the private parts
smooth phi into a function of w alone, and one integral over w remains.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.quadrature import (
    FEATURE_PANELS,
    INV_SQRT_2PI,
    REACH,
    Array,
    composite_rule,
    feature_edges,
)

INNER_STEP = 1.0  # panels of the inner integral, in standard deviations
ONE_GRID_SPAN = 100.0  # a wider span of mu, in spreads, makes one grid for all too large


@lru_cache(maxsize=moments.CACHED)
def pair_moment(f: ActivationFunction, q1: float, q2: float, c: float) -> float:
    """E phi(x) phi(y), x ~ N(0, q1), y ~ N(0, q2), correlation c in [-1, 1]."""
    _check(q1, q2, c)
    forms = closed_forms(f)
    if forms is not None:
        return forms.pair(q1, q2, c, f.p0)
    if min(q1, q2) == 0.0 or c == 0.0:
        return moments.mean(f, q1) * moments.mean(f, q2)
    if c == 1.0 and q1 == q2:
        return moments.second_moment(f, q1)
    return _shared(f, q1, q2, c, slope=False)


@lru_cache(maxsize=moments.CACHED)
def pair_slope_moment(f: ActivationFunction, q1: float, q2: float, c: float) -> float:
    """E phi'(x) phi'(y), which is d E phi(x) phi(y) / d cov(x, y) [Price 1958].

    Raises:
        UnsupportedOperationError: the function is a step, for which it is not defined.
    """
    _check(q1, q2, c)
    if f.kind.derivative is None:
        raise UnsupportedOperationError(
            f"the correlation map's slope is not defined for activation '{f.name}'"
        )
    forms = closed_forms(f)
    if forms is not None and forms.pair_slope is not None:
        return forms.pair_slope(q1, q2, c, f.p0)
    if min(q1, q2) == 0.0 or c == 0.0:  # independent, and there is no shared part to integrate over
        left, right = (smoothed(f, np.zeros(1), q, slope=True) for q in (q1, q2))
        return float(left[0] * right[0])
    if c == 1.0 and q1 == q2:
        return moments.slope_moment(f, q1)
    return _shared(f, q1, q2, c, slope=True)


def smoothed(f: ActivationFunction, mu: Array, v: float, *, slope: bool = False) -> Array:
    """E phi(mu + sqrt(v) z), or of phi', for every mu; z standard normal.

    mu: (n,), v >= 0.
    """
    function = f.derivative if slope else f.phi
    if v == 0.0:
        return function(mu)
    p = piecewise_linear.pieces(f)
    if p is not None:
        if slope:
            return piecewise_linear.smoothed_slope(p, mu, v)
        return piecewise_linear.smoothed(p, mu, v)
    spread = math.sqrt(v)
    span = float(mu.max() - mu.min())
    if spread > 1.0 and span <= ONE_GRID_SPAN * spread:
        return _smoothed_on_one_grid(f, mu, spread, slope)
    z_edges = np.arange(-REACH, REACH + INNER_STEP, INNER_STEP)
    bends = np.array(f.kinks)
    if spread > 1.0:
        own = feature_edges(moments.SMOOTH_SCALE, span + REACH * spread)
        bends = np.concatenate((-own, own, [0.0], bends))
    if bends.size == 0:
        z, weights = composite_rule(z_edges)
        weights = weights * INV_SQRT_2PI * np.exp(-0.5 * z * z)
        return np.asarray(function(mu[:, None] + spread * z) @ weights)
    rows = np.broadcast_to(z_edges, (len(mu), len(z_edges)))
    clipped = np.clip((bends - mu[:, None]) / spread, -REACH, REACH)
    z, weights = composite_rule(np.sort(np.concatenate((rows, clipped), axis=1), axis=1))
    weights = weights * INV_SQRT_2PI * np.exp(-0.5 * z * z)
    return np.asarray(np.einsum("ij,ij->i", function(mu[:, None] + spread * z), weights))


def _smoothed_on_one_grid(f: ActivationFunction, mu: Array, spread: float, slope: bool) -> Array:
    """The same where the private part is wide: one grid of x, so phi is evaluated once a node."""
    reach = REACH * spread
    low, high = float(mu.min()) - reach, float(mu.max()) + reach
    wide = np.arange(low, high + spread, INNER_STEP * spread)
    own = feature_edges(moments.SMOOTH_SCALE, max(-low, high))
    x, weights = composite_rule(np.unique(np.concatenate((wide, -own, own, [0.0], f.kinks))))
    values = weights * (f.derivative(x) if slope else f.phi(x))
    z = (x - mu[:, None]) / spread
    return np.asarray(np.exp(-0.5 * z * z) @ values) * INV_SQRT_2PI / spread


def _shared(f: ActivationFunction, q1: float, q2: float, c: float, slope: bool) -> float:
    """The integral over the shared part w of the product of the two smoothed functions."""
    shared, private = math.sqrt(abs(c)), 1.0 - abs(c)
    sign = math.copysign(1.0, c)
    w, weights = _shared_rule(f, (q1, sign * q2), shared, private)
    left = smoothed(f, math.sqrt(q1) * shared * w, q1 * private, slope=slope)
    if q1 == q2 and c > 0:
        return float(np.dot(weights, left * left))
    right = smoothed(f, sign * math.sqrt(q2) * shared * w, q2 * private, slope=slope)
    return float(np.dot(weights, left * right))


def _shared_rule(
    f: ActivationFunction, variances: tuple[float, float], shared: float, private: float
) -> tuple[Array, Array]:
    """Nodes and weights of the integral over w.

    A smoothed kink at t bends over sqrt(q (1 - |c|)), so its neighbourhood is resolved at that
    scale; `variances` carry the sign with which w enters.
    """
    edges = [np.arange(-REACH, REACH + 1.0)]
    for q in variances:
        gain = math.copysign(math.sqrt(abs(q)) * shared, q)
        width = math.sqrt(abs(q) * private)
        if moments.feature_scale(f) is not None:
            own = feature_edges(moments.SMOOTH_SCALE, REACH * abs(gain)) / gain
            edges += [own, -own, np.zeros(1)]
        for kink in f.kinks:
            around = _kink_edges(width, abs(kink) + REACH * abs(gain))
            edges += [(kink + around) / gain, (kink - around) / gain, np.array([kink / gain])]
    inside = np.unique(np.concatenate(edges))
    w, weights = composite_rule(inside[np.abs(inside) <= REACH])
    return w, weights * INV_SQRT_2PI * np.exp(-0.5 * w * w)


def _kink_edges(width: float, reach: float) -> Array:
    """Distances from a kink smoothed over `width`: uniform panels, then geometric ones."""
    if width == 0.0:
        return np.empty(0)
    uniform = width * np.arange(1, FEATURE_PANELS // 2 + 1)
    doublings = max(0, math.ceil(math.log2(max(1.0, reach / uniform[-1]))))
    return np.concatenate((uniform, uniform[-1] * 2.0 ** np.arange(1, doublings + 1)))


def _check(q1: float, q2: float, c: float) -> None:
    if not (0.0 <= q1 < math.inf and 0.0 <= q2 < math.inf):
        raise ValueError(f"variances must be finite and not negative, got {q1} and {q2}")
    if not -1.0 <= c <= 1.0:
        raise ValueError(f"a correlation lies in [-1, 1], got {c}")
