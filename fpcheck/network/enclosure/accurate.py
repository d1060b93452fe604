"""Products with few rows, to the last bits: for the values at one point, which proofs start from.

The a-priori bound of a sum of n products, n u |W| |x|, is far above what rounding does. Here both
factors are cut into slices of so few bits that the leading products and all their sums are exact,
in any order [Ozaki, Ogita, Oishi, Rump 2012, Numerical Algorithms 59].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.network.enclosure.ball import TINY, WIDEN, Array, Ball, U, gamma, sound

MOST_ROWS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Sliced:
    """W = high + low + rest, (in, out), the first two of `bits` bits below each column's size.

    last: low + rest; whole: high + last; absolute: |W|. sizes: (out,), powers of two
    no smaller than any entry of the column.
    """

    high: Array
    low: Array
    rest: Array
    last: Array
    whole: Array
    absolute: Array
    sizes: Array
    bits: int


def sliced(weight_t: Array) -> Sliced:
    """The slices of a matrix, (in, out)."""
    # Two slices' products have 2 bits, and a sum of so many log2(in) more: 53 in all.
    bits = (52 - max(1, math.ceil(math.log2(max(len(weight_t), 2))))) // 2
    sizes = _powers(np.abs(weight_t).max(axis=0, initial=0.0))
    high, left = _cut(weight_t, sizes, bits)
    low, rest = _cut(left, sizes * 2.0**-bits, bits)
    last = low + rest
    return Sliced(high, low, rest, last, high + last, np.abs(weight_t), sizes, bits)


def product(x: Array, weight: Sliced) -> Ball:
    """x W within a few units in the last place of its leading parts. x: (k, in) -> (k, out)."""
    sizes = _powers(np.abs(x).max(axis=1, initial=0.0, keepdims=True))
    step = 2.0**-weight.bits
    high, left = _cut(x, sizes, weight.bits)
    low, rest = _cut(left, sizes * step, weight.bits)
    # Exact: whole multiples of one unit, below 2^53 of them.
    exact = (high @ weight.high, high @ weight.low, low @ weight.high)
    small = rest @ weight.whole
    small += low @ weight.last + high @ weight.rest
    mid = exact[0] + (exact[1] + (exact[2] + small))
    terms = x.shape[1]
    # Every product that was rounded has a factor step^2 of both sizes, four times at most.
    doubt = (8 * terms * gamma(terms) * step * step) * sizes * weight.sizes
    doubt += 8 * U * (np.abs(mid) + np.abs(exact[1]) + np.abs(exact[2]) + np.abs(small))
    return sound(mid, doubt * WIDEN + terms * TINY)


def _powers(sizes: Array) -> Array:
    """Powers of two above the sizes, 0 for 0."""
    return np.asarray(np.where(sizes > 0.0, np.exp2(np.frexp(sizes)[1].astype(np.float64)), 0.0))


def _cut(x: Array, sizes: Array, bits: int) -> tuple[Array, Array]:
    """(leading, rest): x = leading + rest exactly, where |x| <= sizes, powers of two.

    Adding 1.5 * 2^(52 - bits) sizes rounds x to whole multiples of 2^-bits sizes.
    """
    rounder = 1.5 * 2.0 ** (52 - bits) * sizes
    leading = (x + rounder) - rounder
    return leading, x - leading
