"""What is found when the weights are scaled; the field names are the keys of the JSON report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fpcheck.attractors.selfmap import Array
from fpcheck.core.findings import Status

EventKind = Literal[
    "fold",  # two points meet and vanish
    "pitchfork",  # two points leave a third, or come back to it
    "transcritical",  # two points meet and pass through one another
    "branch point",  # an eigenvalue passes +1 otherwise
    "flip",  # an eigenvalue passes -1: a cycle of period 2 is born or dies
    "Neimark-Sacker",  # a complex pair passes the unit circle: an invariant circle
    "border collision",  # the slopes jump at a kink
    "escape",  # the point runs away to infinity
    "degenerate",  # I - J is singular at g = 1 already
]


@dataclass(frozen=True, slots=True)
class Event:
    """A gain at which a fixed point is lost or gained, or a stable one ceases to be stable.

    gain_error: half the bracket in which the gain was located. points: the fixed points at g = 1
    whose curves meet it. unstable_before, unstable_after: unstable directions on both sides along
    the curve, None where it ends. angle: the argument of the eigenvalue that passes the unit
    circle, in units of pi. position: of the fixed point, as in `Branch`.
    """

    gain: float
    gain_error: float
    kind: EventKind
    points: tuple[str, ...]
    unstable_before: int | None
    unstable_after: int | None
    multiplicity: int
    angle: float | None
    position: float

    @property
    def of_attractor(self) -> bool:
        """Whether a stable point is part of it."""
        return 0 in (self.unstable_before, self.unstable_after)

    @property
    def changes_number(self) -> bool:
        """Whether the number of fixed points changes, and not only their stability."""
        return self.kind not in ("flip", "Neimark-Sacker", "transcritical")


@dataclass(frozen=True, slots=True)
class Branch:
    """One curve of fixed points over the gain.

    start: the fixed point at g = 1 that it leaves, or the gain of the branch point; side: up or
    down; end: in words. gains, positions and unstable directions are along the curve.
    """

    start: str
    side: Literal["up", "down"]
    end: str
    gains: tuple[float, ...]
    positions: tuple[float, ...]
    unstable: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GainMargin:
    """How far the weights can be scaled until the fixed points change.

    margin_low, margin_high: the nearest gains below and above 1 at which a followed fixed point
    is lost or gained, or a stable one ceases to be stable, None where none does within [low,
    high]; attractor_low, attractor_high: of the stable points alone. reached_low, reached_high: the
    gains between which no curve was given up. followed, left_out: of the given points. axis: what
    a position is. new_points: fixed points of the network itself, at g = 1, that curves led to
    and that were not among the given ones.
    """

    status: Status
    scaled: str
    low: float
    high: float
    reached_low: float
    reached_high: float
    margin_low: float | None
    margin_high: float | None
    attractor_low: float | None
    attractor_high: float | None
    followed: int
    left_out: int
    axis: str
    note: str
    events: tuple[Event, ...]
    branches: tuple[Branch, ...]
    new_points: tuple[Array, ...] = field(metadata={"digits": 17})
