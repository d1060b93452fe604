"""How far a chain strays from its slope at a point, to second order and with what is left bounded.

Along the way x - c = A w the chain's change is J* A w plus, with h_l = W_l D_l-1 .. W_1 A w,

    sum_l  P_l (k_l h_l^2 + rest),   P_l = D*_L W_L .. W_l+1,  k_l = phi''/2 at the point.

The squares, with h_l = B_l w to first order, are a quadratic map of w: |sum_i p_i k_i (b_i w)^2| is
at most |w|^2 times the 2-norm of the matrix sum_i k_i p_i (b_i x b_i)^T, and that norm's square is
the norm of P k ((B B^T) o (B B^T)) k P^T, o entry by entry. The layers' squares are summed before
the norm is taken, and no unit's bend is multiplied with the longest of all rows: four to five times
less than what the layers' norms give one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.kernels import opcodes as op
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.enclosure.activation import slope_range, value_range
from fpcheck.network.enclosure.ball import Ball, U, exact, matmul, minus, times
from fpcheck.network.enclosure.matrices import two_norms

# Units that bend, in all layers: the products of all pairs of their rows are taken.
MOST_UNITS = 512
# A few dozen sums and products of non-negative numbers.
SUMMED = 1.0 + 1e-12

Rows = NDArray[np.intp]


def _of_tanh(function: ActivationFunction, sums: Ball) -> Ball:
    value = value_range(function, sums)
    return times(minus(times(value, value), _like(value, 1.0)), value)


def _of_sigmoid(function: ActivationFunction, sums: Ball) -> Ball:
    value = value_range(function, sums)
    slope = times(value, minus(_like(value, 1.0), value))
    return times(slope, minus(_like(value, 0.5), value))


def _of_softplus(function: ActivationFunction, sums: Ball) -> Ball:
    value = slope_range(function, sums)
    return times(times(value, minus(_like(value, 1.0), value)), _like(value, 0.5))


def _of_erf(function: ActivationFunction, sums: Ball) -> Ball:
    return times(sums, minus(_like(sums, 0.0), slope_range(function, sums)))


def _of_sin(function: ActivationFunction, sums: Ball) -> Ball:
    return times(value_range(function, sums), _like(sums, -0.5))


def _like(ball: Ball, value: float) -> Ball:
    return exact(np.full(ball.shape, value))


# phi'' / 2 on a ball, and above the largest |phi'''| anywhere.
CURVES: dict[int, tuple[Callable[[ActivationFunction, Ball], Ball], float]] = {
    op.TANH: (_of_tanh, 2.0),
    op.SIGMOID: (_of_sigmoid, 0.125),
    op.SOFTPLUS: (_of_softplus, 0.0963),  # 1 / (6 sqrt 3)
    op.ERF: (_of_erf, 2.2568),  # 4 / sqrt pi
    op.SIN: (_of_sin, 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """The second-order behaviour of a layer at k points.

    curve: phi''/2 at the sums, exactly known numbers, (k, out), and `blur` how far off they may be;
    third: above |phi'''|.
    """

    curve: Array
    blur: Array
    third: float

    def at(self, rows: Rows) -> Bend:
        """The same at some of the points."""
        return Bend(self.curve[rows], self.blur[rows], self.third)

    def rest(self, rows: Rows, first: Array, slope: Array, way: Array) -> Array:
        """Above |D - D* - curve h| for |h| <= way, D the mean slope on a way of length h. (r, out)

        first: how far from the sums it begins; slope: above |phi' - D*| where it begins.
        """
        blur = self.blur[rows] + 0.5 * self.third * first
        return np.asarray((slope + (blur + self.third / 6.0 * way) * way) * SUMMED)


def bends_of(
    functions: Sequence[ActivationFunction], sums: Sequence[Ball]
) -> tuple[Bend | None, ...] | None:
    """The bends of the layers, None for a linear one; None if one of them is not known."""
    out: list[Bend | None] = []
    units = 0
    for function, each in zip(functions, sums, strict=True):
        if function.opcode == op.IDENTITY:
            out.append(None)
            continue
        units += each.shape[-1]
        if function.opcode not in CURVES or units > MOST_UNITS:
            return None
        half, third = CURVES[function.opcode]
        curve = half(function, each)
        out.append(Bend(curve.mid, curve.rad, third))
    return tuple(out)


def squares_norm(
    count: int, bends: Sequence[Bend | None], after: Sequence[Ball], before: Sequence[Ball]
) -> Array:
    """Above |sum_l P_l curve_l (B_l w)^2| / |w|^2 for every w, at each of `count` points k.

    after: P_l, (k or 1, n, out_l); before: B_l, (k or 1, out_l, m).
    """
    columns: list[Ball] = []
    lines: list[Ball] = []
    for bend, left, right in zip(bends, after, before, strict=True):
        if bend is not None:
            columns.append(times(left, exact(bend.curve[:, None, :])))
            lines.append(right.map(lambda x: np.broadcast_to(x, (count, *x.shape[1:]))))
    if not columns:
        return np.zeros(count)
    bent = reduce(lambda a, b: _joined(a, b, 2), columns)
    rows = reduce(lambda a, b: _joined(a, b, 1), lines)
    products = matmul(rows, rows.map(lambda x: x.swapaxes(1, 2)))
    square = matmul(matmul(bent, times(products, products)), bent.map(lambda x: x.swapaxes(1, 2)))
    return np.asarray(np.sqrt(two_norms(square, loose=True)) * (1.0 + 8 * U))


def _joined(a: Ball, b: Ball, axis: int) -> Ball:
    return Ball(
        np.concatenate([a.mid, b.mid], axis=axis), np.concatenate([a.rad, b.rad], axis=axis)
    )
