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
from fpcheck.theory.noise import Deviation, Sources
from fpcheck.theory.noise_activation import activated, settled
from fpcheck.theory.noise_state import (
    Forward,
    Inputs,
    Noise,
    followed,
    pairs_shared,
    shared,
)
from fpcheck.theory.noise_sums import concatenated_noise, normalised_noise, summed_noise
from fpcheck.theory.recursion_state import Moments, UnitMoments

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
        if noise is None or not followed(noise):
            continue
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
) -> Noise | None:
    noise, before = sources[0]
    match node:
        case Dense() | Conv() | ConvTranspose():
            units = shape[-1] if isinstance(node, Dense) else shape[0]
            new = replace(
                settled(noise, before, out), units=units, places=math.prod(shape) // units
            )
            return _linear(new, after, scales[node.name], out)
        case Activation():
            return activated(node, noise, before, after, out)
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
