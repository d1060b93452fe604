"""What the signal question answers: the fields are the keys of the report's section."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.theory.variance_map import FixedPoint


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that could not be answered, and why."""

    skipped: str


@dataclass(frozen=True, slots=True)
class PredictedLayer:
    """One layer at infinite width.

    q: variance of its pre-activation; c: the correlation of two inputs' pre-activations there;
    chi1: the factor by which squared distances of nearby inputs change from the pre-activation of
    the layer before to this one. None where the recursion does not hold; `note` says why, or in
    what sense the numbers are meant.
    """

    name: str
    sigma_w2: float
    sigma_b2: float
    q: float | None
    c: float | None
    chi1: float | None
    note: str


@dataclass(frozen=True, slots=True)
class TheoryResult:
    """The network at infinite width.

    basis: where sigma_w^2 and sigma_b^2 come from. homogeneous: whether one variance map stands for
    all hidden layers; only then are there fixed points, q_star, c_star, depth_scale_q. depth: the
    number of layers. depth_scale_c, usable_depth: in layers, infinite at criticality.
    """

    basis: str
    homogeneous: bool
    depth: int
    layers: tuple[PredictedLayer, ...]
    fixed_points: tuple[FixedPoint, ...]
    every_q_fixed: bool
    scale_free: bool
    q_star: float | None
    chi1: float | None
    c_star: float | None
    depth_scale_q: float | None
    depth_scale_c: float | None
    phase: str
    usable_depth: float | None
    notes: tuple[str, ...]
    status: str = "numerical"


@dataclass(frozen=True, slots=True)
class MeasuredInput:
    """The network's inputs: second moment q, correlation c of two of them, contrast 1 - c.

    input_dependent: False if all of them are the same.
    """

    q: float
    q_low: float
    q_high: float
    input_dependent: bool
    c: float | None
    contrast: float | None
    contrast_low: float | None
    contrast_high: float | None


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """One layer's pre-activation on the inputs.

    Over units and inputs: mean, variance about the mean, second moment q. c: mean cosine of two
    inputs' pre-activations; contrast: 1 - c, without rounding. active_fraction: share of phi(h) !=
    0. dead_units: units inactive on every input. arriving_contrast: 1 - c of what enters the layer.
    saturated_fraction: share of values with phi(h) != 0 and |phi'(h)| below 1 % of its supremum;
    None for functions that do not saturate.
    input_dependent: False if no unit changes with the input. gradient_norm: root mean square over
    units and inputs of the gradient of u . f(x), u a random unit vector; None without gradients.
    `*_low`, `*_high`: 95 % intervals of the mean over inputs.
    """

    name: str
    kind: str
    activation: str
    hidden: bool
    units: int
    mean: float
    variance: float
    q: float
    q_low: float
    q_high: float
    c: float | None
    contrast: float | None
    contrast_low: float | None
    contrast_high: float | None
    active_fraction: float
    active_fraction_low: float
    active_fraction_high: float
    dead_units: int
    dead_share: float
    arriving_contrast: float | None
    saturated_fraction: float | None
    saturated_fraction_low: float | None
    saturated_fraction_high: float | None
    input_dependent: bool
    gradient_norm: float | None
    gradient_norm_low: float | None
    gradient_norm_high: float | None


@dataclass(frozen=True, slots=True)
class MeasuredResult:
    """The signal on real inputs. gradient: "measured", or why there is none."""

    source: str
    inputs: int
    input: MeasuredInput
    layers: tuple[MeasuredLayer, ...]
    gradient: str
    status: str = "sampled"


@dataclass(frozen=True, slots=True)
class SingularValues:
    """Singular values pooled over the points."""

    min: float
    median: float
    max: float


@dataclass(frozen=True, slots=True)
class JacobianResult:
    """The input-output Jacobian at `points` inputs.

    rank: the median number of singular values above rounding. condition: the median over points of
    largest by smallest, infinite where the Jacobian is singular.
    """

    points: int
    singular_values: SingularValues
    rank: float
    condition: float
    status: str = "numerical"


@dataclass(frozen=True, slots=True)
class SignalResult:
    """The signal question's three parts."""

    theory: TheoryResult | Skipped
    measured: MeasuredResult
    jacobian: JacobianResult | Skipped
