"""E g(x) g(y) for correlated Gaussians in polar coordinates, for g that bends at 0 alone.

With x = sqrt(q1) r cos(a), y = sqrt(q2) r cos(a - t), t = arccos c, the lines x = 0 and y = 0 are
rays, so kinks at 0 only split the angle. Nothing cancels as c goes to 1 or -1: a sector closes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fpcheck.theory.quadrature import Array, composite_rule

REACH = 9.0  # exp(-9^2 / 2) = 3e-18
WIDEST = 1.25  # panel of the radius, in standard deviations, that 16 nodes integrate to rounding
FINEST = 45  # halvings; what is narrower than 2^-45 of a standard deviation weighs nothing
FIRST_ANGLE = 0.4  # first panel beside a ray; a singularity at height i s / r is seen from there


def polar_expectation(
    g: Callable[[Array], Array],
    variances: tuple[float, float],
    c: float,
    scale: float,
    *,
    parity: bool = False,
) -> float:
    """E g(x) g(y), x ~ N(0, q1), y ~ N(0, q2), both variances > 0, correlation c.

    scale: the distance of g's nearest complex singularity from the real axis, kinks at 0 apart.
    parity: whether g is even or odd, so that half of the plane is enough.
    """
    s1, s2 = (math.sqrt(q) for q in variances)
    fineness = min(FINEST, max(0, math.ceil(math.log2(max(s1, s2) / scale))))
    r, radial = radii(fineness)
    sine = math.sqrt((1.0 - c) * (1.0 + c))
    # Each sector's two halves are mirror images with x and y exchanged.
    sides = ((s1, s2),) if s1 == s2 else ((s1, s2), (s2, s1))
    total = 0.0
    for half in half_sectors(math.atan2(sine, c), math.atan2(sine, -c), fineness):
        for near_spread, far_spread in sides:
            x = half.sign * near_spread * half.near[:, None] * r
            y = far_spread * half.far[:, None] * r
            products = 2.0 * g(x) * g(y) if parity else g(x) * g(y) + g(-x) * g(-y)
            total += float(half.weights @ (products @ radial)) / len(sides)
    return total / math.pi


@dataclass(frozen=True, slots=True, eq=False)
class HalfSector:
    """Rays of the plane where x = near r, times `sign`, and y = far r, in standard deviations."""

    sign: float
    near: Array
    far: Array
    weights: Array


def half_sectors(theta: float, rest: float, fineness: int) -> tuple[HalfSector, HalfSector]:
    """Half of the sector where x and y have one sign, and half of the one where they have not.

    theta: arccos c; rest: pi - theta, in full.
    """
    found = []
    for width, sign in ((rest, 1.0), (theta, -1.0)):
        offset, angular = _half_sector(width, fineness)
        far = np.sin(offset + (math.pi - width) if 2.0 * width > math.pi else width - offset)
        found.append(HalfSector(sign, np.sin(offset), far, angular))
    return found[0], found[1]


@lru_cache(maxsize=32)
def radii(fineness: int) -> tuple[Array, Array]:
    """Nodes r and weights of int_0^inf g(r) r exp(-r^2/2) dr, g changing over 2^-fineness."""
    geometric = 2.0 ** np.arange(-fineness, 1.0)
    uniform = np.arange(1.0, REACH + WIDEST, WIDEST)
    r, weights = composite_rule(np.concatenate(([0.0], geometric[:-1], uniform)))
    return r, weights * r * np.exp(-0.5 * r * r)


def _half_sector(width: float, fineness: int) -> tuple[Array, Array]:
    """Angles from a sector's ray to its middle, refined towards the ray, and their weights."""
    middle = 0.5 * width
    first = FIRST_ANGLE * 2.0**-fineness
    count = max(0, math.ceil(math.log2(middle / first))) if middle > 0.0 else 0
    inner = first * 2.0 ** np.arange(count)
    return composite_rule(np.concatenate(([0.0], inner[inner < middle], [middle])))
