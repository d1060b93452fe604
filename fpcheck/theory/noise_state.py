"""What is followed of a finite network's deviation from infinite width, node by node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from fpcheck.theory.noise import NONE, Deviation, Sources, variance
from fpcheck.theory.noise_moments import ORDERS
from fpcheck.theory.positions import mean_powers
from fpcheck.theory.recursion_state import UnitMoments

MODES = ORDERS + 1  # Hermite orders one by one, and the rest as one more
# Variances of logarithms beyond it are of no signal that a number could hold; squares stay finite.
MOST_FOLLOWED = 1e6


@dataclass(frozen=True, slots=True)
class Noise:
    """One node's deviations from infinite width.

    units: N, the independent units at a position; places: the positions. size, difference:
    deviations of log v and log D. modes: y_1.., None where the units are not Gaussian; pair: w, in
    what all pairs share and what each has, and the same for what is left of a pair's noise. single:
    the variance of log v of one input; shift: (E v - q) / q; skew, difference_skew: the third
    cumulants of log v and log D. apart: the variance of log D / v. pair_single, pair_shift:
    variance and mean of the logarithm of one pair's contrast by infinite width's; closer: a typical
    contrast by infinite width's. alignment: the mean squared correlation between the differences of
    two pairs of inputs.
    """

    units: int
    places: int
    size: Deviation = field(default_factory=lambda: NONE)
    difference: Deviation = field(default_factory=lambda: NONE)
    modes: tuple[Deviation, ...] | None = None
    pair: tuple[Deviation, Deviation, Deviation] = (NONE, NONE, NONE)
    single: float = 0.0
    shift: float = 0.0
    skew: float = 0.0
    difference_skew: float = 0.0
    apart: float = 0.0
    pair_single: float = 0.0
    pair_shift: float = 0.0
    closer: float = 1.0
    alignment: float = 0.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs that the noise is averaged over.

    spread: the variance over inputs of log of their mean square; alignment: the variance of the
    cosine of two of them, by their contrast squared.
    """

    count: int
    spread: float
    alignment: float


@dataclass(frozen=True, slots=True)
class ActivationNoise:
    """What the backward pass needs of an activation.

    mean: E phi'^2; slope: the deviation of its logarithm; fourth: E phi'^4 by its square; drift:
    the mean of its logarithm beyond infinite width's. along: by what share a difference along the
    units themselves grows faster than one across, along_kept: how much of its squared cosine is
    left behind. kept: E phi' phi' of two inputs by E phi'^2.
    """

    mean: float
    slope: Deviation
    fourth: float
    drift: float
    along: float
    along_kept: float
    kept: float


@dataclass(slots=True)
class Forward:
    """The forward pass's results by node name."""

    sources: Sources
    inputs: Inputs
    nodes: dict[str, Noise] = field(default_factory=dict)
    slopes: dict[str, ActivationNoise] = field(default_factory=dict)


def followed(noise: Noise) -> bool:
    """Whether what the first order says of a node's logarithms is a number and says anything."""
    spreads = (noise.single, noise.apart, noise.pair_single)
    means = (noise.shift, noise.skew, noise.difference_skew, noise.pair_shift)
    deviations = (variance(noise.size), variance(noise.difference))
    return all(abs(x) < MOST_FOLLOWED for x in (*spreads, *means, *deviations))


def shared(noise: Noise, m: UnitMoments, inputs: Inputs) -> tuple[float, ...]:
    """The mean of correlation^k over all pairs of values, of inputs and positions, for every mode.

    By so much the variance of a Hermite mean falls by averaging over them.
    """
    c = 1.0 - (1.0 - m.correlation) * noise.closer
    scatter = noise.alignment * (1.0 - c) ** 2
    n, out = inputs.count, []
    for order in range(1, MODES + 1):
        if m.places is None:
            own, cross = 1.0 / noise.places, abs(c) ** order
            own += (1.0 - own) * cross
        else:
            own, cross = mean_powers(m.places, order)
        loose = scatter if order == 2 else 0.0
        if order > 2:
            loose = 0.5 * order * (order - 1) * abs(c) ** (order - 2) * scatter
        own = min(1.0, own + (loose if noise.places > 1 else 0.0))
        out.append(own / n + (1.0 - 1.0 / n) * min(1.0, cross + loose))
    return tuple(out)


def pairs_shared(noise: Noise, inputs: Inputs) -> float:
    """The same for the squared differences of pairs of neighbouring inputs."""
    m = max(1, inputs.count // 2) * noise.places
    return 1.0 / m + (1.0 - 1.0 / m) * noise.alignment


def mode_variance(coefficients: Sequence[float], parts: Sequence[float], units: int) -> float:
    """The variance that the modes add to a mean with these coefficients."""
    return math.fsum(a * a * part for a, part in zip(coefficients, parts, strict=True)) / units


def skewing(s: float) -> float:
    """By what the third cumulant of log x is below 0, for a gamma x of variance s by its square.

    -polygamma(2, 1 / s) = s^2 + s^3 + s^4 / 2 up to s^6.
    """
    return s * s * (1.0 + s + 0.5 * s * s)


def widening(variance_by_square: float) -> float:
    """By what factor the standard deviation of log x exceeds that of x / E x, for a gamma x."""
    s = variance_by_square
    return math.sqrt(1.0 + s / 2.0 + s * s / 6.0)
