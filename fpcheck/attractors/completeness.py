"""How complete a list of fixed points can be known to be: the index sum, and the search's own hits.

A list that passes both is not proved to be complete: a missing pair of opposite index leaves the
sum as it is, and what the search cannot reach it does not count. Proofs are in `uniqueness`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.invariant import InvariantBall, inside
from fpcheck.core.findings import Status
from fpcheck.core.intervals import Z95

AGREES = "agrees; that proves nothing"
DISAGREES = "at least one is missing"
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class IndexSum:
    """The sum of sign det(I - J) over the listed fixed points in the invariant ball.

    total: None where a sign is not known; expected: +1, or None where the theorem does not apply;
    note: why it applies, or what is missing; points: how many are in the ball. `at least one is
    missing` is proved where every point and sign and the ball are.
    """

    total: int | None
    expected: int | None
    verdict: str
    points: int
    note: str
    status: Status


@dataclass(frozen=True, slots=True)
class Estimate:
    """A sampled number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is known of how many fixed points the list may miss.

    good_turing: the share of the search's finds that would be new, were it to go on; chao1: the
    number of fixed points that it could find in all, from below. Both rest on `hits` finds, of
    which `singletons` were the only one of their point, taken as independent draws; None without
    any. They are not independent: most begin at known points, so that of a cluster that few curves
    lead to, the estimates say too little. They say nothing of points that are never reached.
    """

    index_sum: int | None
    index_expected: int | None
    index_verdict: str
    index_points: int
    index_note: str
    index_status: Status
    hits: int
    singletons: int
    good_turing: float | None
    good_turing_low: float | None
    good_turing_high: float | None
    good_turing_status: Status
    chao1: float | None
    chao1_low: float | None
    chao1_high: float | None
    chao1_status: Status


def completeness(
    region: InvariantBall | str,
    points: Array,
    index_signs: Sequence[int | None],
    hits: Sequence[int],
    *,
    proved: bool,
) -> Completeness:
    """The index sum of a list of distinct fixed points, and what its search's hits say.

    Args:
        region: a ball that the map sends into its interior, or why there is none.
        points: (k, n), the listed fixed points.
        index_signs: of each, None where it is not known or the point is degenerate.
        hits: how often the search found each on its own; 0 where something else did.
        proved: whether the points exist, are distinct and have these signs by proof.
    """
    index = index_sum(region, points, index_signs, proved=proved)
    counts = np.array([count for count in hits if count > 0], dtype=np.int64)
    turing, chao = good_turing(counts), chao1(counts)
    return Completeness(
        index_sum=index.total,
        index_expected=index.expected,
        index_verdict=index.verdict,
        index_points=index.points,
        index_note=index.note,
        index_status=index.status,
        hits=int(counts.sum()),
        singletons=int(np.count_nonzero(counts == 1)),
        good_turing=None if turing is None else turing.value,
        good_turing_low=None if turing is None else turing.low,
        good_turing_high=None if turing is None else turing.high,
        good_turing_status="sampled",
        chao1=None if chao is None else chao.value,
        chao1_low=None if chao is None else chao.low,
        chao1_high=None if chao is None else chao.high,
        chao1_status="sampled",
    )


def index_sum(
    region: InvariantBall | str,
    points: Array,
    index_signs: Sequence[int | None],
    *,
    proved: bool,
) -> IndexSum:
    """The index sum of the listed fixed points, and what it says.

    If f maps a closed ball into its interior and the listed points were all of its fixed points in
    it, and none degenerate, their signs would add up to +1.
    """
    if isinstance(region, str):
        signs = [sign for sign in index_signs if sign is not None]
        total = sum(signs) if len(signs) == len(points) else None
        note = f"the theorem does not apply: {region}"
        return IndexSum(total, None, UNKNOWN, len(points), note, "numerical")
    within = inside(region, points) if len(points) else np.zeros(0, dtype=bool)
    counted = [sign for sign, here in zip(index_signs, within, strict=True) if here]
    known = [sign for sign in counted if sign]
    if len(known) < len(counted):
        note = "the sign of det(I - J) is not known at every point"
        return IndexSum(None, 1, UNKNOWN, len(counted), note, "numerical")
    total = sum(known)
    note = f"a ball is mapped into its interior: {region.reason}"
    verdict = AGREES if total == 1 else DISAGREES
    return IndexSum(total, 1, verdict, len(counted), note, "proved" if proved else "numerical")


def good_turing(counts: np.typing.NDArray[np.int64]) -> Estimate | None:
    """The chance that one more find is of a new point. counts: finds of each point, above 0.

    f_1 / N [Good 1953], with the normal interval of [Esty 1983]; where no point was found once
    only, that is too short: then the bound 1 - 0.05^(1/N) of "none of N finds was new" counts.
    """
    finds = int(counts.sum())
    if finds == 0:
        return None
    once, twice = (int(np.count_nonzero(counts == times)) for times in (1, 2))
    share = once / finds
    spread = Z95 * math.sqrt(once * (1.0 - share) + 2.0 * twice) / finds
    least_high = -math.expm1(math.log(0.05) / finds)
    return Estimate(share, max(0.0, share - spread), min(1.0, max(share + spread, least_high)))


def chao1(counts: np.typing.NDArray[np.int64]) -> Estimate | None:
    """The number of points that can be found, estimated from below. counts: as for good_turing.

    Bias-corrected, with its log-normal interval [Chao 1987]; where it adds nothing to the points
    found, the interval is that of the points expected to be missed by chance [Colwell 2013].
    """
    found, finds = len(counts), int(counts.sum())
    if found == 0:
        return None
    once, twice = (int(np.count_nonzero(counts == times)) for times in (1, 2))
    shrink = (finds - 1) / finds
    unseen = shrink * once * (once - 1) / (2.0 * (twice + 1))
    if unseen > 0.0:
        variance = _chao_variance(once, twice, found + unseen)
        factor = math.exp(Z95 * math.sqrt(math.log1p(variance / unseen**2)))
        return Estimate(found + unseen, found + unseen / factor, found + unseen * factor)
    missed = np.exp(-counts.astype(np.float64))
    share = float(missed.sum()) / found
    variance = float((missed - missed * missed).sum()) - float((counts * missed).sum()) ** 2 / finds
    high = (found + Z95 * math.sqrt(max(0.0, variance))) / (1.0 - share)
    return Estimate(float(found), float(found), max(float(found), high))


def _chao_variance(once: int, twice: int, estimate: float) -> float:
    """[Chao 1987, equation 9], and the form of its bias-corrected version without doubletons."""
    if twice:
        ratio = once / twice
        return twice * (0.25 * ratio**4 + ratio**3 + 0.5 * ratio**2)
    variance = 0.5 * once * (once - 1) + 0.25 * once * (2 * once - 1) ** 2
    return max(0.0, variance - once**4 / (4.0 * estimate))
