"""Counts of starts as shares with their intervals, and the bound of what was not found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.discover import UNRESOLVED
from fpcheck.attractors.result import HeldOut, Share
from fpcheck.core.intervals import binomial_upper, wilson


def share_of(count: int, total: int) -> Share:
    """`count` of `total` starts as a share with Wilson's 95 % interval."""
    interval = wilson(count, total)
    return Share(count, count / total, interval.low, interval.high)


def held_out(labels: NDArray[np.int64]) -> HeldOut:
    """How many of the last three quarters of the starts end where none of the first quarter does.

    labels: (k,), of the law's starts. What a start found itself cannot test the list; the
    later starts are independent of the list that the first quarter makes, so the binomial bound
    of their share is exact. Unresolved ends are always elsewhere; divergence is an end like others.
    """
    first = max(1, len(labels) // 4)
    listed = np.setdiff1d(labels[:first], [UNRESOLVED])
    later = labels[first:]
    return HeldOut(len(later), int(np.count_nonzero(~np.isin(later, listed))))


def undiscovered_mass_upper(test: HeldOut) -> float:
    """The exact one-sided 95 % upper bound of the mass elsewhere. [Clopper, Pearson 1934]"""
    return binomial_upper(test.elsewhere, test.starts) if test.starts else 1.0
