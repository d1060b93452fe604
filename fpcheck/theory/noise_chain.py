"""Plain chains of dense layers, and the numbers that their noise is made of, all layers at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.noise_moments import ORDERS, Expansion, PairNoise, pair_noise, unit_noise
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import Moments, UnitMoments

MODES = ORDERS + 1  # and the rest
EXPANSION = 4 + MODES  # numbers of one
Row = TypeVar("Row")
Links = tuple[tuple[Dense, Activation | None], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """The layers that infinite width knows, and the numbers of them that the noise needs.

    whole: whether they are all. The others are of shape (layers,). q, apart: second moment and
    1 - c of the pre-activations; after: q behind the activation, if there is one; units, inputs: of
    the layer and of what feeds it. part: the weights' share of q; given: what of its noise a
    measured sigma_w^2 knows, times the mean over pairs.
    """

    links: Links
    whole: bool
    q: Array
    apart: Array
    after: Array
    units: Array
    inputs: Array
    sigma_w2: Array
    part: Array
    given: Array


@dataclass(frozen=True, slots=True)
class Expansions:
    """One of the expansions of `UnitNoise` for all activated layers.

    modes: (ORDERS + 1, layers), the rest last; all others (layers,).
    """

    mean: Array
    modes: Array
    total: Array
    elasticity: Array
    curvature: Array


@dataclass(frozen=True, slots=True)
class Pairs:
    """The numbers of `PairNoise` for all activated layers, (layers,); common: (ORDERS + 1, layers).

    live: where there is one. Elsewhere differences pass unchanged.
    """

    live: Array
    common: Array
    own: Array
    rest: Array
    by_contrast: Array
    by_q: Array
    bend: Array
    total: Array
    size: Array
    both: Array
    common_total: Array
    kept: Array


def plain_chain(
    network: Network, scales: Mapping[str, LayerScale], known: Mapping[str, Moments]
) -> Chain | None:
    """The chain that the network is, up to where its signal has vanished or overflown.

    None if it is none, or one with a step or a layer without weights.
    """
    links = _links(network)
    if links is None:
        return None
    count, whole = _followed(links, known)
    links = links[:count]
    if not links or not all(scales[node.name].sigma_w2 > 0.0 for node, _ in links):
        return None
    before, after, part, given = [], [], [], []
    for node, activation in links:
        m, scale = known[node.name], scales[node.name]
        behind = m if activation is None else known[activation.name]
        assert isinstance(m, UnitMoments)
        share = 1.0 - scale.sigma_b2 / m.q
        before.append((m.q, 1.0 - m.correlation))
        after.append(behind.q if isinstance(behind, UnitMoments) else math.nan)
        part.append(share)
        given.append(share * share * node.units / scale.weights if scale.weights else 0.0)
    q, apart = np.array(before).T
    units = np.array([node.units for node, _ in links], dtype=np.float64)
    w2 = np.array([scales[node.name].sigma_w2 for node, _ in links])
    below = np.concatenate(([float(network.skeleton.input_shape[0])], units[:-1]))
    return Chain(
        links, whole, q, apart, np.array(after), units, below, w2, np.array(part), np.array(given)
    )


def _followed(links: Links, known: Mapping[str, Moments]) -> tuple[int, bool]:
    """How many layers have a known q > 0 before their activation; whether all have, and behind."""
    for i, (node, activation) in enumerate(links):
        m = known[node.name]
        if not (isinstance(m, UnitMoments) and m.q > 0.0):
            return i, False
        behind = m if activation is None else known[activation.name]
        if not (isinstance(behind, UnitMoments) and behind.q > 0.0):
            return i + 1, False
    return len(links), True


def _links(network: Network) -> Links | None:
    """Dense layers, each followed by an activation but, at will, the last."""
    first, *rest = network.skeleton.nodes
    last, links = first.name, list[tuple[Dense, Activation | None]]()
    if not (isinstance(first, Input) and len(first.shape) == 1 and rest):
        return None
    waiting: Dense | None = None
    for node in rest:
        if node.inputs != (last,):
            return None
        if waiting is None and isinstance(node, Dense):
            waiting = node
        elif waiting is not None and isinstance(node, Activation):
            if node.function.kind.derivative is None or node.function.name == "identity":
                return None
            links.append((waiting, node))
            waiting = None
        else:
            return None
        last = node.name
    return tuple(links) if waiting is None else (*links, (waiting, None))


def unit_expansions(chain: Chain) -> tuple[Expansions, Expansions, Expansions] | None:
    """phi^2, phi'^2 and activity of every activated layer; None where one has no expansion."""
    found = [
        unit_noise(node.function, q)
        for (_, node), q in zip(chain.links, chain.q.tolist(), strict=True)
        if node is not None
    ]
    known = [unit for unit in found if unit is not None and unit.slope is not None]
    if len(known) < len(found):
        return None
    square = _columns(known, lambda unit: _numbers(unit.square), EXPANSION)
    slope = _columns(known, lambda unit: _numbers(unit.slope or unit.square), EXPANSION)
    active = _columns(known, lambda unit: _numbers(unit.active), EXPANSION)
    return _expansions(square), _expansions(slope), _expansions(active)


def pair_numbers(chain: Chain, contrasts: Array) -> Pairs:
    """The pair noise of every activated layer at these contrasts."""
    found = [
        pair_noise(node.function, q, contrast)
        for (_, node), q, contrast in zip(
            chain.links, chain.q.tolist(), contrasts.tolist(), strict=True
        )
        if node is not None
    ]
    table = _columns(found, _pair_row, 11 + MODES)
    head, common = table[:-MODES], table[-MODES:]
    live, *rest = head
    return Pairs(live > 0.0, common, *rest)


def _pair_row(pair: PairNoise | None) -> list[float]:
    if pair is None:  # one that leaves differences as they are
        return [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, *[0.0] * MODES]
    common = pair.common
    return [
        1.0,
        pair.own,
        pair.rest,
        pair.by_contrast,
        pair.by_q,
        pair.bend,
        pair.total,
        pair.size,
        pair.both,
        common.total,
        pair.slope_kept,
        *common.modes,
        common.rest,
    ]


def _numbers(g: Expansion) -> list[float]:
    return [g.mean, g.total, g.elasticity, g.curvature, *g.modes, g.rest]


def _expansions(table: Array) -> Expansions:
    mean, total, elasticity, curvature = table[:4]
    return Expansions(mean, table[4:], total, elasticity, curvature)


def _columns(rows: Sequence[Row], numbers: Callable[[Row], list[float]], size: int) -> Array:
    """The `size` numbers of every row, (size, rows); of equal rows (one object) made once."""
    places: dict[int, int] = {}
    distinct: list[list[float]] = []
    index = []
    for row in rows:
        place = places.get(id(row))
        if place is None:
            place = places[id(row)] = len(distinct)
            distinct.append(numbers(row))
        index.append(place)
    table = np.array(distinct, dtype=np.float64).reshape(len(distinct), size)
    return np.asarray(table.T[:, np.array(index, dtype=np.intp)])
