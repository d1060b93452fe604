"""What the starts that settle on no fixed point or short cycle do in the long run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fpcheck.attractors.motion.budget import Budget, budget
from fpcheck.attractors.motion.clouds import shadow_of
from fpcheck.attractors.motion.exponents import Spectrum, exponent, lyapunov_spectrum
from fpcheck.attractors.motion.follow import EVERY, PIECE, Followed, follow
from fpcheck.attractors.motion.result import (
    KINDS,
    NO_SET,
    Exponent,
    Kind,
    KindShare,
    Motion,
    MotionSet,
)
from fpcheck.attractors.motion.returns import Shadow
from fpcheck.attractors.motion.sets import APERIODIC, MotionGroup, attribute, gather, left_behind
from fpcheck.attractors.motion.walk import stretch
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.stability import lyapunov_exponent
from fpcheck.core.intervals import wilson
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# The exponent of a set is measured anew, on so many of its orbits and steps: a number of steps that
# was fixed beforehand, where the rounds stopped because of what they saw.
MEASURED_ORBITS = 8
MEASURED_STEPS = 4096
# Sets, the largest ones, whose whole spectrum is measured where it is asked for.
SPECTRA = 8
TRANSIENT = "states that began here have left for a fixed point or cycle: a chaotic transient"


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of the classification looks at; `orbits` fills up on the way."""

    program: Program
    states: Array
    settings: Settings
    allowed: Budget
    shadow: Shadow
    orbits: list[Polished]
    rng: np.random.Generator
    monitor: Monitor


def classify(
    program: Program,
    states: Array,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    known: Sequence[Polished] = (),
) -> Motion:
    """What each state does in the long run.

    A few dozen states, picked by chance, are followed; further ones belong to a set that one of
    those is on if their next images lie as near to it as its own points do; of those that lie near
    none a dozen more are followed. What is left is unresolved.

    Args:
        program: a self-map.
        states: (u, n), end states of starts that did not settle.
        settings: tolerances, the longest period that iteration has looked for, and whether the
            whole Lyapunov spectrum is wanted (`spectrum`).
        rng: picks the states, their small displacement and their tangents.
        monitor: progress, and the wish to stop.
        known: the fixed points and cycles found so far; `Motion.targets` counts them first.
    """
    if len(states) == 0:
        none = np.zeros(0, dtype=np.int64)
        return Motion((), none, none.astype(bool), (), (), (), (), "every start settled")
    work = _Work(
        program, states, settings, budget(program), shadow_of(states.shape[1], rng),
        list(known), rng, monitor,
    )  # fmt: skip
    with np.errstate(all="ignore"), threadpool_limits(1, user_api="blas"):
        return _classified(work, len(known))


def _classified(work: _Work, known: int) -> Motion:
    total = len(work.states)
    first = np.sort(work.rng.permutation(total)[: work.allowed.first])
    followed, groups = _outlasted(work, _follow(work, first))
    belongs = attribute(work.program, work.states, groups, work.orbits, work.shadow, work.monitor)
    left = np.flatnonzero(belongs == NO_SET)
    if len(left):
        second = np.sort(work.rng.permutation(left)[: work.allowed.second])
        followed, groups = _outlasted(work, [*followed, *_follow(work, second)])
        belongs = attribute(
            work.program, work.states, groups, work.orbits, work.shadow, work.monitor
        )
    rates = _rates(work, groups)
    groups = [_agreed(group, rate) for group, rate in zip(groups, rates, strict=True)]
    groups, rates, belongs, counts = _in_order(groups, rates, belongs)
    spectra = _spectra(work, groups, counts)
    sets = tuple(
        _set(work, group, rate, spectrum, int(count))
        for group, rate, spectrum, count in zip(groups, rates, spectra, counts, strict=True)
    )
    kinds: tuple[Kind, ...] = tuple(
        "unresolved" if index == NO_SET else groups[index].kind for index in belongs
    )
    seen = np.zeros(total, dtype=bool)
    seen[[one.row for one in followed]] = True
    return Motion(
        kinds=kinds,
        members=belongs,
        followed=seen,
        sets=sets,
        targets=tuple(group.target for group in groups),
        found=tuple(work.orbits[known:]),
        shares=_shares([kinds[row] for row in first]),
        note=_account(seen, belongs),
    )


