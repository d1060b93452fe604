"""What the attractors question answers; the field names are the keys of the JSON report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpcheck.attractors.basins.boundary import Boundary
from fpcheck.attractors.basins.memory import Memory
from fpcheck.attractors.basins.restoration import Restoration
from fpcheck.attractors.basins.slice import Slice
from fpcheck.attractors.completeness import Completeness
from fpcheck.attractors.continuation import GainMargin
from fpcheck.attractors.motion import MotionSet
from fpcheck.attractors.search import Discovery, SlowPoint
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness import CompleteList, Uniqueness
from fpcheck.core.findings import Status


@dataclass(frozen=True, slots=True)
class Eigenvalue:
    """A complex number in plain form."""

    real: float
    imag: float


@dataclass(frozen=True, slots=True)
class Share:
    """A number of the law's starts, and its share of them with Wilson's 95 % interval."""

    starts: int
    share: float
    share_low: float
    share_high: float
    share_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Decay:
    """How small deviations from an attractor grow and die, by the Jacobian J of one return.

    spectral_radius_error: how far rounding may have moved it, to first order. sigma_max: ||J||_2.
    transient_growth: max_k ||J^k||_2, at k = transient_step; transient_growth_high: a bound of it.
    decay_time: the number of returns that leave of every deviation at most 1/e of what it was.
    """

    spectral_radius_error: float | None
    sigma_max: float | None
    transient_growth: float | None
    transient_growth_high: float | None
    transient_step: int | None
    decay_time: int | None
    status: Status = "numerical"


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A fixed point. None is "not known"; `note` then says why.

    status: proved where exactly one fixed point lies within `certified_radius` of the point as
    printed (largest entry), at most `certified_error` from it; `proof` says why not. kind_status:
    proved where the number of unstable directions is (for `stable`: a norm in which f contracts).
    spectral_radius_low, _high: proved. attracting_radius: the 2-norm ball of this radius around the
    point surely flows to it, nearer by `attracting_rate` each step in a norm of its own.
    found_by: starts (the law's), data (rows of the data) or search (no start ended there).
    location_error: distance to the exact point in the 2-norm, to first order, that is
    residual / sigma_min(I - J).
    time_constant: 1 / |log rho|, in iterations. point: the flat state.
    """

    id: str
    kind: str
    kind_status: Status
    status: Status
    proof: str
    certified_error: float | None = field(metadata={"digits": 17})
    certified_radius: float | None = field(metadata={"digits": 17})
    attracting_radius: float | None = field(metadata={"digits": 17})
    attracting_rate: float | None = field(metadata={"digits": 17})
    residual: float
    spectral_radius: float | None
    spectral_radius_low: float | None = field(metadata={"digits": 17})
    spectral_radius_high: float | None = field(metadata={"digits": 17})
    leading_eigenvalue: Eigenvalue | None
    time_constant: float | None
    decay: Decay
    unstable_directions: int | None
    index_sign: int | None
    smallest_singular_value: float | None
    location_error: float
    starts: int
    share: float
    share_low: float
    share_high: float
    share_status: Status
    found_by: str
    note: str
    point: Array = field(metadata={"digits": 17})


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle; proofs as for `FixedPoint`, of f^period at `point`.

    spectral_radius: of the Jacobian of f^period (Floquet); lyapunov: its log a step.
    point: the state on it with the smallest first coordinate.
    """

    id: str
    period: int
    kind: str
    kind_status: Status
    status: Status
    proof: str
    certified_error: float | None = field(metadata={"digits": 17})
    certified_radius: float | None = field(metadata={"digits": 17})
    attracting_radius: float | None = field(metadata={"digits": 17})
    attracting_rate: float | None = field(metadata={"digits": 17})
    residual: float
    spectral_radius: float | None
    spectral_radius_low: float | None = field(metadata={"digits": 17})
    spectral_radius_high: float | None = field(metadata={"digits": 17})
    leading_eigenvalue: Eigenvalue | None
    lyapunov: float | None
    decay: Decay
    location_error: float
    starts: int
    share: float
    share_low: float
    share_high: float
    share_status: Status
    found_by: str
    note: str
    point: Array = field(metadata={"digits": 17})


@dataclass(frozen=True, slots=True)
class Others:
    """Distinct ends beyond those that are listed: how many, and their share of the starts."""

    count: int
    starts: int
    share: float
    share_low: float
    share_high: float
    share_status: Status
    note: str


@dataclass(frozen=True, slots=True)
class Continuum:
    """Infinitely many fixed points: I - J is singular at `points` of them, rank n - dimension."""

    points: int
    dimension: int
    note: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The starts behind `undiscovered_mass_upper`: so many of them ended elsewhere."""

    starts: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Search:
    """How the fixed points that no start ends on were looked for.

    dimension: of the space that was searched, below n where the network has a narrow layer; work:
    linear systems solved; stopped: why; flat: because nothing new turned up, and not because points
    or work were enough: then the list is cut short, where its index sum is +1 if that can be; odd:
    f(-x) = -x, so that every point's negative was taken too; methods: points by the method that
    found them; unconfirmed: points without a certificate that are not listed, as they lie far
    outside of all starts and rows, or where a complete list has none; discovery: points known after
    so much work.
    """

    dimension: int
    work: int
    stopped: str
    flat: bool
    odd: bool
    odd_status: Status
    methods: Mapping[str, int]
    unconfirmed: int
    discovery: tuple[Discovery, ...]


