"""E phi(x) phi(y) of a piecewise-linear phi at one variance, as a function of the correlation.

The second derivative of E phi(x) phi(y) with respect to the covariance is E phi''(x) phi''(y), a
sum of bivariate normal densities over pairs of knots [Price 1958]; with c = cos u the density
loses its singularity at c = 1, and two integrals over u, from pi/2 on, give the moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.theory.piecewise_linear import Pieces, mean_slope
from fpcheck.theory.quadrature import Array, composite_rule, unit_rule

FLAT = 0.1  # a gap of g standard deviations is felt from the angle g / 9 on: exp(-9^2 / 2) is none
RATIO = math.sqrt(2.0)  # of neighbouring panels, so that each stays far from the singularity at 0


@dataclass(frozen=True, slots=True, eq=False)
class BendIntegral:
    """Knots in standard deviations with the jumps of phi' there, and the integrals over panels.

    `edges` (k + 1,) ascend over (0, pi), number `middle` of them is pi/2; `plain` and `cosine`
    (k,) are the integrals of the density and of it times cos u over the panels.
    """

    q: float
    mean: float
    mean_slope: float
    knots: Array
    jumps: Array
    middle: int
    edges: Array
    plain: Array
    cosine: Array

    def pair(self, c: float) -> float:
        """E phi(x) phi(y) at correlation c."""
        plain, cosine = self._from_middle(c)
        return self.mean**2 + self.q * (c * self.mean_slope**2 + c * plain - cosine)

    def pair_slope(self, c: float) -> float:
        """E phi'(x) phi'(y) at correlation c."""
        return self.mean_slope**2 + self._from_middle(c)[0]

    def _from_middle(self, c: float) -> tuple[float, float]:
        """The two integrals from arccos c to pi/2; negative where c is."""
        angle = math.atan2(math.sqrt((1.0 - c) * (1.0 + c)), c)
        at = min(max(int(np.searchsorted(self.edges, angle)) - 1, 0), len(self.plain) - 1)
        stop = float(self.edges[at + 1])
        nodes, weights = unit_rule()
        u = angle + (stop - angle) * nodes
        part = (stop - angle) * weights * density(self.knots, self.jumps, u)
        plain, cosine = float(part.sum()), float(part @ np.cos(u))
        if at < self.middle:
            whole, sign = slice(at + 1, self.middle), 1.0
        else:
            whole, sign = slice(self.middle, at + 1), -1.0
        plain += sign * float(self.plain[whole].sum())
        cosine += sign * float(self.cosine[whole].sum())
        return plain, cosine


def bend_integral(p: Pieces, q: float, mean: float) -> BendIntegral:
    """The integrals for `p` at variance q > 0, with mean = E phi."""
    knots = np.array(p.knots) / math.sqrt(q)
    jumps = np.diff(p.slopes)
    right = _panel_edges(knots[:, None] + knots)  # towards c = -1
    left = _panel_edges(knots[:, None] - knots)
    edges = np.concatenate((left, [0.5 * math.pi], math.pi - right[::-1]))
    u, weights = composite_rule(edges)
    values = (weights * density(knots, jumps, u)).reshape(len(edges) - 1, -1)
    cosines = values * np.cos(u).reshape(values.shape)
    return BendIntegral(
        q=q,
        mean=mean,
        mean_slope=mean_slope(p, q),
        knots=knots,
        jumps=jumps,
        middle=len(left),
        edges=edges,
        plain=values.sum(axis=1),
        cosine=cosines.sum(axis=1),
    )


def condition(p: Pieces, q: float, second: float, slope: float) -> float:
    """How many times rounding is magnified: the sizes of the summed terms over the results'."""
    size = float(np.abs(np.diff(p.slopes)).sum()) ** 2
    return size * max(q / second, 1.0 / slope) if second > 0.0 and slope > 0.0 else math.inf


def density(knots: Array, jumps: Array, u: Array) -> Array:
    """sum_ij jump_i jump_j exp(-((t_i - t_j)^2 / (2 sin^2 u) + t_i t_j / (1 + cos u))) / (2 pi)."""
    total = np.zeros_like(u)
    sine, plus, minus = np.sin(u), 2.0 * np.cos(0.5 * u) ** 2, 2.0 * np.sin(0.5 * u) ** 2
    for i, one in enumerate(knots):
        for j, other in enumerate(knots[: i + 1]):
            if math.copysign(1.0, one) == math.copysign(1.0, other):
                exponent = 0.5 * ((one - other) / sine) ** 2 + one * other / plus
            else:  # the same, from the side where nothing cancels
                exponent = 0.5 * ((one + other) / sine) ** 2 - one * other / minus
            total += (1.0 if i == j else 2.0) * jumps[i] * jumps[j] * np.exp(-exponent)
    return total / (2.0 * math.pi)


def _panel_edges(gaps: Array) -> Array:
    """Edges from 0 below pi/2, refined down to where the smallest gap between knots is felt."""
    sizes = np.abs(gaps[np.abs(gaps) > 0.0])
    least = min(float(sizes.min()) if sizes.size else 1.0, 1.0)
    first = FLAT * least
    count = math.ceil(math.log(0.5 * math.pi / first) / math.log(RATIO))
    inner = first * RATIO ** np.arange(count)
    return np.concatenate(([0.0], inner[inner < 0.5 * math.pi]))
