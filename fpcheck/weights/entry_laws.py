"""The laws of one entry that weights are held against: distribution, likelihood, scale.

Every law is symmetric about zero, so it is given by the distribution of the absolute value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval
from fpcheck.weights.entry_counts import EntryCounts

Array = NDArray[np.float64]

CUT = 2.0  # where truncated normal laws are cut, in standard deviations of the normal law
INSIDE = math.erf(CUT / math.sqrt(2.0))  # the normal law's mass within the cut
# The variance that is left within the cut, over the normal law's.
KEPT_VARIANCE = 1.0 - 2.0 * CUT * math.exp(-0.5 * CUT * CUT) / math.sqrt(2.0 * math.pi) / INSIDE
TAIL = 0.05  # of the 95 % intervals

FAMILIES = ("normal", "truncated_normal", "uniform", "laplace")


@dataclass(frozen=True, slots=True)
class EntryLaw:
    """A law of one entry: its family and width.

    width: the standard deviation (normal, truncated_normal before the cut), the bound (uniform),
    the mean absolute value (laplace), gamma or sigma (student_t, of `index` degrees of freedom;
    alpha_stable, of index `index` and E exp(itz) = exp(-|width t|^index)).
    """

    family: str
    width: float
    index: float = math.inf

    @property
    def second_moment(self) -> float:
        """The expected square of an entry."""
        match self.family:
            case "normal":
                return self.width**2
            case "truncated_normal":
                return KEPT_VARIANCE * self.width**2
            case "uniform":
                return self.width**2 / 3.0
            case "laplace":
                return 2.0 * self.width**2
            case "student_t" if self.index > 2.0:
                return self.width**2 * self.index / (self.index - 2.0)
        return math.inf

    @property
    def bound(self) -> float:
        """The largest absolute value that is possible."""
        if self.family == "uniform":
            return self.width
        return CUT * self.width if self.family == "truncated_normal" else math.inf

    def beyond(self, x: Array) -> Array:
        """P(|entry| > x) for x >= 0."""
        from scipy import special

        z = np.asarray(x, dtype=np.float64) / self.width
        match self.family:
            case "normal":
                found = special.erfc(z / math.sqrt(2.0))
            case "truncated_normal":
                outside = 1.0 - INSIDE
                found = (special.erfc(np.minimum(z, CUT) / math.sqrt(2.0)) - outside) / INSIDE
            case "uniform":
                found = 1.0 - z
            case "laplace":
                found = np.exp(-z)
            case "student_t":
                found = 2.0 * special.stdtr(self.index, -z)
            case _:
                raise ValueError(f"no distribution function of {self.family!r}")
        clipped: Array = np.clip(found, 0.0, 1.0)
        return clipped

    def log_likelihood(self, entries: EntryCounts) -> float:
        """The log density of all entries, -inf where one is impossible; of the families that
        their moments and their maximum are sufficient for."""
        size = entries.size
        if entries.largest > self.bound * (1.0 + entries.precision):
            return -math.inf
        match self.family:
            case "normal" | "truncated_normal":
                cut = math.log(INSIDE) if self.family == "truncated_normal" else 0.0
                normal = math.log(self.width) + 0.5 * math.log(2.0 * math.pi) + cut
                return -size * (normal + 0.5 * entries.mean_square / self.width**2)
            case "uniform":
                return -size * math.log(2.0 * self.width)
            case "laplace":
                return -size * (math.log(2.0 * self.width) + entries.mean_absolute / self.width)
        raise ValueError(f"no likelihood of {self.family!r}")


def fitted(family: str, entries: EntryCounts) -> EntryLaw:
    """The law of the family whose width fits the entries best."""
    match family:
        case "normal":
            return EntryLaw("normal", math.sqrt(entries.mean_square))
        case "laplace":
            return EntryLaw("laplace", entries.mean_absolute)
        case "uniform":
            return EntryLaw("uniform", entries.largest * (1.0 + 1.0 / entries.size))
        case "truncated_normal":
            # The density at the cut says how far the largest of so many lies below it.
            edge = 2.0 * CUT * math.exp(-0.5 * CUT**2) / math.sqrt(2.0 * math.pi) / INSIDE
            gap = 1.0 / (edge * entries.size)
            return EntryLaw("truncated_normal", entries.largest * (1.0 + gap) / CUT)
    raise ValueError(f"no fit of {family!r}")


def second_moment_interval(law: EntryLaw, entries: EntryCounts) -> Interval | None:
    """The 95 % interval of the expected square under the law's family.

    Normal and Laplace by chi-square; uniform and truncated normal from the largest entry, which
    lies below the bound, and by a small part only. None where there is no second moment.
    """
    from scipy import special

    size = entries.size
    match law.family:
        case "normal":
            low, high = 2.0 * special.gammaincinv(0.5 * size, [TAIL / 2, 1.0 - TAIL / 2])
            total = size * entries.mean_square
            return Interval(float(total / high), float(total / low))
        case "laplace":
            low, high = special.gammaincinv(size, [TAIL / 2, 1.0 - TAIL / 2])
            total = size * entries.mean_absolute
            return Interval(2.0 * float(total / high) ** 2, 2.0 * float(total / low) ** 2)
        case "uniform":
            least = entries.largest
            return Interval(least**2 / 3.0, (least * TAIL ** (-1.0 / size)) ** 2 / 3.0)
        case "truncated_normal":
            least = entries.largest / CUT
            share = TAIL ** (1.0 / size)
            reach = float(special.ndtri(0.5 * (1.0 + share * INSIDE)))
            most = entries.largest / reach if reach > 0.0 else math.inf
            return Interval(KEPT_VARIANCE * least**2, KEPT_VARIANCE * most**2)
    return None


def distance_p_value(law: EntryLaw, entries: EntryCounts) -> float:
    """The p-value of Kolmogorov's distance between the counts and the law, with all known.

    Too large where the law was fitted, so then it rejects too seldom, never too often; so does
    the binning. [Kolmogorov 1933; finite-size factor: Stephens 1970]
    """
    beyond = law.beyond(entries.edges[1:])
    return kolmogorov_p_value(entries, 1.0 - beyond)


def kolmogorov_p_value(entries: EntryCounts, below: Array) -> float:
    """The p-value of the distance between the shares of entries and `below` at the bins' edges."""
    from scipy.special import kolmogorov

    # Rounding moves an entry by half its precision, and x times the density of |x| is below 1.
    distance = float(np.abs(entries.shares - below).max()) - 0.5 * entries.precision
    root = math.sqrt(entries.size)
    return float(kolmogorov(max(0.0, distance) * (root + 0.12 + 0.11 / root)))


def largest_p_value(law: EntryLaw, entries: EntryCounts) -> float:
    """The two-sided p-value of the largest of so many entries under the law."""
    wide, narrow = 1.0 + entries.precision, 1.0 - entries.precision
    above, below = law.beyond(np.array([entries.largest * narrow, entries.largest * wide]))
    too_large = -math.expm1(entries.size * math.log1p(-min(float(above), 1.0 - 1e-16)))
    too_small = math.exp(entries.size * math.log1p(-min(float(below), 1.0 - 1e-16)))
    return min(1.0, 2.0 * min(too_large, too_small))


def scale_p_value(law: EntryLaw, entries: EntryCounts) -> float:
    """The two-sided p-value of the sum of squares under a normal law; 1 for another family."""
    if law.family != "normal":
        return 1.0
    from scipy import special

    half = 0.5 * entries.size
    ratio = half * entries.mean_square / law.width**2
    both = special.gammainc(half, ratio), special.gammaincc(half, ratio)
    return min(1.0, 2.0 * float(min(both)))
