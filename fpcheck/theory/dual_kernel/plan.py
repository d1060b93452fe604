"""Which nodes a kernel needs, at which pairs of positions, and the sums that lead from one to the
next: all that depends on the skeleton alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from fpcheck.network.skeleton import Activation, GroupNorm, LayerNorm, Node, RMSNorm, Skeleton
from fpcheck.theory.dual_kernel.layout import Described, Known, Layout
from fpcheck.theory.dual_kernel.links import Link, final_links, links
from fpcheck.theory.dual_kernel.spatial import (
    Gather,
    Indices,
    Run,
    gather,
    pairs_before,
    runs,
    same_positions,
)
from fpcheck.theory.recursion_state import NotKnown

Pairs: TypeAlias = dict[tuple[str, int], Indices]  # by node and kind of units

NORMS = (LayerNorm, RMSNorm, GroupNorm)


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A link with the pairs of positions behind it and those of its source that they need.

    gather: the sums that lead from one to the other, once `with_sums` has made them; none where
    the link has no taps.
    """

    link: Link
    behind: Indices
    before: Indices
    gather: Gather | None = None

    @property
    def terms(self) -> int:
        """How many terms the sums have at most."""
        if self.link.taps is None:
            return 0
        return self.link.taps.combinations * len(self.behind)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A node's turn: its edges; by kind its pairs of positions, the first and the second position
    of each, and how they stand together.
    """

    node: Node
    edges: tuple[Edge, ...]
    pairs: tuple[Indices, ...]
    places: tuple[tuple[Indices, Indices], ...]
    runs: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """The steps that lead to the kernels of the targets, which `finals` collapse to numbers.

    nodes: the random ones among those that the targets are made of, with their links by name.
    forgotten: by node the sources that no later step needs.
    """

    nodes: tuple[Node, ...]
    links: Mapping[str, tuple[Link, ...]]
    steps: tuple[Step, ...]
    finals: Mapping[str, tuple[Edge, ...]]
    forgotten: Mapping[str, tuple[str, ...]]


def needed_nodes(skeleton: Skeleton, targets: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that the targets are made of, in their order."""
    by_name = {node.name: node for node in skeleton.nodes}
    needed, waiting = set[str](), list(targets)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += by_name[name].inputs
    return tuple(node for node in skeleton.nodes if node.name in needed)


def walk(
    skeleton: Skeleton, layouts: Mapping[str, Described], targets: Sequence[str], *, of_rows: bool
) -> Walk | NotKnown:
    """The steps to the targets' kernels; of_rows: to every row's own variances on the way there."""
    nodes = [
        node for node in needed_nodes(skeleton, targets) if isinstance(layouts[node.name], Layout)
    ]
    into = {node.name: links(node, skeleton, layouts) for node in nodes}
    out = {name: final_links(name, _known(layouts[name])) for name in targets}
    pairs: Pairs = {}
    for found in () if of_rows else out.values():
        unknown = _want(found, {0: same_positions(1)}, pairs, "the kernel")
        if unknown is not None:
            return unknown
    for node in reversed(nodes):
        if of_rows and isinstance(node, (Activation, *NORMS)):
            _want_variances(node, layouts, pairs)
        unknown = _want(into[node.name], _of(node, layouts, pairs), pairs, f"'{node.name}'")
        if unknown is not None:
            return unknown
    steps = tuple(
        _step(node, into[node.name], layouts, pairs) for node in nodes if _of(node, layouts, pairs)
    )
    finals = {
        name: tuple(_edge(link, same_positions(1), pairs) for link in found)
        for name, found in ({} if of_rows else out).items()
    }
    return Walk(tuple(nodes), into, steps, finals, _forgotten(steps, finals))


def _known(layout: Described) -> Known:
    assert not isinstance(layout, NotKnown)
    return layout


def _of(node: Node, layouts: Mapping[str, Described], pairs: Pairs) -> dict[int, Indices]:
    """The pairs that are wanted of a node, by kind."""
    layout = layouts[node.name]
    assert isinstance(layout, Layout)
    return {
        kind: pairs[node.name, kind]
        for kind in range(len(layout.kinds))
        if (node.name, kind) in pairs
    }


def _want_variances(node: Node, layouts: Mapping[str, Described], pairs: Pairs) -> None:
    """Every position of what enters the node."""
    name = node.inputs[0]
    source = layouts[name]
    if isinstance(source, Layout):
        for index, kind in enumerate(source.kinds):
            _also(pairs, (name, index), same_positions(kind.positions))


def _want(
    found: Sequence[Link], wanted: Mapping[int, Indices], pairs: Pairs, what: str
) -> NotKnown | None:
    """Have the links' sources provide what is wanted behind them."""
    for link in found:
        if link.kind in wanted and not link.fixed:
            before = _before(link, wanted[link.kind], what)
            if isinstance(before, NotKnown):
                return before
            _also(pairs, (link.source, link.source_kind), before)
    return None


def _also(pairs: Pairs, place: tuple[str, int], more: Indices) -> None:
    known = pairs.get(place)
    pairs[place] = more if known is None else np.union1d(known, more)


def _before(link: Link, behind: Indices, what: str) -> Indices | NotKnown:
    if link.taps is None:
        return same_positions(1)
    return pairs_before(link.taps, behind, what)


def _edge(link: Link, behind: Indices, pairs: Pairs) -> Edge:
    if not link.fixed:
        before = pairs[link.source, link.source_kind]
    else:
        wanted = _before(link, behind, f"'{link.source}'")
        assert not isinstance(wanted, NotKnown)
        before = wanted
    return Edge(link, behind, before)


def with_sums(walk: Walk) -> Walk:
    """The walk ready to be gone: its sums laid out, which may take as long as a block of rows."""

    def laid_out(edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
        return tuple(
            edge
            if edge.link.taps is None
            else replace(edge, gather=gather(edge.link.taps, edge.behind, edge.before))
            for edge in edges
        )

    return replace(
        walk,
        steps=tuple(replace(step, edges=laid_out(step.edges)) for step in walk.steps),
        finals={name: laid_out(edges) for name, edges in walk.finals.items()},
    )


def _step(
    node: Node, found: Sequence[Link], layouts: Mapping[str, Described], pairs: Pairs
) -> Step:
    layout = layouts[node.name]
    assert isinstance(layout, Layout)
    wanted = _of(node, layouts, pairs)
    none = np.empty(0, dtype=np.int64)
    by_kind = tuple(wanted.get(kind, none) for kind in range(len(layout.kinds)))
    edges = tuple(_edge(link, wanted[link.kind], pairs) for link in found if link.kind in wanted)
    together = tuple(
        runs(mine, kind.positions) if isinstance(node, Activation) else ()
        for mine, kind in zip(by_kind, layout.kinds, strict=True)
    )
    places = tuple(
        (mine // kind.positions, mine % kind.positions)
        for mine, kind in zip(by_kind, layout.kinds, strict=True)
    )
    return Step(node, edges, by_kind, places, together)


def _forgotten(
    steps: Sequence[Step], finals: Mapping[str, tuple[Edge, ...]]
) -> dict[str, tuple[str, ...]]:
    """By node the sources that nothing behind it takes."""
    last: dict[str, str] = {}
    for step in steps:
        for edge in step.edges:
            last[edge.link.source] = step.node.name
    kept = {edge.link.source for edges in finals.values() for edge in edges}
    found: dict[str, list[str]] = {}
    for source, name in last.items():
        if source not in kept:
            found.setdefault(name, []).append(source)
    return {name: tuple(sources) for name, sources in found.items()}
