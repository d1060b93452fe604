"""Whether one variance map stands for all hidden layers of a network, and which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.network.layers import Layer, layers
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Reshape, Skeleton
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.layer_scales import LayerScale, relative_error
from fpcheck.theory.variance_map import FixedPoint, VarianceMap

# Layers count as drawn alike where sigma^2 is within this of their mean, or within this many
# standard errors of it (of 100 layers drawn alike one is beyond four in 0.6 % of the networks).
ALIKE = 0.10
ALIKE_ERRORS = 4.0

PLAIN = (Input, Dense, Conv, Activation, Flatten, Reshape)


@dataclass(frozen=True, slots=True)
class Stack:
    """The map of a typical hidden layer.

    error_w2, error_b2: relative standard errors of its sigma_w^2 and sigma_b^2, 0 where laws give
    them.
    """

    map: VarianceMap
    error_w2: float
    error_b2: float

    @property
    def scale_free(self) -> bool:
        """Whether V is a straight line, as for ReLU."""
        return scale_free_gain(self.map.function) is not None


def typical_stack(skeleton: Skeleton, scales: Mapping[str, LayerScale]) -> Stack | None:
    """The map of the hidden layers if they are alike: a plain chain of one size, function and law.

    None if they are not, or if there is no map from one hidden layer to the next.
    """
    chain = layers(skeleton)
    hidden = chain[:-1]
    if len(hidden) < 2 or not all(isinstance(node, PLAIN) for node in skeleton.nodes):
        return None
    if len({layer.activation for layer in hidden}) > 1 or len({_size(x) for x in hidden}) > 1:
        return None
    own = [scales[layer.name] for layer in hidden[1:]]
    if len({layer.fan_in for layer in hidden[1:]}) > 1:
        return None
    w2 = _alike([(s.sigma_w2, s.weights) for s in own])
    b2 = _alike([(s.sigma_b2, s.biases) for s in own])
    if w2 is None or b2 is None:
        return None
    return Stack(
        VarianceMap(hidden[0].activation, w2, b2),
        relative_error(sum(s.weights for s in own)),
        relative_error(sum(s.biases for s in own)) if b2 else 0.0,
    )


def chi1_error(stack: Stack, point: FixedPoint | None) -> float:
    """The relative standard error of chi_1 at the fixed point; without one, of sigma_w^2.

    sigma_w^2 and sigma_b^2 move chi_1 directly and through q*: d q* = dV / (1 - V').
    """
    v = stack.map
    if point is None or point.q == 0.0 or not point.chi1 or not point.slope < 1.0:
        return stack.error_w2
    step = 1e-4
    up, down = (moments.slope_moment(v.function, point.q * (1.0 + s)) for s in (step, -step))
    steepness = (up - down) / (2.0 * step * point.q) * v.sigma_w2 / point.chi1
    through_q = steepness / (1.0 - point.slope)
    return math.hypot(
        stack.error_w2 * (1.0 + through_q * (point.q - v.sigma_b2)),
        stack.error_b2 * through_q * v.sigma_b2,
    )


def _size(layer: Layer) -> tuple[str, int]:
    return layer.kind, layer.units


def _alike(squares: list[tuple[float, int]]) -> float | None:
    """The mean sigma^2 of the layers if none stands out, else None. squares: (sigma^2, entries)."""
    mean = math.fsum(value for value, _ in squares) / len(squares)
    for value, count in squares:
        slack = max(ALIKE, ALIKE_ERRORS * relative_error(count))
        if not abs(value - mean) <= slack * mean:
            return None
    return mean
