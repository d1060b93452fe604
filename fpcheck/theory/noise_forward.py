"""How the noise of finite layers passes forward along a skeleton.

Followed for every node: the deviation of log v, v the mean over inputs of the units' second moment
given the layers before; of log D, D half the mean squared difference of two inputs; and, where the
units are Gaussian, the deviations y_k of their means of Hermite polynomials (`noise_moments`), with
w for the second one of a pair's difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    Node,
    RMSNorm,
    Shape,
)
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.noise import Deviation, Sources, variance
from fpcheck.theory.noise_moments import Expansion, UnitNoise, pair_noise, unit_noise
from fpcheck.theory.noise_state import (
    MODES,
    ActivationNoise,
    Forward,
    Inputs,
    Noise,
    mode_variance,
    pairs_shared,
    shared,
    widening,
)
from fpcheck.theory.noise_sums import concatenated_noise, normalised_noise, summed_noise
from fpcheck.theory.recursion_state import Moments, UnitMoments

MOST_SPREAD = 0.5  # of a logarithm: means by the second order hold up to about here
MOST_PAIR_SPREAD = 2.0  # the same of the logarithm of a contrast
LEAST_LEFT = 0.05  # of a layer's noise, where its weights' size is known from themselves


def forward(
    network: Network,
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
    inputs: Inputs,
) -> Forward:
    """The noise of every node that infinite width knows."""
    first, *rest = network.skeleton.nodes
    shapes = network.skeleton.shapes
    out = Forward(Sources(), inputs)
    out.nodes[first.name] = Noise(
        math.prod(shapes[first.name]),
        1,
        single=inputs.spread,
        alignment=inputs.alignment,
        pair_single=inputs.alignment,
        pair_shift=-0.5 * inputs.alignment,
    )
    for node in rest:
        after = known[node.name]
        if not isinstance(after, UnitMoments) or not all(n in out.nodes for n in node.inputs):
            continue
        sources = [
            (out.nodes[name], m)
            for name in node.inputs
            for m in (known[name],)
            if isinstance(m, UnitMoments)
        ]
        noise = _step(node, sources, after, shapes[node.name], scales, out)
        if after.places is not None:
            noise = replace(noise, places=after.places.q.size)
        out.nodes[node.name] = noise
    return out


def _step(
    node: Node,
    sources: list[tuple[Noise, UnitMoments]],
    after: UnitMoments,
    shape: Shape,
    scales: Mapping[str, LayerScale],
    out: Forward,
) -> Noise:
    noise, before = sources[0]
    match node:
        case Dense() | Conv() | ConvTranspose():
            units = shape[-1] if isinstance(node, Dense) else shape[0]
            new = replace(noise, units=units, places=math.prod(shape) // units)
            return _linear(new, after, scales[node.name], out)
        case Activation():
            return _activated(node, noise, before, after, out)
        case Add():
            return summed_noise(sources, after, out)
        case Concat():
            return concatenated_noise(sources, after, out)
        case LayerNorm() | RMSNorm() | GroupNorm():
            return normalised_noise(noise, node.epsilon / (before.q + node.epsilon), out)
    return noise


def _linear(noise: Noise, after: UnitMoments, scale: LayerScale, out: Forward) -> Noise:
    """Fresh weights: Gaussian units around the second moment that arrives."""
    part = 1.0 - scale.sigma_b2 / after.q if after.q > 0.0 else 0.0
    new = replace(
        noise,
        size=out.sources.combined([(part, noise.size)]),
        single=part * part * noise.single,
        shift=part * noise.shift,
        skew=part**3 * noise.skew,
        closer=math.exp(min(0.0, noise.pair_shift)),
    )
    modes, pair = _fresh_units(new, after, scale, part, out)
    return replace(new, modes=modes, pair=pair)


def _fresh_units(
    noise: Noise, after: UnitMoments, scale: LayerScale, part: float, out: Forward
) -> tuple[tuple[Deviation, ...], tuple[Deviation, Deviation, Deviation]]:
    """The modes and pair of fresh Gaussian units.

    The inputs' scatter about their mean direction makes both the noise of their differences and,
    by the share 1 - c, that of their mean square: one source. part: the weights' share of q.
    """
    n, averaged = noise.units, shared(noise, after, out.inputs)
    apart = (1.0 - after.correlation) * noise.closer
    # Of sigma_w^2 as measured on these weights their sum of squares is no noise.
    given = part * part * n / scale.weights if scale.weights else 0.0
    left = math.sqrt(max(1.0 - given / averaged[1], LEAST_LEFT))
    scatter = out.sources.fresh(math.sqrt(noise.alignment / n))
    rest = max(0.0, averaged[1] - noise.alignment * apart**2)
    square = scatter.times(apart).plus(out.sources.fresh(math.sqrt(rest / n))).times(left)
    modes = [
        square if order == 2 else out.sources.fresh(math.sqrt(mean / n))
        for order, mean in enumerate(averaged, start=1)
    ]
    single = pairs_shared(replace(noise, alignment=0.0), out.inputs)
    own = out.sources.fresh(math.sqrt(single / n))
    more = out.sources.fresh(math.sqrt(pairs_shared(noise, out.inputs) / n))
    return tuple(modes), (scatter, own, more)


def _activated(
    node: Activation, noise: Noise, before: UnitMoments, after: UnitMoments, out: Forward
) -> Noise:
    f = node.function
    if f.name == "identity":
        return noise
    unit = unit_noise(f, before.q)
    if unit is None or noise.modes is None:
        return replace(noise, modes=None)
    square, elasticity = unit.square, unit.square.elasticity
    averaged = shared(noise, before, out.inputs)
    coefficients = (*square.modes, square.rest)
    own = mode_variance(coefficients, averaged, noise.units)
    new = replace(
        noise,
        size=_deviated(elasticity, noise.size, coefficients, noise.modes, widening(own), out),
        modes=None,
        single=elasticity**2 * noise.single + square.total / noise.units,
        shift=elasticity * noise.shift + 0.5 * square.curvature * min(noise.single, MOST_SPREAD),
        skew=elasticity**3 * noise.skew - own * own,
    )
    if unit.slope is not None:
        out.slopes[node.name] = _slope_noise(node, unit, unit.slope, noise, (before, after), out)
    return _pair_activated(node, new, noise, before, out)


def _deviated(
    elasticity: float,
    size: Deviation,
    coefficients: tuple[float, ...],
    modes: tuple[Deviation, ...],
    wider: float,
    out: Forward,
) -> Deviation:
    """The deviation of log E g by that of log v and by the units' own modes."""
    own = ((a * wider, y) for a, y in zip(coefficients, modes, strict=True))
    return out.sources.combined([(elasticity, size), *own])


