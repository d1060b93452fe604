"""The layers' gain beside the one that is critical for their activation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import Layer, layers
from fpcheck.network.skeleton import Skeleton
from fpcheck.signal.result import CriticalGain, PredictedLayer, TheoryResult
from fpcheck.signal.stack import PLAIN
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.edge_of_chaos import EdgePoint, edge_of_chaos
from fpcheck.theory.variance_map import VarianceMap

ABOVE = 0.1  # how far above q* is looked where V' = 1 decides nothing


@dataclass(frozen=True, slots=True)
class _Map:
    """One map from a pre-activation to the next: what it is drawn with, and its chi_1."""

    name: str
    sigma_w2: float
    sigma_b2: float
    chi1: float


def gains(skeleton: Skeleton, theory: TheoryResult) -> tuple[CriticalGain, ...]:
    """One entry an activation function: its hidden layers' sigma_w^2 beside the edge of chaos.

    The first layer takes inputs and the last one makes outputs, so both may have a scale of their
    own and are left out. Empty where norms or sums between the layers set the scale.
    """
    if not all(isinstance(node, PLAIN) for node in skeleton.nodes):
        return ()
    stack = layers(skeleton)
    grouped: dict[ActivationFunction, list[_Map]] = {}
    for before, layer, predicted in zip(stack[:-2], stack[1:-1], theory.layers[1:-1], strict=True):
        found = _map(before, layer, predicted)
        if found is not None:
            grouped.setdefault(before.activation, []).append(found)
    return tuple(_gain(function, maps) for function, maps in grouped.items())


def _map(before: Layer, layer: Layer, predicted: PredictedLayer) -> _Map | None:
    """The map into `layer`; None where it is linear, or its chi_1 is not known."""
    if predicted.chi1 is None or before.activation.name == "identity":
        return None
    return _Map(layer.name, predicted.sigma_w2, predicted.sigma_b2, predicted.chi1)


def _gain(f: ActivationFunction, maps: list[_Map]) -> CriticalGain:
    sigma_w2 = math.fsum(each.sigma_w2 for each in maps) / len(maps)
    sigma_b2 = math.fsum(each.sigma_b2 for each in maps) / len(maps)
    edge = _nearest_edge(f, sigma_w2, sigma_b2)
    return CriticalGain(
        activation=f.label,
        layers=tuple(each.name for each in maps),
        sigma_w2=sigma_w2,
        sigma_b2=sigma_b2,
        edge_sigma_w2=edge.sigma_w2 if edge else None,
        edge_q=edge.q_star if edge else None,
        edge_stable=_holds(f, edge) if edge else None,
        growth=math.prod(each.chi1 for each in maps),
    )


def _holds(f: ActivationFunction, edge: EdgePoint) -> bool:
    """Whether q does not run away from the point: V' < 1, or V' = 1 and V no higher above q*."""
    if edge.stable or scale_free_gain(f) is not None:
        return True
    above = edge.q_star + ABOVE
    return VarianceMap(f, edge.sigma_w2, edge.sigma_b2)(above) <= above


def _nearest_edge(f: ActivationFunction, sigma_w2: float, sigma_b2: float) -> EdgePoint | None:
    """The edge of chaos with these biases whose sigma_w^2 is nearest in ratio; None without one.

    A scale-free function has chi_1 = 1 at one sigma_w^2, whatever the biases.
    """
    scale_free = scale_free_gain(f) is not None
    points = edge_of_chaos(f, sigma_b2=0.0 if scale_free else sigma_b2)
    if not points or not sigma_w2 > 0.0:
        return None
    return min(points, key=lambda point: abs(math.log(point.sigma_w2 / sigma_w2)))
