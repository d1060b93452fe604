"""What `fpcheck suggest` answers, as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Present:
    """The network as it is, at infinite width: phase, chi_1 and usable depth.

    usable_depth is infinite where correlations are lost no faster than algebraically, and None
    with phase "none" where there is no depth scale; `notes` say why.
    """

    depth: int
    phase: str
    chi1: float | None
    usable_depth: float | None
    notes: tuple[str, ...]
    status: str = "numerical"


@dataclass(frozen=True, slots=True)
class Edge:
    """The point on the edge of chaos taken for one activation function.

    q_star is None where every q is fixed (ReLU). slope: V'(q*); stable: V'(q*) < 1, or every q
    fixed. `note`: what else must be known of it.
    """

    activation: str
    biases: bool
    q_star: float | None
    sigma_w2: float
    sigma_b2: float
    slope: float
    stable: bool
    note: str


@dataclass(frozen=True, slots=True)
class SuggestedLayer:
    """One layer: what it has (None where that is not finite) and what it should start with.

    sigma_w2 is fan_in times the weights' variance, sigma_b2 the biases' variance, q the variance
    of the pre-activation that they aim at, orthogonal_gain the factor on a (semi-)orthogonal
    matrix of the same sigma_w2. q_measured: on one draw of the suggestion. lsuv_w2: the sigma_w2
    that LSUV finds on the inputs. entering: whether the second moment of what enters is known by
    theory ("numerical") or was measured on the way ("sampled").
    """

    name: str
    kind: str
    activation: str
    fan_in: int
    units: int
    biases: bool
    present_w2: float | None
    present_b2: float | None
    sigma_w2: float
    sigma_b2: float
    orthogonal_gain: float
    q: float
    q_measured: float
    lsuv_w2: float
    entering: str
    note: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The initialisation to use for one network.

    source: the inputs of the trial draw. q_ratio_low, q_ratio_high: the smallest and largest
    measured q by the one aimed at, over the layers of that draw. short_run: of training, from the
    network as it is and from that draw, with what follows; or why there is none.
    """

    present: Present
    edges: tuple[Edge, ...]
    layers: tuple[SuggestedLayer, ...]
    source: str
    q_ratio_low: float
    q_ratio_high: float
    notes: tuple[str, ...]
    code: Mapping[str, str]
    short_run: Mapping[str, object]
    q_status: str = "sampled"
