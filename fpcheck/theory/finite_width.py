"""The ranges that a random network of finite width keeps with its q, cosine, gradient, activity.

Deviations are followed along the skeleton to first order in the logarithm, means to second order
(`noise_forward`, `noise_backward`). The ends of a range are quantiles of a log-gamma law, of a beta
law for shares, with the mean, variance and skewness that result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.network_laws import (
    BENT_NOTHING,
    MOST_BENT,
    MOST_SCATTER,
    MOST_WITHIN,
    PAIR_SKEWNESS,
    Laws,
    NetworkLaws,
    chain_laws,
    chain_noise,
)
from fpcheck.theory.noise import Deviation, variance
from fpcheck.theory.noise_backward import Gradient, backward
from fpcheck.theory.noise_chain import plain_chain
from fpcheck.theory.noise_forward import forward
from fpcheck.theory.noise_moments import unit_noise
from fpcheck.theory.noise_state import Forward, Inputs, Noise, skewing, widening
from fpcheck.theory.quantiles import beta_range, log_gamma_range
from fpcheck.theory.recursion_state import Moments, UnitMoments

# The chance that a healthy network leaves its ranges anywhere, by the laws that are followed: half
# of the 1 % that is promised, for what they miss at small widths.
LEAVES = 0.005
QUANTITIES = 4
FINEST = 1e-6  # behind a norm q is exact but for its epsilon: no deviation below this is followed
# Where the contrast may be this small it may be 0 too: a layer of few active units maps whole cones
# of inputs onto one direction, which no law of the logarithm foresees.
LEAST_CONTRAST = 1e-3
# Beyond a standard deviation of 30 in a logarithm a range says nothing.
MOST_VARIANCE = 1e3
ROUNDING = 1e-5  # of each end: a norm's epsilon and the steps of q, where nothing else has a width
NO_RANGE = (None, None)


@dataclass(frozen=True, slots=True)
class LayerBand:
    """The ranges of one layer; None where infinite width, or its first orders, say nothing.

    gradient_norm: at infinite width. active_fraction: the mean over inputs whose q scatters.
    """

    name: str
    q_low: float | None = None
    q_high: float | None = None
    c_low: float | None = None
    c_high: float | None = None
    gradient_norm: float | None = None
    gradient_norm_low: float | None = None
    gradient_norm_high: float | None = None
    active_fraction: float | None = None
    active_low: float | None = None
    active_high: float | None = None


def bands(
    network: Network,
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
    inputs: int,
    *,
    scatter: tuple[float, float] | None = None,
    leaves: float = LEAVES,
) -> dict[str, LayerBand]:
    """The ranges of every layer, by name.

    known: from `propagate`. inputs: how many the network is measured on. scatter: the variance over
    inputs of their mean square, by its square, and the mean squared cosine of two of them less the
    square of the mean; by default those of independent Gaussian entries. A network that its laws
    drew leaves any of the ranges, all quantities and layers together, with probability `leaves` at
    most by its laws: each end has leaves / (2 x quantities x layers) of it (Bonferroni; layers move
    together, so the true chance is smaller).
    """
    stack = layers(network.skeleton)
    first = network.skeleton.nodes[0]
    size = stack[0].fan_in if stack else 1
    spread, cosine = scatter if scatter is not None else (2.0 / size, 1.0 / size)
    start = known[first.name]
    contrast = 1.0
    if isinstance(start, UnitMoments) and start.q > 0.0:
        contrast = max(1e-6, 1.0 - start.k / start.q)
    alignment = min(1.0, cosine / contrast**2)
    names = tuple(layer.name for layer in stack)
    tail = leaves / (2.0 * QUANTITIES * max(1, len(stack)))
    met = Inputs(inputs, spread, alignment)
    chain = plain_chain(network, scales, known)
    if chain is not None:
        noise = chain_noise(chain, met, math.prod(network.skeleton.output_shape))
        if noise is not None:
            return _ranges(names, chain_laws(noise, met, names), tail)
    ahead = forward(network, scales, known, met)
    back = backward(network, scales, known, ahead)
    laws = {layer.name: _laws(layer, known, ahead, back) for layer in stack}
    return _ranges(names, _collected(laws), tail)


@dataclass(frozen=True, slots=True)
class Law:
    """Mean, variance and third cumulant of a quantity's logarithm; of a share mean and variance."""

    mean: float
    variance: float
    third: float = 0.0


