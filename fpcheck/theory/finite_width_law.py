"""Whether a network of finite width keeps its signal and its gradient over its depth.

A chain of L equal layers of N units, weights N(0, sigma_w^2 / N) and biases N(0, sigma_b^2) drawn
afresh, an input that gives the first layer q = start_q. Then, with probabilities over the draw:

*losing the signal*: at some layer q leaves [q* / SIGNAL_RANGE, q* SIGNAL_RANGE], or all units of a
layer stand where phi is flat, so that nothing of the input passes. The range is a factor of ten in
the size of pre-activations either way. It has to be that wide: log q of a ReLU network with the He
gain, which trains, is a random walk of variance 5/N a layer and at width 300 has a standard
deviation of 1.3 after 100 layers. Clipped activations cannot leave it; what they lose is the next.

*losing the gradient*: the signal is kept, but the squared norm of the gradient at the first layer
is not within a factor GRADIENT_RANGE of that at the last: a factor of 100 in the norm. It is the
product over the layers of chi_1(q_l), each with its own finite-width factor.

`lost` is the sum of both, and the verdict "safe" up to SAFE_LOSS, "unsafe" from UNSAFE_LOSS, else
"cannot tell". These four limits are held to what was found to train and to fail at width 300 and
depth 100 [Price et al. 2024]: CReLU of sparsity 0.85 with m = 1.74 fails (0.28), and with m = 1.17
and 0.81 it trains (0.05); unclipped, sparsity 0.5 trains (0.003) and 0.7 fails (0.63), with 0.6
(0.28) between them. It is a statement about the draw: that training mends or spoils nothing is not
in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from fpcheck.theory.conv_width import GRADIENT_PLACES, effective_width
from fpcheck.theory.moments import slope_moment
from fpcheck.theory.nearby_fixed_points import nearby_fixed_points
from fpcheck.theory.q_chain import QLaw, q_law
from fpcheck.theory.unit_moments import unit_moments
from fpcheck.theory.variance_map import (
    MARGINAL,
    VarianceMap,
    every_q_is_fixed,
    fixed_points,
    settled,
)

Verdict: TypeAlias = Literal["safe", "unsafe", "cannot tell"]

SIGNAL_RANGE = 100.0
GRADIENT_RANGE = 1e4
SAFE_LOSS, UNSAFE_LOSS = 0.1, 0.2

RETURN_FROM = (1.3, 2.0, 4.0)  # times q*
RETURNED = 0.05  # relative distance from q* at which q has returned
LONGEST_RETURN = 2000


@dataclass(frozen=True, slots=True)
class Survival:
    """The chances of `depth` layers of `width` units (`positions` > 1: channels) about q*.

    lost_signal, lost_gradient, lost: probabilities, see the module. beside: that q ends beyond
    another fixed point than q*'s own neighbourhood. q_sd: standard deviation over draws of a
    layer's measured q, second half of the depth; q_sd_linear: the same from V' alone, None where
    |V'| >= 1. return_layers: layers in which V brings q = 1.3, 2 and 4 q* to within 5 % of q*, None
    if it does not. mean_log_chi: E log chi_1(q), a layer. mean_log_gradient, sd_log_gradient: of
    the log squared gradient norm, first layer over last. Last three: of the chains that keep the
    signal; NaN if none does.
    """

    width: int
    depth: int
    positions: int
    q_star: float
    start_q: float
    lost_signal: float
    lost_gradient: float
    lost: float
    beside: float
    q_sd: float
    q_sd_linear: float | None
    return_layers: tuple[int | None, ...]
    mean_log_chi: float
    mean_log_gradient: float
    sd_log_gradient: float
    verdict: Verdict


def survival(
    v: VarianceMap,
    width: int,
    depth: int,
    start_q: float | None = None,
    *,
    q_star: float | None = None,
    positions: int = 1,
) -> Survival:
    """What becomes of q and of the gradient in `depth` layers of `width` units.

    q_star: the fixed point that q is held against; default the one on which V ends from `start_q`,
    or start_q itself where there is none (q vanishes or explodes). start_q: default q_star, or the
    stable fixed point whose chi_1 is nearest to 1. positions: of a convolution's picture, whose
    channels are then the `width` (`conv_width`).

    Raises:
        UnsupportedOperationError: the activation is a step.
    """
    if width < 1 or depth < 1:
        raise ValueError(f"a network has at least one unit and one layer, got {width}, {depth}")
    home = q_star if q_star is not None else _home(v, start_q)
    start = start_q if start_q is not None else home
    low, high = home / SIGNAL_RANGE, home * SIGNAL_RANGE
    if not low < start < high:
        return _lost_at_once(v, width, depth, positions, home, start)
    units = round(effective_width(v, home, width, positions, depth)) if positions > 1 else width
    places = min(positions, GRADIENT_PLACES)
    law = q_law(v, units, depth, start, low=low, high=high, places=places)
    gone = min(1.0, law.too_low + law.too_high + law.silent)
    vanished, exploded, mean, sd = _gradient(law)
    lost_gradient = min(vanished + exploded, 1.0 - gone)
    lost = gone + lost_gradient
    return Survival(
        width=width,
        depth=depth,
        positions=positions,
        q_star=home,
        start_q=start,
        lost_signal=gone,
        lost_gradient=lost_gradient,
        lost=lost,
        beside=_beside(v, law, home),
        q_sd=_spread(law, units, depth),
        q_sd_linear=linear_spread(v, units, home),
        return_layers=tuple(return_time(v, home, factor * home) for factor in RETURN_FROM),
        mean_log_chi=_mean_log_chi(law),
        mean_log_gradient=mean,
        sd_log_gradient=sd,
        verdict=_verdict(lost),
    )


def linear_spread(v: VarianceMap, width: int, q: float) -> float | None:
    """sqrt([sigma_w^4 Var(phi^2) / (1 - V'^2) + 2 q^2] / N), None where |V'(q)| >= 1.

    The stationary standard deviation of a layer's measured q while it stays where V is straight.
    """
    u = unit_moments(v.function, np.array([q]))
    slope = v.sigma_w2 * float(u.rise[0])
    if not abs(slope) < 1.0 - MARGINAL:
        return None
    own = v.sigma_w2**2 * float(u.fourth[0] - u.square[0] ** 2) / (1.0 - slope * slope)
    return math.sqrt((own + 2.0 * q * q) / width)


def return_time(v: VarianceMap, q_star: float, q: float) -> int | None:
    """Layers in which V brings q to within 5 % of q*; None if it goes elsewhere or takes ages."""
    for layer in range(LONGEST_RETURN):
        if abs(q / q_star - 1.0) < RETURNED:
            return layer
        moved = v(q)
        if not abs(moved - q) > 1e-9 * q or not 1e-9 < moved / q_star < 1e9:
            return None  # at rest elsewhere, or on its way to 0 or infinity
        q = moved
    return None


def _home(v: VarianceMap, start_q: float | None) -> float:
    if every_q_is_fixed(v):
        return start_q if start_q is not None else 1.0
    if start_q is not None:
        end = settled(v, start_q)
        return end.q if end is not None and end.q > 0.0 else start_q
    points = [p for p in fixed_points(v) if p.q > 0.0]
    held = [p for p in points if p.stable] or points
    if not held:
        return 1.0
    return min(held, key=lambda p: abs(v.sigma_w2 * slope_moment(v.function, p.q) - 1.0)).q


def _gradient(law: QLaw) -> tuple[float, float, float, float]:
    """P(vanished), P(exploded), and mean and standard deviation of log G, of a normal mixture."""
    from scipy.special import ndtr

    p = law.density[-1]
    limit = math.log(GRADIENT_RANGE)
    sd = np.maximum(law.sd_log_gradient, 1e-12)
    vanished = float(p @ ndtr((-limit - law.mean_log_gradient) / sd))
    exploded = float(p @ ndtr((law.mean_log_gradient - limit) / sd))
    kept = float(p.sum())
    if kept <= 0.0:
        return vanished, exploded, math.nan, math.nan
    mean = float(p @ law.mean_log_gradient) / kept
    second = float(p @ (sd**2 + law.mean_log_gradient**2)) / kept
    return vanished, exploded, mean, math.sqrt(max(0.0, second - mean * mean))


def _beside(v: VarianceMap, law: QLaw, home: float) -> float:
    """The probability that the last q lies beyond a neighbouring fixed point of V."""
    others = nearby_fixed_points(v, home, SIGNAL_RANGE)
    above = min((q for q in others if q > home), default=math.inf)
    below = max((q for q in others if q < home), default=0.0)
    return float(law.density[-1][(law.q > above) | (law.q < below)].sum())


def _spread(law: QLaw, width: int, depth: int) -> float:
    half = slice(depth // 2, None)
    mean, variance = law.mean_q[half], law.variance_q[half]
    total = float(variance.mean() + mean.var())
    return math.sqrt(total + 2.0 * float((variance + mean * mean).mean()) / width)


def _mean_log_chi(law: QLaw) -> float:
    kept = float(law.density.sum())
    return float((law.density @ law.log_chi1).sum()) / kept if kept > 0.0 else math.nan


def _verdict(lost: float) -> Verdict:
    if lost <= SAFE_LOSS:
        return "safe"
    return "unsafe" if not lost < UNSAFE_LOSS else "cannot tell"


def _lost_at_once(
    v: VarianceMap, width: int, depth: int, positions: int, home: float, start: float
) -> Survival:
    """The input itself is outside the range about q*."""
    return Survival(
        width=width,
        depth=depth,
        positions=positions,
        q_star=home,
        start_q=start,
        lost_signal=1.0,
        lost_gradient=0.0,
        lost=1.0,
        beside=0.0,
        q_sd=math.nan,
        q_sd_linear=linear_spread(v, width, home),
        return_layers=tuple(return_time(v, home, factor * home) for factor in RETURN_FROM),
        mean_log_chi=math.nan,
        mean_log_gradient=math.nan,
        sd_log_gradient=math.nan,
        verdict="unsafe",
    )
