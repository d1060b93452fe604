"""The variance map of a user's own function phi, by adaptive quadrature that says how sure it is.

Nothing is known of such a function, so nothing is assumed but that what matters of it is wider
than PROBE standard deviations of x, or than a PROBE-th of its distance from 0 (features about 0
may be narrower: they are looked for down to 1e-12 standard deviations). A bump narrower than that
can hide between the nodes of any rule; every estimate is made on two sets of panels that do not
share an edge, so that one has to hide from both. Where the two disagree, where panels are left
that have not converged, or values are not finite, `trusted` is False and `note` says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, unit_rule
from fpcheck.theory.roots import roots_on_grid

Phi = Callable[[Array], Array]

PROBE = 0.05  # standard deviations: panels start at this width, with 16 nodes each
REACH = 12.0  # the mass beyond is 4e-33: it counts only for what grows as fast as a Gaussian falls
FINEST = 2.0**-41  # of a starting panel: a jump is fenced in to this width
# Where a panel is split. Half the nodes weigh one half, so at the middle a jump beside it would
# change nothing; here a jump between the outer nodes changes at least a MISSED-th of its error.
SPLIT = 0.4425
MISSED = 16.0
# Of a panel: the rule sees nothing before its first node, so the function is looked at this near to
# both ends too, and held against the polynomial through the nodes.
GUARD = 1e-4
SHIFT = 0.382  # of a panel, between the two sets: split however often, they share no edge
MOST_PANELS = 100_000  # evaluated in all; what has not converged by then is the error
ROUNDING = 4e-16  # of the expectation of |g|, times a few for the sum
DISAGREES = 1e-7  # of E |g|: two sets of panels that differ by more do not agree
UNRESOLVED = 1e-8  # of E |g|: what may be left in panels that have not converged

NOT_FINITE = "the function is not finite everywhere"
TOO_BUSY = "it has not converged: the function oscillates or jumps too often"
TOO_STEEP = "the function grows as fast as a Gaussian falls: its tails count and were cut"
HIDDEN = "two sets of panels disagree: something is narrower than they resolve"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, a bound on its error as far as can be told, and whether that is to be trusted."""

    value: float
    error: float
    trusted: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class CallableVarianceMap:
    """V(q) = sigma_b^2 + sigma_w^2 E phi(sqrt(q) z)^2 of a user's function, as estimates.

    phi: vectorised, float64 arrays (n,) to arrays (n,), or to one number where it is constant.
    kinks: where phi or a derivative jumps, if that is known; it saves work and is not needed.
    """

    phi: Phi = field(repr=False)
    sigma_w2: float
    sigma_b2: float
    kinks: tuple[float, ...] = ()

    def __call__(self, q: float) -> Estimate:
        """V(q)."""
        found = expectation_of(lambda x: self.phi(x) ** 2, q, self.kinks)
        value = self.sigma_b2 + self.sigma_w2 * found.value
        return Estimate(value, self.sigma_w2 * found.error, found.trusted, found.note)

    def slope(self, q: float) -> Estimate:
        """V'(q), q > 0: the derivative of the density, not of phi, so jumps do no harm."""
        found = expectation_of(lambda x: self.phi(x) ** 2 * (x * x / q - 1.0), q, self.kinks)
        scale = self.sigma_w2 / (2.0 * q)
        return Estimate(scale * found.value, scale * found.error, found.trusted, found.note)

    def fixed_points(
        self, low: float = 1e-6, high: float = 1e6, points: int = 49
    ) -> tuple[Estimate, ...]:
        """The fixed points between `low` and `high` that a logarithmic grid separates.

        Each with its error: that of V over |1 - V'|. Not trusted where V' is within its own error
        of 1, or V is not trusted.
        """
        start, stop = math.log(low), math.log(high)
        grid = [start + (stop - start) * k / (points - 1) for k in range(points)]
        roots = roots_on_grid(lambda u: self(math.exp(u)).value / math.exp(u) - 1.0, grid)
        return tuple(self._described(math.exp(u)) for u in roots)

    def _described(self, q: float) -> Estimate:
        v, slope = self(q), self.slope(q)
        gap = abs(1.0 - slope.value) - slope.error
        error = (v.error + ROUNDING * q) / gap if gap > 0.0 else math.inf
        note = v.note or ("" if gap > 0.0 else "V' may be 1 there")
        return Estimate(q, error, v.trusted and gap > 0.0, note)


def variance_map_of(
    phi: Phi, sigma_w2: float, sigma_b2: float, kinks: tuple[float, ...] = ()
) -> CallableVarianceMap:
    """The variance map of a function of your own, for example `variance_map_of(np.cos, 1.5, 0.1)`.

    Called with a q it gives an `Estimate`: value, error, whether it can be trusted and why not.
    """
    return CallableVarianceMap(phi, sigma_w2, sigma_b2, kinks)


