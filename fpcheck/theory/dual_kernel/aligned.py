"""E phi(x) phi(y) where x and y are all but parallel, and the Hermite series is long.

In polar coordinates (theory.polar) the moments are analytic in the angle arccos c down to 0 and in
log q1 and log q2, for phi that is smooth or bends at 0 alone. So they are worked out once for two
octaves of variances and a few panels of the angle, on a product of Chebyshev points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np

from fpcheck.kernels import elementwise
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.dual_kernel.octaves import POINTS, octave_points, to_chebyshev
from fpcheck.theory.moments import SMOOTH_SCALE
from fpcheck.theory.polar import half_sectors, radii
from fpcheck.theory.quadrature import Array

WIDEST = 0.35  # cos(WIDEST)^512 = 1e-14: from there on every series of 512 terms has converged
FIRST = 0.5  # of the reciprocal standard deviation: the panel next to 0
ANGLES = 18  # Chebyshev points a panel: 1e-13 of the whole, for the hardest (softsign's slope)
BATCH = 1 << 10  # nodes of the plane at a time: what they take stays in cache


_MAKING = Lock()  # threads that want one table make it once


@dataclass(frozen=True, slots=True, eq=False)
class AlignedTable:
    """Chebyshev coefficients (POINTS, ANGLES, POINTS) in log q1, the angle and log q2.

    panel: the angles, from and to, for which it holds.
    """

    panel: tuple[float, float]
    coefficients: Array


def angle_panels(octaves: tuple[int, int]) -> list[tuple[float, float]]:
    """The panels of the angle for two octaves: [w / 2, w], [w / 4, w / 2], ..., [0, w / 2^k]."""
    typical = 2.0 ** (0.25 * (octaves[0] + octaves[1] + 2))  # root of the largest product
    count = 1 + max(0, math.ceil(math.log2(WIDEST * typical / FIRST)))
    ends = [WIDEST * 2.0**-k for k in range(count)] + [0.0]
    return list(zip(ends[1:], ends[:-1], strict=True))


def aligned_table(
    f: ActivationFunction,
    octaves: tuple[int, int],
    panel: tuple[float, float],
    *,
    slope: bool,
    against: bool,
) -> AlignedTable:
    """Of E g(x) g(y), or with `against` of E g(x) g(-y), g = phi or phi' if `slope`."""
    low, high = sorted(octaves)
    with _MAKING:
        table = _ordered_table(f, (low, high), panel, slope, against)
    if octaves == (low, high):
        return table
    return AlignedTable(panel, np.ascontiguousarray(table.coefficients.transpose(2, 1, 0)))


@lru_cache(maxsize=1024)
def _ordered_table(
    f: ActivationFunction,
    octaves: tuple[int, int],
    panel: tuple[float, float],
    slope: bool,
    against: bool,
) -> AlignedTable:
    spreads = [np.sqrt(octave_points(octave)) for octave in octaves[: len(set(octaves))]]
    fineness = max(0, math.ceil(0.5 * (max(octaves) + 1) - math.log2(SMOOTH_SCALE)))
    places = np.cos(math.pi * (np.arange(ANGLES) + 0.5) / ANGLES)
    found = np.empty((POINTS, ANGLES, POINTS))
    for d, place in enumerate(places):
        angle = panel[0] + 0.5 * (panel[1] - panel[0]) * (place + 1.0)
        found[:, d] = polar_products(f, spreads, angle, fineness, slope, against)
    angles = np.arange(ANGLES)
    transform = 2.0 / ANGLES * np.cos(math.pi / ANGLES * angles[:, None] * (angles + 0.5))
    transform[0] *= 0.5
    in_left = to_chebyshev(np.einsum("de,aeb->adb", transform, found))
    in_both = to_chebyshev(in_left.transpose(2, 0, 1)).transpose(1, 2, 0)
    return AlignedTable(panel, np.ascontiguousarray(in_both))


def polar_products(
    f: ActivationFunction,
    spreads: list[Array],
    angle: float,
    fineness: int,
    slope: bool,
    against: bool,
) -> Array:
    """E g(x) g(+-y) for all standard deviations of x and of y at the angle arccos c, (a, b).

    spreads: those of x and those of y; one array if they are the same.
    """
    r, radial = radii(fineness)
    total = np.zeros((len(spreads[0]), len(spreads[-1])))
    for half in half_sectors(angle, math.pi - angle, fineness):
        rays = max(1, BATCH // len(r))
        for start in range(0, len(half.near), rays):
            near = np.multiply.outer(half.near[start : start + rays], r).ravel()
            far = np.multiply.outer(half.far[start : start + rays], r).ravel()
            weights = np.multiply.outer(half.weights[start : start + rays], radial).ravel()
            sign = -half.sign if against else half.sign
            total += _products(f, spreads, (near, far), weights, sign, slope)
    return total / (2.0 * math.pi)  # each of both sides of a sector, exchanged, is half of it


def _products(
    f: ActivationFunction,
    spreads: list[Array],
    places: tuple[Array, Array],
    weights: Array,
    sign: float,
    slope: bool,
) -> Array:
    """The sum over nodes of g(x) g(y) + g(-x) g(-y), and of the same with near and far exchanged.

    places: near and far, of which one is x and the other y in standard deviations; sign: of y.
    """
    same = len(spreads) == 1
    left = [_values(f, spreads[0], place, slope) for place in places]
    right = left if same else [_values(f, spreads[1], place, slope) for place in places]
    total = np.zeros((len(spreads[0]), len(spreads[-1])))
    for one, other in ((0, 1), (1, 0)):
        for k, x in enumerate(left[one]):
            y = right[other][k if sign > 0.0 or len(left[one]) == 1 else 1 - k]
            total += (x * weights) @ y.T
    if len(left[0]) == 1:  # odd or even: both halves of the plane are alike
        total *= 2.0 if slope or sign > 0.0 else -2.0
    return total


def _values(f: ActivationFunction, spreads: Array, place: Array, slope: bool) -> list[Array]:
    """g at every spread times every place (spreads, nodes), and at minus that; once if odd."""
    x = np.multiply.outer(spreads, place)
    found = [x] if f.kind.odd else [x, -x]
    pass_ = elementwise.slope if slope else elementwise.apply
    for values in found:
        pass_(f.opcode, f.p0, f.p1, values, values)
    return found
