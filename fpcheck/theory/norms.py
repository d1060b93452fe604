"""The recursion through normalisation and rescaling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.skeleton import BatchNorm, GroupNorm, Input, LayerNorm, RMSNorm, Scale
from fpcheck.theory.positions import Positions, centred, scaled
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import Moments, NotKnown, UnitMoments, rescaled, times

FEWEST_CHANNELS = 2  # a group of one channel has no mean square over units to settle on


def layer_normalised(node: LayerNorm | RMSNorm, m: UnitMoments, network: Network) -> Moments:
    """By the mean square over the units, which infinite width makes a number."""
    shape = network.skeleton.shapes[node.inputs[0]]
    every = node.axes in (0, len(shape))
    if not every and (m.places is not None or node.axes != 1):
        return NotKnown(
            f"'{node.name}' normalises {node.axes} of {len(shape)} axes: not over the units"
        )
    bias = node.bias if isinstance(node, LayerNorm) else None
    return _normalised(node, m, network, bias, centre=isinstance(node, LayerNorm))


def group_normalised(node: GroupNorm, m: UnitMoments, network: Network) -> Moments:
    """A layer norm of every group of channels, each of which is wide."""
    channels = network.skeleton.shapes[node.inputs[0]][0]
    if channels // node.groups < FEWEST_CHANNELS:
        return NotKnown(
            f"'{node.name}' normalises every channel alone: its mean square over positions differs "
            "from channel to channel"
        )
    if m.parts:
        return NotKnown(f"'{node.name}' normalises units of several kinds in groups")
    return _normalised(node, m, network, node.bias, centre=True)


def _normalised(
    node: LayerNorm | RMSNorm | GroupNorm,
    m: UnitMoments,
    network: Network,
    bias_name: str | None,
    *,
    centre: bool,
) -> Moments:
    weight, bias = _entry(network, node.weight, 1.0), _entry(network, bias_name, 0.0)
    mean = m.mean if centre else 0.0
    variance = m.q - mean * mean
    if not variance + node.epsilon > 0.0:
        return NotKnown(f"'{node.name}' normalises a constant")
    squares = float(np.mean(weight * weight))
    gain = squares / (variance + node.epsilon)
    shift = float(np.mean(bias * bias))
    plain = float(np.ptp(weight)) == 0.0 and shift == 0.0
    if centre and m.parts:
        return NotKnown(f"'{node.name}' normalises units of several kinds")
    if m.parts and plain:
        return rescaled(m, math.copysign(math.sqrt(gain), float(weight.flat[0])))
    kept = float(np.mean(weight)) / math.sqrt(variance + node.epsilon)
    return UnitMoments(
        q=gain * variance + shift,
        k=gain * (m.k - mean * mean) + shift,
        mean=float(np.mean(bias)) + kept * (m.mean - mean),
        growth=times(m.growth, gain),
        contrast=times(m.contrast, gain),
        gaussian=m.gaussian and plain,
        places=None if m.places is None else _moved(m.places, mean, gain, shift),
    )


def _moved(places: Positions, mean: float, gain: float, shift: float) -> Positions:
    return scaled(centred(places, mean), gain, shift)


def batch_normalised(node: BatchNorm, m: UnitMoments, network: Network) -> Moments:
    """A common factor where the statistics are those of a fresh network; else they hold the data's
    trace, channel by channel, which no recursion over independent weights has.
    """
    mean, variance = _entry(network, node.mean, 0.0), _entry(network, node.variance, 1.0)
    weight, bias = _entry(network, node.weight, 1.0), _entry(network, node.bias, 0.0)
    factor = weight / np.sqrt(variance + node.epsilon)
    if np.any(mean) or np.any(bias) or float(np.ptp(factor)) > 0.0:
        return NotKnown(f"'{node.name}' holds statistics of the training data")
    return rescaled(m, float(factor.flat[0]))


def constant_scaled(node: Scale, m: UnitMoments, network: Network) -> Moments:
    """x * factor + shift with constants: exact for one number, and for a factor by unit."""
    factor, shift = _entry(network, node.factor, 1.0), _entry(network, node.shift, 0.0)
    alike = float(np.ptp(factor)) == 0.0
    moved = bool(np.any(shift))
    if alike and not moved:
        return rescaled(m, float(factor.flat[0]))
    source = next(n for n in network.skeleton.nodes if n.name == node.inputs[0])
    if not alike and isinstance(source, Input):
        return NotKnown(f"'{node.name}' rescales the inputs' entries one by one")
    if m.places is not None or m.parts:
        return NotKnown(f"'{node.name}' rescales channels or positions differently")
    gain, offset = float(np.mean(factor * factor)), float(np.mean(shift * shift))
    level = float(np.mean(factor)) * m.mean
    cross = 2.0 * level * float(np.mean(shift))
    return replace(
        m,
        q=gain * m.q + cross + offset,
        k=gain * m.k + cross + offset,
        mean=level + float(np.mean(shift)),
        growth=times(m.growth, gain),
        contrast=times(m.contrast, gain),
        gaussian=False,
    )


def _entry(network: Network, name: str | None, default: float) -> Array:
    if name is None:
        return np.full(1, default)
    return np.asarray(network.parameters[name], dtype=np.float64)
