"""How the gradient of u . f(x), u a random unit vector, passes back along a skeleton.

Its sum of squares over a node's entries, T, is multiplied by sigma_w^2 through a layer and by
E phi'^2 through an activation: chi_1. With it goes the deviation of log T in a finite network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
    LayerNorm,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Transpose,
)
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.noise import NONE, Deviation, variance
from fpcheck.theory.noise_state import MOST_FOLLOWED, Forward
from fpcheck.theory.positions import tap_shares
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import Moments, UnitMoments

TINY = 1e-300
MOST_ALONG = 0.5  # what one layer may add to log T through what is followed to first order


@dataclass(frozen=True, slots=True)
class Gradient:
    """T at one node: its log, the deviation of it, mean and third cumulant of that deviation.

    alignment: the mean squared correlation of two inputs' gradients. along: by what share T grows
    for a perturbation along the units themselves. (|J u| and |J^T u| have one law, so what holds
    forward for the growth of a random perturbation holds backward.) profile: how T is shared out
    over positions; None: evenly.
    """

    log_square: float
    deviation: Deviation
    drift: float
    skew: float
    alignment: float
    along: float = 0.0
    profile: Array | None = None


def backward(
    network: Network,
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
    ahead: Forward,
) -> dict[str, Gradient]:
    """T of every node from which infinite width follows the network to its output."""
    nodes = network.skeleton.nodes
    outputs = math.prod(network.skeleton.output_shape)
    arriving: dict[str, list[Gradient]] = {
        nodes[-1].name: [Gradient(0.0, NONE, 0.0, 0.0, 1.0 / outputs)]
    }
    consumers = _consumer_counts(network)
    found: dict[str, Gradient] = {}
    for node in reversed(nodes):
        parts = arriving.get(node.name, [])
        expected = max(1, consumers.get(node.name, 0))
        if len(parts) < expected or node.name not in ahead.nodes:
            continue
        total = _added(parts, node.name, ahead)
        if not _followed(total):
            continue
        found[node.name] = total
        for source, part in _passed(node, total, network, scales, known, ahead):
            arriving.setdefault(source, []).append(part)
    return found


def _followed(total: Gradient) -> bool:
    """`noise_state.followed` of gradients."""
    numbers = (variance(total.deviation), total.drift, total.skew)
    return total.log_square < math.inf and all(abs(x) < MOST_FOLLOWED for x in numbers)


def _consumer_counts(network: Network) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in network.skeleton.nodes:
        for name in node.inputs:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _averaged(alignment: float, name: str, ahead: Forward) -> float:
    n = ahead.inputs.count * ahead.nodes[name].places
    return 1.0 / n + (1.0 - 1.0 / n) * alignment


def _added(parts: list[Gradient], name: str, ahead: Forward) -> Gradient:
    if len(parts) == 1:
        return parts[0]
    logs = np.array([part.log_square for part in parts])
    log_square = float(np.logaddexp.reduce(logs))
    if not log_square > -math.inf:
        return parts[0]
    shares = np.exp(logs - log_square).tolist()
    alignment = math.fsum(p * g.alignment for p, g in zip(shares, parts, strict=True))
    cross = 2.0 * max(0.0, 1.0 - math.fsum(p * p for p in shares))
    mixed = cross * _averaged(alignment, name, ahead) / ahead.nodes[name].units
    terms = [(p, g.deviation) for p, g in zip(shares, parts, strict=True)]
    return Gradient(
        log_square,
        ahead.sources.combined([*terms, (1.0, ahead.sources.fresh(math.sqrt(mixed)))]),
        math.fsum(p * g.drift for p, g in zip(shares, parts, strict=True)) - 0.5 * mixed,
        math.fsum(p**3 * g.skew for p, g in zip(shares, parts, strict=True)) - mixed**2,
        alignment,
        math.fsum(p * g.along for p, g in zip(shares, parts, strict=True)),
        parts[0].profile,
    )


def _passed(
    node: Node,
    total: Gradient,
    network: Network,
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
    ahead: Forward,
) -> list[tuple[str, Gradient]]:
    """What reaches the node's inputs; nothing where it is not followed."""
    if isinstance(node, Add | Flatten | Reshape | Slice | Transpose):
        if isinstance(node, Transpose):
            total = replace(total, profile=None)
        elif isinstance(node, Flatten | Reshape):
            # Each position has weights of its own behind.
            places = ahead.nodes[node.inputs[0]].places if node.inputs[0] in ahead.nodes else 1
            total = replace(total, profile=None, alignment=total.alignment / places)
        return [(name, total) for name in node.inputs]
    if isinstance(node, Concat):
        shapes = network.skeleton.shapes
        whole = math.prod(shapes[node.name])
        return [(name, _times(total, math.prod(shapes[name]) / whole)) for name in node.inputs]
    if not node.inputs:
        return []
    (name,) = node.inputs
    if name not in ahead.nodes:
        return []
    if isinstance(node, Dense | Conv | ConvTranspose):
        return [(name, _through_weights(node, name, total, network, scales, ahead))]
    if isinstance(node, Activation):
        passed = _through_activation(node, name, total, known, ahead)
        return [] if passed is None else [(name, passed)]
    before, after = known[name], known[node.name]
    if isinstance(node, Pool):  # of every window's gradient each entry has its part
        return [(name, replace(_times(total, 1.0 / math.prod(node.size)), profile=None))]
    if isinstance(node, BatchNorm | Scale | LayerNorm | RMSNorm | GroupNorm):
        assert isinstance(before, UnitMoments)
        assert isinstance(after, UnitMoments)
        return _through_rescaling(node, name, total, (before, after), ahead)
    return []