@dataclass(frozen=True, slots=True)
class LayerLaws:
    """The laws of a layer's q, contrast (`NetworkLaws`), squared gradient a unit, active share.

    None where infinite width says nothing. gradient_norm: at infinite width.
    """

    q: Law | None = None
    contrast: Law | None = None
    distant: Law | None = None
    gradient: Law | None = None
    active: Law | None = None
    gradient_norm: float | None = None


def _laws(
    layer: Layer, known: Mapping[str, Moments], ahead: Forward, back: Mapping[str, Gradient]
) -> LayerLaws:
    m, noise = known[layer.preactivation], ahead.nodes.get(layer.preactivation)
    if not isinstance(m, UnitMoments) or noise is None or not m.q > 0.0:
        return LayerLaws()
    units, gradient = math.prod(layer.shape), back.get(layer.preactivation)
    if gradient is None or not gradient.log_square > -math.inf:
        norm, squared = None, None
    else:
        per_unit = gradient.log_square - math.log(units)
        spread = variance(gradient.deviation)
        norm = math.exp(0.5 * per_unit)
        squared = Law(per_unit + gradient.drift, spread, gradient.skew)
    contrast, distant = _contrast_law(m, noise, ahead)
    return LayerLaws(
        q=_q_law(m, noise, ahead),
        contrast=contrast,
        distant=distant,
        gradient=squared,
        active=_active_law(layer, m, noise, ahead),
        gradient_norm=norm,
    )


def _q_law(m: UnitMoments, noise: Noise, ahead: Forward) -> Law:
    parts: list[tuple[float, Deviation]] = [(1.0, noise.size)]
    third = noise.skew
    if noise.modes is not None:
        own = 2.0 * variance(noise.modes[1])
        parts.append((math.sqrt(2.0) * widening(own), noise.modes[1]))
        third -= skewing(own)
    spread = variance(ahead.sources.combined(parts))
    level = math.log(m.q) + math.log1p(max(-0.9, noise.shift))
    return Law(level - spread / 2.0 - third / 6.0, spread, third)


def _contrast_law(
    m: UnitMoments, noise: Noise, ahead: Forward
) -> tuple[Law, Law] | tuple[None, None]:
    contrast = 1.0 - m.correlation
    if ahead.inputs.count < 2 or not contrast > 0.0 or noise.modes is None:
        return None, None
    if noise.units * noise.places < 2:  # two numbers' cosine is 1 or -1
        return None, None
    before: list[tuple[float, Deviation]] = [(1.0, noise.difference), (-1.0, noise.size)]
    # One pair's contrast has variance (1 + c)^2 / N, of which 1 comes with y_2 of its two inputs.
    single = math.sqrt(max(0.0, (2.0 - contrast) ** 2 - 1.0))
    own: list[tuple[float, Deviation]] = [
        (math.sqrt(2.0), noise.pair[0]),
        (single, noise.pair[1]),
        (-math.sqrt(2.0), noise.modes[1]),
    ]
    common = variance(ahead.sources.combined(before))
    spread = variance(ahead.sources.combined([*before, *own]))
    # The mean over pairs adds to the mean logarithm half of what the pairs have for themselves.
    within = min(MOST_WITHIN, max(0.0, noise.pair_single - common))
    mean = math.log(contrast) + noise.pair_shift + 0.5 * (within - (spread - common))
    third = noise.difference_skew - (spread - common) ** 2 - PAIR_SKEWNESS * spread**1.5
    of_pairs = 2.0 * variance(noise.pair[0]) + single**2 * variance(noise.pair[1])
    of_size = 2.0 * variance(noise.modes[1])
    upwards = max(0.0, of_size * of_size - of_pairs * of_pairs)
    return Law(mean, spread, third), Law(mean, spread, upwards)


