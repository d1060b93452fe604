"""-log2 p of one labelling: in closed form, by plain sampling, or by splitting."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import binomial_upper
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.checking import work_of
from fpcheck.simplicity.exact import exact
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.moves import moves_of
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.numbered import redraw_many
from fpcheck.simplicity.outputs import chain_plan
from fpcheck.simplicity.rare import PILOT_PARTICLES, Rare, estimate_rare
from fpcheck.simplicity.sampling import Sampled, sample

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Status = Literal["sampled", "lower bound", "exact"]
Claim = Literal["proved", "numerical", "sampled"]
Method = Literal["sampling", "splitting", "exact"]

# A look at some networks decides between plain sampling and splitting. They are drawn apart from
# those that are then counted, so that the choice does not bend the count. Where so few show
# nothing, a share of what plain sampling may cost goes into a longer look.
SCOUTS = 2**12
SCOUT_HITS = 8
LONG_LOOK = 0.125
# Plain sampling may take so many times what the scouts promised.
SLACK = 4.0
FEWEST_PARTICLES = 16
# What splitting takes: measured on chains of 10-16-1 and 64-16-1, tanh and ReLU, shuffled labels of
# two classes: 1.25 to 1.35 bits a row and 5 to 7 sweeps of a particle a bit. A number within half a
# standard deviation of its target costs 2.1 to 2.7, and 3.3 and more where they are shuffled.
CHANCE_BITS = 1.3
BAND_BITS = 3.5
SWEEPS_A_BIT = 6.0
# Networks that run one by one, node by node: 6e8 multiply-adds a second, chains 2.5e9 to 5e9.
SLOW = 5.0
KEPT = 64  # accepted networks that are looked at


@dataclass(frozen=True, slots=True)
class Effort:
    """What an estimate may cost.

    repetitions, particles: of the splitting; patience: how many times what labels of chance cost it
    may spend, and at most `work` multiply-adds. successes: of plain sampling, which is done where
    it comes to at most `plain` multiply-adds.
    """

    repetitions: int
    particles: int
    patience: float
    work: float
    successes: int
    plain: float


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """-log2 p with its 95 % interval.

    bits: inf where p is 0; of a lower bound those of the last level that was passed, of which only
    `low` is sure. high: inf where there is no upper limit. repetitions: the bits of each. mixed:
    None where nothing had to mix. networks: all that were looked at; tried, accepted: those that
    the bits of plain sampling rest on. parameters: (m, P) of accepted networks; groups: (m,) those
    of one number come from one repetition and are not independent. work: multiply-adds. claim: how
    `bits` are known.
    """

    bits: float
    low: float
    high: float
    status: Status
    method: Method
    networks: int
    tried: int
    accepted: int
    parameters: Array
    groups: Integers
    repetitions: tuple[float, ...] = ()
    levels: tuple[tuple[float, float], ...] = ()
    acceptance: float | None = None
    mixed: bool | None = None
    work: float = 0.0
    claim: Claim = "sampled"
    words: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a finite estimate and not a bound alone."""
        return self.status != "lower bound" and math.isfinite(self.bits)

    @property
    def impossible(self) -> bool:
        """Whether p is 0."""
        return self.status == "exact" and math.isinf(self.bits)

    @property
    def at_least(self) -> float:
        """The estimate, or where there is none the lower bound that is sure."""
        return self.low if self.status == "lower bound" else self.bits

    def upper(self, choices: int) -> float:
        """The upper limit that fails once in 40 `choices`, inf where there is none."""
        if choices == 1 or self.status == "exact" or not math.isfinite(self.high):
            return self.high
        from scipy.special import betaincinv, stdtrit

        level = 0.025 / choices
        if self.method == "sampling":
            misses = self.tried - self.accepted
            return -math.log2(float(betaincinv(self.accepted, misses + 1, level)))
        alive = sum(map(math.isfinite, self.repetitions))
        wider = float(stdtrit(alive - 1, level) / stdtrit(alive - 1, 0.025))
        return self.bits + wider * (self.high - self.bits)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What every estimate has in common: the law of networks, the settings, whom to tell."""

    prior: Prior
    settings: Settings
    monitor: Monitor

    def of(self, prior: Prior) -> Asked:
        """The same of another law."""
        return replace(self, prior=prior)

    def on_one_thread(self) -> Asked:
        """The same for one of many estimates that stand side by side."""
        return replace(self, settings=replace(self.settings, threads=1))


def estimate(
    asked: Asked,
    labelling: Labelling,
    rng: np.random.Generator,
    effort: Effort,
    *,
    errors: int = 0,
    keep: bool = False,
) -> Estimate:
    """-log2 of the chance that a network has at most `errors` rows wrong.

    keep: whether accepted networks are wanted even where p is known without them.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
        MemoryLimitError: the networks do not fit.
    """
    known = exact(asked.prior, labelling, errors)
    if known is None:
        return _sampled(asked, labelling, rng, effort, errors)
    bits = known.bits
    if not (keep and math.isfinite(bits)):
        none = _no_networks(asked.prior)
        found = Estimate(bits, bits, bits, "exact", "exact", 0, 0, 0, *none)
    else:
        found = _sampled(asked, labelling, rng, effort, errors)
    return replace(
        found, bits=bits, low=bits, high=bits, status="exact", method="exact", repetitions=(),
        claim=known.status, words=known.reason,
    )  # fmt: skip


def _sampled(
    asked: Asked, labelling: Labelling, rng: np.random.Generator, effort: Effort, errors: int
) -> Estimate:
    """By plain sampling where a look at some networks says that it will do, else by splitting."""
    first, second, counted = rng.spawn(3)
    found = _drawn(asked, labelling, (first, second), counted, effort, errors)
    if isinstance(found, Estimate):
        return found
    looked, seen = found
    patience = effort.patience * chance_work(asked.prior, labelling, effort)
    work = min(patience, effort.work)
    # Where that is too dear fewer particles get there too, with a wider interval.
    particles = round(effort.particles * work / patience)
    rare = estimate_rare(
        asked.prior, labelling, replace(asked.settings, effort=1.0), counted.spawn(1)[0],
        errors=errors, repetitions=effort.repetitions, particles=max(particles, FEWEST_PARTICLES),
        work=work / pace(asked.prior), monitor=asked.monitor,
    )  # fmt: skip
    reached = _from_splitting(asked.prior, labelling, rare, looked, errors)
    if reached.status == "sampled" or seen or not looked:
        return reached
    # Few repetitions bound p badly from above; the networks that were looked at do as well.
    low = max(reached.low, -math.log2(binomial_upper(0, looked, 0.975)))
    return replace(reached, bits=max(reached.bits, low), low=low)


def _drawn(
    asked: Asked,
    labelling: Labelling,
    looks: tuple[np.random.Generator, np.random.Generator],
    counted: np.random.Generator,
    effort: Effort,
    errors: int,
) -> Estimate | tuple[int, int]:
    """What plain sampling finds; where it is too dear, the networks drawn and those that fit."""
    each = work_of(asked.prior, labelling) * pace(asked.prior)
    affordable = max(int(effort.plain / each), 1)
    looked = seen = 0
    for stream, most in zip(
        looks, (min(SCOUTS, affordable), int(LONG_LOOK * affordable)), strict=True
    ):
        if most <= looked:
            break
        _, scouts = _plain(asked, labelling, stream, errors, SCOUT_HITS, most)
        looked += scouts.tried
        seen += scouts.accepted
        if not scouts.accepted:
            continue
        promised = effort.successes * scouts.tried / scouts.accepted
        if promised > affordable:
            break
        budget = int(SLACK * affordable)
        key, found = _plain(asked, labelling, counted, errors, effort.successes, budget)
        if found.accepted:
            return _from_sampling(asked.prior, labelling, key, found, looked)
        looked += found.tried
        seen += found.accepted
        break
    return looked, seen


def chance_work(prior: Prior, labelling: Labelling, effort: Effort) -> float:
    """The multiply-adds that splitting takes, in expectation, of labels of chance.

    Those of networks that are no chain count as the time that they take.
    """
    if labelling.targets is not None:
        each = BAND_BITS * float(labelling.targets.shape[1])
    else:
        each = CHANCE_BITS * math.log2(max(2.0, float(len(labelling.classes))))
    bits = each * labelling.count
    particles = effort.particles * (effort.repetitions + PILOT_PARTICLES)
    sweep = moves_of(prior, labelling, 0).sweep_work * pace(prior)
    return SWEEPS_A_BIT * bits * particles * sweep


def pace(prior: Prior) -> float:
    """How many times as long as a dense chain's a multiply-add takes."""
    return 1.0 if chain_plan(prior) is not None else SLOW