def _times(total: Gradient, factor: float) -> Gradient:
    log = math.log(factor) if factor > 0.0 else -math.inf
    return replace(total, log_square=total.log_square + log)


def _through_weights(
    node: Dense | Conv | ConvTranspose,
    name: str,
    total: Gradient,
    network: Network,
    scales: Mapping[str, LayerScale],
    ahead: Forward,
) -> Gradient:
    """W^T g of fresh weights: Gaussian over the units below."""
    units = ahead.nodes[name].units
    noise = 2.0 * _averaged(total.alignment, name, ahead) / units  # of units' squared gradients
    moved = _times(total, scales[node.name].sigma_w2)
    if not isinstance(node, Dense):
        shapes = network.skeleton.shapes
        behind = shapes[node.name][1:]
        profile = np.full(behind, 1.0 / math.prod(behind))
        if total.profile is not None and total.profile.shape == behind:
            profile = total.profile
        profile = tap_shares(profile, node, shapes[name][1:])
        whole = float(profile.sum())
        moved = replace(_times(moved, whole), profile=profile / max(whole, TINY))
    return replace(
        moved,
        deviation=ahead.sources.combined(
            [(1.0, total.deviation), (1.0, ahead.sources.fresh(math.sqrt(noise)))]
        ),
        drift=total.drift - noise / 2.0,
        alignment=min(1.0, total.alignment + (1.0 - total.alignment) / units),
    )


def _through_activation(
    node: Activation, name: str, total: Gradient, known: Mapping[str, Moments], ahead: Forward
) -> Gradient | None:
    if node.function.name == "identity":
        return total
    before = known[name]
    slope = ahead.slopes.get(node.name)
    if slope is None or not isinstance(before, UnitMoments):
        return None
    units = ahead.nodes[name].units
    averaged = _averaged(total.alignment, name, ahead)
    along = slope.along + slope.along_kept * total.along
    along = min(MOST_ALONG * units, max(-MOST_ALONG * units, along))
    noise = 2.0 * (slope.fourth - 1.0) * averaged / units
    # The cotangents' own noise, counted at the weights, and the slopes' widen the law with it.
    together = noise + 2.0 * averaged / units + (slope.fourth - 1.0) * averaged / units
    return Gradient(
        total.log_square + math.log(slope.mean),
        ahead.sources.combined(
            [
                (1.0, total.deviation),
                (1.0, slope.slope),
                (1.0, ahead.sources.fresh(math.sqrt(noise + _wider(together) - together))),
            ]
        ),
        total.drift + slope.drift + along / units - noise / 2.0 - together * together / 12.0,
        total.skew - together * together,
        min(
            1.0,
            slope.kept**2 * total.alignment
            + (1.0 - total.alignment) * (slope.fourth - 1.0) / units,
        ),
        along,
        total.profile,
    )


def _wider(noise: float) -> float:
    return noise * (1.0 + noise / 2.0 + noise * noise / 6.0)


def _through_rescaling(
    node: Node,
    name: str,
    total: Gradient,
    moments: tuple[UnitMoments, UnitMoments],
    ahead: Forward,
) -> list[tuple[str, Gradient]]:
    """A gain common to all units; a norm's is by their own mean square, whose noise it carries."""
    before, after = moments
    if before.growth is None or after.growth is None or before.growth == -math.inf:
        return []
    moved = replace(total, log_square=total.log_square + after.growth - before.growth)
    if not isinstance(node, LayerNorm | RMSNorm | GroupNorm):
        return [(name, moved)]
    noise = ahead.nodes[name]
    parts = [(1.0, total.deviation), (-1.0, noise.size)]
    if noise.modes is not None:
        parts.append((-math.sqrt(2.0), noise.modes[1]))
    removed = 2 if not isinstance(node, RMSNorm) else 1
    lost = math.log(max(0.1, 1.0 - removed / max(1, noise.units)))
    return [
        (
            name,
            replace(
                moved, deviation=ahead.sources.combined(parts), drift=total.drift + lost, along=0.0
            ),
        )
    ]
