"""What the signal question answers: the fields are the keys of the report's section."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.theory.variance_map import FixedPoint


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that could not be answered, and why."""

    skipped: str


@dataclass(frozen=True, slots=True)
class LengthLayer:
    """One layer with stable weights: its scales, and q, the alpha-th power of its scale."""

    name: str
    sigma_w: float
    sigma_b: float
    q: float


@dataclass(frozen=True, slots=True)
class LengthMap:
    """Infinite width where weights have no variance; chi_1 is not defined. See `signal.length`.

    fixed_points: of the map, where one stands for all layers.
    """

    alpha: float
    layers: tuple[LengthLayer, ...]
    fixed_points: tuple[float, ...]
    status: str = "numerical"


@dataclass(frozen=True, slots=True)
class NoVariance:
    """Why there is no variance map, and the length map where there is one."""

    skipped: str
    length: LengthMap | None


@dataclass(frozen=True, slots=True)
class PredictedLayer:
    """One layer at infinite width.

    q: variance of its pre-activation; c: the correlation of two inputs' pre-activations there;
    chi1: the factor by which squared distances of nearby inputs change from the pre-activation of
    the layer before to this one. gradient_norm: root mean square over units of the gradient of
    u . f(x), u a random unit vector; active_fraction: share of phi(h) != 0. `*_low`, `*_high`: the
    range in which a finite random network of these widths has them, all layers at once with at
    least 99 % probability. None where the recursion does not hold; `note` says why, or in what
    sense the numbers are meant.
    """

    name: str
    sigma_w2: float
    sigma_b2: float
    q: float | None
    c: float | None
    chi1: float | None
    note: str
    q_low: float | None = None
    q_high: float | None = None
    c_low: float | None = None
    c_high: float | None = None
    gradient_norm: float | None = None
    gradient_norm_low: float | None = None
    gradient_norm_high: float | None = None
    active_fraction: float | None = None
    active_fraction_low: float | None = None
    active_fraction_high: float | None = None


@dataclass(frozen=True, slots=True)
class CriticalGain:
    """The hidden layers behind one activation function, beside the gain that suits it.

    sigma_w2, sigma_b2: means over the layers. edge_sigma_w2: the sigma_w^2 nearest to it that with
    this sigma_b^2 lies on the edge of chaos, at q* = edge_q, stable if V'(q*) < 1; None where there
    is none. growth: the product of the layers' chi_1, by which squared distances of nearby inputs
    and squared gradients change over them.
    """

    activation: str
    layers: tuple[str, ...]
    sigma_w2: float
    sigma_b2: float
    edge_sigma_w2: float | None
    edge_q: float | None
    edge_stable: bool | None
    growth: float


@dataclass(frozen=True, slots=True)
class SurvivalResult:
    """What becomes of a signal in a random network of this width and depth.

    Probabilities that within `depth` hidden layers of `width` units (channels of `positions`
    positions) the signal is lost, the gradient is, or either. q_sd: the spread of q about q* once
    it has settled. return_layers: how many layers V takes to bring q back from 1.3, 2 and 4 times
    q*; None where it does not. mean_log_chi: the mean of log chi_1 over the law of q. verdict:
    safe, unsafe or cannot tell.
    """

    width: int
    depth: int
    positions: int
    lost_signal: float
    lost_gradient: float
    lost: float
    q_sd: float
    return_layers: tuple[int | None, ...]
    mean_log_chi: float
    verdict: str


