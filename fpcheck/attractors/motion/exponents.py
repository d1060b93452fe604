"""Lyapunov exponents with their intervals, from the growth of tangents along orbits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.motion.result import Exponent
from fpcheck.attractors.motion.walk import orthonormal, stretch
from fpcheck.attractors.selfmap import Array
from fpcheck.core.intervals import mean_t
from fpcheck.core.progress import Monitor
from fpcheck.network.program import Program

# Batches into which an orbit is cut; the widest of their intervals is taken, because batches
# shorter than the orbit's memory are alike and would claim too much.
BATCHES = (8, 16, 32)
# Between-orbit spread counts from so many orbits on.
FEWEST_ORBITS = 4
# The first so many tangents of a wide map; all of them up to this width.
WIDEST_SPECTRUM = 128
# A spectrum is measured on this many steps of each of so many orbits, after so many to align, of
# which the first are made orthonormal at every step; fewer of both where many tangents go along.
SPECTRUM_STEPS = 2048
SPECTRUM_ORBITS = 4
MANY_TANGENTS = 32
ALIGNING = 256
FIRST_LOOK = 64
# Tangents grow apart by at most this before they are made orthonormal again, so that the least of
# them keeps half of its digits.
APART = 1e8


def exponent(growth: Array, every: int) -> Exponent:
    """The mean growth per step of one direction, with its 95 % interval.

    growth: (r, m), logarithms gained in `every` steps each along m orbits of one set. The interval
    is by batch means and Student's t, the widest over several batch lengths and, with enough
    orbits, over the spread between them; to its half-width is added log(N) / N, since in N steps
    growth by a power of time cannot be told from an exponent of that size.
    """
    r, orbits = growth.shape
    if not np.isfinite(growth).all():
        total = float(growth.sum())  # -inf: a tangent vanished; NaN: nothing is known
        return Exponent(total, total, total) if total == -math.inf else UNKNOWN
    rates = growth / every
    mean = float(rates.mean())
    half = 0.0
    for batches in BATCHES:
        length = r // batches
        if length == 0:
            continue
        kept = rates[: length * batches].reshape(batches, length, orbits).mean(axis=1)
        half = max(half, _half_width(kept.reshape(-1)))
    if orbits >= FEWEST_ORBITS:
        half = max(half, _half_width(rates.mean(axis=0)))
    if half == 0.0 and r < BATCHES[0]:
        return Exponent(mean, -math.inf, math.inf)
    half += resolution(r * every)
    return Exponent(mean, mean - half, mean + half)


UNKNOWN = Exponent(math.nan, -math.inf, math.inf)


def resolution(steps: int) -> float:
    """log(N) / N: exponents below it cannot be told from growth by a power of time in N steps."""
    return math.log(steps) / steps


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Lyapunov exponents, the largest first, and the Kaplan-Yorke dimension that they give.

    dimension is None where the exponents at hand still add up to more than nothing.
    """

    exponents: tuple[Exponent, ...]
    dimension: float | None
    dimension_low: float | None
    dimension_high: float | None


def lyapunov_spectrum(
    program: Program,
    states: Array,
    *,
    rng: np.random.Generator,
    monitor: Monitor,
    count: int | None = None,
    steps: int = SPECTRUM_STEPS,
) -> Spectrum:
    """The leading Lyapunov exponents by repeated QR. [Benettin et al. 1980]

    states: (m, n), on one set, of which SPECTRUM_ORBITS are followed at most; count: how many
    exponents, by default all of a map up to WIDEST_SPECTRUM wide, and that many of a wider one.

    Raises:
        UnsupportedOperationError: an activation has no useful derivative.
    """
    n = states.shape[1]
    k = min(n, count or WIDEST_SPECTRUM)
    if k > MANY_TANGENTS:
        states, steps = states[: max(1, SPECTRUM_ORBITS * MANY_TANGENTS // k)], steps // 2
    states = states[:SPECTRUM_ORBITS]
    tangents: Array | None = orthonormal(rng.standard_normal((len(states), k, n)))[0]
    every = 1
    growth: list[Array] = []
    for size in (FIRST_LOOK, *[ALIGNING] * (1 + -(-steps // ALIGNING))):
        monitor.check()
        part = stretch(
            program, states, tangents, steps=size, every=every, shadow=lambda x: x[:, :0]
        )
        states, tangents = part.states, part.tangents
        if not growth:
            every = _interval(part.growth)
        growth.append(part.growth / every)
    measured = np.concatenate(growth[2:])
    found = [exponent(measured[:, :, i] * every, every) for i in range(k)]
    found.sort(key=lambda one: -one.value if not math.isnan(one.value) else math.inf)
    dimension, low, high = _dimension_interval(measured)
    return Spectrum(tuple(found), dimension, low, high)


def _interval(growth: Array) -> int:
    """The steps, 1 to 8, in which the tangents grow apart by no more than APART. (r, m, k)."""
    rates = growth.mean(axis=(0, 1))
    spread = float(rates.max() - rates.min())
    steps = 1
    while steps < 8 and 2 * steps * spread <= math.log(APART):
        steps *= 2
    return steps


def kaplan_yorke(exponents: Array) -> float | None:
    """j + (l_1 + ... + l_j) / |l_j+1|, j the most whose sum is not negative. [Kaplan, Yorke 1979]

    exponents: (k,). None where all sums are positive or one is not a number: too few exponents.
    """
    ordered = np.sort(exponents)[::-1]
    if np.isnan(ordered).any():
        return None
    sums = np.cumsum(ordered)
    falling = np.flatnonzero(sums < 0.0)
    if len(falling) == 0:
        return float(len(ordered)) if sums[-1] == 0.0 else None
    j = int(falling[0])
    before = float(sums[j - 1]) if j else 0.0
    return j + before / abs(float(ordered[j]))


def _dimension_interval(growth: Array) -> tuple[float | None, float | None, float | None]:
    """The dimension and its 95 % interval by the jackknife over batches of every orbit."""
    steps, orbits, k = growth.shape
    batches = BATCHES[1]
    length = steps // batches
    kept = growth[: length * batches].reshape(batches, length, orbits, k).mean(axis=1)
    blocks = kept.reshape(batches * orbits, k)
    whole = kaplan_yorke(blocks.mean(axis=0))
    if whole is None or not np.isfinite(blocks).all():
        return whole, None, None
    left_out = (blocks.sum(axis=0) - blocks) / (len(blocks) - 1)
    values = [value for value in map(kaplan_yorke, left_out) if value is not None]
    if len(values) < len(blocks):
        return whole, None, None
    spread = float(np.var(values)) * (len(values) - 1)
    interval = mean_t(whole, math.sqrt(spread), len(values) - 1)
    return whole, max(0.0, interval.low), min(float(k), interval.high)


def _half_width(means: Array) -> float:
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return mean_t(0.0, error, len(means) - 1).high
