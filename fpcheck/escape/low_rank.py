"""Whether the escape was low-rank, and in which layers."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.intervals import mean_t
from fpcheck.escape.probe import Run
from fpcheck.escape.problem import Array
from fpcheck.escape.result import Law, LowRankLayer, Skipped
from fpcheck.escape.spectra import first_direction, leading_values
from fpcheck.network.layers import Layer, layers, weight_matrix
from fpcheck.network.network import Network

# Of |W(t) - W(0)|^2 outside its first singular direction: below, the escape was low-rank. What is
# left of an initialisation that is not very small hides it in W(t) itself.
MOST_REST = 1.0 / 3.0
LEAST_RATIO = 2.0  # of sigma_1 to sigma_2: one direction leads the weights
LEAST_GROWTH = 1.25  # of that ratio since the start: the escape did it
LAW_DEPTH = 4  # layers that a power of the depth is fitted to


def low_rank_at(run: Run, step: int | None) -> int | None:
    """The kept step nearest to the escape, None without one."""
    if step is None or not run.kept:
        return None
    return min(run.kept, key=lambda kept: (abs(kept - step), kept))


def low_rank_layers(run: Run, step: int) -> tuple[LowRankLayer, ...]:
    """Every layer's weights at `step`, one of the kept ones, beside those at step 0."""
    start, network = run.network_at(0), run.network_at(step)
    return tuple(
        _layer(layer, depth, start, network)
        for depth, layer in enumerate(layers(run.network.skeleton), 1)
    )


def depth_law(found: tuple[LowRankLayer, ...]) -> Law | Skipped:
    """The powers of the depth that sigma_1/sigma_2 and the rest follow, with their intervals.

    At the optimal escape direction the rest is O(l^-1/2), so the ratio leads by order l^1/4.
    [Bantzis, Simon, Jacot]
    """
    if not found:
        return Skipped("there was no escape within the probe")
    kept = [one for one in found if one.ratio is not None and one.rest > 0.0]
    if len(kept) < LAW_DEPTH:
        return Skipped(f"{len(kept)} layers with two singular values; a power needs {LAW_DEPTH}")
    depth = np.array([float(one.depth) for one in kept])
    ratio = _power(depth, np.array([one.ratio or math.nan for one in kept]))
    rest = _power(depth, np.array([one.rest for one in kept]))
    return Law(*ratio, *rest, layers=len(kept))


def _layer(layer: Layer, depth: int, start: Network, network: Network) -> LowRankLayer:
    name = layer.node.weight
    before = weight_matrix(layer.node, start.parameters[name])
    after = weight_matrix(layer.node, network.parameters[name])
    change = after - before
    moved = float(np.sum(change * change))
    share = rest = None
    if moved > 0.0:
        left, right = first_direction(after)
        share = float(left @ change @ right) ** 2 / moved
        rest = _rest(change)
    ratio, first = _ratio(after), _ratio(before)
    leads = ratio is not None and ratio >= LEAST_RATIO
    dominated = leads and (first is None or (ratio or 0.0) >= LEAST_GROWTH * first)
    # A single row or column has no second direction, so that it tells nothing.
    told = min(after.shape) > 1
    return LowRankLayer(
        layer.name, depth, ratio, first, _rest(after), share, rest,
        low_rank=told and (dominated or (rest is not None and rest <= MOST_REST)),
        dominated=dominated,
    )  # fmt: skip


def _ratio(matrix: Array) -> float | None:
    """sigma_1 / sigma_2, None where there is one value only or the second is 0."""
    top = leading_values(matrix, 2)
    return float(top[0] / top[1]) if len(top) > 1 and top[1] > 0.0 else None


def _rest(matrix: Array) -> float:
    """sum_{i >= 2} s_i^2 / sum s_i^2; 0 of a matrix of zeros."""
    whole = float(np.sum(matrix * matrix))
    if whole == 0.0:
        return 0.0
    return max(0.0, 1.0 - float(leading_values(matrix, 1)[0]) ** 2 / whole)


def _power(depth: Array, values: Array) -> tuple[float, float, float]:
    """(exponent, low, high) of values ~ depth^exponent, by least squares of the logarithms."""
    x, y = np.log(depth), np.log(values)
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    left = y - y.mean() - slope * x
    degrees = len(x) - 2
    error = math.sqrt(float(left @ left) / degrees / float(x @ x))
    interval = mean_t(slope, error, degrees)
    return slope, interval.low, interval.high
