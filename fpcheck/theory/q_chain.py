"""The law of q and of the gradient over the depth of a chain of equal layers of finite width.

Given the layer before, the pre-activations of a layer are independent N(0, Q), with

    Q' = sigma_b^2 + sigma_w^2 mean_i phi(sqrt(Q) z_i)^2 over the N units:

Q is an exact Markov chain, with mean V(Q) and variance sigma_w^4 Var(phi^2) / N. (The measured q of
a layer, the mean square of its N pre-activations, has 2 Q^2 / N on top, which nothing inherits.) A
perturbation g of the pre-activations is Gaussian with them, and its square grows by

    G' / G = sigma_w^2 mean_i phi'(h_i)^2 g_i^2 / G,

mean chi_1(Q) (1 + rho^2 kappa), rho the correlation of g and h over the units (which the layer
before leaves: V'^2 rho^2 and a noise of order 1/N), kappa = E[phi'^2 h^2] / (Q E phi'^2) - 1. In a
chain of equal widths log G over the depth has exactly the law of the log squared gradient norm from
the last layer back to the first: |J u| and |J^T u| have one law for u uniform on the sphere.

Computed here: the density of log Q on a grid, layer after layer, with the mean and variance of the
accumulated log G and the mean of rho^2 in every cell. A step of Q has the law of Pearson's type III
with the three exact moments (phi^2 of a sparse activation is very skew); log(G'/G) has the mean
and variance of the log of a chi^2 whose degrees of freedom, the units with a slope, are binomial,
and the correlation with Q' that the two sums have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.theory.quadrature import Array
from fpcheck.theory.unit_moments import UnitMoments, unit_moments
from fpcheck.theory.variance_map import VarianceMap

CELLS_A_STEP = 2.5  # cells to the standard deviation of one step at the start of the grid
# The most is right to 1 % up to widths of about 50 000, beyond which the noise is nothing anyway.
FEWEST_CELLS, MOST_CELLS = 64, 640
MOST_SUMMED = 1024  # units up to which the number of those with a slope is summed over
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class QLaw:
    """The law of Q at the layers 1..L, and of log G at the last.

    q: (n,) the grid's cells; density: (L, n) the probability of every cell at every layer.
    log_chi1: (n,) of every cell. mean_log_gradient, sd_log_gradient: (n,) of log G at layer L given
    the cell. too_low, too_high: the probability that Q has left the range below, above; silent:
    that in some layer no unit had a slope, so nothing passed. They and the density of the last
    layer add up to 1.
    """

    q: Array
    density: Array
    log_chi1: Array
    mean_log_gradient: Array
    sd_log_gradient: Array
    too_low: float
    too_high: float
    silent: float

    @property
    def mean_q(self) -> Array:
        """(L,) E Q at every layer, of the chains inside the range."""
        return np.asarray(self.density @ self.q / np.maximum(self.density.sum(axis=1), TINY))

    @property
    def variance_q(self) -> Array:
        """(L,) Var Q at every layer, of the chains inside the range."""
        inside = np.maximum(self.density.sum(axis=1), TINY)
        second = self.density @ (self.q * self.q) / inside
        return np.asarray(np.maximum(0.0, second - self.mean_q**2))


def q_law(
    v: VarianceMap,
    width: int,
    depth: int,
    start_q: float,
    *,
    low: float,
    high: float,
    places: int = 1,
) -> QLaw:
    """The law over `depth` layers of `width` units, from Q = start_q inside (low, high).

    Q that leaves (low, high) is counted out there and then. places: independent places over which
    g is spread that share a unit's slope (`conv_width`); 1 in a dense network.
    """
    edges = _grid(v, width, start_q, low, high)
    q = np.exp(0.5 * (edges[:-1] + edges[1:]))
    steps = _transitions(v, unit_moments(v.function, q), width, places, edges)
    return _propagate(steps, q, depth, _split(q, start_q), 1.0 / width)


@dataclass(frozen=True, slots=True)
class _Transitions:
    """One layer, from cell i (rows) to cell j.

    inside, moved, moved2: (n, n) the probability of the step, times t, times t^2, t the step's size
    in its standard deviations. below, above, silent: (n,) the probability of going there instead.
    growth, regression, spread: (n,) log G'/G = growth + regression t + noise of variance spread,
    without rho. kappa, kept, noise: (n,) the effect of rho^2 on growth, and rho'^2 Q' = kept rho^2
    + noise.
    """

    inside: Array
    moved: Array
    moved2: Array
    below: Array
    above: Array
    silent: Array
    log_chi1: Array
    growth: Array
    regression: Array
    spread: Array
    kappa: Array
    kept: Array
    noise: Array


def _grid(v: VarianceMap, width: int, start_q: float, low: float, high: float) -> Array:
    """Edges of equal cells in log Q: fine beside one step, and no wider than Q can go."""
    u = unit_moments(v.function, np.array([start_q]))
    floor = max(low, v.sigma_b2) if v.sigma_b2 < start_q else low
    ceiling = min(high, max(_highest(v), 1.001 * start_q))
    one = v.sigma_w2 * math.sqrt(max(0.0, float(u.fourth[0] - u.square[0] ** 2)) / width) / start_q
    bottom, top = math.log(floor), math.log(ceiling)
    wanted = math.ceil(CELLS_A_STEP * (top - bottom) / max(one, 1e-9))
    return np.linspace(bottom, top, min(max(wanted, FEWEST_CELLS), MOST_CELLS) + 1)


def _highest(v: VarianceMap) -> float:
    """The Q that all units at the bound of phi would give; inf for an unbounded phi."""
    return v.sigma_b2 + v.sigma_w2 * max(end * end for end in v.function.values)


def _transitions(
    v: VarianceMap, u: UnitMoments, width: int, places: int, edges: Array
) -> _Transitions:
    from scipy.special import ndtr

    w = v.sigma_w2
    variance = np.maximum(u.fourth - u.square**2, TINY)
    third = u.sixth - 3.0 * u.fourth * u.square + 2.0 * u.square**3
    skew = third / variance**1.5 / math.sqrt(width)
    mean, sd = v.sigma_b2 + w * u.square, w * np.sqrt(variance / width)
    # A cell forgets where in it Q was, which adds its own variance at every layer: taken off here.
    cell = mean * (edges[1] - edges[0])
    sd = np.sqrt(np.maximum(sd * sd - cell * cell / 12.0, 0.25 * sd * sd)) + 1e-12 * mean
    t = (np.exp(edges)[None, :] - mean[:, None]) / sd[:, None]
    below = ndtr(_normal_score(t, skew[:, None]))
    # No Q is below sigma_b^2 or above all units at their bound: what the approximate law puts there
    # belongs into the last cell.
    if math.exp(edges[0]) <= v.sigma_b2:
        below[:, 0] = 0.0
    if math.exp(edges[-1]) >= _highest(v):
        below[:, -1] = 1.0
    passing = 1.0 - u.silent**width
    inside = np.diff(below, axis=1) * passing[:, None]
    centre = np.exp(0.5 * (edges[:-1] + edges[1:]))
    step = np.clip((centre[None, :] - mean[:, None]) / sd[:, None], -8.0, 8.0)

    slope2 = np.maximum(u.slope2, TINY)
    kurtosis = 1.0 + 2.0 / places  # of g, over the places that share a slope
    relative = np.maximum(kurtosis * u.slope4 / slope2**2 - 1.0, 1e-12)
    joint = u.square_slope2 / slope2 - u.square
    correlation = np.clip(joint / np.sqrt(variance * relative), -1.0, 1.0)
    chi1 = np.maximum(w * slope2, TINY)
    growth, spread = _log_growth(chi1, relative, width, places)
    return _Transitions(
        inside=inside,
        moved=inside * step,
        moved2=inside * step * step,
        below=below[:, 0] * passing,
        above=(1.0 - below[:, -1]) * passing,
        silent=1.0 - passing,
        log_chi1=np.log(chi1),
        growth=growth,
        regression=correlation * np.sqrt(spread),
        spread=(1.0 - correlation**2) * spread,
        kappa=u.slope2_x2 / slope2 - 1.0,
        kept=w * u.q * u.rise**2 / slope2,
        noise=w * u.square_slope2 / (width * slope2),
    )


def _log_growth(chi1: Array, relative: Array, width: int, places: int) -> tuple[Array, Array]:
    """Mean and variance of log(G' / G) without rho: of mean chi1 and variance relative / width.

    K of the N units have a slope and the sum over them is a chi^2, `places` degrees of freedom to
    the unit, K binomial and not 0: exact where all slopes that are not 0 are alike, else with the
    K that gives the right variance. Where N is too large for the sum, a gamma variable is as good.
    """
    from scipy.special import gammaln, polygamma, psi

    if width > MOST_SUMMED:
        shape = width / relative
        return np.log(chi1) + psi(shape) - np.log(shape), np.asarray(polygamma(1, shape))
    share = np.clip((1.0 + 2.0 / places) / (relative + 1.0), 1e-12, 1.0 - 1e-12)
    k = np.arange(1.0, width + 1.0)
    count = gammaln(width + 1.0) - gammaln(k + 1.0) - gammaln(width - k + 1.0)
    weights = np.exp(count + np.outer(np.log(share), k) + np.outer(np.log1p(-share), width - k))
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), TINY)
    half = 0.5 * places * k
    logs = psi(half)
    mean = weights @ logs
    variance = weights @ (polygamma(1, half) + logs * logs) - mean * mean
    return np.log(2.0 * chi1 / (share * width * places)) + mean, np.maximum(variance, 0.0)


def _normal_score(t: Array, skew: Array) -> Array:
    """The normal score of t, standardised, under Pearson's type III law. [Wilson, Hilferty 1931]"""
    g = np.where(np.abs(skew) < 1e-5, 1e-5, skew)
    inner = np.maximum(1.0 + 0.5 * g * t, 0.0)
    return np.asarray(6.0 / g * (np.cbrt(inner) - 1.0) + g / 6.0)


def _split(q: Array, start_q: float) -> Array:
    """All the probability at start_q, shared between the two cells beside it."""
    start = np.zeros(q.size)
    right = int(np.clip(np.searchsorted(q, start_q), 1, q.size - 1))
    share = float(np.clip((start_q - q[right - 1]) / (q[right] - q[right - 1]), 0.0, 1.0))
    start[right - 1], start[right] = 1.0 - share, share
    return start


def _propagate(s: _Transitions, q: Array, depth: int, start: Array, rho2: float) -> QLaw:
    """`depth` layers. p: the density; a1, a2: times log G and its square; r: times rho^2."""
    p, a1, a2, r = start, np.zeros_like(start), np.zeros_like(start), rho2 * start
    low, high, silent = 0.0, 0.0, 0.0
    history = np.empty((depth, q.size))
    for layer in range(depth):
        low, high = low + float(p @ s.below), high + float(p @ s.above)
        silent += float(p @ s.silent)
        # rho is near Gaussian with mean square x / kappa: E log(1 + kappa rho^2) and E rho^2 /
        # (1 + kappa rho^2) agree with these to second order in x.
        x = np.maximum(s.kappa * r / np.maximum(p, TINY), -0.3)
        growth = s.growth + np.log1p(3.0 * x) / 3.0
        b = s.regression
        whole = np.stack(
            (
                p,
                a1 + p * growth,
                a2 + 2.0 * a1 * growth + p * (growth * growth + s.spread),
                s.kept * r / (1.0 + 3.0 * x) + s.noise * p / (1.0 + x),
            )
        )
        tilted = np.stack((p * b, 2.0 * b * (a1 + p * growth)))
        p, a1, a2, r = whole @ s.inside
        first, second = tilted @ s.moved
        a1, a2 = a1 + first, a2 + second + (whole[0] * b * b) @ s.moved2
        r = np.minimum(r / q, p)
        history[layer] = p
    safe = np.maximum(p, TINY)
    mean = a1 / safe
    sd = np.sqrt(np.maximum(a2 / safe - mean * mean, 0.0))
    return QLaw(q, history, s.log_chi1, mean, sd, low, high, silent)
