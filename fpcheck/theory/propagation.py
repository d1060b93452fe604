"""The infinite-width recursion through a whole skeleton, node by node.

At infinite width, with independent weights of mean zero, a pre-activation is Gaussian over the
units: its second moment q for one input and its product moment k for two inputs determine the
next layer's. Where that is not so (pooling, batch statistics, sums with what is not Gaussian) the
recursion stops and says why, instead of going on with a number that means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Node,
    Pool,
    Reshape,
)
from fpcheck.theory import moments
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.quadrature import Array

LARGEST = 1e150  # beyond it squares overflow
SMALLEST = 1e-200


@dataclass(frozen=True, slots=True)
class UnitMoments:
    """Moments over the units of one node's value, for one input x and for two inputs x, y.

    q: E x_i^2. k: E x_i y_i. mean: E x_i. growth: log E (dx_i)^2 of an infinitesimal difference
    between two inputs of equal norm, relative to its size at the network's input. contrast: log of
    the absolute derivative of k with respect to the inputs' k. Both None behind a step. gaussian:
    whether the units are Gaussian of mean zero.
    """

    q: float
    k: float
    mean: float = 0.0
    growth: float | None = 0.0
    contrast: float | None = 0.0
    gaussian: bool = False


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why the recursion says nothing about a node."""

    reason: str


Moments: TypeAlias = UnitMoments | NotKnown


def propagate(
    network: Network, scales: Mapping[str, LayerScale], start: UnitMoments
) -> dict[str, Moments]:
    """The moments of every node's value by node name, from those of the inputs.

    Convolutions are followed in the interior, where no padding enters.
    """
    first, *rest = network.skeleton.nodes
    known: dict[str, Moments] = {first.name: start}
    for node in rest:
        sources = [known[name] for name in node.inputs]
        known[node.name] = _checked(_step(node, sources, network, scales))
    return known


def _step(
    node: Node, sources: list[Moments], network: Network, scales: Mapping[str, LayerScale]
) -> Moments:
    moments_in: list[UnitMoments] = []
    for source in sources:
        if isinstance(source, NotKnown):
            return source
        moments_in.append(source)
    if isinstance(node, Dense | Conv):
        return _linear(moments_in[0], scales[node.name])
    if isinstance(node, Activation):
        return _activated(node, moments_in[0])
    if isinstance(node, Add):
        return _sum(node, moments_in, network)
    if isinstance(node, LayerNorm):
        return _layer_normalised(node, moments_in[0], network)
    if isinstance(node, BatchNorm):
        return _batch_normalised(node, moments_in[0], network)
    if isinstance(node, Flatten | Reshape):
        return moments_in[0]
    if isinstance(node, Pool):
        return NotKnown(f"'{node.name}' pools over positions, whose joint law is not followed")
    return NotKnown(f"'{node.name}' is not followed")


def _linear(m: UnitMoments, scale: LayerScale) -> Moments:
    w2, b2 = scale.sigma_w2, scale.sigma_b2
    return UnitMoments(
        q=w2 * m.q + b2,
        k=w2 * m.k + b2,
        growth=_times(m.growth, w2),
        contrast=_times(m.contrast, w2),
        gaussian=True,
    )


def _activated(node: Activation, m: UnitMoments) -> Moments:
    f = node.function
    if f.name == "identity":
        return m
    if not m.gaussian:
        return NotKnown(f"what enters '{node.name}' is not Gaussian over the units")
    c = _correlation(m)
    after = UnitMoments(
        q=moments.second_moment(f, m.q),
        k=pair_moment(f, m.q, m.q, c),
        mean=moments.mean(f, m.q),
        growth=None,
        contrast=None,
    )
    if f.kind.derivative is None or m.growth is None or m.contrast is None:
        return after
    return replace(
        after,
        growth=_times(m.growth, moments.slope_moment(f, m.q)),
        contrast=_times(m.contrast, pair_slope_moment(f, m.q, m.q, c)),
    )


