"""The infinite-width recursion through a whole skeleton, node by node.

At infinite width, with independent weights of mean zero, a pre-activation is Gaussian over the
units: its second moment q for one input and its product moment k for two inputs determine the
next layer's. Where that is not so (products of signals, statistics of the data, sums of what is not
independent) the recursion stops and says why, instead of going on with a number that means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    BlackBox,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    MatMul,
    Multiply,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Softmax,
    Transpose,
)
from fpcheck.theory import moments
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.norms import (
    batch_normalised,
    constant_scaled,
    group_normalised,
    layer_normalised,
)
from fpcheck.theory.pair_curve import PairCurve, pair_curve
from fpcheck.theory.positions import activated, convolved, coverage, mean_pooled, uniform
from fpcheck.theory.recursion_state import (
    Moments,
    NotKnown,
    UnitMoments,
    at_positions,
    averaged,
    times,
)
from fpcheck.theory.sums import concatenated, sliced, summed

__all__ = ["Moments", "NotKnown", "UnitMoments", "propagate"]

LARGEST = 1e150  # beyond it squares overflow
SMALLEST = 1e-200


def propagate(
    network: Network, scales: Mapping[str, LayerScale], start: UnitMoments
) -> dict[str, Moments]:
    """The moments of every node's value by node name, from those of the inputs.

    Of convolutions the moments are means over positions, borders included; without positions of its
    own, `start` is taken to be independent from position to position but for its mean.
    """
    first, *rest = network.skeleton.nodes
    known: dict[str, Moments] = {first.name: start}
    for node in rest:
        sources: list[UnitMoments] = []
        unknown: NotKnown | None = None
        for name in node.inputs:
            source = known[name]
            if isinstance(source, UnitMoments):
                sources.append(source)
            else:
                unknown = unknown or source
        known[node.name] = unknown or _checked(_step(node, sources, network, scales))
    return known


def _step(
    node: Node, sources: list[UnitMoments], network: Network, scales: Mapping[str, LayerScale]
) -> Moments:
    m = sources[0]
    match node:
        case Dense():
            return _linear(m, scales[node.name])
        case Conv() | ConvTranspose():
            return _convolved(node, m, network, scales[node.name])
        case Activation():
            return _activated(node, m)
        case Add():
            return summed(node, sources, network)
        case Concat():
            return concatenated(node, sources, network)
        case Slice():
            return sliced(node, m, network)
        case LayerNorm() | RMSNorm():
            return layer_normalised(node, m, network)
        case GroupNorm():
            return group_normalised(node, m, network)
        case BatchNorm():
            return batch_normalised(node, m, network)
        case Scale():
            return constant_scaled(node, m, network)
        case Flatten() | Reshape():
            return replace(m, places=None)
        case Pool():
            return _pooled(node, m, network)
    return NotKnown(_no_map(node))


def _no_map(node: Node) -> str:
    match node:
        case Multiply() | MatMul():
            return f"'{node.name}' multiplies two signals: their product is not Gaussian"
        case Softmax():
            return f"'{node.name}' is a softmax, whose units depend on one another"
        case Transpose():
            return f"'{node.name}' exchanges units and positions"
        case BlackBox():
            return f"'{node.name}' is a function whose inside is not known"
    return f"'{node.name}' is not followed"


def _linear(m: UnitMoments, scale: LayerScale) -> Moments:
    w2, b2 = scale.sigma_w2, scale.sigma_b2
    return UnitMoments(
        q=w2 * m.q + b2,
        k=w2 * m.k + b2,
        growth=times(m.growth, w2),
        contrast=times(m.contrast, w2),
        gaussian=True,
    )


def _convolved(
    node: Conv | ConvTranspose, m: UnitMoments, network: Network, scale: LayerScale
) -> Moments:
    before = network.skeleton.shapes[node.inputs[0]]
    after = network.skeleton.shapes[node.name]
    if node.groups > 1 and before[0] == node.groups:
        return NotKnown(
            f"'{node.name}' convolves every channel alone: its units are no sums over many"
        )
    places = m.places or uniform(before[1:], m.q, m.k, m.mean)
    met = scale.sigma_w2 * coverage(node, before[1:], after[1:])
    plain = _linear(m, scale)
    assert isinstance(plain, UnitMoments)
    plain = replace(plain, growth=times(m.growth, met), contrast=times(m.contrast, met))
    behind = convolved(places, node, after[1:], scale.sigma_w2, scale.sigma_b2)
    return at_positions(plain, behind)


def _activated(node: Activation, m: UnitMoments) -> Moments:
    f = node.function
    if f.name == "identity":
        return m
    if m.parts:
        kinds = [(share, _activated(node, part)) for share, part in m.parts]
        known = tuple((share, kind) for share, kind in kinds if isinstance(kind, UnitMoments))
        if len(known) < len(kinds):
            return next(kind for _, kind in kinds if isinstance(kind, NotKnown))
        places = None if m.places is None else activated(m.places, f)
        return averaged(known, lambda: places)
    if not m.gaussian:
        return NotKnown(f"what enters '{node.name}' is not Gaussian over the units")
    c = m.correlation
    curve, second, mean, slope = _at_variance(f, m.q)
    followed = slope is not None and m.growth is not None and m.contrast is not None
    after = UnitMoments(
        q=second,
        k=curve(c),
        mean=mean,
        growth=times(m.growth, slope) if followed and slope is not None else None,
        contrast=times(m.contrast, curve.slope(c)) if followed else None,
    )
    return after if m.places is None else at_positions(after, activated(m.places, f))


@lru_cache(maxsize=1024)
def _at_variance(
    f: ActivationFunction, q: float
) -> tuple[PairCurve, float, float, float | None]:
    """The pair curve, E phi^2, E phi and E phi'^2 (None for a step) at one q."""
    slope = None if f.kind.derivative is None else moments.slope_moment(f, q)
    return pair_curve(f, q), moments.second_moment(f, q), moments.mean(f, q), slope


def _pooled(node: Pool, m: UnitMoments, network: Network) -> Moments:
    if node.kind == "max":
        return NotKnown(
            f"'{node.name}' takes the maximum over positions: that of dependent units has no map"
        )
    if any(sum(pad) for pad in node.padding):
        return NotKnown(f"'{node.name}' takes means over windows that reach into the padding")
    if m.parts:
        return NotKnown(f"'{node.name}' pools units of several kinds")
    before = network.skeleton.shapes[node.inputs[0]][1:]
    places = m.places or uniform(before, m.q, m.k, m.mean)
    behind = mean_pooled(places, node, network.skeleton.shapes[node.name][1:])
    # Differences between inputs are independent from position to position.
    count = 1.0
    for size in node.size:
        count *= size
    plain = replace(m, growth=times(m.growth, 1.0 / count), contrast=times(m.contrast, 1.0 / count))
    return at_positions(plain, behind)


def _checked(m: Moments) -> Moments:
    if isinstance(m, UnitMoments) and not m.q < LARGEST:
        return NotKnown("the variance overflows")
    if isinstance(m, UnitMoments) and 0.0 < m.q < SMALLEST:
        return NotKnown("the variance underflows")
    return m
