"""What the attractors question answers; the field names are the keys of the JSON report."""

from __future__ import annotations

from dataclasses import dataclass, field

from fpcheck.attractors.selfmap import Array
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
class FixedPoint:
    """A fixed point. None is "not known"; `note` then says why.

    found_by: starts (the law's), data (rows of the data) or newton (no start ended there).
    location_error: distance to the exact point in the 2-norm, to first order, that is
    residual / sigma_min(I - J).
    time_constant: 1 / |log rho|, in iterations. point: the flat state.
    """

    id: str
    kind: str
    status: Status
    residual: float
    spectral_radius: float | None
    leading_eigenvalue: Eigenvalue | None
    time_constant: float | None
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
    """A cycle. spectral_radius: of the Jacobian of f^period (Floquet); lyapunov: its log a step.

    point: the state on it with the smallest first coordinate.
    """

    id: str
    period: int
    kind: str
    status: Status
    residual: float
    spectral_radius: float | None
    leading_eigenvalue: Eigenvalue | None
    lyapunov: float | None
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
class End:
    """How many rows of the data end on one attractor."""

    id: str
    rows: int


@dataclass(frozen=True, slots=True)
class DataFates:
    """Where the data's own rows go; they are not counted in any share.

    reproduced: rows with |f(x) - x| <= tolerance |x|, 2-norms; stored: rows that end on a fixed
    point that close to themselves; median_change: the median of |f(x) - x| / |x|.
    """

    rows: int
    tolerance: float
    reproduced: int
    stored: int
    median_change: float
    fixed_points: int
    cycles: int
    unresolved: int
    diverged: int
    ends: tuple[End, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The starts behind `undiscovered_mass_upper`: so many of them ended elsewhere."""

    starts: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class MapResult:
    """One self-map's attractors. Shares are of the law's starts and add up to 1.

    iterations: the most that any start took. undiscovered_mass_upper: exact one-sided 95 % bound
    of the law's mass that ends on nothing that the first quarter of the starts found. index_sum:
    of the listed fixed points; None where one's sign is not known.
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
    unresolved: Share
    diverged: Share
    index_sum: int | None
    undiscovered_mass_upper: float
    undiscovered_mass_upper_status: Status
    held_out: HeldOut
    uniqueness: str
    newton_starts: int
    data: DataFates | None


@dataclass(frozen=True, slots=True)
class AttractorsResult:
    """The attractors of every self-map of the subject."""

    maps: tuple[MapResult, ...]