def _sum(node: Add, parts: list[UnitMoments], network: Network) -> Moments:
    """The sum, where of any two terms one comes straight from weights that the other has not met.

    Such a term has mean zero whatever the other is, so the cross terms vanish.
    """
    for i, one in enumerate(node.inputs):
        for other in node.inputs[:i]:
            if not (_fresh(network, one, other) or _fresh(network, other, one)):
                return NotKnown(f"'{node.name}' adds terms that are not independent")
    growths = [m.growth for m in parts if m.growth is not None]
    contrasts = [m.contrast for m in parts if m.contrast is not None]
    complete = len(growths) == len(contrasts) == len(parts)
    return UnitMoments(
        q=sum(m.q for m in parts),
        k=sum(m.k for m in parts),
        mean=sum(m.mean for m in parts),
        growth=float(np.logaddexp.reduce(growths)) if complete else None,
        contrast=float(np.logaddexp.reduce(contrasts)) if complete else None,
        gaussian=all(m.gaussian for m in parts),
    )


def _fresh(network: Network, name: str, other: str) -> bool:
    """Whether `name` is a layer with weights of its own that `other` does not depend on."""
    by_name = {each.name: each for each in network.skeleton.nodes}
    if not isinstance(by_name[name], Dense | Conv):
        return False
    above, waiting = set[str](), [other]
    while waiting:
        current = waiting.pop()
        above.add(current)
        waiting += [each for each in by_name[current].inputs if each not in above]
    return name not in above


def _times(log_value: float | None, factor: float) -> float | None:
    """log_value + log|factor|; None stays None."""
    if log_value is None:
        return None
    return log_value + math.log(abs(factor)) if factor else -math.inf


def _layer_normalised(node: LayerNorm, m: UnitMoments, network: Network) -> Moments:
    shape = network.skeleton.shapes[node.inputs[0]]
    if node.axes not in (0, len(shape)):
        return NotKnown(f"'{node.name}' normalises some of the axes only")
    weight, bias = _entry(network, node.weight, 1.0), _entry(network, node.bias, 0.0)
    variance = m.q - m.mean * m.mean
    if not variance + node.epsilon > 0.0:
        return NotKnown(f"'{node.name}' normalises a constant")
    gain = float(np.mean(weight * weight)) / (variance + node.epsilon)
    shift = float(np.mean(bias * bias))
    plain = float(np.ptp(weight)) == 0.0 and shift == 0.0
    return UnitMoments(
        q=gain * variance + shift,
        k=gain * (m.k - m.mean * m.mean) + shift,
        mean=float(np.mean(bias)),
        growth=_times(m.growth, gain),
        contrast=_times(m.contrast, gain),
        gaussian=m.gaussian and plain,
    )


def _batch_normalised(node: BatchNorm, m: UnitMoments, network: Network) -> Moments:
    """A common factor where the statistics are those of a fresh network; else they hold the data's
    trace, channel by channel, which no recursion over independent weights has.
    """
    mean, variance = _entry(network, node.mean, 0.0), _entry(network, node.variance, 1.0)
    weight, bias = _entry(network, node.weight, 1.0), _entry(network, node.bias, 0.0)
    factor = weight / np.sqrt(variance + node.epsilon)
    if np.any(mean) or np.any(bias) or float(np.ptp(factor)) > 0.0:
        return NotKnown(f"'{node.name}' holds statistics of the training data")
    gain = float(factor.flat[0]) ** 2
    return replace(
        m,
        q=gain * m.q,
        k=gain * m.k,
        mean=math.copysign(math.sqrt(gain), float(factor.flat[0])) * m.mean,
        growth=_times(m.growth, gain),
        contrast=_times(m.contrast, gain),
    )


def _entry(network: Network, name: str | None, default: float) -> Array:
    if name is None:
        return np.full(1, default)
    return np.asarray(network.parameters[name], dtype=np.float64)


def _correlation(m: UnitMoments) -> float:
    return min(1.0, max(-1.0, m.k / m.q)) if m.q > 0.0 else 1.0


def _checked(m: Moments) -> Moments:
    if isinstance(m, UnitMoments) and not m.q < LARGEST:
        return NotKnown("the variance overflows")
    if isinstance(m, UnitMoments) and 0.0 < m.q < SMALLEST:
        return NotKnown("the variance underflows")
    return m
