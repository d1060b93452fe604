"""How much damage the network repairs: rows masked or noised, and the share that comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.attribute import attribute
from fpcheck.attractors.basins.memory import REPRODUCED
from fpcheck.attractors.basins.traps import ELSEWHERE, Labels, Trap
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED, distance_to
from fpcheck.attractors.selfmap import Array
from fpcheck.core.findings import Status
from fpcheck.core.intervals import wilson
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Damaged rows of each kind and level: Wilson's interval is then at most 24 points wide.
TRIALS = 64
MASKED_SHARES = (0.1, 0.25, 0.5, 0.75)
# In units of the data's standard deviation about the mean of each entry.
NOISE_LEVELS = (0.25, 0.5, 1.0, 2.0)
MASK_VALUE = 0.0

Kind = Literal["mask", "noise"]


@dataclass(frozen=True, slots=True)
class Damage:
    """One kind and level of damage and what became of the rows that it was done to.

    level: the share of entries set to the mask's value, or the noise's standard deviation in
    units of `noise_unit`. share: of the damaged rows that end where they ended undamaged, with
    Wilson's 95 % interval; restored: those whose end is within `tolerance` of the undamaged row.
    """

    kind: Kind
    level: float
    trials: int
    returned: int
    share: float
    share_low: float
    share_high: float
    restored: int
    restored_share: float
    restored_share_low: float
    restored_share_high: float
    elsewhere: int
    unresolved: int
    diverged: int
    share_status: Status = "sampled"
    restored_share_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Restoration:
    """The share of rows that come back, over a range of damage.

    rows: those that it was tried on, drawn from the rows whose own end is known; draws: how often
    each is damaged at every level. by_chance: the share that two different rows end alike, which
    is what comes back if the damage leaves nothing of the row.
    """

    rows: int
    draws: int
    tolerance: float
    mask_value: float
    noise_unit: float
    by_chance: float
    levels: tuple[Damage, ...]
    by_chance_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class _Damaged:
    """One level's damaged states, and for each the row that it was, (t, n)."""

    kind: Kind
    level: float
    states: Array


def restoration(
    program: Program,
    rows: Array,
    labels: Labels,
    traps: Sequence[Trap],
    *,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Restoration | None:
    """The share of rows that come back after damage; None where no row's end is known.

    Args:
        program: a self-map.
        rows: (r, n), the data.
        labels: (r,), the index of the trap that each undamaged row ends on, or a negative one.
        traps: the attractors.
        settings: as for `attribute`.
        rng: draws rows, masks and noise.
        monitor: progress, and the wish to stop.
    """
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return None
    picked = rng.permutation(known)[:TRIALS]
    draws = -(-TRIALS // len(picked))
    picked_again = np.repeat(picked, draws)
    clean, own = rows[picked_again], labels[picked_again]
    unit = float(np.sqrt(np.mean(np.var(rows, axis=0))))
    damaged = list(_damaged(clean, unit, rng))
    monitor.check()
    ends = attribute(
        program, traps, np.concatenate([each.states for each in damaged]), settings, monitor
    ).labels.reshape(len(damaged), -1)
    return Restoration(
        rows=len(picked),
        draws=draws,
        tolerance=REPRODUCED,
        mask_value=MASK_VALUE,
        noise_unit=unit,
        by_chance=_by_chance(labels[known]),
        levels=tuple(
            _level(each, end, own, clean, traps) for each, end in zip(damaged, ends, strict=True)
        ),
    )


def _damaged(clean: Array, unit: float, rng: np.random.Generator) -> Iterator[_Damaged]:
    """Every kind and level of damage done to the clean rows, (t, n)."""
    n = clean.shape[1]
    # One order of the entries and one noise a row for all levels: the curves are then of the same
    # damage growing, and their differences are less random.
    order = np.argsort(rng.random(clean.shape), axis=1)
    noise = rng.standard_normal(clean.shape)
    for share in MASKED_SHARES:
        masked = order < round(share * n)
        yield _Damaged("mask", share, np.where(masked, MASK_VALUE, clean))
    if unit > 0.0:
        for level in NOISE_LEVELS:
            yield _Damaged("noise", level, clean + level * unit * noise)


def _level(
    damaged: _Damaged, ends: Labels, own: Labels, clean: Array, traps: Sequence[Trap]
) -> Damage:
    trials = len(ends)
    back = int(np.count_nonzero(ends == own))
    restored = int(np.count_nonzero(_restored(ends, clean, traps)))
    share, whole = wilson(back, trials), wilson(restored, trials)
    return Damage(
        kind=damaged.kind,
        level=damaged.level,
        trials=trials,
        returned=back,
        share=back / trials,
        share_low=share.low,
        share_high=share.high,
        restored=restored,
        restored_share=restored / trials,
        restored_share_low=whole.low,
        restored_share_high=whole.high,
        elsewhere=int(np.count_nonzero((ends != own) & ((ends >= 0) | (ends == ELSEWHERE)))),
        unresolved=int(np.count_nonzero(ends == UNRESOLVED)),
        diverged=int(np.count_nonzero(ends == DIVERGED)),
    )


def _restored(ends: Labels, clean: Array, traps: Sequence[Trap]) -> NDArray[np.bool_]:
    """Whether each end is a fixed point within a tenth of the clean row's length of it."""
    near = np.zeros(len(ends), np.bool_)
    reach = REPRODUCED * np.linalg.norm(clean, axis=1)
    for index in np.unique(ends[ends >= 0]):
        if traps[index].found.period == 1:
            mine = ends == index
            near[mine] = distance_to(traps[index].found, clean[mine]) <= reach[mine]
    return near


def _by_chance(labels: Labels) -> float:
    """The share of pairs of different rows that end alike; 1 for a single row."""
    r = len(labels)
    if r < 2:
        return 1.0
    counts = np.unique(labels, return_counts=True)[1].astype(np.float64)
    return float(np.sum(counts * (counts - 1.0)) / (r * (r - 1.0)))
