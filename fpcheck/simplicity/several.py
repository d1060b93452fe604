"""Many cheap estimates side by side, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95, mean_t
from fpcheck.core.workers import in_order
from fpcheck.simplicity.estimate import Asked, Effort, Estimate, estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.rare import MOST_BITS
from fpcheck.simplicity.result import finite

Array = NDArray[np.float64]

LN2 = math.log(2.0)
# Degrees of freedom of an error that was not estimated from a few values.
LARGE_FREEDOM = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One labelling whose bits are wanted. prior: None for the one that all have in common."""

    labelling: Labelling
    rng: np.random.Generator
    errors: int = 0
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class MeanBits:
    """The mean of several labellings' bits with its 95 % interval.

    values: what each of them came to, or is at least. deviation: their standard deviation, which
    holds the error of each. high: inf where one of them is a lower bound alone. bounded: how many
    are; impossible: how many have p = 0.
    """

    values: tuple[float, ...]
    mean: float
    low: float
    high: float
    deviation: float
    bounded: int
    impossible: int

    @property
    def known(self) -> bool:
        """Whether every one of them is an estimate."""
        return not (self.bounded or self.impossible)

    @property
    def status(self) -> str:
        """Of the mean."""
        return "sampled" if self.known else "lower bound"


def estimate_all(
    asked: Asked, jobs: Sequence[Job], effort: Effort, words: str
) -> tuple[Estimate, ...]:
    """The estimates of the jobs in their order, each on one thread.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    one = asked.on_one_thread()

    def run(job: Job) -> Estimate:
        own = one if job.prior is None else one.of(job.prior)
        return estimate(own, job.labelling, job.rng, effort, errors=job.errors)

    return tuple(in_order(run, jobs, asked.settings.threads, asked.monitor, words))


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """The bits of several estimates, their standard errors, and the errors' degrees of freedom.

    A lower bound counts as the bits of the last level that was passed, p = 0 as MOST_BITS.
    """

    bits: Array
    errors: Array
    freedom: float


def pooled(estimates: Sequence[Estimate]) -> Pooled:
    """The estimates with the spread of their repetitions taken from all of them together.

    ln E p^ is the mean of the repetitions' logs and half their variance, which few repetitions
    tell badly. Level by level the logs' variances add up as the bits do: the variance is taken to
    be proportional to the bits.
    """
    runs = [alive for each in estimates if each.known and len(alive := _alive(each)) > 1]
    freedom = float(sum(len(bits) - 1 for bits in runs))
    ratio = 0.0
    if runs:
        spent = sum((len(bits) - 1) * float(bits.var(ddof=1)) for bits in runs)
        ratio = spent / max(sum((len(bits) - 1) * float(bits.mean()) for bits in runs), 1e-9)
    both = [_bits(each, ratio) for each in estimates]
    return Pooled(
        np.array([bits for bits, _ in both]),
        np.array([error for _, error in both]),
        freedom or LARGE_FREEDOM,
    )


def _alive(found: Estimate) -> Array:
    """The repetitions' bits, of those that did not die out."""
    alive: Array = np.array([bits for bits in found.repetitions if math.isfinite(bits)])
    return alive


def _bits(found: Estimate, ratio: float) -> tuple[float, float]:
    """The bits and their standard error, where repetitions vary by so much a bit.

    Repetitions that died out count as p^ = 0: the mean of the others times their share, which has
    a binomial error of its own.
    """
    runs, alive = len(found.repetitions), _alive(found)
    if len(alive) and not found.known:
        # Too wide a spread for the correction: the mean of p^ itself, which the largest decide.
        likeliest = float(alive.min())
        mean = float(np.exp2(likeliest - alive).sum()) / runs
        return min(max(0.0, likeliest - math.log2(mean)), MOST_BITS), 0.0
    if len(alive) and runs > 1:
        share = len(alive) / runs
        variance = ratio * float(alive.mean())
        bits = float(alive.mean()) - 0.5 * LN2 * variance - math.log2(share)
        dead = (1.0 - share) / (share * runs) / LN2**2
        return max(0.0, bits), math.sqrt(variance / len(alive) + dead)
    half = 0.5 * (found.high - found.low) if found.known else 0.0
    return min(found.at_least, MOST_BITS), half / Z95 if math.isfinite(half) else 0.0


Ends = tuple[float | None, float | None, float | None]


def intervals(estimates: Sequence[Estimate]) -> list[Ends]:
    """The bits of each with a 95 % interval, None for what is not known or not finite."""
    together = pooled(estimates)
    found: list[Ends] = []
    for each, bits, error in zip(
        estimates, together.bits.tolist(), together.errors.tolist(), strict=True
    ):
        if each.known and len(_alive(each)):
            between = mean_t(bits, error, together.freedom)
            found.append((bits, max(0.0, between.low), between.high))
        else:
            found.append(in_report(each))
    return found


def mean_bits(estimates: Sequence[Estimate]) -> MeanBits:
    """The mean over labellings drawn alike, by Student's t over them."""
    values = pooled(estimates).bits
    count = len(values)
    deviation = float(values.std(ddof=1)) if count > 1 else math.inf
    mean = float(values.mean())
    interval = mean_t(mean, deviation / math.sqrt(count), count - 1)
    impossible = sum(each.impossible for each in estimates)
    bounded = sum(each.status == "lower bound" for each in estimates)
    known = not (impossible or bounded)
    low = max(0.0, interval.low)
    if not known:  # what is sure of these labellings, which the last levels are not
        low = min(low, sure_mean(estimates))
    return MeanBits(
        tuple(values.tolist()),
        mean,
        low,
        interval.high if known else math.inf,
        deviation,
        bounded,
        impossible,
    )


def sure_mean(estimates: Sequence[Estimate]) -> float:
    """What the mean of their bits is at least; p = 0 counts as MOST_BITS."""
    return sum(min(each.at_least, MOST_BITS) for each in estimates) / len(estimates)


def in_report(found: Estimate) -> tuple[float | None, float | None, float | None]:
    """Bits and their interval, None for what is not finite."""
    return finite(found.bits), finite(found.low), finite(found.high)