def _follow(
    work: _Work, rows: NDArray[np.intp], states: Array | None = None, patient: bool = False
) -> list[Followed]:
    """The picked states followed, from `states` if they have gone on, with their places."""
    lanes = follow(
        work.program, work.states[rows] if states is None else states, work.orbits,
        steps=work.allowed.steps, settings=work.settings, shadow=work.shadow,
        rng=work.rng, monitor=work.monitor, patient=patient,
    )  # fmt: skip
    return [replace(one, row=int(rows[one.row])) for one in lanes]


def _outlasted(work: _Work, followed: list[Followed]) -> tuple[list[Followed], list[MotionGroup]]:
    """The followed states and their groups, chaos that some left followed to the last step.

    Where one state has left a chaotic set for a fixed point or cycle, the others may too: chaos
    there may be a transient, and what has not left it within all steps is said to be one.
    """
    groups = gather(followed, work.rng)
    doubtful = left_behind(work.program, work.states, groups, work.shadow)
    again = [one for i in doubtful for one in groups[i].members if one.steps < work.allowed.steps]
    if again:
        rows = np.array([one.row for one in again])
        states = np.array([one.state for one in again])
        later = {one.row: one for one in _follow(work, rows, states, patient=True)}
        followed = [later.get(one.row, one) for one in followed]
        groups = gather(followed, work.rng)
        doubtful = left_behind(work.program, work.states, groups, work.shadow)
    for i in doubtful:
        members = tuple(replace(one, note=TRANSIENT) for one in groups[i].members)
        # What lies near it may leave it too, so nothing belongs to it by nearness.
        groups[i] = replace(groups[i], members=members, cloud=None)
    return followed, groups


def _in_order(
    groups: list[MotionGroup], rates: list[Exponent | None], belongs: NDArray[np.int64]
) -> tuple[list[MotionGroup], list[Exponent | None], NDArray[np.int64], NDArray[np.int64]]:
    """Everything with the groups in the order of KINDS and then by their numbers of states."""
    counts = np.bincount(belongs[belongs != NO_SET], minlength=len(groups))
    order = sorted(range(len(groups)), key=lambda i: (KINDS.index(groups[i].kind), -counts[i], i))
    place = np.append(np.argsort(order), NO_SET)  # the last entry answers NO_SET = -1
    return [groups[i] for i in order], [rates[i] for i in order], place[belongs], counts[order]


def _rates(work: _Work, groups: Sequence[MotionGroup]) -> list[Exponent | None]:
    """The largest exponent of every group, measured together for those in motion."""
    rates: list[Exponent | None] = [
        _longest(group).exponent if group.target is None else None for group in groups
    ]
    moving = [i for i, group in enumerate(groups) if group.kind in APERIODIC]
    lanes = [one for i in moving for one in groups[i].members[:MEASURED_ORBITS]]
    owners = np.array([i for i in moving for _ in groups[i].members[:MEASURED_ORBITS]])
    if not lanes:
        return rates
    states = np.array([one.state for one in lanes])
    tangents: Array | None = np.array([one.tangent for one in lanes])
    growth = []
    for _ in range(0, min(MEASURED_STEPS, work.allowed.steps), PIECE):
        work.monitor.check()
        part = stretch(
            work.program, states, tangents, steps=PIECE, every=EVERY, shadow=lambda x: x[:, :0]
        )
        states, tangents = part.states, part.tangents
        growth.append(part.growth[:, :, 0])
    measured = np.concatenate(growth)
    for i in moving:
        rates[i] = exponent(measured[:, owners == i], EVERY)
    return rates


