"""Tail probabilities of symmetric alpha-stable variables, E exp(i t z) = exp(-|t|^alpha / 2).

alpha = 2 is the standard normal, alpha = 1 the Cauchy law of scale 1/2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fpcheck.theory.quadrature import Array, composite_rule

LEAST_ALPHA = 0.1  # below it quantiles leave the range of floating point
# The tail is tabulated over log x from LOWEST / a to HIGHEST / a, a = min(alpha, 1), x = z at unit
# scale; below, 1 - P is linear in x to rounding, above, P is a power of x.
LOWEST, HIGHEST = -14.0, 40.0
PANEL = 0.5  # over a, of log x: 17 points give the tail to rounding there
POINTS = 17
BISECTIONS = 60
END_PANELS = 10  # halvings towards an end of the angle
SMALL_X_PANELS = 20  # further ones, down to x = exp(LOWEST)


def stable_tail(alpha: float, log_z: Array) -> Array:
    """P(|z| > exp(log_z)), to about 1e-13; from a table but for alpha = 1 and 2. log_z: (n,).

    Raises:
        ValueError: alpha does not lie between LEAST_ALPHA and 2.
    """
    if not LEAST_ALPHA <= alpha <= 2.0:
        raise ValueError(f"alpha lies between {LEAST_ALPHA} and 2, got {alpha}")
    if alpha in (1.0, 2.0):
        return tail(alpha, log_z)
    table, shrink = _table(alpha), min(alpha, 1.0)
    log_x = log_z + math.log(2.0) / alpha
    position = np.clip((log_x * shrink - LOWEST) / PANEL, 0.0, len(table) - 1e-9)
    panel = position.astype(np.int64)
    points, inverse = _barycentric()
    gap = (position - panel)[:, None] - points
    ratio = inverse / np.where(gap == 0.0, 1e-300, gap)  # on a point, its own value alone counts
    inside = (ratio * table[panel]).sum(axis=1) / ratio.sum(axis=1)
    below = 1.0 - (1.0 - table[0, 0]) * np.exp(np.minimum(log_x - LOWEST / shrink, 0.0))
    above = table[-1, -1] * np.exp(-alpha * np.maximum(log_x - HIGHEST / shrink, 0.0))
    scaled = log_x * shrink
    return np.asarray(np.where(scaled < LOWEST, below, np.where(scaled > HIGHEST, above, inside)))


def tail(alpha: float, log_z: Array) -> Array:
    """P(|z| > exp(log_z)) by the integral of Zolotarev. log_z: (n,).

    For alpha = 1 the arctangent, for 2 the error function. Else exp(-w) or 1 - exp(-w) is
    integrated over an angle, where w rises or falls through 1 at some angle, the sharper the
    nearer alpha is to 1; panels are refined towards that angle from both sides.
    [Zolotarev 1986; Nolan 1997]
    """
    if alpha == 2.0:
        from scipy.special import erfc

        return np.asarray(erfc(np.exp(np.minimum(log_z, 5.0)) / math.sqrt(2.0)))
    # z = 2^(-1/alpha) x with E exp(i t x) = exp(-|t|^alpha).
    log_x = log_z + math.log(2.0) / alpha
    if alpha == 1.0:
        return np.asarray(2.0 / math.pi * np.arctan(np.exp(-log_x)))
    power = alpha / (alpha - 1.0)
    middle = _crossing(alpha, power, log_x)
    total = np.zeros_like(log_x)
    finest = END_PANELS + max(0, math.ceil(-math.log2(abs(alpha - 1.0))))
    if alpha > 1.0:  # for small x the crossing comes within about x of 0, and so does all change
        finest += SMALL_X_PANELS
    near, far = (
        2.0 ** np.arange(-finest, 0.0),
        1.0 - 2.0 ** np.arange(-2.0, -END_PANELS - 1.0, -1.0),
    )
    nodes, weights = composite_rule(np.concatenate(([0.0], near, far, [1.0])))
    for side in (-middle, 0.5 * math.pi - middle):
        offset = side[:, None] * nodes
        # Near 0 and pi/2 the angle from that end keeps the digits.
        from_low = middle[:, None] + offset
        from_high = (0.5 * math.pi - middle)[:, None] - offset
        logs = np.minimum(power * log_x[:, None] + _log_weight(alpha, from_low, from_high), 700.0)
        w = np.exp(logs)
        values = np.exp(-w) if alpha > 1.0 else -np.expm1(-w)
        total += np.abs(side) * (values @ weights)
    return np.asarray(2.0 / math.pi * total)


def _log_weight(alpha: float, low: Array, high: Array) -> Array:
    """log of V(a) = (cos a / sin(alpha a))^(alpha/(alpha-1)) cos((alpha-1) a) / cos a.

    low: a. high: pi/2 - a.
    """
    low, high = np.maximum(low, 1e-300), np.maximum(high, 1e-300)
    # For alpha near 2 sin(alpha a) vanishes towards pi/2: there it is taken of pi - alpha a.
    rest = math.pi * (1.0 - 0.5 * alpha) + alpha * high
    sine = np.where(alpha * low > 0.5 * math.pi, np.sin(rest), np.sin(alpha * low))
    # cos((alpha - 1) a), which for alpha near 2 vanishes at pi/2 as well.
    other = np.sin(0.5 * math.pi * (2.0 - alpha) + (alpha - 1.0) * high)
    power = alpha / (alpha - 1.0)
    cosine = np.log(np.sin(high))
    return np.asarray(power * (cosine - np.log(sine)) + np.log(other) - cosine)


def _crossing(alpha: float, power: float, log_x: Array) -> Array:
    """The angle where w = x^power V(a) passes 1; V is monotone. Shape as log_x."""
    low, high = np.zeros_like(log_x), np.full_like(log_x, 0.5 * math.pi)
    falls = alpha > 1.0  # V falls from infinity for alpha > 1, rises from 0 for alpha < 1
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        above = power * log_x + _log_weight(alpha, middle, 0.5 * math.pi - middle) > 0.0
        right = above == falls  # the crossing lies to the right
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    return 0.5 * (low + high)


@lru_cache(maxsize=1)
def _barycentric() -> tuple[Array, Array]:
    """Chebyshev points of the second kind on [0, 1] and their barycentric weights."""
    k = np.arange(POINTS)
    weights: Array = np.where(k % 2 == 0, 1.0, -1.0)
    weights[[0, -1]] *= 0.5
    return 0.5 * (1.0 - np.cos(math.pi * k / (POINTS - 1))), weights


@lru_cache(maxsize=16)
def _table(alpha: float) -> Array:
    """The tail at the points of every panel. Shape (panels, points)."""
    points, _ = _barycentric()
    panels = round((HIGHEST - LOWEST) / PANEL)
    log_x = (LOWEST + PANEL * (np.arange(panels)[:, None] + points)) / min(alpha, 1.0)
    return tail(alpha, log_x.ravel() - math.log(2.0) / alpha).reshape(log_x.shape)
