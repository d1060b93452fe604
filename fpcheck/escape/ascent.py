"""Ascent of the gain F = -L0 with every layer's norm held at 1, and of its rank-one part.

At a maximum on the sphere |rho|^2 = L every layer has the norm 1: F is linear in each of them, so
that <W_l, dF/dW_l> = F = s |W_l|^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.escape.origin import Origin, Weights, gain_and_gradient, lone_slopes
from fpcheck.network.operators.operator import Array

# Lengths of a step along the unit gradient. At a kink an ascent of constant steps goes on beating
# about it, by its length; decaying ones end there.
FIRST_STEP, LAST_STEP = 0.5, 1e-3
RANK_ONE_STEPS, LONE_POLISH = 120, 40
TINY = 1e-300  # a gradient below is none


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The best point of an ascent. weights: of norm 1 each.

    slip: the largest sine between a layer and its gradient; 0 at a smooth stationary point.
    """

    speed: float
    weights: Weights
    slip: float


def ascend(
    place: Origin,
    start: Weights,
    steps: int,
    check: Callable[[], None],
    first_step: float = FIRST_STEP,
) -> Peak:
    """The best point of `steps` steps from `start`, of any norms; speed 0 where nothing pulls."""
    weights = [unit(weight) for weight in start]
    best = Peak(-np.inf, weights, 1.0)
    decay = (LAST_STEP / first_step) ** (1.0 / max(1, steps - 1))
    for number in range(steps):
        gain, slopes = gain_and_gradient(place, weights, check)
        if number == 0 and gain < 0.0:  # its mirror image pulls as much the other way
            weights[-1], gain = -weights[-1], -gain
            slopes = [-slope for slope in slopes[:-1]] + [slopes[-1]]
        norms = [float(np.linalg.norm(slope)) for slope in slopes]
        if not min(norms) > TINY:
            break
        cosines = [gain / norm for norm in norms]
        if gain > best.speed:
            best = Peak(gain, weights, _sine(min(cosines)))
        length = first_step * decay**number
        weights = [
            unit(weight + length * (slope / norm - cosine * weight))
            for weight, slope, norm, cosine in zip(weights, slopes, norms, cosines, strict=True)
        ]
    return best if best.speed > 0.0 else Peak(0.0, weights, 1.0)


def rank_one(
    place: Origin, starts: Array, check: Callable[[], None]
) -> tuple[float, list[Weights]]:
    """The best speed of layers of rank one, and the points by falling speed, one unit a layer.

    There F is the length of pull^T h(x u), u the first layer's direction and h the activations one
    by one: the inner layers only pass the unit on, and the last one points along that vector.
    starts: (k, inputs) directions to begin at.
    """
    ways = starts / np.linalg.norm(starts, axis=1, keepdims=True)
    speeds, best = np.full(len(ways), -np.inf), ways.copy()
    decay = (LAST_STEP / FIRST_STEP) ** (1.0 / (RANK_ONE_STEPS - 1))
    for number in range(RANK_ONE_STEPS + LONE_POLISH):
        check()
        found, slopes = _lone_gains(place, ways)
        better = found > speeds
        speeds[better], best[better] = found[better], ways[better]
        norms = np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), TINY)
        if number < RANK_ONE_STEPS:
            along = slopes / norms - found[:, None] / norms * ways
            ways = ways + FIRST_STEP * decay**number * along
        else:  # between kinks the length is convex in u: a power step never loses
            ways = np.where(better[:, None], slopes / norms, best)
        ways = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    order = np.argsort(-speeds, kind="stable")
    return float(speeds[order[0]]), [_embedded(place, best[index]) for index in order]


def unit(weight: Array) -> Array:
    """The matrix at norm 1; as it is where it is zero."""
    norm = float(np.linalg.norm(weight))
    return weight / norm if norm > 0.0 else weight


def _lone_gains(place: Origin, ways: Array) -> tuple[Array, Array]:
    """The speed of one unit a layer along each way (k, inputs), and its gradient."""
    z = place.x @ ways.T
    mask = np.where(z > 0.0, *lone_slopes(place))
    ends = place.pull.T @ (z * mask)  # (outputs, k)
    found = np.linalg.norm(ends, axis=0)
    back = place.pull @ (ends / np.maximum(found, TINY))
    back *= mask
    return found, back.T @ place.x


def _embedded(place: Origin, way: Array) -> Weights:
    """The network whose first unit of every layer is the only one, along `way`."""
    above, below = lone_slopes(place)
    z = place.x @ way
    end = place.pull.T @ (z * np.where(z > 0.0, above, below))
    pairs = zip(place.widths, place.widths[1:], strict=False)
    weights = [np.zeros((n_out, n_in)) for n_in, n_out in pairs]
    if len(weights) == 1:
        weights[0] = np.outer(unit(end), way)
        return weights
    for weight in weights[1:-1]:
        weight[0, 0] = 1.0
    weights[0][0] = way
    weights[-1][:, 0] = unit(end)
    return weights


def _sine(cosine: float) -> float:
    return float(np.sqrt(max(0.0, 1.0 - cosine * cosine)))
