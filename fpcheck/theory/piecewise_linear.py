"""What piecewise-linear activation functions allow in closed form: knots, slopes, deltas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, composite_rule

PIECEWISE_LINEAR = frozenset(
    ("identity", "relu", "leaky_relu", "shifted_relu", "soft_threshold", "crelu", "cst", "hardtanh")
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A continuous piecewise-linear function: k knots, the k values there, the k + 1 slopes."""

    knots: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]


@cache
def pieces(f: ActivationFunction) -> Pieces | None:
    """The pieces of `f`, None if it is not piecewise linear."""
    if f.name not in PIECEWISE_LINEAR:
        return None
    knots = tuple(sorted(set(f.kinks)))
    if not knots:
        inside = [0.0]
    else:
        between = [0.5 * (a + b) for a, b in pairwise(knots)]
        inside = [knots[0] - 1.0, *between, knots[-1] + 1.0]
    slopes = f.derivative(np.array(inside))
    values = f.phi(np.array(knots, dtype=np.float64))
    return Pieces(knots, tuple(values.tolist()), tuple(slopes.tolist()))


def upper_tail(a: float) -> float:
    """P(Z > a), with its relative accuracy on both sides."""
    return 0.5 * math.erfc(a / math.sqrt(2.0))


def density(a: float) -> float:
    """The standard normal density."""
    return INV_SQRT_2PI * math.exp(-0.5 * a * a)


def slope_moment(p: Pieces, q: float) -> float:
    """E phi'(x)^2, x ~ N(0, q), q > 0: the slopes' squares over the probabilities of the pieces."""
    return sum(slope * slope * share for slope, share in _shares(p, q))


def mean_slope(p: Pieces, q: float) -> float:
    """E phi'(x), x ~ N(0, q), q > 0."""
    return sum(slope * share for slope, share in _shares(p, q))


def _shares(p: Pieces, q: float) -> list[tuple[float, float]]:
    """The slope of every piece that is not flat, and the probability of the piece."""
    ends = [-math.inf, *(t / math.sqrt(q) for t in p.knots), math.inf]
    return [
        (slope, _between(low, high))
        for slope, low, high in zip(p.slopes, ends[:-1], ends[1:], strict=True)
        if slope
    ]


def curvature_moment(p: Pieces, q: float) -> float:
    """E[phi phi''](x), x ~ N(0, q), q > 0: a delta at every knot."""
    spread = math.sqrt(q)
    return sum(
        (after - before) * value * density(knot / spread) / spread
        for knot, value, before, after in zip(
            p.knots, p.values, p.slopes[:-1], p.slopes[1:], strict=True
        )
    )


def straight_at_zero(p: Pieces, q: float) -> bool:
    """Whether 0 lies on a piece that slopes, beside it too, and q keeps x near that piece.

    There integrals over the whole line all but cancel, and sums over the bends do not.
    """
    near = [abs(t) for t in p.knots if t != 0.0]
    if near and q > min(near) ** 2:
        return False
    ends = [-math.inf, *p.knots, math.inf]
    return any(
        slope != 0.0 and low <= 0.0 <= high
        for slope, low, high in zip(p.slopes, ends[:-1], ends[1:], strict=True)
    )


def flat_at_infinity(p: Pieces) -> bool:
    """Whether the function is constant far out on both sides."""
    return p.slopes[0] == 0.0 and p.slopes[-1] == 0.0


def second_moment_curvature(p: Pieces, q: float) -> float:
    """The second derivative of E phi^2 with respect to q > 0.

    d/dq P(x > t) = a pdf(a) / (2q) and d/dq pdf(a)/sqrt(q) = pdf(a) (a^2 - 1) / (2 q^1.5), a =
    t / sqrt(q), in the closed forms of `slope_moment` and `curvature_moment`.
    """
    spread = math.sqrt(q)
    total = 0.0
    for knot, value, before, after in zip(
        p.knots, p.values, p.slopes[:-1], p.slopes[1:], strict=True
    ):
        a = knot / spread
        moved = (after * after - before * before) * a
        spiked = (after - before) * value * (a * a - 1.0) / spread
        total += density(a) * (moved + spiked) / (2.0 * q)
    return total


def smoothed(p: Pieces, mu: Array, v: float) -> Array:
    """E phi(mu + sqrt(v) z) for every mu, v >= 0; `p` has a knot.

    Counted from the knot where |phi| is smallest, so that a function that is all but surely 0
    keeps its digits: the pieces right of it are climbed from below, those left of it from above.
    """
    spread = math.sqrt(v)
    if spread == 0.0:
        below, above = np.minimum(mu - p.knots[0], 0.0), np.maximum(mu - p.knots[-1], 0.0)
        inside = np.interp(mu, p.knots, p.values)
        return np.asarray(inside + p.slopes[0] * below + p.slopes[-1] * above)
    anchor = min(range(len(p.knots)), key=lambda i: abs(p.values[i]))
    ends = [-math.inf, *p.knots, math.inf]
    total = np.full(mu.shape, p.values[anchor])
    for i, slope in enumerate(p.slopes):
        if slope and i > anchor:
            total += slope * _climbed(ends[i], ends[i + 1], mu, spread)
        elif slope:
            total -= slope * _climbed(-ends[i + 1], -ends[i], -mu, spread)
    return total


def _climbed(low: float, high: float, mu: Array, spread: float) -> Array:
    """E min((x - low)_+, high - low), x ~ N(mu, spread^2), low finite.

    The integral of P(x > t): over a piece shorter than `spread` by Gauss-Legendre, for the
    difference of its end terms would lose the digits.
    """
    from scipy.special import ndtr

    if high - low <= spread:
        t, weights = composite_rule(np.array([low, high]))
        return np.asarray(ndtr((mu[:, None] - t) / spread) @ weights)

    def ramp(t: float) -> Array:  # E (x - t)_+
        d = (mu - t) / spread
        return np.asarray(spread * (d * ndtr(d) + INV_SQRT_2PI * np.exp(-0.5 * d * d)))

    return ramp(low) - ramp(high) if high < math.inf else ramp(low)


def smoothed_slope(p: Pieces, mu: Array, v: float) -> Array:
    """E phi'(mu + sqrt(v) z) for every mu, v >= 0."""
    from scipy.special import ndtr

    spread = math.sqrt(v)
    if spread == 0.0:
        return np.array(p.slopes)[np.searchsorted(p.knots, mu)]
    total = np.zeros_like(mu)
    ends = [-math.inf, *p.knots, math.inf]
    for slope, low, high in zip(p.slopes, ends[:-1], ends[1:], strict=True):
        if slope and high - low > spread:
            a, b = (low - mu) / spread, (high - mu) / spread
            # The difference of the tails on the side where they are small.
            total += slope * np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
        elif slope:
            t, weights = composite_rule(np.array([low, high]))
            z = (t - mu[:, None]) / spread
            total += slope * INV_SQRT_2PI / spread * (np.exp(-0.5 * z * z) @ weights)
    return total


def _between(low: float, high: float) -> float:
    """P(low < Z < high), from whichever tail or centre keeps its digits."""
    if high <= 0.0:
        low, high = -high, -low
    if low >= 1.0:
        return upper_tail(low) - upper_tail(high)
    return 0.5 * (math.erf(high / math.sqrt(2.0)) - math.erf(low / math.sqrt(2.0)))
