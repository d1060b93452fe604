"""How the units and positions of one node's value enter the next one's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.network.skeleton import (
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Node,
    Pool,
    Reshape,
    Shape,
    Skeleton,
    Slice,
    Transpose,
)
from fpcheck.theory.dual_kernel.layout import Described, Fixed, Kind, Known, Layout
from fpcheck.theory.dual_kernel.spatial import (
    Taps,
    collapsing_taps,
    convolution_taps,
    moved_taps,
    pooling_taps,
    unmoved_taps,
)
from fpcheck.theory.recursion_state import NotKnown


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """How one kind of units of `source` enters one kind of units behind, with which share.

    taps: the positions; None: plain units that were spread over positions, each its own. axis: of
    the units where the source is a fixed value (None: all its entries); group of groups: which of
    its units enter.
    """

    source: str
    source_kind: int
    kind: int
    share: float
    taps: Taps | None
    fixed: bool = False
    axis: int | None = None
    group: int = 0
    groups: int = 1


def links(node: Node, skeleton: Skeleton, layouts: Mapping[str, Described]) -> tuple[Link, ...]:
    """The links of a node whose value is random."""
    found: list[Link] = []
    offset = 0
    for name in node.inputs:
        source = layouts[name]
        assert not isinstance(source, NotKnown)
        found += _from(node, name, source, skeleton, layouts, offset)
        if isinstance(node, Concat):
            offset += len(source.kinds) if isinstance(source, Layout) else 1
    return tuple(found)


def _from(
    node: Node,
    name: str,
    source: Known,
    skeleton: Skeleton,
    layouts: Mapping[str, Described],
    offset: int,
) -> list[Link]:
    before, after = skeleton.shapes[name], skeleton.shapes[node.name]
    weighted = isinstance(node, Dense | Conv | ConvTranspose)
    if isinstance(source, Fixed):
        axis = _fixed_axis(node, layouts)
        taps = _taps(node, Kind(1.0, _without(before, axis)), axis, before, after)
        groups = node.groups if isinstance(node, Conv | ConvTranspose) else 1
        return [
            Link(name, 0, offset + group, 1.0, taps, True, axis, group, groups)
            for group in range(groups)
        ]
    made = []
    for index, kind in enumerate(source.kinds):
        taps = _taps(node, kind, source.axis, before, after)
        target = 0 if weighted else offset + index
        made.append(Link(name, index, target, kind.share if weighted else 1.0, taps))
    return made


def _fixed_axis(node: Node, layouts: Mapping[str, Described]) -> int | None:
    """Which axis of a fixed value its consumer takes for the units'."""
    made = layouts[node.name]
    assert isinstance(made, Layout)
    if isinstance(node, Concat):
        return node.axis
    return made.axis


def _without(shape: Shape, axis: int | None) -> Shape:
    return () if axis is None else shape[:axis] + shape[axis + 1 :]


def _taps(node: Node, kind: Kind, axis: int | None, before: Shape, after: Shape) -> Taps | None:
    match node:
        case Dense() if axis is None:
            return collapsing_taps(kind.positions)
        case Conv() | ConvTranspose():
            return convolution_taps(node, before[1:], after[1:])
        case Pool():
            return pooling_taps(node, before[1:], after[1:])
        case Transpose() | Slice():
            return _moved(node, axis, before)
        case Reshape() if kind.lattice == () and len(after) > 1:
            return None
    return unmoved_taps(kind.positions)


def _moved(node: Transpose | Slice, axis: int | None, before: Shape) -> Taps:
    """The positions that stand behind a node which only moves them."""
    lattice = _without(before, axis)
    size = 1
    for length in lattice:
        size *= length
    # A unit axis of length 1 in its place; every entry is the number of its position.
    numbers = np.arange(size, dtype=np.int64).reshape(lattice)
    if axis is not None:
        numbers = np.expand_dims(numbers, axis)
    if isinstance(node, Transpose):
        numbers = numbers.transpose(node.order)
    elif node.axis != axis:
        place = (slice(None),) * node.axis + (slice(node.start, node.stop, node.step),)
        numbers = numbers[place]
    return moved_taps(np.ascontiguousarray(numbers).ravel(), size)


def final_links(name: str, layout: Known) -> tuple[Link, ...]:
    """The links to a node's kernel: the mean over units and over the same position of two rows."""
    if isinstance(layout, Fixed):
        return (Link(name, 0, 0, 1.0, unmoved_taps(1), True, None),)
    return tuple(
        Link(name, index, 0, kind.share, collapsing_taps(kind.positions))
        for index, kind in enumerate(layout.kinds)
    )
