"""How far the slopes of a chain of dense layers stray from those at points, in the 2-norm.

Between a point c and any other of a set the chain's slope is a product of D_l W_l, D_l diagonal,
each entry the mean of the activation's slope between two sums. Against fixed D*_l it changes by

    sum_l  [D*_L W_L .. W_l+1] (D_l - D*_l) [W_l D_l-1 .. W_1],

whose factors have known 2-norms. Entry by entry the same change would be bounded worse by up to
the root of the width for every layer. All is done for k points at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.certify.bends import SUMMED, Bend, bends_of, squares_norm
from fpcheck.attractors.certify.stretches import (
    Stretch,
    columns_scaled,
    rows_scaled,
    shared_norm,
    stretch,
    stretch_at,
)
from fpcheck.attractors.selfmap import Array
from fpcheck.network.activations import ACTIVATIONS, ActivationFunction
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import TINY, Ball, U, matmul, plus, split
from fpcheck.network.enclosure.matrices import point, two_norm
from fpcheck.network.program import DenseLayer, Program

# Layers, over all steps of a cycle, that are compared pair by pair.
MOST_LAYERS = 16
# The way to a point is cut into so many pieces: the mean slope on it is that of theirs.
PIECES = 6
# The step for which the shares of the units are taken, and the least share.
SMALL_STEP = 0.3
LEAST_SHARE = 0.1
NAMES = {kind.opcode: kind.name for kind in ACTIVATIONS.values()}

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What does not depend on the point. weight: W_l, (out, in)."""

    weight: Array
    weight_t: Array
    bias: Array
    function: ActivationFunction

    @property
    def linear(self) -> bool:
        """Whether its slope is the same everywhere."""
        return self.function.name == "identity"


