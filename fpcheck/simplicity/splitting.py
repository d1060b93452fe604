"""Multilevel splitting: the pilot that chooses the levels, and a repetition with all of it fixed.

A rare event is reached through nested ones, score <= level, each a fair share of the one before:
the product of the shares is its probability [Kahn, Harris 1951; Au, Beck 2001]. With levels, steps
and sweeps fixed beforehand each repetition's product is unbiased, whatever the moves mix like
[Del Moral 2004]; the pilot's own, whose levels follow its particles, is not, and counts for
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.moves import Moves, Steps
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.score import latent_scores, scores

Array = NDArray[np.float64]

SHARE = 0.3  # of the particles below the next level
LAST_SHARE = 0.15  # enough of them at 0: the last level
ACCEPTED = 0.3  # what the steps are adapted to
ADAPT = 1.5
SMALLEST_STEP = 1e-7
# Sweeps a level: until the particles have moved by this share of what an independent draw is away.
# The fewest do for a linear unit: 200 orthonormal rows then have the variance of independent
# particles, 2.7 bits against 2.4 in 96 particles, and with twice as many sweeps 2.8.
MOVED = 0.15
FEWEST_SWEEPS, MOST_SWEEPS = 3, 16
PATIENCE = 4  # rounds without any particle below the level
WINDOW = 20  # levels over which the descent is projected
FAR = 4.0  # times the most bits: how far off the end may be


@dataclass(frozen=True, slots=True)
class Level:
    """score: the level; steps, sweeps: of the moves below it. bits: of the pilot so far."""

    score: float
    steps: Steps
    sweeps: int
    bits: float
    acceptance: float


@dataclass(frozen=True, slots=True, eq=False)
class Pilot:
    """levels: the last one's score is 0 if the event was reached; why: if it was not."""

    levels: tuple[Level, ...]
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Repetition:
    """One run through the levels.

    log_shares: (levels,) natural logarithms of the shares, -inf from where no particle was left.
    accepted: latent coordinates of networks at the last level; acceptance: (levels,); stayed:
    (levels,) correlation of the scores before and after the moves.
    """

    log_shares: Array
    accepted: Array
    acceptance: Array
    stayed: Array
    evaluations: int


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What every run has in common. errors: rows that may be wrong."""

    prior: Prior
    labelling: Labelling
    errors: int
    moves: Moves
    particles: int
    most_bits: float
    monitor: Monitor

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Particles from the law, and their scores."""
        latent = self.prior.draw(rng, self.particles)
        found = latent_scores(self.prior, latent, self.labelling, self.errors, self.monitor)
        return latent, found


def pilot(search: Search, rng: np.random.Generator, work: float, runs: int) -> Pilot:
    """The levels, steps and sweeps, by a run that chooses them as it goes.

    work: multiply-adds of it and of `runs` like it; where they would not do it ends early.
    """
    latent, found = search.start(rng)
    steps: Steps = (1.0,) * search.moves.kinds
    levels: list[Level] = []
    spent, bits, stalled, score, why = 0.0, 0.0, 0, math.inf, ""
    while not why:
        chosen = _next_level(found, score)
        if chosen is None:
            stalled += 1
            why = "no particle came below the last level" if stalled > PATIENCE else ""
            chosen = score
        else:
            stalled = 0
        below = np.flatnonzero(found <= chosen)
        if stalled == 0 or not levels:
            bits -= math.log2(len(below) / len(found))
        score = chosen
        index = _resample(below, len(found), rng)
        latent, found = latent[index], found[index]
        if stalled and levels:
            levels.pop()
        steps, level = _settle(search, latent, found, score, steps, bits, rng)
        levels.append(level)
        spent += search.particles * search.moves.sweep_work * level.sweeps
        search.monitor.report(
            f"simplicity: pilot, level {len(levels)}, {bits:.1f} bits, "
            f"acceptance {level.acceptance:.2f}", 0, runs + 1,
        )  # fmt: skip
        if score <= 0.0:
            break
        why = why or _given_up(levels, search.most_bits, spent * (runs + 1) > work)
    return Pilot(tuple(levels), why)


