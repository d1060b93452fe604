"""Where, between two neighbouring points of a curve, a fixed point turns back or changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.attractors.continuation.curve import BRANCH_STEP, RESIDUAL, CurvePoint, Tracer
from fpcheck.attractors.continuation.result import EventKind
from fpcheck.attractors.selfmap import Array

# How closely an event is located along the curve.
PLACE = 1e-10
# How often a step is halved to tell events on it apart.
DEEPEST = 4
# Events closer than this along the curve are one: a fold is a turn and an eigenvalue at +1.
TOGETHER = 1e-6
# A test function that is not this small on both sides of its change of sign has jumped.
JUMP = 1e-4
# The argument of an eigenvalue on the unit circle that counts as 0 or pi.
REAL_ANGLE = 1e-4
# Singular values of the derivative below this are zero at a branch point.
FLAT = 1e-6
# How far beside a place the curve is looked for, where it is not found there.
HOPS = (0.0, 1e-9, -1e-9, 1e-7, -1e-7, 1e-5, -1e-5)
# How far from a branch point the other curves are looked for.
SWITCH = 0.02


@dataclass(frozen=True, slots=True)
class Located:
    """An event on a curve. along: the distance from the step's first point; error: in the gain."""

    kind: EventKind
    point: CurvePoint
    along: float
    error: float
    before: int
    after: int
    multiplicity: int = 1
    angle: float | None = None


def events_between(
    tracer: Tracer, first: CurvePoint, second: CurvePoint, depth: int = 0
) -> list[Located]:
    """The events on a step from one point of the curve to the next, in order.

    A turn is a zero of dg/ds, a change of stability a zero of |lambda_k| - 1, where lambda_k is
    the k-th largest eigenvalue and k lies between the numbers of unstable ones at both ends. A
    flip or a Neimark-Sacker point of a saddle that stays one is left out. What generic curves do
    not show (a turn at which no eigenvalue passes +1, half a complex pair) is a sign of several
    events on one step, which is halved then.
    """
    found = [event for event in _events(tracer, first, second) if _matters(event)]
    whole = tracer.advanced(first, second) <= BRANCH_STEP
    if depth < DEEPEST and not whole and any(_puzzling(event) for event in found):
        middle = tracer.between(first, second, 0.5, first.tangent)
        if middle is not None:
            halves = ((first, middle), (middle, second))
            return [event for half in halves for event in events_between(tracer, *half, depth + 1)]
    return found


def _events(tracer: Tracer, first: CurvePoint, second: CurvePoint) -> list[Located]:
    step = (tracer, first, second)
    turns = first.rising * second.rising < 0.0
    low, high = sorted((first.unstable, second.unstable))
    if low > 0 and not turns and (first.beyond_one - second.beyond_one) % 2 == 0:
        return []  # no eigenvalue passes +1, and what is unstable stays so
    gained = 1 if second.unstable > first.unstable else -1
    crossings = [_crossing(step, k) for k in range(low + 1, high + 1)]
    crossings.sort(key=lambda event: event.along)
    found: list[Located] = []
    count = first.unstable
    for event in crossings:
        count += gained
        if found and event.along - found[-1].along <= TOGETHER:
            many = found[-1].multiplicity + 1
            found[-1] = replace(found[-1], after=count, multiplicity=many)
        else:
            found.append(replace(event, before=count - gained, after=count))
    if turns:
        found = _with_turn(found, _located(step, lambda point: point.rising))
    return found


def _matters(event: Located) -> bool:
    """Whether a fixed point is lost or gained, or a stable one is part of it."""
    return event.kind not in ("flip", "Neimark-Sacker") or 0 in (event.before, event.after)


def _puzzling(event: Located) -> bool:
    """Whether there may be more than this one event on its step."""
    half_a_pair = event.kind == "Neimark-Sacker" and event.multiplicity % 2 == 1
    return half_a_pair or event.kind in ("pitchfork", "branch point")


def other_curves(tracer: Tracer, event: Located) -> tuple[EventKind, list[CurvePoint]]:
    """(what kind of branch point it is, a point on either side of the curve that crosses there).

    The crossing curve is looked for in the null space of the derivative, across the tangent.
    """
    basis = tracer.null_space(event.point, FLAT)
    if len(basis) != 2 or event.multiplicity != 1:
        return "branch point", []
    tangent = event.point.tangent
    across = basis - np.outer(basis @ tangent, tangent)
    direction = across[int(np.argmax(np.linalg.norm(across, axis=1)))]
    direction = direction / np.linalg.norm(direction)
    sides = [tracer.switched(event.point, side * direction, SWITCH) for side in (1.0, -1.0)]
    found = [point for point in sides if point is not None]
    if len(found) < 2:
        return "branch point", found
    gains = [point.gain - event.point.gain for point in found]
    if min(map(abs, gains)) <= PLACE:
        return "branch point", found
    return ("pitchfork" if gains[0] * gains[1] > 0 else "transcritical"), found


