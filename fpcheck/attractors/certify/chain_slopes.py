"""How far the slopes of a chain of dense layers stray from those at a point, in the 2-norm.

Between any two points of a set the chain's slope is a product of D_l W_l, D_l diagonal with
entries in the ranges of the activations' slopes on the set. Against fixed D*_l it changes by

    sum_l  [D*_L W_L .. W_l+1] (D_l - D*_l) [W_l D_l-1 .. W_1],

whose factors have known 2-norms. Entry by entry the same change would be bounded worse by up to
the root of the width for every layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.network.activations import ACTIVATIONS, ActivationFunction
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import TINY, Ball, U, matmul, plus, widen
from fpcheck.network.enclosure.matrices import point, two_norm
from fpcheck.network.program import DenseLayer, Program

# Layers, over all steps of a cycle, that are compared pair by pair.
MOST_LAYERS = 16
# A few dozen sums and products of non-negative numbers.
SUMMED = 1.0 + 1e-12
# The step for which the shares of the units are taken, and the least share.
SMALL_STEP = 0.3
LEAST_SHARE = 0.1
NAMES = {kind.opcode: kind.name for kind in ACTIVATIONS.values()}


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A matrix M between two layers, the 2-norm of R M Q, R and Q the layers' shares, and the
    2-norms of the rows of M Q, from above."""

    matrix: Ball
    norm: float
    rows: Array


@dataclass(frozen=True, slots=True, eq=False)
class ChainSlopes:
    """f^p around a point, as one chain of layers.

    weights: W_l, (out, in); sums: W_l h + b at the point; steady: D*_l, (out,), exactly known;
    shares: R_l, (out,), None where the layer is linear. D_l - D*_l = R_l (..) R_l gives its size to
    the units that bend, most of them little. between[l][m]: W_l D*_l-1 .. W_m+1, for m < l.
    """

    weights: tuple[Array, ...]
    functions: tuple[ActivationFunction, ...]
    sums: tuple[Ball, ...]
    steady: tuple[Array, ...]
    shares: tuple[Array | None, ...]
    between: tuple[tuple[Stretch, ...], ...]

    @property
    def jacobian(self) -> Ball:
        """D*_L W_L .. D*_1 W_1, (n, n)."""
        product = point(self.weights[0])
        for weight, steady in zip(self.weights[1:], self.steady, strict=False):
            product = matmul(point(weight), _scaled(steady, product))
        return _scaled(self.steady[-1], product)

    @property
    def lipschitz(self) -> float:
        """Above the Lipschitz constant in the 2-norm, everywhere: the product of the norms."""
        product = 1.0
        for weight, function in zip(self.weights, self.functions, strict=True):
            steepest = max(map(abs, function.slopes)) * (1.0 + 64 * U)
            product *= two_norm(point(weight)) * steepest * SUMMED
        return product

    def straying(self, left: Array, right: Array) -> Callable[[float], float]:
        """r -> a bound of |left (J - D*_L W_L .. D*_1 W_1) right| for all slopes J between any two
        points of {x + right u, |u| <= r}; norms are 2-norms. left, right: (n, n)."""
        before = self._before(right)
        after = self._after(left)

        def bound(radius: float) -> float:
            change: list[float] = []  # |D_l - D*_l| / R_l^2
            reach: list[float] = []  # |R_l W_l D_l-1 .. W_1 right|
            for place, own in enumerate(before):
                links = list(zip(self.between[place], change, reach, strict=False))
                reach.append((own.norm + sum(s.norm * d * b for s, d, b in links)) * SUMMED)
                rows = own.rows.copy()
                for stretch, d, b in links:
                    rows += stretch.rows * (d * b)
                change.append(self._change(place, radius * SUMMED * rows))
            terms = zip(after, change, reach, strict=True)
            return float(sum(a * d * b for a, d, b in terms) * SUMMED)

        return bound

    def _change(self, place: int, away: Array) -> float:
        """The largest |D - D*| / R^2 of layer `place` where its sums are within `away`."""
        share = self.shares[place]
        if share is None:
            return 0.0
        sums, steady = self.sums[place], self.steady[place]
        ranges = slope_range(self.functions[place], Ball(sums.mid, sums.rad + away * SUMMED))
        changes = (np.abs(ranges.mid - steady) + ranges.rad) / (share * share)
        return float(changes.max() * SUMMED)

    def _before(self, right: Array) -> list[Stretch]:
        """W_l D*_l-1 .. W_1 right, for every layer."""
        product = matmul(point(self.weights[0]), point(right))
        everything = np.ones(right.shape[1])
        out = [_stretch(product, self.shares[0], everything)]
        rest = zip(self.weights[1:], self.steady, self.shares[1:], strict=False)
        for weight, steady, share in rest:
            product = matmul(point(weight), _scaled(steady, product))
            out.append(_stretch(product, share, everything))
        return out

    def _after(self, left: Array) -> list[float]:
        """The norms of left D*_L W_L .. W_l+1 R_l, for every layer."""
        product = point(left)
        out = [_shared_norm(product, self.shares[-1])]
        rest = zip(self.weights[:0:-1], self.steady[:0:-1], self.shares[-2::-1], strict=True)
        for weight, steady, share in rest:
            product = matmul(_columns_scaled(product, steady), point(weight))
            out.append(_shared_norm(product, share))
        return out[::-1]


