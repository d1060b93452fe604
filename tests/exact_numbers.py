"""Numbers of 200 bits for tests: exact balls, and balls with tangents. Slow, and sharing nothing
with the enclosures of fpcheck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, ctx

ctx.prec = 200


def arbs(array):
    """The array's numbers as exact balls."""
    array = np.asarray(array, dtype=np.float64)
    out = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        out[place] = arb(float(array[place]))
    return out


def boxes(centre, radius):
    """Balls around the numbers of `centre`; radius: of one shape with it."""
    out = np.empty(centre.shape, dtype=object)
    for place in np.ndindex(centre.shape):
        out[place] = arb(float(centre[place]), float(radius[place]))
    return out


@dataclass(frozen=True)
class Slope:
    """A value at the box's centre, its range on the box, and its tangents' ranges on the box.

    reach: the box's radii. The range is cut with centre + tangents . reach each time.
    """

    centre: arb
    range: arb
    tangents: np.ndarray
    reach: np.ndarray

    def made(self, centre, values, tangents):
        by_tangents = centre + sum(
            (t * r for t, r in zip(tangents, self.reach, strict=True)), arb(0)
        )
        both = values.intersection(by_tangents) if values.is_finite() else by_tangents
        return Slope(centre, both, tangents, self.reach)

    def __add__(self, other):
        if isinstance(other, Slope):
            return self.made(
                self.centre + other.centre,
                self.range + other.range,
                self.tangents + other.tangents,
            )
        return self.made(self.centre + other, self.range + other, self.tangents)

    def __mul__(self, other):
        if isinstance(other, Slope):
            return self.made(
                self.centre * other.centre,
                self.range * other.range,
                self.tangents * other.range + other.tangents * self.range,
            )
        return self.made(self.centre * other, self.range * other, self.tangents * other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return (-self) + other

    def through(self, value, slope):
        """phi of it: value and slope take an interval."""
        return self.made(value(self.centre), value(self.range), self.tangents * slope(self.range))


def slopes(centre, radius):
    """The identity's Slopes on a box. centre, radius: (n,)."""
    n = len(centre)
    reach = boxes(np.zeros(n), np.asarray(radius))
    out = np.empty(n, dtype=object)
    for i in range(n):
        units = arbs(np.eye(n)[i])
        out[i] = Slope(arb(float(centre[i])), arb(float(centre[i]), float(radius[i])), units, reach)
    return out


def through(x, value, slope):
    return x.through(value, slope) if isinstance(x, Slope) else value(x)


def each_through(array, value, slope):
    out = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        out[place] = through(array[place], value, slope)
    return out