@dataclass(frozen=True, slots=True)
class Aperiodic:
    """The starts whose motion does not repeat, and the sets that they move on.

    lyapunov: the largest exponent per step, with its 95 % interval, of the set with most starts.
    """

    starts: int
    share: float
    share_low: float
    share_high: float
    chaotic: int
    quasi_periodic: int
    lyapunov: float | None
    lyapunov_low: float | None
    lyapunov_high: float | None
    share_status: Status = "sampled"
    lyapunov_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why something that was asked for could not be done."""

    skipped: str


@dataclass(frozen=True, slots=True)
class MapResult:
    """One self-map's attractors. Shares are of the law's starts and add up to 1.

    iterations: the most that any start took. undiscovered_mass_upper: exact one-sided 95 % bound
    of the law's mass that ends on nothing that the first quarter of the starts found. index_sum:
    of the listed fixed points; None where one's sign is not known. uniqueness: whether there is
    exactly one fixed point (disproved by two that are proved). lipschitz_upper: proved, 2-norm,
    everywhere. complete: a proof by branch and bound that the list is all, None where it was not
    tried. motion: what starts do that do not settle; data: what becomes of the data's rows.
    """

    name: str
    starts: int
    start_law: str
    iterations: int
    max_steps: int
    fixed_points: tuple[FixedPoint, ...]
    other_fixed_points: Others | None
    continuum: Continuum | None
    cycles: tuple[Cycle, ...]
    other_cycles: Others | None
    cycling: Share
    aperiodic: Aperiodic
    unresolved: Share
    diverged: Share
    motion: tuple[MotionSet, ...]
    slow_points: tuple[SlowPoint, ...]
    search: Search
    index_sum: int | None
    completeness: Completeness
    undiscovered_mass_upper: float
    undiscovered_mass_upper_status: Status
    held_out: HeldOut
    uniqueness: str
    uniqueness_proof: Uniqueness
    lipschitz_upper: float | None = field(metadata={"digits": 17})
    complete: CompleteList | None
    boundaries: tuple[Boundary, ...]
    data: Memory | None
    restoration: Restoration | None
    slice: Slice | Skipped | None
    continuation: GainMargin | Skipped | None
    lipschitz_upper_status: Status = "proved"


@dataclass(frozen=True, slots=True)
class AttractorsResult:
    """The attractors of every self-map of the subject."""

    maps: tuple[MapResult, ...]
