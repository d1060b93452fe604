"""Expansions of one unit's phi^2, phi'^2, activity and contrast: what a finite layer's noise is.

A function g of a pre-activation h = sqrt(q) z has the coefficients g_k = E[g He_k(z)] / sqrt(k!) in
normalised Hermite polynomials. Its mean over N units then deviates by sum_k g_k y_k, with y_k the
units' mean of the k-th polynomial: independent, of variance 1 / N each. The second one says what a
change of q does: d E g / d log q = g_2 / sqrt 2; the fourth, q^2 d^2 E g / dq^2 = g_4 sqrt(24) / 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.moments import feature_scale
from fpcheck.theory.quadrature import Array, gaussian_rule

ORDERS = 4  # Hermite orders followed one by one; the rest is one more mode
LOG_Q_STEP, LOG_CONTRAST_STEP = 0.02, 0.1  # bands need no more than these steps resolve
BEND_STEPS = 2
MOST_TOTAL = 1e9  # so sparse that no layer has a unit for it; squares of it stay finite
SMALLEST_CONTRAST = 1e-12  # below it a difference of two values is rounding
ACROSS, ALONG = 97, 25  # nodes over the pair's mean and over half its difference
REACH = 7.0


@dataclass(frozen=True, slots=True)
class Expansion:
    """mean E g; modes g_k / mean for k = 1..ORDERS; rest: the root of what they leave, by mean."""

    mean: float
    modes: tuple[float, ...]
    rest: float

    @property
    def total(self) -> float:
        """Var g / mean^2."""
        return math.fsum(g * g for g in self.modes) + self.rest**2

    @property
    def elasticity(self) -> float:
        """d log E g / d log q."""
        return self.modes[1] / math.sqrt(2.0)

    @property
    def curvature(self) -> float:
        """q^2 (d^2 E g / dq^2) / E g."""
        return self.modes[3] * math.sqrt(24.0) / 4.0


@dataclass(frozen=True, slots=True)
class UnitNoise:
    """Of phi^2, phi'^2 (None for a step), and [phi != 0], at one q."""

    square: Expansion
    slope: Expansion | None
    active: Expansion


@dataclass(frozen=True, slots=True)
class PairNoise:
    """Of half the squared difference u of a pair's phi, at one q and contrast.

    common: its expansion in the pair's mean; own: its second coefficient in the pair's difference;
    rest: the root of the variance that both leave (all by E u). by_contrast, by_q: d log E u with
    respect to log of the pair's half squared difference and log q; bend: d by_contrast /
    d log contrast. size, both: the variance of the pair's mean phi^2, its covariance with u, by
    their means. slope_kept: E phi' phi' of the pair by E phi'^2.
    """

    common: Expansion
    own: float
    rest: float
    by_contrast: float
    by_q: float
    bend: float
    size: float
    both: float
    slope_kept: float

    @property
    def total(self) -> float:
        """Var u / (E u)^2."""
        return self.common.total + self.own**2 + self.rest**2


def unit_noise(f: ActivationFunction, q: float) -> UnitNoise | None:
    """The expansions at q, to the nearest step of log q; None at q = 0."""
    if not q > 0.0:
        return None
    return _unit_noise(f, round(math.log(q) / LOG_Q_STEP))


def pair_noise(f: ActivationFunction, q: float, contrast: float) -> PairNoise | None:
    """The expansions of a pair's contrast, to the nearest step; None where nothing differs."""
    if not (q > 0.0 and contrast > SMALLEST_CONTRAST):
        return None
    steps = round(math.log(min(contrast, 1.6)) / LOG_CONTRAST_STEP)
    return _bent_pair_noise(f, round(math.log(q) / LOG_Q_STEP), steps)


@lru_cache(maxsize=4096)
def _bent_pair_noise(f: ActivationFunction, q_steps: int, steps: int) -> PairNoise | None:
    found = _pair_noise(f, q_steps, steps)
    above, below = (_pair_noise(f, q_steps, steps + d) for d in (BEND_STEPS, -BEND_STEPS))
    if found is None or above is None or below is None:
        return found
    bend = (above.by_contrast - below.by_contrast) / (2 * BEND_STEPS * LOG_CONTRAST_STEP)
    return replace(found, bend=bend)


