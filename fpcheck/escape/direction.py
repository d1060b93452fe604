"""The optimal escape direction from the saddle at zero: its speed, and the rank of its layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order
from fpcheck.escape.ascent import Peak, ascend
from fpcheck.escape.origin import Origin, Weights, gain_and_gradient, origin
from fpcheck.escape.starts import COARSE_STEPS, coarse_peak, lone_peaks, nudged
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array

# A direction of a narrow network is one of every wider: zeros beside it change nothing.
SEARCH_WIDTH = 32
COARSE_ROWS = 256
# Multiplications of the ascents from all starts, and of the refinement of the best on all rows:
# about a second of one core each.
COARSE_WORK, FINE_WORK = 8e9, 1e10
FEWEST_STARTS, MOST_STARTS = 8, 64
REFINED = 3  # starts that go on, beside the best of rank one
FEWEST_STEPS, MOST_STEPS = 60, 300
FINE_STEP = 0.05
# Speeds within this share of the best count as the same.
AGREES = 0.02
TOP = 10  # singular values that are kept


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """A layer of the direction. rest: sum_{i >= 2} s_i^2 / sum s_i^2, 0 for rank one."""

    name: str
    rest: float
    singular_values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Direction:
    """The best direction rho that was found, |rho|^2 = L: along it dc/dt = s c^(L-1).

    Args:
        speed: s = -L0(rho), a lower bound of the best there is.
        status: `numerical`: found by a search, and its value computed in float64.
        depth: L.
        starts: ascents; agreeing: how many ended within 2 % of the best one, on `coarse_rows`.
        rank_one_speed: the best found of layers that all have rank one.
        slip: the largest sine between a layer and its gradient; above 0 on a kink, where the
            gradient jumps.
        width: units a hidden layer of the search at most; rows: of the data.
        layers: in order.
    """

    speed: float
    status: str
    depth: int
    starts: int
    agreeing: int
    coarse_rows: int
    rank_one_speed: float
    slip: float
    width: int
    rows: int
    layers: tuple[LayerProfile, ...]


def escape_direction(
    network: Network,
    inputs: Array,
    targets: NDArray[np.generic],
    loss: str,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Direction | str:
    """The optimal escape direction of a bias-free, piecewise linear chain; or why there is none.

    inputs: (n, *input shape); targets: as `loss` takes them. The same for any number of threads.
    """
    posed = origin(network, inputs, targets, loss)
    if isinstance(posed, str):
        return posed
    direction, _ = best_direction(posed[0], settings, rng, monitor)
    return direction if direction.speed > 0.0 else "no direction was found that lowers the loss"


def best_direction(
    place: Origin, settings: Settings, rng: np.random.Generator, monitor: Monitor
) -> tuple[Direction, Weights]:
    """The direction and its layers, (out, in) each of norm 1 and of the search's width."""
    place = place.narrowed(SEARCH_WIDTH)
    coarse = place
    if len(place.x) > COARSE_ROWS:
        coarse = place.at_rows(np.sort(rng.choice(len(place.x), COARSE_ROWS, replace=False)))
    lone_speed, lone = lone_peaks(place, rng, monitor.check)
    affordable = int(COARSE_WORK / (COARSE_STEPS * coarse.multiply_adds))
    starts = max(FEWEST_STARTS, min(MOST_STARTS, affordable))
    seeds = [int(seed) for seed in rng.integers(0, 2**63, starts)]
    found = in_order(
        lambda seed: coarse_peak(coarse, seed, monitor.check),
        seeds,
        settings.threads,
        monitor,
        "escape direction",
    )
    found.sort(key=lambda peak: -peak.speed)
    best = _refined(place, [peak.weights for peak in found[:REFINED]], lone[0], settings, rng,
                    monitor)  # fmt: skip
    direction = Direction(
        speed=best.speed,
        status="numerical",
        depth=place.depth,
        starts=starts,
        agreeing=sum(peak.speed >= (1.0 - AGREES) * found[0].speed for peak in found),
        coarse_rows=len(coarse.x),
        rank_one_speed=lone_speed,
        slip=best.slip,
        width=max(place.widths[1:-1], default=0),
        rows=len(place.x),
        layers=profile(place.names, best.weights),
    )
    return direction, best.weights


def profile(names: tuple[str, ...], weights: Weights) -> tuple[LayerProfile, ...]:
    """The rank of every layer. weights: (out, in)."""
    found = []
    for name, weight in zip(names, weights, strict=True):
        values = np.linalg.svd(weight, compute_uv=False)
        squares = values * values
        rest = float(np.sum(squares[1:]) / np.sum(squares)) if squares[0] > 0.0 else 0.0
        found.append(LayerProfile(name, rest, tuple(float(value) for value in values[:TOP])))
    return tuple(found)


def _refined(
    place: Origin,
    found: list[Weights],
    lone: Weights,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Peak:
    """The best point on all rows of longer ascents from the best so far, and of rank one."""
    begin = [*found, nudged(lone, rng), nudged(found[0], rng)]
    affordable = int(FINE_WORK / (len(begin) * place.multiply_adds))
    steps = max(FEWEST_STEPS, min(MOST_STEPS, affordable))
    peaks = in_order(
        lambda start: ascend(place, start, steps, monitor.check, FINE_STEP),
        begin,
        settings.threads,
        monitor,
        "escape direction, refined",
    )
    gain, slopes = gain_and_gradient(place, lone, monitor.check)
    cosine = gain / max(float(np.linalg.norm(slope)) for slope in slopes) if gain > 0.0 else 0.0
    flat = Peak(gain, lone, float(np.sqrt(max(0.0, 1.0 - cosine * cosine))))
    # The exact point of rank one wins a tie: noise of the ascent is no rank.
    best = max(peaks, key=lambda peak: peak.speed)
    return flat if flat.speed >= best.speed else best