def _next_level(found: Array, score: float) -> float | None:
    """The level below which SHARE of the particles are, 0 if enough are there; below `score`."""
    ordered = np.sort(found)
    if np.count_nonzero(ordered <= 0.0) >= LAST_SHARE * len(ordered):
        return 0.0
    quantile = float(ordered[max(math.ceil(SHARE * len(ordered)) - 1, 0)])
    if quantile < score and math.isfinite(quantile):
        return quantile
    # A plateau: what lies below it, however little.
    lower = ordered[(ordered < score) & np.isfinite(ordered)]
    return float(lower[-1]) if len(lower) else None


def _settle(
    search: Search,
    latent: Array,
    found: Array,
    score: float,
    steps: Steps,
    bits: float,
    rng: np.random.Generator,
) -> tuple[Steps, Level]:
    """Sweep until the particles have moved, adapting the steps; the level with their mean."""
    start = latent.copy()
    logs: list[Array] = []
    rates: list[float] = []
    while len(logs) < (FEWEST_SWEEPS if search.moves.straight else MOST_SWEEPS):
        rate = search.moves.sweep(latent, found, score, steps, rng, search.monitor)
        logs.append(np.log(steps))
        rates.append(float(np.mean(rate)))
        steps = tuple(
            min(1.0, max(SMALLEST_STEP, step * math.exp(ADAPT * (share - ACCEPTED))))
            for step, share in zip(steps, rate, strict=True)
        )
        if len(logs) >= FEWEST_SWEEPS and _moved(search.prior, start, latent) >= MOVED:
            break
    later = np.exp(np.mean(logs[len(logs) // 2 :], axis=0))
    acceptance = float(np.mean(rates))
    return steps, Level(score, tuple(later.tolist()), len(logs), bits, acceptance)


def _moved(prior: Prior, before: Array, after: Array) -> float:
    """How far the particles are from where they were: 0 not at all, 1 as independent draws."""
    lattice = prior.discrete
    square = 0.5 * (after - before) ** 2
    square[:, lattice] = (after != before)[:, lattice]
    return float(square.mean())


def _resample(below: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` of the survivors, each as often as any other but for one, which chance decides."""
    whole = np.repeat(below, count // len(below))
    return np.concatenate([whole, rng.permutation(below)[: count - len(whole)]])


def _given_up(levels: list[Level], most_bits: float, spent: bool) -> str:
    """Why the search ends here, "" if it goes on."""
    last = levels[-1]
    if last.bits >= most_bits:
        return f"{most_bits:g} bits were reached before every label was right"
    if spent:
        return "the work allowed was spent before every label was right"
    if max(last.steps) <= 10.0 * SMALLEST_STEP:
        return "the moves came to a standstill before every label was right"
    if len(levels) > WINDOW:
        before = levels[-1 - WINDOW]
        pace = (before.score - last.score) / max(last.bits - before.bits, 1e-9)
        if last.score > FAR * most_bits * pace:
            return "the violations no longer fall: perhaps no network has every label right"
    return ""


def repeat(search: Search, levels: tuple[Level, ...], rng: np.random.Generator) -> Repetition:
    """One run through fixed levels; at the last its networks are moved once more."""
    latent, found = search.start(rng)
    shares = np.full(len(levels), -math.inf)
    acceptance, stayed = np.zeros((2, len(levels)))
    evaluations = len(latent)
    for number, level in enumerate(levels):
        below = np.flatnonzero(found <= level.score)
        if len(below) == 0:
            break
        shares[number] = math.log(len(below) / len(latent))
        index = _resample(below, len(latent), rng)
        latent, found = latent[index], found[index]
        before = found.copy()
        rates = [
            np.mean(
                search.moves.sweep(latent, found, level.score, level.steps, rng, search.monitor)
            )
            for _ in range(level.sweeps)
        ]
        evaluations += len(latent) * level.sweeps
        acceptance[number] = np.mean(rates)
        stayed[number] = _correlation(before, found)
    reached = bool(np.isfinite(shares[-1]))
    accepted = _right(search, latent, levels[-1].score) if reached else latent[:0]
    return Repetition(shares, accepted, acceptance, stayed, evaluations)


def _right(search: Search, latent: Array, level: float) -> Array:
    """The networks whose outputs, worked out anew, are still below the level."""
    out = outputs(search.prior, search.prior.parameters(latent), search.labelling.rows)
    kept: Array = latent[scores(out, search.labelling, search.errors) <= level]
    return kept


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0.0 else 0.0
