"""Balls: midpoint and radius, entry by entry, and the arithmetic that never loses the exact value.

A processor's rounding is not directed here. Every result carries an a-priori bound of its own
rounding in its radius: gamma_n = n u / (1 - n u) for a sum of n products in any order, fused or
not [Higham 2002, section 3.1], a term for products that underflow, and a factor just above 1 for
the rounding of the radius itself [Rump 1999, "Fast and parallel interval arithmetic"].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

U = 2.0**-53  # the unit roundoff
# Above what underflow can cost any entry (2^-1074 a product), and below everything that matters.
TINY = 1e-300
# A radius is a handful of sums and products of non-negative numbers: each costs a factor 1 + u.
WIDEN = 1.0 + 64 * U


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """All values within `rad` of `mid`, entry by entry. mid, rad: one shape; rad >= 0 or inf."""

    mid: Array
    rad: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of both arrays."""
        return self.mid.shape

    def map(self, move: Callable[[Array], Array]) -> Ball:
        """The ball with both arrays moved about by `move`, which does no arithmetic."""
        return Ball(move(self.mid), move(self.rad))


def exact(values: Array) -> Ball:
    """The ball of radius 0 around `values`."""
    return sound(values, np.zeros_like(values))


def sound(mid: Array, rad: Array) -> Ball:
    """The ball, or the whole line in every entry where a number overflowed or is NaN."""
    # One look at the sums: where all is finite, as nearly always, nothing has to be replaced.
    if np.isfinite(mid.sum() + rad.sum()):
        return Ball(mid, rad)
    lost = ~(np.isfinite(mid) & np.isfinite(rad))
    return Ball(np.where(lost, 0.0, mid), np.where(lost, np.inf, rad))


def bounds(ball: Ball) -> tuple[Array, Array]:
    """(below, above): the ball's ends, rounded outwards."""
    return (
        np.nextafter(ball.mid - ball.rad, -np.inf),
        np.nextafter(ball.mid + ball.rad, np.inf),
    )


def between(low: Array, high: Array) -> Ball:
    """The ball of all values between `low` and `high`."""
    mid = 0.5 * low + 0.5 * high
    rad = np.maximum(high - mid, mid - low) * WIDEN + TINY
    return sound(mid, rad)


def rounded(mid: Array, rad: Array, relative: float = 2 * U) -> Ball:
    """The ball of `mid`, which rounding moved by `relative`, and of the radius `rad` besides."""
    return sound(mid, (rad + relative * np.abs(mid)) * WIDEN + TINY)


def plus(a: Ball, b: Ball) -> Ball:
    """a + b; shapes broadcast."""
    return rounded(a.mid + b.mid, a.rad + b.rad)


def minus(a: Ball, b: Ball) -> Ball:
    """a - b; shapes broadcast."""
    return rounded(a.mid - b.mid, a.rad + b.rad)


def times(a: Ball, b: Ball) -> Ball:
    """a * b, entry by entry; shapes broadcast."""
    rad = np.abs(a.mid) * b.rad + a.rad * (np.abs(b.mid) + b.rad)
    return rounded(a.mid * b.mid, rad)


def matmul(a: Ball, b: Ball) -> Ball:
    """a @ b over the last two axes."""
    terms = a.shape[-1]
    size = np.abs(a.mid)
    other = np.abs(b.mid)
    rad = size @ (b.rad + gamma(terms) * other)
    if a.rad.any():
        rad += a.rad @ (other + b.rad)
    return sound(a.mid @ b.mid, rad * widen(terms) + terms * TINY)


def summed(ball: Ball, axes: tuple[int, ...]) -> Ball:
    """The sum over `axes`, which stay with size 1."""
    terms = int(np.prod([ball.shape[axis] for axis in axes]))
    mid = ball.mid.sum(axis=axes, keepdims=True)
    rad = (ball.rad + gamma(terms) * np.abs(ball.mid)).sum(axis=axes, keepdims=True)
    return sound(mid, rad * widen(terms) + TINY)


def gamma(terms: int) -> float:
    """Above gamma_n of a sum of so many products, with two more roundings to spare."""
    return 1.001 * (terms + 2) * U


def widen(terms: int) -> float:
    """What a computed radius, a sum of so many non-negative products, is multiplied with."""
    return 1.0 + 2 * (terms + 32) * U


def tighter(a: Ball, b: Ball) -> Ball:
    """Entry by entry the smaller of two balls that both hold the value."""
    first = a.rad <= b.rad
    return Ball(np.where(first, a.mid, b.mid), np.where(first, a.rad, b.rad))


def split(ball: Ball, index: int | slice | tuple[int | slice, ...] | NDArray[np.intp]) -> Ball:
    """The balls at `index`."""
    return Ball(ball.mid[index], ball.rad[index])