def _active_law(layer: Layer, m: UnitMoments, noise: Noise, ahead: Forward) -> Law | None:
    unit = unit_noise(layer.activation, m.q)
    if noise.modes is None or unit is None or layer.activation.name == "identity":
        return None  # of linear units only those of a dead network are 0
    active = unit.active
    own = zip((*active.modes, active.rest), noise.modes, strict=True)
    spread = variance(ahead.sources.combined([(active.elasticity, noise.size), *own]))
    # The mean share over inputs whose q scatters, to second order.
    bent = 0.5 * active.curvature * noise.single
    if not abs(bent) < (MOST_BENT if noise.single < MOST_SCATTER else BENT_NOTHING):
        return None
    mean = min(1.0, max(0.0, active.mean * (1.0 + active.elasticity * noise.shift + bent)))
    return Law(mean, mean * mean * spread)


def _collected(laws: Mapping[str, LayerLaws]) -> NetworkLaws:
    def gathered(found: Mapping[str, Law | None]) -> Laws:
        there = {name: law for name, law in found.items() if law is not None}
        values = [(law.mean, law.variance, law.third) for law in there.values()]
        return Laws(tuple(there), *np.array(values).reshape(-1, 3).T)

    norms = ((name, law.gradient_norm) for name, law in laws.items())
    return NetworkLaws(
        q=gathered({name: law.q for name, law in laws.items()}),
        contrast=gathered({name: law.contrast for name, law in laws.items()}),
        distant=gathered({name: law.distant for name, law in laws.items()}),
        gradient=gathered({name: law.gradient for name, law in laws.items()}),
        active=gathered({name: law.active for name, law in laws.items()}),
        gradient_norms={name: norm for name, norm in norms if norm is not None},
    )


def _ranges(names: tuple[str, ...], laws: NetworkLaws, tail: float) -> dict[str, LayerBand]:
    """The bands by the laws, each quantity of all layers at once."""
    q, contrast, distant, gradient = (
        _by_name(_told(x), tail) for x in (laws.q, laws.contrast, laws.distant, laws.gradient)
    )
    told = _told(laws.active)
    low, high = beta_range(told.mean, told.variance, tail)
    shares = zip(told.mean.tolist(), low.tolist(), high.tolist(), strict=True)
    active = dict(zip(told.names, shares, strict=True))
    out = {}
    for name in names:
        below, above = contrast.get(name, NO_RANGE)
        if above is not None and name in distant:
            above = max(above, distant[name][1])
        q_low, q_high = q.get(name, NO_RANGE)
        slope_low, slope_high = gradient.get(name, NO_RANGE)
        share, share_low, share_high = active.get(name, (None, None, None))
        out[name] = LayerBand(
            name,
            q_low,
            q_high,
            None if above is None else max(-1.0, 1.0 - above),
            None if below is None else (1.0 if below < LEAST_CONTRAST else 1.0 - below),
            laws.gradient_norms.get(name),
            None if slope_low is None else math.sqrt(slope_low),
            None if slope_high is None else math.sqrt(slope_high),
            share,
            share_low,
            share_high,
        )
    return out


def _by_name(laws: Laws, tail: float) -> dict[str, tuple[float, float]]:
    spread = np.maximum(laws.variance, FINEST**2)
    low, high = log_gamma_range(laws.mean, spread, laws.third, tail)
    low, high = low * (1.0 - ROUNDING), high * (1.0 + ROUNDING)
    return dict(zip(laws.names, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def _told(laws: Laws) -> Laws:
    """The laws that are numbers and say anything."""
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(laws.mean) & np.isfinite(laws.third)
        kept = np.flatnonzero(finite & (laws.variance < MOST_VARIANCE))
    names = tuple(laws.names[i] for i in kept)
    return Laws(names, laws.mean[kept], laws.variance[kept], laws.third[kept])