def expectation_of(
    g: Phi, q: float, kinks: tuple[float, ...] = (), tolerance: float = 1e-12
) -> Estimate:
    """E g(x), x ~ N(0, q), with its error; panels are split until it is `tolerance` of E |g|.

    The error is what splitting changed in the panels that were kept (MISSED times), the
    disagreement of two independent sets of panels, and rounding.
    """
    if q == 0.0:
        return Estimate(float(g(np.zeros(1))[0]), 0.0)
    spread = math.sqrt(q)
    splits = np.array([t / spread for t in kinks])
    first, size = _integrate(g, spread, _starting_edges(0.0, splits), tolerance)
    second, _ = _integrate(g, spread, _starting_edges(SHIFT, splits), tolerance)
    value = 0.5 * (first.value + second.value)
    if not math.isfinite(value):
        return Estimate(math.nan, math.inf, False, NOT_FINITE)
    disagreement = abs(first.value - second.value)
    claimed = max(first.error, second.error)
    note = first.note or second.note
    if disagreement > max(4.0 * claimed, DISAGREES * size):
        note = note or HIDDEN
    return Estimate(value, claimed + 2.0 * disagreement, not note, note)


def _starting_edges(shift: float, splits: Array) -> Array:
    """Panels of width PROBE, moved by `shift` of it, and geometric ones about 0, in std. dev."""
    count = round(REACH / PROBE)
    uniform = PROBE * (np.arange(1, count + 1) - shift)
    small = PROBE * (1.0 - shift) * (2.0 + 0.5 * shift) ** -np.arange(1.0, 40.0)
    own = np.concatenate((-uniform, -small, [0.0], small, uniform, splits))
    inside = own[np.abs(own) <= REACH]
    return np.unique(np.concatenate(([-REACH], inside, [REACH])))


def _integrate(g: Phi, spread: float, edges: Array, tolerance: float) -> tuple[Estimate, float]:
    """The integral of g times density, and of its size, over panels split until it is still."""
    low, high = edges[:-1], edges[1:]
    start = high - low
    coarse, size, _ = _panels(g, spread, low, high)
    total, error, magnitude, used = 0.0, 0.0, float(size.sum()), len(low)
    ends = float(size[0] + size[-1])
    done_size, unresolved = 0.0, 0.0
    while low.size and math.isfinite(magnitude):
        middle = low + SPLIT * (high - low)
        left, left_size, left_missed = _panels(g, spread, low, middle)
        right, right_size, right_missed = _panels(g, spread, middle, high)
        used += 2 * len(low)
        fine, size = left + right, left_size + right_size
        magnitude = max(magnitude, done_size + float(size.sum()))
        change = np.abs(fine - coarse) + left_missed + right_missed
        allowed = tolerance * magnitude * np.maximum(start / (2.0 * REACH), 1e-4)
        fenced = high - low <= FINEST * start
        done = (change <= np.maximum(allowed, 4.0 * ROUNDING * size)) | fenced
        if used > MOST_PANELS:
            unresolved = float(change[~done].sum())
            done[:] = True
        # A jump is where rounding of x puts it: within a few units in the last place of z.
        moved = np.where(fenced, np.maximum(np.abs(low), np.abs(high)) / (high - low), 1.0)
        total += float(fine[done].sum())
        error += float((MISSED * change + ROUNDING * size * moved)[done].sum())
        done_size += float(size[done].sum())
        kept = ~done
        coarse, start = np.concatenate((left[kept], right[kept])), np.tile(start[kept], 2)
        low, high = (
            np.concatenate((low[kept], middle[kept])),
            np.concatenate((middle[kept], high[kept])),
        )
    if not math.isfinite(magnitude):
        return Estimate(math.nan, math.inf, False, NOT_FINITE), magnitude
    note = TOO_BUSY if unresolved > UNRESOLVED * magnitude else ""
    if ends > ROUNDING * magnitude:
        note = note or TOO_STEEP
    return Estimate(total, error + ROUNDING * magnitude, not note, note), magnitude


def _panels(g: Phi, spread: float, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The integral over every panel, that of the size, and what a jump at an end adds. All (k,)."""
    nodes, weights = unit_rule()
    before, extrapolated = _guards()
    width = (high - low)[:, None]
    z = low[:, None] + width * np.concatenate((nodes, before))
    with np.errstate(all="ignore"):
        given = np.asarray(g(spread * z.ravel()), dtype=np.float64)
        values = np.broadcast_to(given, z.size).reshape(z.shape)  # a constant may be one number
        values = values * INV_SQRT_2PI * np.exp(-0.5 * z * z)
        inside, ends = values[:, : len(nodes)], values[:, len(nodes) :]
        missed = np.abs(ends - inside @ extrapolated).sum(axis=1) * nodes[0]
        inside = inside * (width * weights)
    return inside.sum(axis=1), np.abs(inside).sum(axis=1), missed * width[:, 0]


@cache
def _guards() -> tuple[Array, Array]:
    """Two places in [0, 1] beside its ends, and the weights (nodes, 2) that extrapolate to them."""
    nodes, _ = unit_rule()
    places = np.array([GUARD, 1.0 - GUARD])
    others = nodes[:, None] - nodes + np.eye(len(nodes))
    factors = (places[:, None, None] - nodes) / others  # (place, j, k) of the j-th polynomial
    factors[:, np.eye(len(nodes), dtype=bool)] = 1.0
    return places, factors.prod(axis=2).T
