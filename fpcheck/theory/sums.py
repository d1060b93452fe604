"""The recursion through sums and joins: which terms are independent over the units."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    Node,
    Pool,
    RMSNorm,
    Scale,
    Skeleton,
    Slice,
)
from fpcheck.theory.positions import Positions, added, joined
from fpcheck.theory.recursion_state import Moments, NotKnown, UnitMoments, averaged

# Nodes whose units each come from the same unit of their input.
UNIT_BY_UNIT = (Activation, BatchNorm, LayerNorm, RMSNorm, GroupNorm, Scale, Pool)


def summed(node: Add, parts: list[UnitMoments], network: Network) -> Moments:
    """The sum, where of any two terms one comes through weights that the other has not met.

    Such a term's units are independent of the other's, so their product has the mean of the means:
    none, where the weights are the last thing in it.
    """
    for i, one in enumerate(node.inputs):
        for other in node.inputs[:i]:
            if not (fresh(network.skeleton, one, other) or fresh(network.skeleton, other, one)):
                return NotKnown(
                    f"'{node.name}' adds '{other}' and '{one}', which are not independent: "
                    "no weights lie between them"
                )
    shapes = {network.skeleton.shapes[name] for name in node.inputs}
    if len(shapes) > 1:
        return NotKnown(f"'{node.name}' repeats one of its terms over positions or units")
    if any(m.parts for m in parts):
        return NotKnown(f"'{node.name}' adds units of several kinds")
    means = math.fsum(m.mean for m in parts)
    extra = means * means - math.fsum(m.mean * m.mean for m in parts)
    growths = [m.growth for m in parts if m.growth is not None]
    contrasts = [m.contrast for m in parts if m.contrast is not None]
    complete = len(growths) == len(contrasts) == len(parts)
    places = [m.places for m in parts if m.places is not None]
    return UnitMoments(
        q=math.fsum(m.q for m in parts) + extra,
        k=math.fsum(m.k for m in parts) + extra,
        mean=means,
        growth=float(np.logaddexp.reduce(growths)) if complete else None,
        contrast=float(np.logaddexp.reduce(contrasts)) if complete else None,
        gaussian=all(m.gaussian for m in parts),
        places=added(places, extra) if len(places) == len(parts) else None,
    )


def concatenated(node: Concat, parts: list[UnitMoments], network: Network) -> Moments:
    """Units of several kinds side by side."""
    shapes = [network.skeleton.shapes[name] for name in node.inputs]
    places = [m.places for m in parts if m.places is not None]
    unit_axis = 0 if len(places) == len(parts) else len(shapes[0]) - 1
    if node.axis != unit_axis or 0 < len(places) < len(parts):
        return NotKnown(f"'{node.name}' joins along positions")
    whole = sum(shape[unit_axis] for shape in shapes)
    shares = [shape[unit_axis] / whole for shape in shapes]
    kinds = [
        (share * own, kind)
        for share, m in zip(shares, parts, strict=True)
        for own, kind in (m.parts or ((1.0, m),))
    ]

    def combined() -> Positions | None:
        return joined(places, shares) if places else None

    return averaged(tuple(kinds), combined)


def sliced(node: Slice, m: UnitMoments, network: Network) -> Moments:
    """Some of the units; they are alike unless they are of several kinds."""
    shape = network.skeleton.shapes[node.inputs[0]]
    unit_axis = 0 if m.places is not None else len(shape) - 1
    if node.axis != unit_axis:
        return NotKnown(f"'{node.name}' takes some of the positions")
    if m.parts:
        return NotKnown(f"'{node.name}' takes some of units of several kinds")
    return m


def fresh(skeleton: Skeleton, name: str, other: str) -> bool:
    """Whether `name` comes unit by unit from a layer with weights that `other` has not met."""
    by_name = {each.name: each for each in skeleton.nodes}
    root: Node = by_name[name]
    while isinstance(root, UNIT_BY_UNIT):
        root = by_name[root.inputs[0]]
    if not isinstance(root, Dense | Conv | ConvTranspose):
        return False
    above, waiting = set[str](), [other]
    while waiting:
        current = waiting.pop()
        above.add(current)
        waiting += [each for each in by_name[current].inputs if each not in above]
    return root.name not in above
