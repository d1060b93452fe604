"""The bits of shuffled labels, what they are at least, and how far below them the true ones lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.core.intervals import mean_t
from fpcheck.simplicity.estimate import Asked, Effort, Estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.result import DifferenceBits, finite
from fpcheck.simplicity.several import Job, MeanBits, estimate_all, mean_bits


@dataclass(frozen=True, slots=True, eq=False)
class Shuffled:
    """labellings, estimates: of each shuffle; found: what they come to."""

    labellings: tuple[Labelling, ...]
    estimates: tuple[Estimate, ...]
    found: MeanBits


def shuffled(
    asked: Asked, labelling: Labelling, rng: np.random.Generator, effort: Effort, errors: int
) -> Shuffled | None:
    """The bits of settings.label_shuffles labellings of the same class balance, None of none.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    streams = rng.spawn(asked.settings.label_shuffles)
    if not streams:
        return None
    jobs = [Job(labelling.shuffled(stream), stream, errors) for stream in streams]
    estimates = estimate_all(asked, jobs, effort, "simplicity: shuffled labels")
    return Shuffled(tuple(job.labelling for job in jobs), estimates, mean_bits(estimates))


def floor_bits(labelling: Labelling, errors: int) -> float | None:
    """What the mean bits of shuffled labels are at least, whatever the network; None of numbers.

    The events of different labellings exclude one another where no error is allowed, so that their
    M = n! / (n_1! n_2! ...) chances add up to 1 at most and average 1 / M; by Jensen the mean of
    -log2 p is log2 M or more. With k errors a function serves at most as many labellings as differ
    from its own answers in k rows.
    """
    counts = labelling.class_counts
    if counts is None:
        return None
    n, others = labelling.count, len(labelling.classes) - 1
    log_labellings = math.lgamma(n + 1) - sum(math.lgamma(count + 1) for count in counts.tolist())
    near = sum(math.comb(n, k) * others**k for k in range(min(errors, n) + 1))
    return max(0.0, log_labellings / math.log(2.0) - math.log2(near))


def difference(true: Estimate, random: MeanBits | None, floor: float | None) -> DifferenceBits:
    """Whether the true labels' bits are below what one more shuffle would come to.

    The shuffles' t prediction interval, s sqrt(1 + 1 / K), and the true labels' own interval, put
    together around the difference. [Zou, Donner 2008] Were the true labels a shuffle like the
    others, `low` would be above 0 in at most 1 of 40 cases. Where the shuffles are only bounded
    from below the floor helps: of a random labelling p averages 2^-floor at most, so that it is
    above 40 times that in at most 1 of 40 cases. [Markov]
    """
    if random is None or true.impossible or len(random.values) < 2:
        return DifferenceBits(None, None, None)
    count = len(random.values)
    bits = random.mean - true.bits
    spread = mean_t(0.0, random.deviation * math.sqrt(1.0 + 1.0 / count), count - 1).high
    low = bits - math.hypot(spread, true.high - true.bits)
    high = bits + math.hypot(spread, true.bits - true.low)
    if not random.known and floor is not None:
        low = max(low, floor - math.log2(40.0) - true.high)
    sure = random.known and true.known
    return DifferenceBits(
        bits if sure else None,
        finite(low) if true.known else None,
        finite(high) if random.known else None,
    )
