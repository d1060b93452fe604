"""Plain guess and check: networks drawn by number until enough of them have every label right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from fpcheck.core.intervals import binomial_upper
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order
from fpcheck.simplicity.checking import CHUNK_WORK, Span, checker, work_of
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.numbered import Integers, counter_key

Stopped = Literal["successes", "budget"]

SUCCESSES = 100  # bits within 0.3 of the truth, as two standard deviations
MOST = 2**20
SMALLEST_CHUNK = 128
CHUNKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What the sampling came to.

    tried: up to the last success, where it stopped there. indices: the numbers of the accepted
    networks, in order; `redraw_many` gives their weights. bits: -log2 p; where none is accepted
    it is its lower limit, and the upper one is inf. The interval is exact, 95 %, two-sided (of
    none accepted: one-sided).
    """

    tried: int
    accepted: int
    indices: Integers
    bits: float
    bits_low: float
    bits_high: float
    stopped: Stopped


def sample(
    prior: Prior,
    labelling: Labelling,
    settings: Settings,
    key: int,
    *,
    errors: int | None = None,
    successes: int = SUCCESSES,
    most: int = MOST,
    work: float = math.inf,
    monitor: Monitor | None = None,
) -> Sampled:
    """p by networks 0, 1, 2, ... of the key, until so many have at most `errors` rows wrong.

    Args:
        prior: the law of the networks.
        labelling: what they are to answer.
        settings: threads, which change no number, and label_errors.
        key: of the networks, from 0 on.
        errors: how many rows may be wrong; None: settings.label_errors.
        successes: after so many the sampling stops.
        most: the most networks that are tried.
        work: the most multiply-adds, as `work_of` counts them; it lowers `most`.
        monitor: told of the networks tried, and asked whether to stop.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    allowed = settings.label_errors if errors is None else errors
    watch = monitor or Monitor()
    each = work_of(prior, labelling)
    most = max(1, min(most, int(work / each) if math.isfinite(work) else most))
    check = checker(prior, labelling, counter_key(key), allowed, most)
    found: list[Integers] = []
    accepted = tried = 0
    spans = _spans(most, each)
    while accepted < successes and (batch := list(islice(spans, CHUNKS_AT_ONCE))):
        for indices in in_order(check, batch, settings.threads, watch):
            found.append(indices)
            accepted += len(indices)
        tried = batch[-1][0] + batch[-1][1]
        watch.report(f"simplicity: {accepted} of {tried} random networks fit", tried, most)
    numbers = np.concatenate([np.empty(0, np.int64), *found])[:successes]
    stopped: Stopped = "budget"
    if len(numbers) == successes:
        tried, stopped = int(numbers[-1]) + 1, "successes"
    low, high = curtailed(len(numbers), tried, stopped)
    return Sampled(
        tried, len(numbers), numbers, _bits(len(numbers), tried, stopped), low, high, stopped
    )


def curtailed(accepted: int, tried: int, stopped: Stopped) -> tuple[float, float]:
    """The exact 95 % interval of bits, for sampling to so many successes or to a budget.

    Trials T until the r-th success: P(T <= N) = I_p(r, N - r + 1) bounds p from below,
    P(T >= N) = 1 - I_p(r, N - r) from above; short of r, Clopper and Pearson's limits, which hold
    under this rule of stopping too: at least s successes by the budget are the event that a
    fixed number of trials has them. [Lui 1995 for the first]
    """
    from scipy.special import betaincinv

    if not accepted:
        return -math.log2(binomial_upper(0, tried)), math.inf
    misses = tried - accepted
    p_low = float(betaincinv(accepted, misses + 1, 0.025))
    more = accepted if stopped == "successes" else accepted + 1
    p_high = float(betaincinv(more, misses, 0.975)) if misses else 1.0
    return max(0.0, -math.log2(p_high)), -math.log2(p_low)


def _bits(accepted: int, tried: int, stopped: Stopped) -> float:
    """-log2 p, with (r - 1/2) / (N - 1/2) for p at the r-th success.

    -E ln p of it is psi(r) - ln(r - 1/2) < 1 / (24 (r - 1/2)^2) off for small p: bits without bias.
    """
    if not accepted:
        return curtailed(0, tried, stopped)[0]
    back = 0.5 if stopped == "successes" else 0.0
    return -math.log2((accepted - back) / (tried - back))


def _spans(most: int, work: float) -> Iterator[Span]:
    """Chunks of networks: small ones first, since p may be large; then of a fixed work."""
    largest = max(1, int(CHUNK_WORK / work))
    first, size = 0, min(SMALLEST_CHUNK, largest)
    while first < most:
        for _ in range(CHUNKS_AT_ONCE):
            if first < most:
                yield first, min(size, most - first)
                first += size
        size = min(2 * size, largest)