def chain_slopes(program: Program, x: Array, period: int) -> ChainSlopes | None:
    """The slopes of f^period around x, (n,); None unless the network is a short dense chain."""
    chain = program.chain
    if chain is None or len(chain) * period > MOST_LAYERS:
        return None
    layers = chain * period
    functions = tuple(map(_function, layers))
    sums, steady = [], []
    state = point(x.reshape(1, -1))
    for layer, function in zip(layers, functions, strict=True):
        summed = plus(matmul(state, point(layer.weight_t)), point(layer.bias))
        sums.append(summed.map(lambda values: values[0]))
        steady.append(slope_range(function, sums[-1]).mid)
        state = value_range(function, summed)
    weights = tuple(np.ascontiguousarray(layer.weight_t.T) for layer in layers)
    shares = tuple(map(_share, functions, sums, weights))
    between: list[tuple[Stretch, ...]] = []
    for place, weight in enumerate(weights):
        matrices = [
            matmul(point(weight), _scaled(steady[place - 1], each.matrix))
            for each in (between[-1] if place else ())
        ]
        matrices += [point(weight)] if place else []
        stretches = map(_stretch, matrices, [shares[place]] * place, shares)
        between.append(tuple(stretches))
    return ChainSlopes(weights, functions, tuple(sums), tuple(steady), shares, tuple(between))


def _share(function: ActivationFunction, sums: Ball, weight: Array) -> Array | None:
    """R: the root of how much each unit's slope changes for a small step, the largest 1."""
    if function.name == "identity":
        return None
    steps = np.sqrt((weight * weight).sum(axis=1))
    steps *= SMALL_STEP / max(float(steps.max(initial=0.0)), TINY)
    change = slope_range(function, Ball(sums.mid, sums.rad + steps)).rad
    largest = float(change.max(initial=0.0))
    if not 0.0 < largest < np.inf:
        return np.ones(len(change))
    return np.sqrt(np.maximum(change / largest, LEAST_SHARE))


def _function(layer: DenseLayer) -> ActivationFunction:
    name = NAMES[layer.opcode]
    count = len(ACTIVATIONS[name].parameters)
    return ActivationFunction(name, (layer.p0, layer.p1)[:count])


def _stretch(matrix: Ball, after: Array | None, before: Array | None) -> Stretch:
    """The matrix with its norms; a linear layer's changes are 0, so that its norms do not count."""
    if before is None:
        return Stretch(matrix, 0.0, np.zeros(len(matrix.mid)))
    shared = _columns_scaled(matrix, before)
    sizes = np.abs(shared.mid) + shared.rad
    squares = (sizes * sizes).sum(axis=1) * widen(matrix.shape[1]) + TINY
    norm = 0.0 if after is None else two_norm(_scaled(after, shared), loose=True)
    return Stretch(matrix, norm, np.sqrt(squares) * (1.0 + 8 * U))


def _shared_norm(matrix: Ball, share: Array | None) -> float:
    return 0.0 if share is None else two_norm(_columns_scaled(matrix, share), loose=True)


def _columns_scaled(matrix: Ball, columns: Array) -> Ball:
    """M diag(columns)."""
    return Ball(matrix.mid * columns, _grown(matrix, columns))


def _scaled(rows: Array, matrix: Ball) -> Ball:
    """diag(rows) M."""
    column = rows[:, None]
    return Ball(matrix.mid * column, _grown(matrix, column))


def _grown(matrix: Ball, factor: Array) -> Array:
    """The radius of M times exactly known factors that broadcast."""
    size = np.abs(factor)
    grown = (matrix.rad + 2 * U * np.abs(matrix.mid)) * size * (1.0 + 8 * U) + TINY
    return np.asarray(grown)
