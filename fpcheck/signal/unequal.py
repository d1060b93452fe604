"""The summary of a network whose layers no one variance map stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from fpcheck.core.intervals import Z95
from fpcheck.network.layers import layers
from fpcheck.network.skeleton import Add, Skeleton
from fpcheck.signal.result import TheoryResult
from fpcheck.theory.correlation_map import (
    CRITICAL_BAND,
    USABLE_DEPTH_SCALES,
    phase_of,
    usable_depth,
)
from fpcheck.theory.layer_scales import LayerScale, relative_error
from fpcheck.theory.propagation import Moments, NotKnown, UnitMoments

FEWEST_FOR_A_POWER = 4  # layers from which the exponent of a power law can be read


def unequal_layers(
    frame: TheoryResult,
    skeleton: Skeleton,
    scales: Mapping[str, LayerScale],
    known: Mapping[str, Moments],
) -> TheoryResult:
    """`frame` with chi_1, phase and depth scales from the recursion through the layers.

    Geometric means over the maps from layer to layer; through skip connections, where correlations
    follow a power of the depth, its exponent instead of a depth scale.
    """
    stack = layers(skeleton)
    found = [known[layer.preactivation] for layer in stack]
    points = [m for m in found if isinstance(m, UnitMoments)]
    if len(points) < len(found):
        reason = next(m.reason for m in found if isinstance(m, NotKnown))
        return replace(frame, notes=(f"no phase: {reason}",))
    first, last, maps = points[0], points[-1], len(points) - 1
    if maps == 0:
        return replace(frame, notes=("one layer: there is no map from layer to layer",))
    if first.growth is None or last.growth is None:
        return replace(frame, notes=("chi_1 and phase are not defined behind a step",))
    if first.growth == -math.inf:
        return replace(frame, notes=("no phase: the first layer's weights are zero",))
    chi1 = math.exp((last.growth - first.growth) / maps) if last.growth > -math.inf else 0.0
    frame = replace(frame, chi1=chi1)
    errors = (relative_error(scales[layer.name].weights) ** 2 for layer in stack[1:])
    band = max(CRITICAL_BAND, Z95 * math.sqrt(sum(errors)) / maps)
    if any(isinstance(node, Add) for node in skeleton.nodes):
        return _through_skips(frame, points, band)
    phase = phase_of(chi1, band)
    xi_c = _depth(first, last, maps, phase)
    return replace(
        frame,
        phase=phase,
        depth_scale_c=xi_c,
        usable_depth=usable_depth(xi_c) if xi_c is not None else None,
        notes=(
            f"layers differ: χ₁ and the depth scale are geometric means over {maps} "
            f"map{'s' if maps > 1 else ''} from layer to layer",
        ),
    )


def _depth(first: UnitMoments, last: UnitMoments, maps: int, phase: str) -> float | None:
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


def _through_skips(frame: TheoryResult, points: list[UnitMoments], band: float) -> TheoryResult:
    """Skips carry the inputs along, so q grows, and what decides is how differences grow beside it.

    The contrast 1 - c then falls, or relative differences grow, as a power of the depth [Yang,
    Schoenholz 2017], read off the second half of the layers; the usable depth is where that power
    reaches e^6, as six depth scales do elsewhere: an order of magnitude, and rather too large, for
    exponents still rise where layers are few.
    """
    first, middle, last = points[0], points[len(points) // 2], points[-1]
    maps = len(points) - 1
    if not min(first.q, middle.q, last.q) > 0.0:
        return replace(frame, notes=("no phase: the signal fades to nothing",))
    relative = [_relative_growth(first, m) for m in (middle, last)]
    if relative[1] is None or relative[0] is None:
        return replace(frame, notes=("chi_1 and phase are not defined behind a step",))
    phase = phase_of(math.exp(relative[1] / maps), band)
    frame = replace(frame, phase=phase)
    note = "skip connections: χ₁ is the geometric mean growth of squared differences, q grows along"
    contrasts = [1.0 - m.correlation for m in (first, middle, last)]
    if maps < FEWEST_FOR_A_POWER or not min(contrasts) > 0.0:
        return replace(frame, notes=(note,))
    lost = [math.log(contrasts[0] / c) for c in contrasts[1:]]
    if phase == "chaotic":
        lost = [growth for growth in relative if growth is not None]
    exponent = (lost[1] - lost[0]) / math.log(len(points) / (len(points) // 2 + 1))
    usable = math.inf
    if exponent > 0.0:
        left = (USABLE_DEPTH_SCALES - lost[1]) / exponent
        usable = len(points) * math.exp(min(left, 700.0))
    words = "relative differences grow" if phase == "chaotic" else "the contrast falls"
    power = f"; {words} as about the power {abs(exponent):.2g} of the depth"
    return replace(
        frame,
        usable_depth=usable,
        notes=(note + (power if exponent > 0.0 else "; correlations do not rise with the depth"),),
    )


def _relative_growth(first: UnitMoments, m: UnitMoments) -> float | None:
    """log of how squared differences grew from the first layer, beside the signal's own growth."""
    if first.growth is None or m.growth is None or m.growth == -math.inf:
        return None
    return m.growth - first.growth - math.log(m.q / first.q)
