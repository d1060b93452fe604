"""What a long look at the starts that do not settle says; the field names are the JSON keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.core.findings import Status

Kind = Literal["cycle", "slow", "quasi-periodic", "chaotic", "diverged", "unresolved"]
KINDS: tuple[Kind, ...] = ("cycle", "slow", "quasi-periodic", "chaotic", "diverged", "unresolved")
# A state that belongs to no set: it was not followed, and lies near nothing that was.
NO_SET = -1


@dataclass(frozen=True, slots=True)
class Exponent:
    """A Lyapunov exponent, per step, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MotionSet:
    """One long-run behaviour, and how many of the given states take part in it.

    kind: `cycle` (period beyond the longest that iteration looks for, minimal), `slow` (still on
    its way to a fixed point or a shorter cycle), `quasi-periodic` (the exponent's interval holds
    zero and weighted averages converge faster than any power of time), `chaotic` (the interval
    lies above zero), `diverged`, or `unresolved`, where `note` says what is known.

    followed: how many states of it were followed, for at most `steps` steps each; lyapunov: the
    largest exponent per step with its interval, None without a derivative; of `cycle` and `slow`
    that of the target's multipliers, without an interval; spectrum: all exponents, the largest
    first, of the largest sets where they are asked for; kaplan_yorke: the dimension that they
    give, None where they are too few; average_digits: decimal digits to which weighted averages
    over the two halves of an orbit agree; period: exact for `cycle`, of the target for `slow`;
    target: id of that orbit in the report; distance: how far the followed states
    still are from it, the most, 2-norm; point: a state on the set, or on its way to the target.
    """

    kind: Kind
    states: int
    followed: int
    steps: int
    lyapunov: float | None
    lyapunov_low: float | None
    lyapunov_high: float | None
    spectrum: tuple[Exponent, ...]
    kaplan_yorke: float | None
    kaplan_yorke_low: float | None
    kaplan_yorke_high: float | None
    average_digits: float | None
    period: int | None
    target: str
    distance: float | None
    note: str
    point: Array = field(metadata={"digits": 17})
    status: Status = "numerical"
    lyapunov_status: Status = "sampled"
    spectrum_status: Status = "sampled"
    kaplan_yorke_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class KindShare:
    """The share of one kind among the given states, from those followed that chance picked."""

    kind: Kind
    followed: int
    share: float
    share_low: float
    share_high: float
    share_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Motion:
    """What each of the given states does in the long run.

    kinds: (u,) one word a state; members: (u,) index into `sets`, NO_SET where the state is
    neither followed nor near a set that was; targets: of each set, the index in `known` + `found`
    of the orbit that it is on or on its way to, None without one; followed: (u,) bool; found: the
    orbits that were found on the way and are not among the known ones; shares: of the first,
    randomly picked states alone, so that they speak for all.
    """

    kinds: tuple[Kind, ...]
    members: NDArray[np.int64]
    followed: NDArray[np.bool_]
    sets: tuple[MotionSet, ...]
    targets: tuple[int | None, ...]
    found: tuple[Polished, ...]
    shares: tuple[KindShare, ...]
    note: str
