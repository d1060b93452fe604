"""The network at infinite width: its layers' recursion, and the phase that follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fpcheck.core.intervals import Z95
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv
from fpcheck.signal.result import PredictedLayer, Skipped, TheoryResult
from fpcheck.signal.stack import Stack, chi1_error, typical_stack
from fpcheck.signal.unequal import unequal_layers
from fpcheck.theory.correlation_map import (
    CRITICAL_BAND,
    CorrelationMap,
    correlation_depth,
    phase_of,
    stable_correlation,
    usable_depth,
)
from fpcheck.theory.finite_width import LayerBand, bands
from fpcheck.theory.heavy_tails import NO_VARIANCE
from fpcheck.theory.layer_scales import LayerLaws, LayerScale, layer_scales
from fpcheck.theory.propagation import Moments, NotKnown, UnitMoments, propagate
from fpcheck.theory.tail_index import tail_index
from fpcheck.theory.variance_map import (
    FixedPoint,
    depth_scale,
    every_q_is_fixed,
    fixed_points,
    settled,
)

LEAST_INDEX = 2.0  # a tail index below it means that there is no variance


def predict(
    network: Network,
    start: UnitMoments,
    laws: LayerLaws | None = None,
    *,
    inputs: int = 1,
    scatter: tuple[float, float] | None = None,
) -> TheoryResult | Skipped:
    """What the theory of infinite width says of the network on inputs with the moments `start`.

    laws: the laws that drew the layers, where they are known; else the layers' own entries count.
    inputs: how many the network is measured on; scatter: theirs, as `finite_width.bands` has it.
    """
    stack = layers(network.skeleton)
    if not stack:
        return Skipped("the network has no layer with weights")
    scales = layer_scales(network, laws)
    for scale in scales.values():
        if not math.isfinite(scale.sigma_w2 + scale.sigma_b2):
            where = f"layer '{scale.name}': "
            return Skipped(where + (NO_VARIANCE if scale.weights == 0 else "weights overflow"))
    heavy = _heavy_tailed(network, stack, scales)
    if heavy:
        return Skipped(heavy)
    known = propagate(network, scales, start)
    ranges = bands(network, scales, known, inputs, scatter=scatter)
    predicted = _predicted_layers(stack, scales, known, ranges)
    by_law = all(scale.weights == 0 for scale in scales.values())
    frame = TheoryResult(
        basis="the laws of the spec" if by_law else "the layers' own weights and biases",
        homogeneous=False,
        depth=len(stack),
        layers=predicted,
        fixed_points=(),
        every_q_fixed=False,
        scale_free=False,
        q_star=None,
        chi1=None,
        c_star=None,
        depth_scale_q=None,
        depth_scale_c=None,
        phase="none",
        usable_depth=None,
        notes=(),
    )
    typical = typical_stack(network.skeleton, scales)
    if typical is not None and predicted[0].q is not None:
        return _homogeneous(frame, typical, predicted[0].q)
    return unequal_layers(frame, network.skeleton, scales, known)


def _heavy_tailed(
    network: Network, stack: tuple[Layer, ...], scales: Mapping[str, LayerScale]
) -> str:
    """The first layer whose own entries have so heavy tails that their law has no variance."""
    for layer in stack:
        if scales[layer.name].weights == 0:  # a law says what it is
            continue
        weights = np.asarray(network.parameters[layer.node.weight], dtype=np.float64)
        found = tail_index(weights.ravel())
        if found is not None and found.interval.high < LEAST_INDEX:
            words = f"its entries have tail index {found.tail_index:.2f}, below 2: "
            return f"layer '{layer.name}': {words}{NO_VARIANCE}"
    return ""


def _predicted_layers(
    stack: tuple[Layer, ...],
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
    ranges: Mapping[str, LayerBand],
) -> tuple[PredictedLayer, ...]:
    predicted = []
    before: float | None = 0.0
    for layer in stack:
        moments = known[layer.preactivation]
        if isinstance(moments, NotKnown):
            q, c, chi1, before, note = None, None, None, None, moments.reason
        else:
            q, note = moments.q, _note(layer, moments)
            c = min(1.0, max(-1.0, moments.k / q)) if q > 0.0 else None
            chi1, before = _ratio(moments.growth, before), moments.growth
        scale = scales[layer.name]
        found = (layer.name, scale.sigma_w2, scale.sigma_b2, q, c, chi1, note)
        predicted.append(_with_band(found, ranges[layer.name]))
    return tuple(predicted)


def _with_band(
    found: tuple[str, float, float, float | None, float | None, float | None, str], band: LayerBand
) -> PredictedLayer:
    return PredictedLayer(
        *found,
        q_low=band.q_low,
        q_high=band.q_high,
        c_low=band.c_low,
        c_high=band.c_high,
        gradient_norm=band.gradient_norm,
        gradient_norm_low=band.gradient_norm_low,
        gradient_norm_high=band.gradient_norm_high,
        active_fraction=band.active_fraction,
        active_fraction_low=band.active_low,
        active_fraction_high=band.active_high,
    )


def _ratio(after: float | None, before: float | None) -> float | None:
    """exp(after - before); None where either is unknown or nothing was left before."""
    if after is None or before is None or before == -math.inf:
        return None
    return math.exp(min(after - before, 700.0))


def _note(layer: Layer, moments: UnitMoments) -> str:
    if isinstance(layer.node, Conv) and any(sum(pad) for pad in layer.node.padding):
        return "q theory is the mean over positions: zero padding lowers q towards the borders"
    if moments.growth is None:
        return "chi_1 is not defined behind a step"
    return ""


def _homogeneous(frame: TheoryResult, stack: Stack, q: float) -> TheoryResult:
    """The summary by the one map of all hidden layers, started at the first pre-activation's q."""
    v = stack.map
    frame = replace(frame, homogeneous=True, scale_free=stack.scale_free)
    if v.function.kind.derivative is None:
        reason = "chi_1, phase and depth scales are not defined for a step"
        point = settled(v, q)
        return replace(
            frame,
            fixed_points=fixed_points(v),
            q_star=point.q if point else None,
            depth_scale_q=depth_scale(point.slope) if point else None,
            notes=(reason,),
        )
    if every_q_is_fixed(v):
        return replace(
            frame,
            every_q_fixed=True,
            q_star=q,
            chi1=v.chi1(q),
            c_star=1.0,
            depth_scale_q=math.inf,
            depth_scale_c=math.inf,
            phase="critical",
            usable_depth=math.inf,
            notes=("every q is a fixed point of the variance map: it is the identity",),
        )
    frame = replace(frame, fixed_points=fixed_points(v))
    point = settled(v, q)
    band = max(CRITICAL_BAND, Z95 * chi1_error(stack, point))
    if point is None:
        return _unsettled(frame, stack, q, band)
    if point.q == 0.0:
        return _vanishing(frame, point, band)
    c_map = CorrelationMap(v, point.q)
    c_star = stable_correlation(c_map)
    xi_c = correlation_depth(c_map, c_star)
    assert point.chi1 is not None
    return replace(
        frame,
        q_star=point.q,
        chi1=point.chi1,
        c_star=c_star,
        depth_scale_q=depth_scale(point.slope),
        depth_scale_c=xi_c,
        phase=phase_of(point.chi1, band),
        usable_depth=usable_depth(xi_c),
    )


