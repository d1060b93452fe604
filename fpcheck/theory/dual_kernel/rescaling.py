"""The recursion through norms and constant factors."""

from __future__ import annotations

import numpy as np

from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, RMSNorm, Scale
from fpcheck.theory.dual_kernel.meeting import Field, Fields, Meeting, Rules, Side, total_of
from fpcheck.theory.dual_kernel.plan import Step
from fpcheck.theory.dual_kernel.spatial import Indices
from fpcheck.theory.quadrature import Array


def norm_statistics(
    node: LayerNorm | RMSNorm | GroupNorm, side: Side, source: str, shares: list[float]
) -> tuple[Array | None, Array]:
    """The mean that a norm subtracts (None: zero) and its factor by row, (positions or 1, n).

    One position where the norm takes all positions together.
    """
    q = [side.q[source, kind] for kind in range(len(shares))]
    means = [side.means.get((source, kind)) for kind in range(len(shares))]
    each_position = not isinstance(node, GroupNorm) and node.axes == 1 and q[0].shape[0] > 1

    def whole(parts: list[Array]) -> Array:
        if each_position:
            return total_of([share * part for share, part in zip(shares, parts, strict=True)])
        rows = [share * part.mean(axis=0) for share, part in zip(shares, parts, strict=True)]
        return total_of(rows)[None, :]

    square, centre = whole(q), None
    if not isinstance(node, RMSNorm) and any(mean is not None for mean in means):
        filled = [
            np.zeros_like(one) if mean is None else mean for one, mean in zip(q, means, strict=True)
        ]
        centre = whole(filled)
        square = np.maximum(square - centre * centre, 0.0)
    with np.errstate(divide="ignore"):
        return centre, 1.0 / np.sqrt(square + node.epsilon)


def normalised(
    node: LayerNorm | RMSNorm | GroupNorm,
    step: Step,
    fields: Fields,
    meeting: Meeting,
    rules: Rules,
) -> Fields:
    """By the mean square over the units, which infinite width makes a number by row."""
    source = node.inputs[0]
    shares = rules.shares(source)
    sides = [norm_statistics(node, each, source, shares) for each in (meeting.left, meeting.other)]
    a = rules.affines[node.name]
    made: Fields = {}
    for kind, field in fields.items():
        places = step.places[kind]
        (left0, left1), (right0, right1) = (
            (None if centre is None else _at(centre, place), _at(factor, place))
            for (centre, factor), place in zip(sides, places, strict=True)
        )
        means = [each.means.get((source, kind)) for each in (meeting.left, meeting.other)]
        own = [
            np.zeros_like(factor) if mean is None else mean[place]
            for mean, factor, place in zip(means, (left1, right1), places, strict=True)
        ]
        cov = field.cov
        if left0 is not None and right0 is not None:
            # (x - mu)(y - nu), whose means need not be mu and nu position by position.
            cov = cov - meeting.product(own[0] - left0, right0) - meeting.product(left0, own[1])
            own = [own[0] - left0, own[1] - right0]
        gain = meeting.product(left1, right1)
        cov = a.factor2 * gain * cov
        if a.cross:
            one = np.ones_like
            cov += a.cross * meeting.product(own[0] * left1, one(right1))
            cov += a.cross * meeting.product(one(left1), own[1] * right1)
        cov += a.shift2
        made[kind] = Field(cov, None if field.ntk is None else a.factor2 * gain * field.ntk)
    return made


def _at(values: Array, place: Indices) -> Array:
    """By pair the numbers of its position, (pairs, n)."""
    return values[place] if len(values) > 1 else np.repeat(values, len(place), axis=0)


def scaled(
    node: BatchNorm | Scale, step: Step, fields: Fields, meeting: Meeting, rules: Rules
) -> Fields:
    """x * factor + shift with constants."""
    a, source = rules.affines[node.name], node.inputs[0]
    made: Fields = {}
    for kind, field in fields.items():
        cov = a.factor2 * field.cov
        cov += a.shift2
        left, right = (each.means.get((source, kind)) for each in (meeting.left, meeting.other))
        if a.cross and left is not None and right is not None:
            first, second = step.places[kind]
            cov += a.cross * meeting.product(left[first], np.ones_like(right[second]))
            cov += a.cross * meeting.product(np.ones_like(left[first]), right[second])
        made[kind] = Field(cov, None if field.ntk is None else a.factor2 * field.ntk)
    return made