@dataclass(frozen=True, slots=True, eq=False)
class ChainSlopes:
    """f^p around points, as one chain of layers.

    sums: W_l h + b at the points, (k, out); steady: D*_l, (k, out), exactly known; shares: R_l,
    (k, out), None where the layer is linear. D_l - D*_l = R_l (..) R_l gives its size to the units
    that bend, most of them little. between[l][m]: of W_l D*_l-1 .. W_m+1, for m < l; before[l]: of
    W_l D*_l-1 .. W_1; None where a layer is linear. jacobian: D*_L W_L .. D*_1 W_1, (k, n, n).
    bends: of the layers to second order, None where they are not known.
    """

    layers: tuple[Layer, ...]
    sums: tuple[Ball, ...]
    steady: tuple[Array, ...]
    shares: tuple[Array | None, ...]
    between: tuple[tuple[Stretch | None, ...], ...]
    before: tuple[Stretch | None, ...]
    jacobian: Ball
    bends: tuple[Bend | None, ...] | None

    def at(self, rows: Rows) -> ChainSlopes:
        """The same around some of the points."""
        return ChainSlopes(
            self.layers,
            tuple(split(each, rows) for each in self.sums),
            tuple(each[rows] for each in self.steady),
            tuple(None if each is None else each[rows] for each in self.shares),
            tuple(tuple(stretch_at(each, rows) for each in line) for line in self.between),
            tuple(stretch_at(each, rows) for each in self.before),
            split(self.jacobian, rows),
            None
            if self.bends is None
            else tuple(None if each is None else each.at(rows) for each in self.bends),
        )

    @property
    def lipschitz(self) -> float:
        """Above the Lipschitz constant in the 2-norm, everywhere: the product of the norms."""
        product = 1.0
        for layer in self.layers:
            steepest = max(map(abs, layer.function.slopes)) * (1.0 + 64 * U)
            product *= two_norm(point(layer.weight)) * steepest * SUMMED
        return product

    def straying(
        self, left: Array | None, right: Array | None, error: Array
    ) -> Callable[[Array, Rows], Array]:
        """(r, rows) -> bounds of |left (J - D*_L W_L .. D*_1 W_1) right| for all slopes J between
        a point of {x + right u, |u| <= r} and one within `error` of x; norms are 2-norms.

        left, right: (k, n, n), None for I; error: (k,); r: (rows,).
        """
        before = self.before if right is None else self._before(right)[0]
        after = self._after(left)[0]

        def bound(radius: Array, rows: Rows) -> Array:
            return self._strays(before, after, None, error, radius, rows)

        return bound

    def departing(
        self, left: Array | None, right: Array | None, error: Array
    ) -> Callable[[Array, Rows], Array]:
        """The same for |left (J - D*_L W_L .. D*_1 W_1) right w| / |w|, right w the way from one of
        the two points to the other: not for every vector, and smaller where the bends are known.
        """
        if self.bends is None:
            return self.straying(left, right, error)
        before, first = self._before(right)
        after, last = self._after(left)
        square = squares_norm(len(self.jacobian.mid), self.bends, last, first)

        def bound(radius: Array, rows: Rows) -> Array:
            return self._strays(before, after, square, error, radius, rows)

        return bound

    def _strays(
        self,
        before: tuple[Stretch | None, ...],
        after: Sequence[Array | None],
        square: Array | None,
        error: Array,
        radius: Array,
        rows: Rows,
    ) -> Array:
        """The bounds of `straying`, or, with `square`, the smaller ones of `departing`.

        The squares' second-order part is |square| w^2; what their arguments h_l are off B_l w, and
        what the bends are off squares, is bounded layer by layer.
        """
        change: list[Array] = []  # |D_l - D*_l| / R_l^2
        reach: list[Array] = []  # |R_l W_l D_l-1 .. W_1 right|
        total = np.zeros(len(rows))
        way = (radius + error[rows]) * SUMMED
        smaller = total if square is None else square[rows] * way
        for place, (own, behind) in enumerate(zip(before, after, strict=True)):
            if own is None or behind is None:
                change.append(np.zeros(len(rows)))
                reach.append(np.zeros(len(rows)))
                continue
            drift, lengths = np.zeros(len(rows)), own.rows[rows]
            for link, d, b in zip(self.between[place], change, reach, strict=True):
                if link is not None:
                    drift = drift + link.norm[rows] * (d * b)
                    lengths = lengths + link.rows[rows] * (d * b)[:, None]
            lengths = lengths * SUMMED
            reach.append((own.norm[rows] + drift) * SUMMED)
            change.append(self._change(place, rows, lengths, radius, error[rows]))
            total = total + behind[rows] * change[-1] * reach[-1]
            if square is not None:
                parts = self._bent(place, rows, lengths, own.rows[rows], way, error[rows])
                smaller = smaller + behind[rows] * (parts[0] * drift + parts[1] * reach[-1])
        return np.asarray((total if square is None else np.fmin(total, smaller)) * SUMMED)

    def _bent(
        self, place: int, rows: Rows, lengths: Array, own: Array, way: Array, error: Array
    ) -> tuple[Array, Array]:
        """The largest |curve (h + B w)| / R^2 and |D - D* - curve h| / R^2 of a layer, (rows,).

        lengths: as for `_change`; own: the same of B_l alone; way: the length of w at most.
        """
        bend, share = self.bends[place] if self.bends else None, self.shares[place]
        if bend is None or share is None:
            return np.zeros(len(rows)), np.zeros(len(rows))
        sums, share = split(self.sums[place], rows), share[rows]
        square = share * share
        first = (sums.rad + lengths * error[:, None]) * SUMMED
        slopes = slope_range(self.layers[place].function, Ball(sums.mid, first))
        slope = (np.abs(slopes.mid - self.steady[place][rows]) + slopes.rad) * SUMMED
        rest = bend.rest(rows, first, slope, lengths * way[:, None] * SUMMED) / square
        size = np.abs(bend.curve[rows]) * (lengths + own) * way[:, None] / square
        return (
            np.asarray(size.max(axis=1, initial=0.0) * SUMMED),
            np.asarray(rest.max(axis=1, initial=0.0) * SUMMED),
        )

    def _change(self, place: int, rows: Rows, lengths: Array, radius: Array, error: Array) -> Array:
        """The largest |D - D*| / R^2 of layer `place`, (rows,).

        lengths: (rows, out), how far each sum moves for a step of size 1. The sums at the one point
        are within error * lengths of the known ones, and the way from there to those at the other
        is (radius + error) * lengths long at most.
        """
        share = self.shares[place]
        if share is None:
            return np.zeros(len(rows))
        sums, steady, share = split(self.sums[place], rows), self.steady[place][rows], share[rows]
        first = sums.rad + lengths * (error * SUMMED)[:, None]
        way = lengths * ((radius + error) * SUMMED)[:, None]
        parts = np.arange(1, PIECES + 1)[:, None, None] / PIECES
        around = (first + parts * way) * SUMMED
        ranges = slope_range(
            self.layers[place].function, Ball(np.broadcast_to(sums.mid, around.shape), around)
        )
        changes = (np.abs(ranges.mid - steady) + ranges.rad).mean(axis=0) / (share * share)
        return np.asarray(changes.max(axis=1, initial=0.0) * SUMMED)

    def _before(self, right: Array | None) -> tuple[tuple[Stretch | None, ...], list[Ball]]:
        """W_l D*_l-1 .. W_1 right, for every layer."""
        first = point(self.layers[0].weight[None])
        if right is not None:
            first = matmul(first, point(right))
        stretches, products = _on_the_way(self.layers, self.steady, self.shares, first)
        return stretches, products

    def _after(self, left: Array | None) -> tuple[list[Array | None], list[Ball]]:
        """The norms of left D*_L W_L .. W_l+1 R_l, for every layer, and these without R_l."""
        product = point(np.eye(self.jacobian.shape[-1])[None] if left is None else left)
        out, products = [shared_norm(product, self.shares[-1])], [product]
        for place in range(len(self.layers) - 1, 0, -1):
            weight = point(self.layers[place].weight)
            product = matmul(columns_scaled(product, self.steady[place]), weight)
            products.append(product)
            out.append(shared_norm(product, self.shares[place - 1]))
        return out[::-1], products[::-1]


