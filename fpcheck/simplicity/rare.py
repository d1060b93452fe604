"""-log2 of a tiny probability, by independent repetitions of multilevel splitting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.lognormal import LogInterval, log_mean
from fpcheck.simplicity.moves import moves_of
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.splitting import Pilot, Repetition, Search, pilot, repeat

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

REPETITIONS = 8
PARTICLES = 256
PILOT_PARTICLES = 0.5  # times the particles: the pilot only has to find the way
MOST_BITS = 1000.0  # beyond nothing is looked for; on average p = 0 counts as so many
WORK = 2.0**40  # multiply-adds: some minutes on two cores
KEPT = 64  # accepted networks in all
LEAST_EFFORT = 0.25  # less counts as so much
# The repetitions have not mixed where their logs vary by so many times what independent particles
# would (8 repetitions pass by chance in all but 1e-6 of the cases); where they lie more than WIDE
# bits apart, so much less is enough (5 of 100).
INFLATION = 6.0
WIDE = 4.0
INFLATION_WIDE = 2.0
LEAST_ACCEPTANCE = 0.02
STUCK = 0.9  # the mean correlation of the scores before and after a level's moves


@dataclass(frozen=True, slots=True, eq=False)
class Rare:
    """What the search came to.

    bits: -log2 p with a 95 % interval; of the status "lower bound" those of the last level that
    every repetition passed, with an infinite upper limit: bits_low is then what holds.
    repetition_bits: to the same level, inf where no particle was left. levels: (score, bits so
    far) of the pilot; acceptance: mean share of moves accepted. mixed: whether the repetitions
    agree as they should; why: if not, why not, and what ended the search of a lower bound.
    networks: (m, L) latent coordinates of accepted networks, from all repetitions in turn; groups:
    (m,) the number of the repetition that each comes from. evaluations: sweeps of one network, and
    first draws.
    """

    bits: float
    bits_low: float
    bits_high: float
    status: Literal["sampled", "lower bound"]
    repetition_bits: tuple[float, ...]
    levels: tuple[tuple[float, float], ...]
    acceptance: float
    mixed: bool
    why: str
    networks: Array
    groups: Integers
    evaluations: int


def estimate_rare(
    prior: Prior,
    labelling: Labelling,
    settings: Settings,
    rng: np.random.Generator,
    *,
    errors: int | None = None,
    repetitions: int = REPETITIONS,
    particles: int | None = None,
    most_bits: float = MOST_BITS,
    work: float = WORK,
    monitor: Monitor | None = None,
) -> Rare:
    """-log2 of the probability that a network of the prior has at most `errors` rows wrong.

    Args:
        prior: the law of the networks.
        labelling: what they are to answer.
        settings: threads, which change no number; label_errors; effort, which multiplies the
            particles and the work.
        rng: of which every run gets a stream of its own.
        errors: how many rows may be wrong; None: settings.label_errors.
        repetitions: independent runs; 2 at least.
        particles: of one run; None: by the effort.
        most_bits: where the search ends with a lower bound.
        work: multiply-adds of all runs; where they would not do, it ends with a lower bound.
        monitor: told of levels and bits, and asked whether to stop.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
        MemoryLimitError: the particles do not fit.
    """
    effort = max(settings.effort, LEAST_EFFORT)
    count = particles or round(PARTICLES * effort)
    allowed = settings.label_errors if errors is None else errors
    watch = monitor or Monitor()
    require_memory(8.0 * 8 * count * prior.latent_size * repetitions, f"{count:,} networks a run")
    moves = moves_of(prior, labelling, allowed)
    search = Search(prior, labelling, allowed, moves, count, most_bits, watch)
    scout = Search(
        prior, labelling, allowed, moves, max(16, round(PILOT_PARTICLES * count)), most_bits, watch
    )
    first, *streams = rng.spawn(repetitions + 1)
    runs = math.ceil(repetitions * count / scout.particles)
    found = pilot(scout, first, work * effort, runs)
    done: list[Repetition] = in_order(
        lambda stream: repeat(search, found.levels, stream),
        streams,
        settings.threads,
        watch,
        f"simplicity: {len(found.levels)} levels, {found.levels[-1].bits:.1f} bits, repetitions",
    )
    return _assemble(found, done, count)


def _assemble(found: Pilot, done: list[Repetition], particles: int) -> Rare:
    reached = found.levels[-1].score <= 0.0
    shares = np.array([run.log_shares for run in done])
    alive = int(np.isfinite(shares).all(axis=0).sum())
    passed = reached and bool(np.isfinite(shares[:, -1]).any())
    # A lower bound is had from any level; the last one that every repetition passed.
    counted = shares if passed else shares[:, :alive]
    logs = counted.sum(axis=1)
    ideal = _ideal_variance(counted, particles)
    interval = log_mean(logs, ideal)
    doubts = _doubts(done, interval, ideal)
    kept = _spread(done) if passed else [run.accepted[:0] for run in done]
    unit = math.log(2.0)
    return Rare(
        bits=max(0.0, -interval.log / unit),
        bits_low=max(0.0, -interval.high / unit),
        bits_high=-interval.low / unit if passed else math.inf,
        status="sampled" if passed else "lower bound",
        repetition_bits=tuple(max(0.0, -log / unit) for log in logs.tolist()),
        levels=tuple((level.score, level.bits) for level in found.levels),
        acceptance=float(np.mean([run.acceptance.mean() for run in done])),
        mixed=not doubts,
        why="; ".join(([found.why] if found.why else []) + doubts),
        networks=np.concatenate(kept),
        groups=np.repeat(np.arange(len(done)), [len(part) for part in kept]),
        evaluations=sum(run.evaluations for run in done),
    )


def _ideal_variance(shares: Array, particles: int) -> float:
    """Of a repetition's log, were the particles of every level independent: sum (1 - s) / (N s)."""
    alive = shares[np.isfinite(shares).all(axis=1)]
    if len(alive) == 0:
        return 0.0
    mean = np.exp(alive).mean(axis=0)
    return float(((1.0 - mean) / (particles * mean)).sum())


def _doubts(done: list[Repetition], interval: LogInterval, ideal: float) -> list[str]:
    """In words what speaks against the repetitions' having mixed."""
    doubts = []
    extinct = sum(not np.isfinite(run.log_shares).all() for run in done)
    if extinct:
        doubts.append(f"{extinct} of {len(done)} repetitions lost every particle on the way")
    spread = interval.spread / math.log(2.0)
    if spread > WIDE and interval.spread**2 > INFLATION_WIDE * ideal:
        doubts.append(f"the repetitions differ by {spread:.1f} bits (standard deviation)")
    elif interval.spread**2 > INFLATION * ideal > 0.0:
        ratio = interval.spread**2 / ideal
        doubts.append(f"the repetitions vary {ratio:.1f} times as much as independent particles")
    rates = np.mean([run.acceptance for run in done], axis=0)
    if rates.min() < LEAST_ACCEPTANCE and not extinct:
        worst = int(rates.argmin())
        doubts.append(f"only {100 * rates[worst]:.1f} % of the moves of level {worst + 1} succeed")
    stayed = float(np.mean([run.stayed.mean() for run in done]))
    if stayed > STUCK:
        doubts.append(f"the moves hardly change the scores (correlation {stayed:.2f})")
    return doubts


def _spread(done: list[Repetition]) -> list[Array]:
    """At most KEPT accepted networks in all, of each repetition as many."""
    each = max(1, KEPT // len(done))
    return [run.accepted[:: max(1, len(run.accepted) // each)][:each] for run in done]