def _slope_noise(
    node: Activation,
    unit: UnitNoise,
    slope: Expansion,
    noise: Noise,
    moments: tuple[UnitMoments, UnitMoments],
    out: Forward,
) -> ActivationNoise:
    before, after = moments
    assert noise.modes is not None
    coefficients = (*slope.modes, slope.rest)
    own = mode_variance(coefficients, shared(noise, before, out.inputs), noise.units)
    growth = slope.mean * before.q / after.q if after.q > 0.0 else 0.0
    pair = pair_noise(node.function, before.q, (1.0 - before.correlation) * noise.closer)
    return ActivationNoise(
        mean=slope.mean,
        slope=_deviated(slope.elasticity, noise.size, coefficients, noise.modes, 1.0, out),
        fourth=1.0 + slope.total,
        drift=_mean_log(slope, noise) - 0.5 * own,
        along=math.sqrt(2.0) * slope.modes[1],
        along_kept=unit.square.elasticity**2 / growth if growth > 0.0 else 0.0,
        kept=1.0 if pair is None else pair.slope_kept,
    )


def _mean_log(g: Expansion, noise: Noise) -> float:
    """The mean of log E g over the law of log v, beyond its value at q, to second order."""
    single = min(noise.single, MOST_SPREAD)
    bend = g.curvature + g.elasticity - g.elasticity**2
    log_v = math.log1p(max(-0.9, noise.shift)) - 0.5 * single
    return g.elasticity * log_v + 0.5 * bend * single


def _pair_activated(
    node: Activation, new: Noise, noise: Noise, before: UnitMoments, out: Forward
) -> Noise:
    """`new` with what the activation makes of the difference of two inputs."""
    pair = pair_noise(node.function, before.q, 1.0 - before.correlation)
    if pair is None or noise.modes is None:
        return new
    n, coefficients = noise.units, (*pair.common.modes, pair.common.rest)
    aligned = pairs_shared(noise, out.inputs)
    own = mode_variance(coefficients, shared(noise, before, out.inputs), n)
    own += (pair.own**2 + pair.rest**2) * aligned / n
    wider = widening(own)
    difference = out.sources.combined(
        [
            (pair.by_contrast, noise.difference),
            (pair.by_q, noise.size),
            *((b * wider, y) for b, y in zip(coefficients, noise.modes, strict=True)),
            (pair.own * wider, noise.pair[0]),
            (pair.own * wider, noise.pair[1]),
            (pair.rest * wider, noise.pair[2]),
        ]
    )
    by, bend = pair.by_contrast, pair.bend
    return replace(
        new,
        difference=difference,
        difference_skew=by**3 * noise.difference_skew
        - own * own
        + 3.0 * by**2 * min(0.0, bend) * noise.apart**2,
        apart=variance(out.sources.combined([(1.0, difference), (-1.0, new.size)])),
        pair_single=by**2 * noise.pair_single
        + max(0.0, pair.total + pair.size - 2.0 * pair.both) / n,
        pair_shift=by * noise.pair_shift
        + 0.5 * bend * min(noise.pair_single, MOST_PAIR_SPREAD)
        + 0.5 * (pair.size - pair.total) / n,
        alignment=min(
            1.0,
            pair.slope_kept**2 * noise.alignment
            + (1.0 - noise.alignment) * (1.0 + pair.common.total) / n,
        ),
    )


__all__ = ["MODES", "Forward", "Inputs", "Noise", "forward"]