@dataclass(frozen=True, slots=True)
class TheoryResult:
    """The network at infinite width.

    basis: where sigma_w^2 and sigma_b^2 come from. homogeneous: whether one variance map stands for
    all hidden layers; only then are there fixed points, q_star, c_star, depth_scale_q. depth: the
    number of layers. depth_scale_c, usable_depth: in layers, infinite at criticality. gains: of
    plain chains. survival: of sparse activations in alike layers.
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
    gains: tuple[CriticalGain, ...] = ()
    survival: SurvivalResult | None = None
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
    c_low: float | None
    c_high: float | None
    contrast: float | None
    contrast_low: float | None
    contrast_high: float | None


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """One layer's pre-activation on the inputs.

    Over units and inputs: mean, variance about the mean, kurtosis in excess of a Gaussian's, second
    moment q. natural_q: the q at which the activation bends; None if it is scale-free. q_chance:
    the standard deviation of log q that chance gives a critical network of these widths. c: mean
    cosine of two inputs' pre-activations; contrast: 1 - c, without rounding. active_fraction: share
    of phi(h) != 0. dead_units: units inactive on every input. arriving_contrast: 1 - c of what
    enters the layer. saturated_fraction: share of values with phi(h) != 0 and |phi'(h)| below 1 %
    of its supremum, saturated_units: those with such values on every input; None for functions that
    do not saturate. input_dependent: False if no unit changes with the input. gradient_norm: root
    mean square over units and inputs of the gradient of u . f(x), u a random unit vector; None
    without gradients.
    `*_low`, `*_high`: 95 % intervals with the inputs as the sampling unit.
    """

    name: str
    kind: str
    activation: str
    hidden: bool
    units: int
    natural_q: float | None
    q_chance: float
    mean: float
    mean_low: float
    mean_high: float
    variance: float
    variance_low: float
    variance_high: float
    kurtosis: float | None
    kurtosis_low: float | None
    kurtosis_high: float | None
    q: float
    q_low: float
    q_high: float
    c: float | None
    c_low: float | None
    c_high: float | None
    contrast: float | None
    contrast_low: float | None
    contrast_high: float | None
    active_fraction: float
    active_fraction_low: float
    active_fraction_high: float
    dead_units: int
    dead_share: float
    dead_share_low: float
    dead_share_high: float
    arriving_contrast: float | None
    saturated_fraction: float | None
    saturated_fraction_low: float | None
    saturated_fraction_high: float | None
    saturated_units: int | None
    saturated_share: float | None
    saturated_share_low: float | None
    saturated_share_high: float | None
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
class Isometry:
    """How far a Jacobian J: (m, n) is from one that keeps all lengths, up to a common factor.

    Its min(m, n) singular values s: mean_square of s, which is the squared length of a random
    gradient at one end by that at the other; log_spread: the standard deviation of log s, over
    those above rounding; effective_rank: (sum s^2)^2 / sum s^4, the number of directions that carry
    what passes. All are means over points, `*_low`, `*_high` their 95 % intervals. Isometry: s all
    equal, log_spread 0 and effective_rank = min(m, n).
    """

    mean_square: float
    mean_square_low: float
    mean_square_high: float
    log_spread: float
    log_spread_low: float
    log_spread_high: float
    effective_rank: float
    effective_rank_low: float
    effective_rank_high: float


@dataclass(frozen=True, slots=True)
class LayerJacobian:
    """The Jacobian from one layer's pre-activation to the output."""

    name: str
    isometry: Isometry


@dataclass(frozen=True, slots=True)
class JacobianResult:
    """The input-output Jacobian at `points` inputs.

    rank: the median number of singular values above rounding. condition: the median over points of
    largest by smallest, infinite where the Jacobian is singular. smallest, largest: the medians
    over points of a point's least and greatest singular value. mean_square_theory: the mean square
    at infinite width, None where it is not known. layers: the same from every layer on, at
    `layer_points` inputs; empty where that takes too many operations.
    """

    points: int
    singular_values: SingularValues
    smallest: float
    smallest_low: float
    smallest_high: float
    largest: float
    largest_low: float
    largest_high: float
    rank: float
    condition: float
    condition_low: float
    condition_high: float
    isometry: Isometry
    mean_square_theory: float | None
    layer_points: int
    layers: tuple[LayerJacobian, ...]
    status: str = "numerical"


@dataclass(frozen=True, slots=True)
class SignalResult:
    """The signal question's three parts."""

    theory: TheoryResult | NoVariance | Skipped
    measured: MeasuredResult
    jacobian: JacobianResult | Skipped
