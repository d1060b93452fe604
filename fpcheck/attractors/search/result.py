"""What the search is given, and what it found: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.core.findings import Status


@dataclass(frozen=True, slots=True)
class Seeds:
    """Where a search may begin; every array is (k, n), and may be empty.

    origin: zeros or any resting state of interest; unresolved: ends of starts that did not settle;
    trajectory: points along trajectories; law: draws from the law of starts; data: rows.
    """

    origin: Array
    unresolved: Array
    trajectory: Array
    law: Array
    data: Array


@dataclass(frozen=True, slots=True)
class SlowPoint:
    """A local minimum of |f(x) - x| that is no fixed point: iteration lingers there.

    speed: |f(x) - x|, 2-norm; residual: max |f(x) - x|; spectral_radius: of the Jacobian there.
    """

    point: Array
    speed: float
    residual: float
    spectral_radius: float


@dataclass(frozen=True, slots=True)
class Discovery:
    """The discovery curve's point: after `work` linear systems, `distinct` points were known."""

    work: int
    distinct: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The fixed points that a search found beyond those that it was given.

    hits: how often each point was come upon, the known ones (in the order given) first and then
    those of `found`; a point's first finding counts, having been given does not.
    discovery: the discovery curve; work: linear systems solved in all; stopped: why, in words;
    flat: because the discovery curve is, and not because points or work were enough.
    odd: f(-x) = -x, so that partners were closed; odd_status: proved by the network's structure or
    numerical. methods: how many points each method found. dimension: of the space that was
    searched, below n where the network has a narrow layer.
    """

    found: tuple[Polished, ...]
    slow_points: tuple[SlowPoint, ...]
    hits: tuple[int, ...]
    discovery: tuple[Discovery, ...]
    stopped: str
    flat: bool
    odd: bool
    odd_status: Status
    methods: Mapping[str, int]
    work: int
    dimension: int