def _agreed(group: MotionGroup, rate: Exponent | None) -> MotionGroup:
    """The group as it is, or unresolved where the second measurement contradicts the first."""
    if rate is None or group.kind not in APERIODIC:
        return group
    holds = rate.low > 0.0 if group.kind == "chaotic" else rate.low <= 0.0 <= rate.high
    if holds and math.isfinite(rate.value):
        return group
    note = f"looked {group.kind}, but its exponent, measured again, does not say so"
    members = tuple(replace(one, kind="unresolved", note=note) for one in group.members)
    return MotionGroup("unresolved", members)


def _set(
    work: _Work, group: MotionGroup, rate: Exponent | None, spectrum: Spectrum, count: int
) -> MotionSet:
    """The group as the report has it."""
    one = _longest(group)
    digits = [each.digits for each in group.members if each.digits is not None]
    target = None if group.target is None else work.orbits[group.target]
    distances = [each.distance for each in group.members if each.distance is not None]
    multiplier = None if target is None else _multiplier_exponent(target)
    return MotionSet(
        kind=group.kind,
        states=count,
        followed=len(group.members),
        steps=one.steps,
        lyapunov=multiplier if rate is None else rate.value,
        lyapunov_low=None if rate is None else rate.low,
        lyapunov_high=None if rate is None else rate.high,
        spectrum=spectrum.exponents,
        kaplan_yorke=spectrum.dimension,
        kaplan_yorke_low=spectrum.dimension_low,
        kaplan_yorke_high=spectrum.dimension_high,
        average_digits=float(np.median(digits)) if digits else None,
        period=None if target is None else target.period,
        target="",
        distance=max(distances, default=None),
        note=one.note,
        lyapunov_status="sampled" if target is None else "numerical",
        point=one.state if target is None or group.kind != "cycle" else target.point,
    )


def _multiplier_exponent(target: Polished) -> float | None:
    """log |leading multiplier| / period of an orbit whose Jacobian was taken."""
    if target.jacobian is None:
        return None
    radius = float(np.max(np.abs(np.linalg.eigvals(target.jacobian))))
    return lyapunov_exponent(radius, target.period)


def _spectra(
    work: _Work, groups: Sequence[MotionGroup], counts: NDArray[np.int64]
) -> list[Spectrum]:
    """All exponents of the largest sets in motion, where they are asked for; else none."""
    spectra = [Spectrum((), None, None, None)] * len(groups)
    moving = [i for i, group in enumerate(groups) if group.kind in APERIODIC]
    asked = sorted(moving, key=lambda i: -counts[i])[: SPECTRA if work.settings.spectrum else 0]
    for i in asked:
        states = np.array([one.state for one in groups[i].members])
        spectra[i] = lyapunov_spectrum(work.program, states, rng=work.rng, monitor=work.monitor)
    return spectra


def _shares(kinds: Sequence[Kind]) -> tuple[KindShare, ...]:
    """The shares of the kinds among states picked by chance, with Wilson's interval."""
    total = len(kinds)
    shares = []
    for kind in KINDS:
        count = kinds.count(kind)
        if count:
            interval = wilson(count, total)
            shares.append(KindShare(kind, count, count / total, interval.low, interval.high))
    return tuple(shares)


def _account(seen: NDArray[np.bool_], belongs: NDArray[np.int64]) -> str:
    total, followed = len(seen), int(seen.sum())
    if followed == total:
        return f"all {total} states were followed"
    left = int(np.count_nonzero(belongs == NO_SET))
    near = total - followed - left
    text = f"{followed} of {total} states were followed; {near} more lie near one of their sets"
    return text + (f"; {left} were not followed and lie near none" if left else "")


def _longest(group: MotionGroup) -> Followed:
    return max(group.members, key=lambda one: one.steps)
