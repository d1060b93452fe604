"""What infinite width gives, how far this width is from it, and what its kernel sees."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.readout.result.skipped import Skipped


@dataclass(frozen=True, slots=True)
class InfiniteModel:
    """Ridge on a dual kernel; scores as in ModelScore, the penalty as in Fit.

    gain: its score minus the mean of the last layers at initialisation, on the same held-out rows;
    null where there are no such layers.
    """

    score: float
    low: float
    high: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    relative_penalty: float
    penalty_at_edge: bool
    degrees_of_freedom: float
    splits: int


@dataclass(frozen=True, slots=True)
class InfiniteWidth:
    """The network at infinite width, its last layer alone trained (nngp) or all layers (ntk).

    node: the one whose value enters the last layer. scales: where sigma_w^2 and sigma_b^2 come
    from, in words.
    """

    nngp: InfiniteModel | Skipped
    ntk: InfiniteModel | Skipped
    node: str
    scales: str


@dataclass(frozen=True, slots=True)
class DepthSpread:
    """How far the kernel at `node`, `depth` layers with weights above the input, tells rows apart.

    effective_rank: exp of the entropy of its correlations' eigenvalues, 1 where all rows look
    alike; centred_rank: the same without their mean. off_diagonal_*: the correlations of different
    rows.
    """

    node: str
    depth: int
    effective_rank: float
    centred_rank: float
    off_diagonal_mean: float
    off_diagonal_sd: float


@dataclass(frozen=True, slots=True)
class KernelError:
    """The kernel of networks of this width against the dual kernel, over random draws.

    error: mean over the draws of the difference's norm over the dual kernel's, low, high its 95 %
    interval. width: units that enter the last layer.
    """

    error: float
    low: float
    high: float
    rows: int
    width: int
    draws: int


@dataclass(frozen=True, slots=True)
class KernelPart:
    """The dual kernel of the node that enters the last layer.

    rows: whose kernel the spread is of. depths: from the input on; stopped: why they end before
    the node does, else "".
    """

    node: str
    rows: int
    depths: tuple[DepthSpread, ...]
    stopped: str
    error: KernelError | Skipped


@dataclass(frozen=True, slots=True)
class EigenShare:
    """The share of the targets' variance in the kernel's `top` leading eigenspaces."""

    top: int
    share: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """How well a kernel's largest directions are those of the targets, before any fit.

    kernel: nngp, ntk, features or input. alignment: centred kernel-target alignment, 0 to 1
    [Cortes, Mohri, Rostamizadeh 2012]. chance, chance_sd: its mean and spread over all orders of
    the targets' rows, exact. shares: of the targets' variance, by leading eigenspaces (chance:
    top / (rows - 1)), the last one in all that the kernel spans. spectrum: eigenvalues of the
    centred kernel over their sum, descending, the first ones.
    """

    kernel: str
    rows: int
    alignment: float
    chance: float
    chance_sd: float
    shares: tuple[EigenShare, ...]
    spectrum: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BiasCorrection:
    """The paper's bias correction: weights' variances times 1 - beta, bias variances beta.

    init_*: the last layer's score at initialisation with it, and its gain over the same draws
    without. nngp_*: likewise of ridge on the dual kernel, null where there is none.
    """

    beta: float
    init_score: float
    init_gain: float
    init_gain_low: float
    init_gain_high: float
    nngp_score: float | None
    nngp_gain: float | None
    nngp_gain_low: float | None
    nngp_gain_high: float | None
    draws: int
    splits: int