@lru_cache(maxsize=4096)
@np.errstate(over="ignore", invalid="ignore")  # at the ends of the numbers there is no expansion
def _unit_noise(f: ActivationFunction, q_steps: int) -> UnitNoise | None:
    q = math.exp(q_steps * LOG_Q_STEP)
    x, weights = gaussian_rule(q, f.kinks, feature_scale(f))
    hermite = _hermite(x / math.sqrt(q)) * weights
    value = f.phi(x)
    square = _expanded(hermite, weights, value * value)
    active = _expanded(hermite, weights, (value != 0.0).astype(np.float64))
    if square is None or active is None:
        return None
    slope = None
    if f.kind.derivative is not None:
        slope = _expanded(hermite, weights, f.derivative(x) ** 2)
    return UnitNoise(square, slope, active)


def _hermite(z: Array) -> Array:
    """He_k(z) / sqrt(k!) for k = 1..ORDERS, stacked first."""
    rows = [np.ones_like(z), z]
    for k in range(1, ORDERS):
        rows.append((z * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
    return np.stack(rows[1:])


def _expanded(hermite: Array, weights: Array, g: Array) -> Expansion | None:
    """hermite: (ORDERS, n), the weights included."""
    mean = float(weights @ g)
    if not 0.0 < mean * mean < math.inf:  # nothing, or what cannot be squared
        return None
    modes = (hermite @ g) / mean
    total = float(weights @ (g * g)) / mean**2 - 1.0
    if not total < MOST_TOTAL:
        return None
    rest = math.sqrt(max(0.0, total - float(modes @ modes)))
    return Expansion(mean, tuple(modes.tolist()), rest)


@lru_cache(maxsize=1)
def _plane() -> tuple[Array, Array, Array, Array]:
    """Nodes and weights of the trapezoidal rule over the pair's mean and difference."""

    def line(count: int) -> tuple[Array, Array]:
        z = np.linspace(-REACH, REACH, count)
        w: Array = np.exp(-0.5 * z * z)
        return z, w / w.sum()

    across, across_weights = line(ACROSS)
    along, along_weights = line(ALONG)
    return across, across_weights, along, along_weights


@lru_cache(maxsize=4096)
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _pair_noise(f: ActivationFunction, q_steps: int, contrast_steps: int) -> PairNoise | None:
    q, contrast = math.exp(q_steps * LOG_Q_STEP), math.exp(contrast_steps * LOG_CONTRAST_STEP)
    zs, ws, zt, wt = _plane()
    s = math.sqrt(q * max(0.0, 1.0 - 0.5 * contrast)) * zs[:, None]  # a step may pass 2
    t = math.sqrt(0.5 * q * contrast) * zt
    if f.kind.derivative is None:
        return None
    one, other = f.phi(s + t), f.phi(s - t)
    u, v = 0.5 * (one - other) ** 2, 0.5 * (one * one + other * other)
    inner = u @ wt
    common = _expanded(_hermite(zs) * ws, ws, inner)
    if common is None:
        return None
    mean = common.mean
    own = float(ws @ (u @ (wt * (zt * zt - 1.0)))) / (math.sqrt(2.0) * mean)
    total = float(ws @ ((u * u) @ wt)) / mean**2 - 1.0
    mean_v = float(ws @ (v @ wt))
    size = float(ws @ ((v * v) @ wt)) / mean_v**2 - 1.0
    if not (total < MOST_TOTAL and size < MOST_TOTAL):
        return None
    rest = math.sqrt(max(0.0, total - common.total - own * own))
    # The variances of the pair's mean and half difference, q - D/2 and D/2, D = q contrast.
    by_mean, by_difference = common.elasticity, own / math.sqrt(2.0)
    part = 0.5 * contrast / (1.0 - 0.5 * contrast)
    kept = float(ws @ ((f.derivative(s + t) * f.derivative(s - t)) @ wt))
    full = float(ws @ ((f.derivative(s + t) ** 2) @ wt))
    return PairNoise(
        common,
        own,
        rest,
        by_contrast=by_difference - part * by_mean,
        by_q=by_mean * (1.0 + part),
        bend=0.0,
        size=size,
        both=float(ws @ ((u * v) @ wt)) / (mean * mean_v) - 1.0,
        slope_kept=kept / full if full > 0.0 else 1.0,
    )
