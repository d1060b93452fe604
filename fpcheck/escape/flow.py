"""The gradient flow of the loss's first order at zero, from the network's own weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.escape.growth import norm_at
from fpcheck.escape.origin import Origin, Weights, gain_and_gradient
from fpcheck.network.operators.operator import Array

# A step, of second order, turns the weights and changes log |theta| by at most so much.
ARC, GROWTH = 0.02, 0.05
MOST_STEPS = 400
# Two gradients a step; about two seconds of one core.
WORK = 3e10
FEWEST_ROWS = 64
# Largest sine between the weights and their gradient that counts as being on the final direction.
ALIGNED = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The path of the flow. times, norms |theta|, gains F(theta): at its points, from the start on.

    speed: of the direction at the end, F at |rho|^2 = L; aligned: whether it turns no more.
    rows: of the data that it was followed on.
    """

    times: Array
    norms: Array
    gains: Array
    depth: int
    speed: float
    aligned: bool
    rows: int

    def norms_at(self, times: Array) -> Array:
        """|theta| at these times: on the path, and by the law of its last direction behind it."""
        found: Array = np.exp(np.interp(times, self.times, np.log(self.norms)))
        behind = np.asarray(times) > self.times[-1]
        if np.any(behind):
            rest = np.asarray(times)[behind] - self.times[-1]
            found[behind] = norm_at(self.speed, self.depth, float(self.norms[-1]), rest)
        return found

    def time_of(self, fall: float) -> float | None:
        """When the first order has lowered the loss by `fall`; None beyond the path's end."""
        fallen = self.gains - self.gains[0]
        reached = np.flatnonzero(fallen >= fall)
        if not len(reached):
            return None
        at = int(reached[0])
        if at == 0:
            return 0.0
        low, high = fallen[at - 1], fallen[at]
        share = (fall - low) / (high - low)
        return float(self.times[at - 1] + share * (self.times[at] - self.times[at - 1]))

    def adaptive_steps(self, time: float, factor: float) -> float:
        """Steps of the rate factor / |theta|^(L-2) until `time`, which lies on the path.

        Counted along the path: a step is as much of tau everywhere, while a little error in time
        would be many of the run's steps behind its escape, where they are small.
        """
        return float(np.interp(time, self.times, self._steps(factor)))

    def adaptive_times(self, steps: Array, factor: float) -> Array:
        """The time on the path after so many steps of that rate; its end behind it."""
        found: Array = np.interp(steps, self._steps(factor), self.times)
        return found

    def _steps(self, factor: float) -> Array:
        middles = np.sqrt(self.norms[:-1] * self.norms[1:])
        steps = np.diff(self.times) * middles ** (self.depth - 2) / factor
        return np.concatenate([[0.0], np.cumsum(steps)])


def follow(
    place: Origin, weights: Weights, fall: float, rng: np.random.Generator, monitor: Monitor
) -> Flow | str:
    """The flow from these weights until the first order has lowered the loss by `fall`; or why not.

    In the time tau with dt = |theta|^(2-L) dtau the direction moves by itself, and log |theta| by
    L F(direction): the path takes as many steps from a small start as from a tiny one.
    """
    affordable = int(WORK / (2 * MOST_STEPS * place.multiply_adds / len(place.x)))
    if affordable < len(place.x):
        if affordable < FEWEST_ROWS:
            return "the network is too large to follow its way in the first order"
        place = place.at_rows(np.sort(rng.choice(len(place.x), affordable, replace=False)))
    sizes = [weight.shape for weight in weights]
    flat = np.concatenate([weight.ravel() for weight in weights])
    norm = float(np.linalg.norm(flat))
    if not (norm > 0.0 and math.isfinite(norm)):
        return "the weights are zero or not finite"
    return _path(place, flat / norm, norm, sizes, fall, monitor.check)


def _path(
    place: Origin,
    way: Array,
    norm: float,
    sizes: list[tuple[int, ...]],
    fall: float,
    check: Callable[[], None],
) -> Flow | str:
    depth, at = place.depth, _Point(way, math.log(norm), 0.0)
    points: list[tuple[float, float, float]] = []
    for number in range(MOST_STEPS + 1):
        gain, turn, sine = _turn(place, at.way, sizes, check)
        points.append((at.time, at.log_norm, gain * _exp(depth * at.log_norm)))
        if not math.isfinite(points[-1][2]):
            return "the weights are so large that the first order overflows"
        if points[-1][2] - points[0][2] >= fall or number == MOST_STEPS:
            break
        pace = max(float(np.linalg.norm(turn)) / ARC, depth * abs(gain) / GROWTH)
        if pace == 0.0:
            return "no gradient pulls on the weights in the first order"
        step = 1.0 / pace
        middle = at.way + 0.5 * step * turn
        middle /= np.linalg.norm(middle)
        middle_gain, middle_turn, _ = _turn(place, middle, sizes, check)
        at = _moved(at, step, depth, gain, middle_gain, middle_turn)
        if not math.isfinite(at.time):
            return "the weights are so small that no time would be enough"
    times, logs, gains = (np.array(column) for column in zip(*points, strict=True))
    speed = gain * float(depth) ** (depth / 2.0)
    aligned = bool(sine <= ALIGNED and gain > 0.0)
    return Flow(times, np.exp(logs), gains, depth, speed, aligned, len(place.x))


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """way: theta / |theta|; log_norm: log |theta|; time."""

    way: Array
    log_norm: float
    time: float


def _moved(
    at: _Point, step: float, depth: int, gain: float, middle_gain: float, middle_turn: Array
) -> _Point:
    """The point a step of tau later, by the slopes in the middle of the way."""
    way = at.way + step * middle_turn
    half = at.log_norm + 0.5 * step * depth * gain
    return _Point(
        way / np.linalg.norm(way),
        at.log_norm + step * depth * middle_gain,
        at.time + step * _exp((2 - depth) * half),
    )


def _exp(exponent: float) -> float:
    """exp, inf where it overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(exponent))


def _turn(
    place: Origin, way: Array, sizes: list[tuple[int, ...]], check: Callable[[], None]
) -> tuple[float, Array, float]:
    """F, the gradient's part along the sphere of norm 1, and its sine to the weights."""
    weights, at = [], 0
    for shape in sizes:
        weights.append(way[at : at + math.prod(shape)].reshape(shape))
        at += math.prod(shape)
    gain, slopes = gain_and_gradient(place, weights, check)
    slope = np.concatenate([part.ravel() for part in slopes])
    turn = slope - float(slope @ way) * way
    norm = float(np.linalg.norm(slope))
    return gain, turn, float(np.linalg.norm(turn)) / norm if norm > 0.0 else 1.0
