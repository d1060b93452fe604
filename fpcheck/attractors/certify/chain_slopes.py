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

from fpcheck.attractors.selfmap import Array
from fpcheck.network.activations import ACTIVATIONS, ActivationFunction
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import TINY, Ball, U, matmul, plus, split, widen
from fpcheck.network.enclosure.matrices import point, two_norm, two_norms
from fpcheck.network.program import DenseLayer, Program

# Layers, over all steps of a cycle, that are compared pair by pair.
MOST_LAYERS = 16
# A few dozen sums and products of non-negative numbers.
SUMMED = 1.0 + 1e-12
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
class Stretch:
    """Matrices M between two layers, R and Q the layers' shares: the 2-norm of R M Q, (k,), and
    those of the rows of M Q, (k, rows), from above."""

    norm: Array
    rows: Array


@dataclass(frozen=True, slots=True, eq=False)
class ChainSlopes:
    """f^p around points, as one chain of layers.

    sums: W_l h + b at the points, (k, out); steady: D*_l, (k, out), exactly known; shares: R_l,
    (k, out), None where the layer is linear. D_l - D*_l = R_l (..) R_l gives its size to the units
    that bend, most of them little. between[l][m]: of W_l D*_l-1 .. W_m+1, for m < l; before[l]: of
    W_l D*_l-1 .. W_1; None where a layer is linear. jacobian: D*_L W_L .. D*_1 W_1, (k, n, n).
    """

    layers: tuple[Layer, ...]
    sums: tuple[Ball, ...]
    steady: tuple[Array, ...]
    shares: tuple[Array | None, ...]
    between: tuple[tuple[Stretch | None, ...], ...]
    before: tuple[Stretch | None, ...]
    jacobian: Ball

    def at(self, rows: Rows) -> ChainSlopes:
        """The same around some of the points."""
        return ChainSlopes(
            self.layers,
            tuple(split(each, rows) for each in self.sums),
            tuple(each[rows] for each in self.steady),
            tuple(None if each is None else each[rows] for each in self.shares),
            tuple(tuple(_stretch_at(each, rows) for each in line) for line in self.between),
            tuple(_stretch_at(each, rows) for each in self.before),
            split(self.jacobian, rows),
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
        before = self.before if right is None else self._before(right)
        after = self._after(left)

        def bound(radius: Array, rows: Rows) -> Array:
            change: list[Array] = []  # |D_l - D*_l| / R_l^2
            reach: list[Array] = []  # |R_l W_l D_l-1 .. W_1 right|
            total = np.zeros(len(rows))
            for place, (own, behind) in enumerate(zip(before, after, strict=True)):
                if own is None or behind is None:
                    change.append(np.zeros(len(rows)))
                    reach.append(np.zeros(len(rows)))
                    continue
                norm, lengths = own.norm[rows], own.rows[rows]
                for link, d, b in zip(self.between[place], change, reach, strict=True):
                    if link is not None:
                        norm = norm + link.norm[rows] * (d * b)
                        lengths = lengths + link.rows[rows] * (d * b)[:, None]
                reach.append(norm * SUMMED)
                change.append(self._change(place, rows, lengths * SUMMED, radius, error[rows]))
                total += behind[rows] * change[-1] * reach[-1]
            return np.asarray(total * SUMMED)

        return bound

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

    def _before(self, right: Array) -> tuple[Stretch | None, ...]:
        """W_l D*_l-1 .. W_1 right, for every layer."""
        first = matmul(point(self.layers[0].weight), point(right))
        return _on_the_way(self.layers, self.steady, self.shares, first)[0]

    def _after(self, left: Array | None) -> list[Array | None]:
        """The norms of left D*_L W_L .. W_l+1 R_l, for every layer."""
        product = point(np.eye(self.jacobian.shape[-1])[None] if left is None else left)
        out = [_shared_norm(product, self.shares[-1])]
        for place in range(len(self.layers) - 1, 0, -1):
            weight = point(self.layers[place].weight)
            product = matmul(_columns_scaled(product, self.steady[place]), weight)
            out.append(_shared_norm(product, self.shares[place - 1]))
        return out[::-1]


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
    before, product = _on_the_way(layers, steady, shares, weights)
    return ChainSlopes(
        layers,
        tuple(sums),
        tuple(steady),
        tuple(shares),
        _all_between(layers, steady, shares),
        before,
        _scaled(steady[-1], product),
    )


def _on_the_way(
    layers: Sequence[Layer], steady: Sequence[Array], shares: Sequence[Array | None], first: Ball
) -> tuple[tuple[Stretch | None, ...], Ball]:
    """The stretches from the input to every layer, and the last matrix. first: W_1 right."""
    product = first
    everything = np.ones((1, first.shape[-1]))
    out = [_stretch(product, shares[0], everything)]
    for layer, slope, share in zip(layers[1:], steady, shares[1:], strict=False):
        product = matmul(point(layer.weight), _scaled(slope, product))
        out.append(_stretch(product, share, everything))
    return tuple(out), product


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
            None if each is None else matmul(weight, _scaled(steady[place - 1], each))
            for each in matrices
        ]
        if place:
            start = weight.map(lambda x: x[None])
            matrices.append(None if shares[place - 1] is None else start)
        out.append(
            tuple(
                None if each is None else _stretch(each, shares[place], share)
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


def _stretch(matrix: Ball, after: Array | None, before: Array | None) -> Stretch | None:
    """The matrices with their norms; None for a linear layer, whose changes are 0."""
    if before is None or after is None:
        return None
    shared = _columns_scaled(matrix, before)
    sizes = np.abs(shared.mid) + shared.rad
    squares = (sizes * sizes).sum(axis=2) * widen(matrix.shape[-1]) + TINY
    norm = two_norms(_scaled(after, shared), loose=True)
    count = len(norm)
    rows = np.broadcast_to(np.sqrt(squares) * (1.0 + 8 * U), (count, squares.shape[1]))
    return Stretch(norm, rows)


def _stretch_at(stretch: Stretch | None, rows: Rows) -> Stretch | None:
    return None if stretch is None else Stretch(stretch.norm[rows], stretch.rows[rows])


def _shared_norm(matrix: Ball, share: Array | None) -> Array | None:
    return None if share is None else two_norms(_columns_scaled(matrix, share), loose=True)


def _columns_scaled(matrix: Ball, columns: Array) -> Ball:
    """M diag(columns)."""
    return _times(matrix, columns[:, None, :])


def _scaled(rows: Array, matrix: Ball) -> Ball:
    """diag(rows) M."""
    return _times(matrix, rows[:, :, None])


def _times(matrix: Ball, factor: Array) -> Ball:
    """M times exactly known factors that broadcast."""
    mid = matrix.mid * factor
    rad = np.abs(mid)  # in place from here: the matrices fill the caches
    rad *= 2 * U
    rad += matrix.rad * (np.abs(factor) * (1.0 + 8 * U))
    rad += TINY
    return Ball(mid, rad)
