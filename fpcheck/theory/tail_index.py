"""The tail index of a matrix's entries: P(|w| > x) falls like x^-alpha far out.

It is about single entries. The exponent of the spectrum of W^T W is another thing
(`spectral_exponent`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval

Array = NDArray[np.float64]

# The rule for how many of the largest entries count: 0.75 % of those that are not zero, up to 2^18
# of them, which leaves Student's t with 3 degrees of freedom a bias of -3 % and a 512 x 512 matrix
# a standard error of 2.3 %; beyond, their number grows with the power of the number of entries that
# balances the two for that law (second-order parameter -2/3). [Hall 1982]
TOP_SHARE = 0.0075
KNEE = 2**18
GROWTH = 0.57
FEWEST = 20  # of the largest entries; fewer say nothing: 2667 entries are needed


@dataclass(frozen=True, slots=True)
class TailIndex:
    """Hill's estimate of the tail index with its 95 % interval, from the `largest` entries.

    The interval is of the estimate's own spread; at these shares the bias of Student's t and
    stable laws is below 4 %. A light tail has no index: a normal law's entries give about 10, a
    Laplace law's about 6, rising slowly with their number.
    """

    tail_index: float
    interval: Interval
    largest: int


def tail_index(entries: Array) -> TailIndex | None:
    """The tail index of |w - median|, exact zeros left out; None where too few entries differ.

    entries: (n,), finite.

    The k largest above the next one have 2 k alpha / alpha_hat ~ chi^2 with 2 k degrees of freedom
    for a Pareto tail. [Hill 1975]
    """
    kept = entries[entries != 0.0]
    k = largest_counted(kept.size)
    if k < FEWEST:
        return None
    unit = kept / np.abs(kept).max()  # so that no difference overflows
    sizes = np.abs(unit - np.median(unit))
    top = np.sort(np.partition(sizes, sizes.size - k - 1)[sizes.size - k - 1 :])
    if not 0.0 < top[0] < top[-1] < math.inf:
        return None
    from scipy.special import gammaincinv

    mean_excess = float(np.mean(np.log(top[1:] / top[0])))
    low, high = (float(gammaincinv(k, share)) / (k * mean_excess) for share in (0.025, 0.975))
    return TailIndex(1.0 / mean_excess, Interval(low, high), k)


def largest_counted(count: int) -> int:
    """How many of `count` entries that are not zero the estimate rests on."""
    if count <= KNEE:
        return math.floor(TOP_SHARE * count)
    return math.floor(TOP_SHARE * KNEE * math.pow(count / KNEE, GROWTH))
