"""The infinite-width recursion through a whole skeleton, node by node.

At infinite width, with independent weights of mean zero, a pre-activation is Gaussian over the
units: its second moment q for one input and its product moment k for two inputs determine the
next layer's. Where that is not so (products of signals, statistics of the data, sums of what is not
independent) the recursion stops and says why, instead of going on with a number that means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
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
    no_limit,
    times,
)
from fpcheck.theory.sums import concatenated, sliced, summed

__all__ = ["Moments", "NotKnown", "UnitMoments", "propagate"]

LARGEST = 1e150  # beyond it squares overflow
SMALLEST = 1e-200
STILL, SETTLED = 1e-12, 1e-10  # by how much q moves at a layer, and in all, that has settled

# By activation function, q where it was met last and the q whose curve serves.
Seen: TypeAlias = dict[ActivationFunction, tuple[float, float]]


def propagate(
    network: Network, scales: Mapping[str, LayerScale], start: UnitMoments
) -> dict[str, Moments]:
    """The moments of every node's value by node name, from those of the inputs.

    Of convolutions the moments are means over positions, borders included; without positions of its
    own, `start` is taken to be independent from position to position but for its mean.
    """
    first, *rest = network.skeleton.nodes
    known: dict[str, Moments] = {first.name: start}
    seen: Seen = {}
    for node in rest:
        sources: list[UnitMoments] = []
        unknown: NotKnown | None = None
        for name in node.inputs:
            source = known[name]
            if isinstance(source, UnitMoments):
                sources.append(source)
            else:
                unknown = unknown or source
        known[node.name] = unknown or _checked(_step(node, sources, network, scales, seen))
    return known


def _step(
    node: Node,
    sources: list[UnitMoments],
    network: Network,
    scales: Mapping[str, LayerScale],
    seen: Seen,
) -> Moments:
    m = sources[0]
    match node:
        case Dense():
            return _linear(m, scales[node.name])
        case Conv() | ConvTranspose():
            return _convolved(node, m, network, scales[node.name])
        case Activation():
            return _activated(node, m, seen)
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
        case Flatten() | Reshape() | Transpose() | Pool():
            return _rearranged(node, m, network)
    return no_limit(node)


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


def _activated(node: Activation, m: UnitMoments, seen: Seen) -> Moments:
    f = node.function
    if f.name == "identity":
        return m
    if m.parts:
        kinds = [(share, _activated(node, part, seen)) for share, part in m.parts]
        known = tuple((share, kind) for share, kind in kinds if isinstance(kind, UnitMoments))
        if len(known) < len(kinds):
            return next(kind for _, kind in kinds if isinstance(kind, NotKnown))
        places = None if m.places is None else activated(m.places, f)
        return averaged(known, lambda: places)
    if not m.gaussian:
        return NotKnown(f"what enters '{node.name}' is not Gaussian over the units")
    c = m.correlation
    second, mean, slope = _at_variance(f, m.q)
    curve, share = _curve(f, m.q, seen)
    followed = slope is not None and m.growth is not None and m.contrast is not None
    after = UnitMoments(
        q=second,
        k=share * curve(c),
        mean=mean,
        growth=times(m.growth, slope) if followed and slope is not None else None,
        contrast=times(m.contrast, curve.slope(c)) if followed else None,
    )
    return after if m.places is None else at_positions(after, activated(m.places, f))


@lru_cache(maxsize=1024)
def _at_variance(f: ActivationFunction, q: float) -> tuple[float, float, float | None]:
    """E phi^2, E phi and E phi'^2 (None for a step) at one q."""
    slope = None if f.kind.derivative is None else moments.slope_moment(f, q)
    return moments.second_moment(f, q), moments.mean(f, q), slope


def _curve(f: ActivationFunction, q: float, seen: Seen) -> tuple[PairCurve, float]:
    """The pair curve at q, and E phi^2 by the curve's own.

    Once q stands still the curve of one q serves the layers that follow, relative accuracy SETTLED.
    """
    last, anchor = seen.get(f, (math.nan, math.nan))
    if not abs(q - last) <= STILL * q:
        seen[f] = (q, math.nan)
        return pair_curve(f, q, reused=False), 1.0
    if not abs(q - anchor) <= SETTLED * q:
        anchor = q
    seen[f] = (q, anchor)
    curve = pair_curve(f, anchor)
    if anchor == q:
        return curve, 1.0
    return curve, _at_variance(f, q)[0] / _at_variance(f, anchor)[0]


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


def _rearranged(
    node: Flatten | Reshape | Transpose | Pool, m: UnitMoments, network: Network
) -> Moments:
    if isinstance(node, Pool):
        return _pooled(node, m, network)
    return _transposed(node, m, network) if isinstance(node, Transpose) else replace(m, places=None)


def _transposed(node: Transpose, m: UnitMoments, network: Network) -> Moments:
    """Means over entries do not change, but afterwards something else may count as a unit.

    Followed are the inputs' axes, whose entries are alike, and channels that move behind their
    positions, where no more is known of the positions one by one.
    """
    by_name = {each.name: each for each in network.skeleton.nodes}
    root = by_name[node.inputs[0]]
    while isinstance(root, Reshape | Flatten | Scale | Transpose):
        root = by_name[root.inputs[0]]
    last = (*range(1, len(node.order)), 0)
    if isinstance(root, Input) or (m.places is not None and node.order == last):
        return replace(m, places=None)
    return NotKnown(f"'{node.name}' exchanges units and positions")


def _checked(m: Moments) -> Moments:
    if isinstance(m, UnitMoments) and not m.q < LARGEST:
        return NotKnown("the variance overflows")
    if isinstance(m, UnitMoments) and 0.0 < m.q < SMALLEST:
        return NotKnown("the variance underflows")
    return m
