"""E g(x) g(y) of correlated Gaussians by methods that know nothing of ours.

Piecewise-linear functions in ball arithmetic, where tail probabilities keep all digits; any others
by Gauss-Legendre panels in the plane.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from flint import acb, arb, ctx

REACH = 12.0  # standard deviations beyond the outermost knot
BITS = 60  # of an integral; what comes before them in a tail is asked for on top


class Bends:
    """A piecewise-linear function, or its slope, from knots, the first value and the slopes."""

    def __init__(self, p, *, slope):
        self.knots, self.slopes = [arb(t) for t in p.knots], [arb(s) for s in p.slopes]
        self.first, self.slope = arb(p.values[0]), slope

    def piece(self, i, x):
        """The function's i-th piece, continued to any x."""
        if self.slope:
            return self.slopes[i]
        total = self.first + self.slopes[0] * (x - self.knots[0])
        for t, before, after in zip(self.knots[:i], self.slopes, self.slopes[1:], strict=False):
            total += (after - before) * (x - t)
        return total

    def mean(self, mu, spread):
        """E of the function at mu + spread z."""
        total = acb(self.piece(0, mu))
        for t, (before, after) in zip(self.knots, pairwise(self.slopes), strict=True):
            d = (mu - t) / spread
            below = (-d / arb(2).sqrt()).erfc() / 2
            total += (after - before) * (below if self.slope else spread * (d * below + normal(d)))
        return total


def normal(z):
    """The standard normal density."""
    return (-z * z / 2).exp() / (2 * arb.pi()).sqrt()


def in_balls(p, q1, q2, c, *, slope, size):
    """E g(x) g(y) of pieces `p` or of their slope; size: what it is good to 1e-13 of."""
    tail = max(0, math.ceil(-2.0 * math.log2(size)))
    before, ctx.prec = ctx.prec, BITS + 40 + tail
    try:
        g = Bends(p, slope=slope)
        s1, s2, c = arb(q1).sqrt(), arb(q2).sqrt(), arb(c)
        own = s2 * (1 - c * c).sqrt()
        total = acb(0)
        for i, low, high in panels_of(g, s1, [] if own > 0 else [c * t / s2 for t in g.knots]):
            if slope and g.slopes[i] == 0:
                continue

            def given(z, low=low, high=high):
                """E g(y) given x = s1 z; for y = +-x the piece that the panel lies in."""
                if own > 0:
                    return g.mean(c * s2 * z, own)
                middle = c * s2 * (low + high) / 2
                return g.piece(sum(1 for t in g.knots if middle > t), c * s2 * z)

            total += acb.integral(
                lambda z, _, i=i, given=given: g.piece(i, s1 * z) * given(z) * normal(z),
                low, high, rel_tol=arb(2) ** -BITS, abs_tol=arb(2) ** -(BITS + tail),
            )  # fmt: skip
        assert float(total.real.rad()) <= 1e-13 * size
        return float(total.real.mid())
    finally:
        ctx.prec = before


def panels_of(g, spread, others):
    """(piece of x, ends) of panels over z = x / spread that end at the knots and at `others`."""
    knots = [t / spread for t in g.knots]
    reach = REACH + max(abs(float(t)) for t in knots)
    ends = sorted([arb(-reach), *knots, *others, arb(reach)], key=float)
    for low, high in pairwise(ends):
        if not float(high) > float(low):
            continue
        parts = [low + (high - low) * k / 4 for k in range(5)]
        piece = sum(1 for t in knots if float(low + high) / 2.0 > float(t))
        yield from ((piece, a, b) for a, b in pairwise(parts))


def panels(splits, width):
    """Gauss-Legendre nodes and weights with the normal density, (..., n), split at (..., k)."""
    x, w = np.polynomial.legendre.leggauss(12)
    n = math.ceil(20.0 / width) + 1
    own = np.broadcast_to(np.linspace(-10.0, 10.0, n), (*splits.shape[:-1], n))
    edges = np.sort(np.concatenate([own, np.clip(splits, -10.0, 10.0)], axis=-1), axis=-1)
    left, wide = edges[..., :-1, None], np.diff(edges)[..., None]
    z = (left + 0.5 * wide * (x + 1.0)).reshape(*splits.shape[:-1], -1)
    weights = np.broadcast_to(0.5 * wide * w, (*wide.shape[:-1], 12)).reshape(z.shape)
    return z, weights * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def in_the_plane(g, kinks, q1, q2, c):
    """E g(x) g(y): for every node of x the integral over what y has of its own.

    A kink of y is smoothed over sqrt(1 - c^2), so panels of x shrink down to that around it. They
    are at most 1.6 wide in x and y, where g's nearest singularity is 1 or more away.
    """
    kinks = np.array(kinks, dtype=float)
    sine = math.sqrt((1.0 - c) * (1.0 + c))
    doublings = sine * 2.0 ** np.arange(-1.0, 1.0 + max(0.0, -math.log2(sine)))
    around = np.concatenate([-doublings, [0.0], doublings])
    seen = (kinks[:, None] / math.sqrt(q2) / c + around).ravel()
    z, outer = panels(
        np.concatenate([kinks / math.sqrt(q1), seen]), min(0.8, 1.6 / math.sqrt(max(q1, q2)))
    )
    total = 0.0
    for some in np.array_split(np.arange(len(z)), 1 + len(z) // 200):  # to keep arrays small
        w, inner = panels(
            (kinks / math.sqrt(q2) - c * z[some, None]) / sine,
            min(0.8, 1.6 / (sine * math.sqrt(q2))),
        )
        y = math.sqrt(q2) * (c * z[some, None] + sine * w)
        given = np.einsum("ij,ij->i", inner, g(y))
        total += float(outer[some] @ (g(math.sqrt(q1) * z[some]) * given))
    return total