def _unsettled(frame: TheoryResult, stack: Stack, q: float, band: float) -> TheoryResult:
    """No fixed point is reached. A scale-free function still has a phase: its chi_1 is constant."""
    note = "the variance settles on no fixed point from the inputs' q"
    if not stack.scale_free:
        return replace(frame, notes=(note,))
    chi1 = stack.map.chi1(q)
    assert chi1 is not None
    return replace(
        frame,
        chi1=chi1,
        c_star=1.0,
        depth_scale_c=math.inf,
        usable_depth=math.inf,
        phase=phase_of(chi1, band),
        notes=(
            f"{note}: it is multiplied by chi_1 from layer to layer, which leaves correlations as "
            "they would be at chi_1 = 1",
        ),
    )


def _vanishing(frame: TheoryResult, point: FixedPoint, band: float) -> TheoryResult:
    """q* = 0: norms vanish; how correlations move is told by distances relative to norms."""
    assert point.chi1 is not None
    relative = point.chi1 / point.slope if point.slope > 0.0 else 0.0
    xi_c = depth_scale(min(relative, 1.0)) if relative else None
    return replace(
        frame,
        q_star=0.0,
        chi1=point.chi1,
        depth_scale_q=depth_scale(point.slope),
        depth_scale_c=xi_c,
        usable_depth=usable_depth(xi_c) if xi_c is not None else None,
        phase=phase_of(point.chi1, band),
        notes=("q* = 0: the signal fades with depth; correlations are those of fading signals",),
    )
