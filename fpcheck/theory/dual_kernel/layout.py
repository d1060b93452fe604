"""What the axes of every node's value are at infinite width: units, which are averaged over, and
positions, which stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Pool,
    Reshape,
    Scale,
    Shape,
    Skeleton,
    Slice,
    Transpose,
)
from fpcheck.theory.recursion_state import NotKnown


@dataclass(frozen=True, slots=True)
class Kind:
    """Units that are alike: their share of all, their positions, whether they are Gaussian."""

    share: float
    lattice: Shape = ()
    gaussian: bool = False

    @property
    def positions(self) -> int:
        """The number of positions."""
        return math.prod(self.lattice)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that no random weights have touched: known number by number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A random value. axis: of the units; None where a flattening has mixed them with positions."""

    axis: int | None
    kinds: tuple[Kind, ...]

    @property
    def gaussian(self) -> bool:
        """Whether all units are Gaussian of mean zero."""
        return all(kind.gaussian for kind in self.kinds)


Known: TypeAlias = Fixed | Layout
Described: TypeAlias = Known | NotKnown


def remade(source: Layout, *, gaussian: bool) -> Layout:
    """The same units, Gaussian or no longer so."""
    return replace(source, kinds=tuple(replace(kind, gaussian=gaussian) for kind in source.kinds))


def joined(node: Concat, sources: list[Known], skeleton: Skeleton) -> Described:
    """Units of several kinds side by side."""
    shapes = [skeleton.shapes[name] for name in node.inputs]
    axes = {s.axis for s in sources if isinstance(s, Layout)}
    flat = len(shapes[0]) == 1
    if not flat and axes != {node.axis}:
        return NotKnown(f"'{node.name}' joins along positions")
    whole = sum(shape[node.axis] for shape in shapes)
    kinds: list[Kind] = []
    for source, shape in zip(sources, shapes, strict=True):
        lattice = shape[: node.axis] + shape[node.axis + 1 :]
        parts = source.kinds if isinstance(source, Layout) else (Kind(1.0, lattice),)
        kinds += [replace(k, share=k.share * shape[node.axis] / whole) for k in parts]
    return Layout(None if None in axes else node.axis, tuple(kinds))


def rearranged(
    node: Flatten | Reshape | Transpose | Slice, source: Layout, skeleton: Skeleton
) -> Described:
    """What a node that only moves entries makes of units and positions."""
    before, after = skeleton.shapes[node.inputs[0]], skeleton.shapes[node.name]
    if before == after and not isinstance(node, Transpose | Slice):
        return source
    lattices = {kind.lattice for kind in source.kinds}
    mixed = source.axis is None and lattices != {()}
    match node:
        case Transpose() if not mixed and source.axis is not None:
            axis = node.order.index(source.axis)
            return _placed(source, axis, after)
        case Slice() if not mixed and node.axis != source.axis:
            return _placed(source, source.axis, after)
        case Slice() if not mixed and len(source.kinds) == 1:
            return source
        case Slice():
            return NotKnown(f"'{node.name}' takes some of units of several kinds")
        case Flatten() | Reshape() if len(after) == 1:
            plain = all(math.prod(lattice) == 1 for lattice in lattices)
            return _placed(source, 0, after) if plain else replace(source, axis=None)
    if isinstance(node, Reshape) and not mixed and source.axis is not None:
        axis = source.axis
        if lattices == {()} and len(source.kinds) == 1:
            return _placed(source, _unit_axis(node, skeleton), after)
        if axis == 0 and after[0] == before[0]:
            return _placed(source, 0, after)
        if axis == len(before) - 1 and after[-1] == before[-1]:
            return _placed(source, len(after) - 1, after)
    return NotKnown(f"'{node.name}' exchanges units and positions")


def _placed(source: Layout, axis: int | None, after: Shape) -> Layout:
    lattice = after if axis is None else after[:axis] + after[axis + 1 :]
    return Layout(axis, tuple(replace(kind, lattice=lattice) for kind in source.kinds))


def _unit_axis(node: Reshape, skeleton: Skeleton) -> int:
    """Which axis of plain units in a new shape is taken for units: the one that is used as such."""
    waiting = list(skeleton.consumers(node.name))
    while waiting:
        consumer = waiting.pop(0)
        if isinstance(consumer, Conv | ConvTranspose | Pool):
            return 0
        if isinstance(consumer, Dense):
            return len(skeleton.shapes[node.name]) - 1
        if isinstance(consumer, Activation | BatchNorm | Scale | Add):
            waiting += skeleton.consumers(consumer.name)
    return 0
