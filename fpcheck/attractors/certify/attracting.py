"""A ball around a stable point that surely flows to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from fpcheck.attractors.certify.certificate import AttractingBall
from fpcheck.attractors.certify.chain_slopes import ChainSlopes
from fpcheck.attractors.certify.krawczyk import NARROW, Existence
from fpcheck.attractors.certify.norms import Norm, lyapunov_norm, plain_norm
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.widest import widest
from fpcheck.network.enclosure.ball import Ball, U, matmul
from fpcheck.network.enclosure.matrices import point, two_norm

FIRST_GUESS = 0.03
CEILING = 2.0**20
EASY = 0.8  # a 2-norm that leaves the plain ball room enough


def attracting_ball(
    around: Return, found: Existence, radius: float, chain: ChainSlopes | None
) -> AttractingBall | None:
    """The largest of the balls that norms give, None where f^p is not proved to contract.

    radius: the spectral radius of the Jacobian, roughly; chain: the slopes of a dense chain.

    For x within r of the printed point, in the norm |A^-1 x|, let |A^-1 J(x) A| <= rate < 1, and
    let the exact point be within e of the printed one: then those within r - e of the exact point,
    among them those within r - 2e of the printed one, are carried into themselves, nearer by `rate`
    each time.
    """
    narrow = chain is not None and len(around.point) <= NARROW
    ways = (chain, None) if narrow else (chain,)
    norms = tuple(_norms(found, radius))
    balls = [_ball(around, found, norm, way) for norm in norms for way in ways]
    sure = [ball for ball in balls if ball is not None]
    return max(sure, key=lambda ball: ball.inner_radius, default=None)


def _norms(found: Existence, radius: float) -> Iterator[Norm]:
    """The norms worth trying. The nearer to the 2-norm, the larger the ball that is proved, as
    long as the Jacobian contracts: rates above 1 bend it least."""
    jacobian = found.jacobian.mid
    size = two_norm(found.jacobian)
    if size < 1.0:
        yield plain_norm(len(jacobian))
        if size < EASY:
            return
    near = radius + 0.8 * (1.0 - radius)
    for rate in (1.2, 1.0) if size < 1.1 else (near, 1.0):
        norm = lyapunov_norm(jacobian, rate) if radius < rate else None
        if norm is not None and two_norm(_turned(norm, found.jacobian)) < 1.0 - norm.gap:
            yield norm
            return


def _turned(norm: Norm, matrix: Ball) -> Ball:
    """S J A."""
    return matmul(point(norm.transform), matmul(matrix, point(norm.axes)))


def _ball(
    around: Return, found: Existence, norm: Norm, chain: ChainSlopes | None
) -> AttractingBall | None:
    n = len(norm.axes)
    transform = point(norm.transform)
    # |A^-1 x| <= |S x| / (1 - gap)
    loss = 1.0 / (1.0 - norm.gap) * (1.0 + 8 * U)
    stretch = two_norm(transform)
    e = stretch * math.sqrt(n) * found.error * loss * (1.0 + 8 * U)
    size = max(1.0, float(np.abs(around.point).max())) * stretch
    slopes_norm = _in_chain(chain, norm) if chain is not None else _in_general(around, norm)

    def rate(radius: float) -> float:
        return slopes_norm(radius) * loss if radius <= CEILING * size else math.inf

    smallest = max(4.0 * e, 8 * U * size)
    least = rate(smallest)
    if not least < 1.0:
        return None
    # In a chain another radius costs next to nothing.
    width = n if chain is None else 0
    wide = widest(rate, (smallest, least), FIRST_GUESS * size, width)
    shown = (wide - 2.0 * e) * (1.0 - norm.gap) * (1.0 - 16 * U)
    if not shown > 0.0:
        return None
    inner = shown / stretch * (1.0 - 4 * U)
    return AttractingBall(norm.transform, shown, rate(wide) * (1.0 + 4 * U), inner)


def _in_general(around: Return, norm: Norm) -> Callable[[float], float]:
    """r -> a bound of |S J A| on the ellipsoid of radius r."""
    transform = point(norm.transform)
    return lambda radius: two_norm(matmul(transform, around.in_ellipsoid(norm.axes, radius)))


def _in_chain(chain: ChainSlopes, norm: Norm) -> Callable[[float], float]:
    straying = chain.straying(norm.transform, norm.axes)
    steady = two_norm(_turned(norm, chain.jacobian))
    everywhere = chain.lipschitz if norm.plain else math.inf
    return lambda radius: min(everywhere, (steady + straying(radius)) * (1.0 + 4 * U))
