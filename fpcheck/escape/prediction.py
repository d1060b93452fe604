"""How long the escape from zero takes: by the law of the optimal direction, and from here.

Near zero the gain F = -L0 drives the weights, and theta = c rho along the optimal direction has
dc/dt = s c^(L-1), so that |theta|^(2-L) falls linearly in time. No path of the gradient flow of L0
grows faster: d|theta|^2/dt = 2 L F(theta) <= 2 L s c^L. [papers: Bantzis, Simon, Jacot]
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.escape.direction import Direction
from fpcheck.escape.flow import Flow
from fpcheck.escape.growth import norm_at, time_to_norm
from fpcheck.network.operators.operator import Array


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the first order at zero says of the run.

    Args:
        predicted_escape: the step at which it has lowered the loss by `fall`, from these weights;
            None where that lies beyond what was followed.
        earliest_escape: the step before which nothing that starts at this norm can have done so
            in the first order; None where it lies beyond the run.
        predicted_time, earliest_time: the same in time, the sum of the learning rates.
        predicted_norms, earliest_norms: |theta| at the run's times; inf beyond the blow-up that
            the first order has where L > 2, None where the flow was not followed.
        own_speed: of the direction that these weights turn to; at most the optimal one.
        reason: why there is no prediction from these weights, "" where there is one.
    """

    predicted_escape: float | None
    earliest_escape: float | None
    predicted_time: float | None
    earliest_time: float
    predicted_norms: tuple[float, ...] | None
    earliest_norms: tuple[float, ...]
    own_speed: float | None
    reason: str = ""


def predict(
    direction: Direction,
    start_norm: float,
    steps: Array,
    times: Array,
    fall: float,
    flow: Flow | str = "not followed",
    factor: float | None = None,
) -> Prediction:
    """The law and, where the weights were followed, their own way.

    start_norm: |theta_0|. steps, times: of the run, from 0 on; the time is the sum of the rates
    before the step (under momentum m divided by 1 - m; Adam's steps have no time). fall: of the
    loss, that counts as having escaped. factor: of the norm-adaptive rate factor / |theta|^(L-2).
    """
    speed, depth = direction.speed, direction.depth
    # F has to come from where it is; |F| <= s c^L.
    gain = fall if isinstance(flow, str) else max(0.0, fall + float(flow.gains[0]))
    target = math.sqrt(depth) * (gain / speed) ** (1.0 / depth)
    earliest = time_to_norm(speed, depth, start_norm, target)
    norms = tuple(float(value) for value in norm_at(speed, depth, start_norm, times))
    if factor is None:
        earliest_step = _step(earliest, steps, times)
    else:
        growth = factor * speed * float(depth) ** (1.0 - depth / 2.0)  # of log |theta|, evenly
        earliest_step = _within(math.log(max(target / start_norm, 1.0)) / growth, steps)
    if isinstance(flow, str):
        return Prediction(None, earliest_step, None, earliest, None, norms, None, reason=flow)
    own = flow.time_of(fall)
    clock = times if factor is None else flow.adaptive_times(steps, factor)
    return Prediction(
        _own_step(own, flow, factor, steps, times),
        earliest_step,
        own,
        earliest,
        tuple(float(value) for value in flow.norms_at(clock)),
        norms,
        flow.speed,
    )


def _own_step(
    time: float | None, flow: Flow, factor: float | None, steps: Array, times: Array
) -> float | None:
    """The step at which the flow has come to `time`; None beyond the run."""
    if factor is None or time is None:
        return _step(time, steps, times)
    return _within(flow.adaptive_steps(time, factor), steps)


def _within(step: float, steps: Array) -> float | None:
    """The step, None beyond the run."""
    return step if step <= steps[-1] else None


def _step(time: float | None, steps: Array, times: Array) -> float | None:
    """The step at that time, between whole ones; None beyond the run."""
    if time is None or not time <= times[-1]:
        return None
    return float(np.interp(time, times, steps))
