"""Roots of a continuous function of one variable inside a bracket."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

MAX_STEPS = 200
NUDGE = 1e-7  # how far beside a root on the grid its cells begin
GOLDEN = 0.5 * (3.0 - math.sqrt(5.0))


def bracketed_root(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-15
) -> float:
    """x in [low, high] with function(x) = 0, to `tolerance` relative to |x| or 1.

    Inverse quadratic interpolation where it is safe, else bisection, so the bracket always
    shrinks. [Chandrupatla 1997]

    Raises:
        ValueError: the function has the same sign at both ends, or is NaN there.
    """
    a, b = low, high
    fa, fb = function(a), function(b)
    if fa == 0.0:
        return a
    if fb == 0.0:
        return b
    if not _opposite(fa, fb):
        raise ValueError(f"no sign change in [{low}, {high}]: {fa}, {fb}")
    c, fc, t = a, fa, 0.5
    for _ in range(MAX_STEPS):
        x = a + t * (b - a)
        fx = function(x)
        if math.copysign(1.0, fx) == math.copysign(1.0, fa):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        slack = tolerance * max(1.0, abs(best))
        if fa == 0.0 or abs(b - a) <= 2.0 * slack:
            return best
        t = _next_fraction((a, b, c), (fa, fb, fc), slack / abs(b - a))
    return best


def _opposite(y0: float, y1: float) -> bool:
    """Whether one is positive and the other negative; a product would underflow."""
    return min(y0, y1) < 0.0 < max(y0, y1)


def _next_fraction(
    points: tuple[float, float, float], values: tuple[float, float, float], least: float
) -> float:
    """Where between a and b to look next: by interpolation where it is known to be monotone."""
    (a, b, c), (fa, fb, fc) = points, values
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    t = 0.5
    if phi * phi < xi and (1.0 - phi) ** 2 < 1.0 - xi:
        t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return min(max(t, least), 1.0 - least)


def interior_minimum(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-9
) -> float:
    """Where a function with one minimum in [low, high] is smallest, by golden section."""
    left, right = low + GOLDEN * (high - low), high - GOLDEN * (high - low)
    f_left, f_right = function(left), function(right)
    while high - low > tolerance * max(1.0, abs(low)):
        if f_left < f_right:
            high, right, f_right = right, left, f_left
            left = low + GOLDEN * (high - low)
            f_left = function(left)
        else:
            low, left, f_left = left, right, f_right
            right = high - GOLDEN * (high - low)
            f_right = function(right)
    return left if f_left < f_right else right


def roots_on_grid(
    function: Callable[[float], float], grid: list[float], touching: float = 0.0
) -> list[float]:
    """All roots that the grid separates, and pairs that hide between two of its points.

    A pair hides where |function| has a minimum inside a cell: three neighbouring points of one
    sign with the middle one nearest to zero are searched for it. Where that minimum is not
    beyond zero but within `touching` of it, it is given as one (double) root.
    """
    found, points = [], []
    for x in grid:
        y = function(x)
        if y != 0.0:
            points.append((x, y))
            continue
        # A root on the grid: step off it to both sides, or the cells beside it lose their signs.
        found.append(x)
        step = NUDGE * max(1.0, abs(x))
        points += [(at, function(at)) for at in (x - step, x + step)]
    for (x0, y0), (x1, y1) in pairwise(points):
        if _opposite(y0, y1) and not any(x0 < root < x1 for root in found):
            found.append(bracketed_root(function, x0, x1))
    for i in range(1, len(points) - 1):
        found += _hidden_pair(function, points[i - 1 : i + 2], touching)
    return sorted(found)


def _hidden_pair(
    function: Callable[[float], float], points: list[tuple[float, float]], touching: float
) -> list[float]:
    (x0, y0), (_, y1), (x2, y2) = points
    sign = math.copysign(1.0, y1)
    one_sign = all(sign * y > 0.0 for y in (y0, y1, y2))
    if not (one_sign and abs(y1) <= min(abs(y0), abs(y2))):
        return []
    bottom = interior_minimum(lambda u: sign * function(u), x0, x2)
    depth = sign * function(bottom)
    if abs(depth) <= touching:
        return [bottom]
    if not depth < 0.0:
        return []
    return [bracketed_root(function, x0, bottom), bracketed_root(function, bottom, x2)]