def _with_turn(found: list[Located], turn: tuple[CurvePoint, float, float, float]) -> list[Located]:
    """The events with a turn among them: a fold where an eigenvalue passes +1 with it."""
    point, along, error, jump = turn
    for index, event in enumerate(found):
        if abs(event.along - along) <= TOGETHER + 0.1 * math.sqrt(PLACE):
            kind: EventKind = "border collision" if jump > JUMP else "fold"
            found[index] = replace(event, kind=kind, point=point, error=error, angle=0.0)
            return found
    before = [event.after for event in found if event.along < along]
    unstable = before[-1] if before else point.unstable
    kind = "border collision" if jump > JUMP else "pitchfork"
    own = Located(kind, point, along, error, unstable, unstable, 1, 0.0)
    return sorted([*found, own], key=lambda event: event.along)


def _crossing(step: tuple[Tracer, CurvePoint, CurvePoint], k: int) -> Located:
    """The place where the k-th largest eigenvalue crosses the unit circle."""
    point, along, error, jump = _located(step, lambda at: _beyond(at, k))
    moduli = np.abs(point.eigenvalues)
    crossing = point.eigenvalues[int(np.argsort(-moduli, kind="stable")[k - 1])]
    angle = abs(float(np.angle(crossing)))
    kind: EventKind = "Neimark-Sacker"
    if jump > JUMP:
        kind = "border collision"
    elif angle <= REAL_ANGLE:
        kind, angle = "branch point", 0.0
    elif math.pi - angle <= REAL_ANGLE:
        kind = "flip"
    return Located(kind, point, along, error, 0, 0, 1, angle / math.pi)


def _beyond(point: CurvePoint, k: int) -> float:
    return float(np.sort(np.abs(point.eigenvalues))[-k]) - 1.0


class _LostError(Exception):
    """The curve was not found at a place in between."""


def _located(
    step: tuple[Tracer, CurvePoint, CurvePoint], value: Callable[[CurvePoint], float]
) -> tuple[CurvePoint, float, float, float]:
    """(the curve's point at a zero of `value`, its place along the step, error of its gain, jump).

    jump: |value| at the place, which is far from zero where the function is not continuous.
    """
    from scipy.optimize import brentq

    tracer, first, second = step
    length = tracer.advanced(first, second)
    seen = {0.0: (value(first), first, 0.0), length: (value(second), second, 0.0)}

    def at(place: float) -> float:
        if place not in seen:
            point, hop = _near_place(tracer, first.tangent, seen, place)
            seen[place] = (value(point), point, hop)
        return seen[place][0]

    try:
        rounding = 8 * float(np.finfo(np.float64).eps)
        place = float(brentq(at, 0.0, length, xtol=PLACE, rtol=rounding, maxiter=60, disp=False))
        jump, point, hop = abs(at(place)), *seen[place][1:]
        return point, place, (PLACE + hop) * abs(point.rising) + RESIDUAL, jump
    except _LostError:
        sign = math.copysign(1.0, seen[0.0][0])
        low = max(place for place, (number, *_) in seen.items() if number * sign > 0 or not place)
        high = min(place for place in seen if place > low)
        nearest = min((low, high), key=lambda place: abs(seen[place][0]))
        point = seen[nearest][1]
        return point, nearest, (high - low) * max(seen[k][1].rising ** 2 for k in (low, high)), 0.0


def _near_place(
    tracer: Tracer,
    normal: Array,
    seen: Mapping[float, tuple[float, CurvePoint, float]],
    place: float,
) -> tuple[CurvePoint, float]:
    """The curve's point at `place` along the step, or a hair beside it, and how far beside.

    At a branch point the curve has no single tangent, and Newton's method fails close to it.
    """
    for hop in HOPS:
        low = max(one for one in seen if one <= place + hop)
        high = min(one for one in seen if one > low)
        share = (place + hop - low) / (high - low)
        point = tracer.between(seen[low][1], seen[high][1], share, normal)
        if point is not None:
            return point, abs(hop)
    raise _LostError