def _plain(
    asked: Asked,
    labelling: Labelling,
    rng: np.random.Generator,
    errors: int,
    successes: int,
    most: int,
) -> tuple[int, Sampled]:
    """The key under which networks were numbered, and what came of them."""
    key = int(rng.integers(0, 2**63))
    found = sample(
        asked.prior, labelling, asked.settings, key, errors=errors, successes=successes,
        most=most, monitor=asked.monitor,
    )  # fmt: skip
    return key, found


def _from_sampling(
    prior: Prior, labelling: Labelling, key: int, found: Sampled, looked: int
) -> Estimate:
    kept = redraw_many(prior, key, found.indices[:KEPT].tolist())
    return Estimate(
        found.bits, found.bits_low, found.bits_high, "sampled", "sampling",
        found.tried + looked, found.tried, found.accepted, kept, np.arange(len(kept)),
        work=(found.tried + looked) * work_of(prior, labelling),
        words=f"{found.accepted} of {found.tried} random networks have the labels right",
    )  # fmt: skip


def _from_splitting(
    prior: Prior, labelling: Labelling, rare: Rare, looked: int, errors: int
) -> Estimate:
    kept = prior.parameters(rare.networks) if len(rare.networks) else _no_networks(prior)[0]
    return Estimate(
        rare.bits, rare.bits_low, rare.bits_high, rare.status, "splitting",
        rare.evaluations + looked, 0, len(kept), kept, rare.groups,
        repetitions=rare.repetition_bits,
        levels=rare.levels,
        acceptance=rare.acceptance,
        mixed=rare.mixed,
        work=rare.evaluations * moves_of(prior, labelling, errors).sweep_work
        + looked * work_of(prior, labelling),
        words=rare.why or f"{len(rare.repetition_bits)} repetitions agree",
    )  # fmt: skip


def _no_networks(prior: Prior) -> tuple[Array, Integers]:
    return np.empty((0, prior.parameter_size)), np.empty(0, np.int64)
