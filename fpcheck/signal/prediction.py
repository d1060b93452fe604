"""The network at infinite width: its layers' recursion, and the phase that follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from fpcheck.core.intervals import Z95
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv
from fpcheck.signal.result import PredictedLayer, Skipped, TheoryResult
from fpcheck.signal.stack import Stack, chi1_error, typical_stack
from fpcheck.theory.correlation_map import (
    CRITICAL_BAND,
    CorrelationMap,
    correlation_depth,
    phase_of,
    stable_correlation,
    usable_depth,
)
from fpcheck.theory.heavy_tails import NO_VARIANCE
from fpcheck.theory.layer_scales import LayerLaws, LayerScale, layer_scales, relative_error
from fpcheck.theory.propagation import Moments, NotKnown, UnitMoments, propagate
from fpcheck.theory.variance_map import (
    FixedPoint,
    depth_scale,
    every_q_is_fixed,
    fixed_points,
    settled,
)


def predict(
    network: Network, start: UnitMoments, laws: LayerLaws | None = None
) -> TheoryResult | Skipped:
    """What the theory of infinite width says of the network on inputs with the moments `start`.

    laws: the laws that drew the layers, where they are known; else the layers' own entries count.
    """
    stack = layers(network.skeleton)
    if not stack:
        return Skipped("the network has no layer with weights")
    scales = layer_scales(network, laws)
    for scale in scales.values():
        if not math.isfinite(scale.sigma_w2 + scale.sigma_b2):
            where = f"layer '{scale.name}': "
            return Skipped(where + (NO_VARIANCE if scale.weights == 0 else "weights overflow"))
    known = propagate(network, scales, start)
    predicted = _predicted_layers(stack, scales, known)
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
    return _mixed(frame, stack, scales, known)


def _predicted_layers(
    stack: tuple[Layer, ...], scales: Mapping[str, LayerScale], known: Mapping[str, Moments]
) -> tuple[PredictedLayer, ...]:
    predicted = []
    before: float | None = 0.0
    for layer in stack:
        scale, moments = scales[layer.name], known[layer.preactivation]
        if isinstance(moments, NotKnown):
            before = None
            predicted.append(
                PredictedLayer(
                    layer.name, scale.sigma_w2, scale.sigma_b2, None, None, None, moments.reason
                )
            )
            continue
        predicted.append(
            PredictedLayer(
                name=layer.name,
                sigma_w2=scale.sigma_w2,
                sigma_b2=scale.sigma_b2,
                q=moments.q,
                c=min(1.0, max(-1.0, moments.k / moments.q)) if moments.q > 0.0 else None,
                chi1=_ratio(moments.growth, before),
                note=_note(layer, moments),
            )
        )
        before = moments.growth
    return tuple(predicted)


def _ratio(after: float | None, before: float | None) -> float | None:
    """exp(after - before); None where either is unknown or nothing was left before."""
    if after is None or before is None or before == -math.inf:
        return None
    return math.exp(min(after - before, 700.0))


def _note(layer: Layer, moments: UnitMoments) -> str:
    if isinstance(layer.node, Conv) and any(sum(pad) for pad in layer.node.padding):
        return "q theory is of interior positions: zero padding lowers q towards the borders"
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


def _mixed(
    frame: TheoryResult,
    stack: tuple[Layer, ...],
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
) -> TheoryResult:
    """The summary of unequal layers: geometric means over the maps from layer to layer."""
    points = [known[layer.preactivation] for layer in stack]
    maps = len(points) - 1
    first, last = points[0], points[-1]
    if isinstance(first, NotKnown) or isinstance(last, NotKnown):
        reason = next(m.reason for m in points if isinstance(m, NotKnown))
        return replace(frame, notes=(f"no phase: {reason}",))
    if maps == 0:
        return replace(frame, notes=("one layer: there is no map from layer to layer",))
    if first.growth is None or last.growth is None:
        return replace(frame, notes=("chi_1 and phase are not defined behind a step",))
    if first.growth == -math.inf:
        return replace(frame, notes=("no phase: the first layer's weights are zero",))
    chi1 = math.exp((last.growth - first.growth) / maps) if last.growth > -math.inf else 0.0
    errors = (relative_error(scales[layer.name].weights) ** 2 for layer in stack[1:])
    band = max(CRITICAL_BAND, Z95 * math.sqrt(sum(errors)) / maps)
    phase = phase_of(chi1, band)
    xi_c = _mixed_depth(first, last, maps, phase)
    return replace(
        frame,
        chi1=chi1,
        phase=phase,
        depth_scale_c=xi_c,
        usable_depth=usable_depth(xi_c) if xi_c is not None else None,
        notes=(
            f"layers differ: χ₁ and the depth scale are geometric means over {maps} "
            f"map{'s' if maps > 1 else ''} from layer to layer",
        ),
    )


def _mixed_depth(first: UnitMoments, last: UnitMoments, maps: int, phase: str) -> float | None:
    """The depth scale of correlations: at c = 1 unless chaotic, else along the inputs' own c."""
    if phase == "critical":
        return math.inf
    if not (first.q > 0.0 and last.q > 0.0):
        return None
    along = (first.contrast, last.contrast) if phase == "chaotic" else (first.growth, last.growth)
    if along[0] is None or along[1] is None or along[1] == -math.inf:
        return None
    log_slope = (along[1] - along[0] + math.log(first.q / last.q)) / maps
    return -1.0 / log_slope if log_slope < 0.0 else math.inf