def chain_layers(program: Program, period: int) -> tuple[Layer, ...] | None:
    """The layers of f^period; None unless the network is a short dense chain."""
    chain = program.chain
    if chain is None or len(chain) * period > MOST_LAYERS:
        return None
    layers = tuple(
        Layer(np.ascontiguousarray(each.weight_t.T), each.weight_t, each.bias, _function(each))
        for each in chain
    )
    return layers * period


def chain_slopes(layers: tuple[Layer, ...], points: Array) -> ChainSlopes:
    """The slopes around the points, (k, n)."""
    sums, steady = [], []
    state = point(points)
    for layer in layers:
        summed = plus(matmul(state, point(layer.weight_t)), point(layer.bias))
        sums.append(summed)
        steady.append(slope_range(layer.function, summed).mid)
        state = value_range(layer.function, summed)
    shares = [_share(layer, each) for layer, each in zip(layers, sums, strict=True)]
    weights = point(layers[0].weight[None])
    before, products = _on_the_way(layers, steady, shares, weights)
    return ChainSlopes(
        layers,
        tuple(sums),
        tuple(steady),
        tuple(shares),
        _all_between(layers, steady, shares),
        before,
        rows_scaled(steady[-1], products[-1]),
        bends_of([layer.function for layer in layers], sums),
    )


def _on_the_way(
    layers: Sequence[Layer], steady: Sequence[Array], shares: Sequence[Array | None], first: Ball
) -> tuple[tuple[Stretch | None, ...], list[Ball]]:
    """The stretches from the input to every layer, and their matrices. first: W_1 right."""
    product, products = first, [first]
    everything = np.ones((1, first.shape[-1]))
    out = [stretch(product, shares[0], everything)]
    for layer, slope, share in zip(layers[1:], steady, shares[1:], strict=False):
        product = matmul(point(layer.weight), rows_scaled(slope, product))
        products.append(product)
        out.append(stretch(product, share, everything))
    return tuple(out), products


def _all_between(
    layers: Sequence[Layer], steady: Sequence[Array], shares: Sequence[Array | None]
) -> tuple[tuple[Stretch | None, ...], ...]:
    out: list[tuple[Stretch | None, ...]] = []
    matrices: list[Ball | None] = []  # W_l D*_l-1 .. W_m+1, None where layer m is linear
    for place, layer in enumerate(layers):
        if all(share is None for share in shares[place:]):
            out.append((None,) * place)  # nothing bends any more
            continue
        weight = point(layer.weight)
        matrices = [
            None if each is None else matmul(weight, rows_scaled(steady[place - 1], each))
            for each in matrices
        ]
        if place:
            start = weight.map(lambda x: x[None])
            matrices.append(None if shares[place - 1] is None else start)
        out.append(
            tuple(
                None if each is None else stretch(each, shares[place], share)
                for each, share in zip(matrices, shares, strict=False)
            )
        )
    return tuple(out)


def _share(layer: Layer, sums: Ball) -> Array | None:
    """R: the root of how much each unit's slope changes for a small step, the largest 1."""
    if layer.linear:
        return None
    steps = np.sqrt((layer.weight * layer.weight).sum(axis=1))
    steps *= SMALL_STEP / max(float(steps.max(initial=0.0)), TINY)
    change = slope_range(layer.function, Ball(sums.mid, sums.rad + steps)).rad
    largest = change.max(axis=1, initial=0.0, keepdims=True)
    told = (largest > 0.0) & (largest < np.inf)
    ratio = np.divide(change, largest, out=np.ones_like(change), where=told)
    return np.asarray(np.sqrt(np.maximum(ratio, LEAST_SHARE)))


def _function(layer: DenseLayer) -> ActivationFunction:
    name = NAMES[layer.opcode]
    count = len(ACTIVATIONS[name].parameters)
    return ActivationFunction(name, (layer.p0, layer.p1)[:count])
