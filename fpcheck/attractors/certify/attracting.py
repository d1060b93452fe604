"""Balls around stable points that surely flow to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.certify.certificate import AttractingBall
from fpcheck.attractors.certify.chain_slopes import ChainSlopes
from fpcheck.attractors.certify.krawczyk import NARROW, Existence, sizes
from fpcheck.attractors.certify.norms import Norms, apart_norms, lyapunov_norms, plain_norms
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.widest import widest
from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, U, matmul, split
from fpcheck.network.enclosure.matrices import point, two_norms

FIRST_GUESS = 0.03
CEILING = 2.0**20
EASY = 0.8  # a 2-norm that leaves the plain ball room enough
WIDEST_APART = 256  # beyond it singular values take longer than the larger ball saves

Rows = NDArray[np.intp]
Balls = list[AttractingBall | None]


def attracting_balls(
    around: Return, found: Existence, radius: Array, chain: ChainSlopes | None
) -> Balls:
    """The largest of the balls that norms give around each point, None where f^p is not proved to
    contract.

    radius: the Jacobians' spectral radii, (k,), roughly; chain: the slopes of a dense chain.

    For x within r of the printed point, in the norm |A^-1 x|, let |A^-1 J(x) A| <= rate < 1, J(x)
    all slopes between x and the exact point, and let that be within e of the printed one: then
    those within r - e of the exact point, among them those within r - 2e of the printed one, are
    carried into themselves, nearer by `rate` each time.
    """
    best: Balls = [None] * len(radius)
    narrow = chain is not None and around.points.shape[1] <= NARROW
    jacobian = found.jacobian if chain is None else chain.jacobian
    for rows, norms in _norms(jacobian, radius, chain):
        for way in (chain, None) if narrow else (chain,):
            part = None if way is None else way.at(rows)
            balls = _balls(around.at(rows), found.at(rows), norms, part)
            for row, ball in zip(rows, balls, strict=True):
                best[row] = _larger(best[row], ball)
    return best


def _larger(a: AttractingBall | None, b: AttractingBall | None) -> AttractingBall | None:
    if a is None or b is None:
        return b if a is None else a
    return b if b.inner_radius > a.inner_radius else a


def _norms(
    jacobian: Ball, radius: Array, chain: ChainSlopes | None
) -> Iterator[tuple[Rows, Norms]]:
    """The norms worth trying, and of which points. The nearer to the 2-norm, the larger the ball
    that is proved, as long as the Jacobian contracts: rates above 1 bend it least; or the longer in
    the slow directions, where the bends are known to second order."""
    size = two_norms(jacobian)
    plain = np.flatnonzero(size < 1.0)
    if len(plain):
        yield plain, plain_norms(jacobian.shape[-1], size[plain])
    left = np.flatnonzero(~(size < EASY))
    if (
        len(left)
        and chain is not None
        and chain.bends is not None
        and jacobian.shape[-1] <= WIDEST_APART
    ):
        which, norms = apart_norms(split(jacobian, left))
        if len(which):
            yield left[which], norms
            left = np.setdiff1d(left, left[which])
    gentle = np.where(size < 1.1, 1.2, radius + 0.8 * (1.0 - radius))
    for rate in (gentle, np.ones_like(gentle)):
        able = left[radius[left] < rate[left]]
        if len(able):
            which, norms = lyapunov_norms(split(jacobian, able), rate[able])
            if len(which):
                yield able[which], norms
                left = np.setdiff1d(left, able[which])


def _balls(around: Return, found: Existence, norms: Norms, chain: ChainSlopes | None) -> Balls:
    n = around.points.shape[1]
    # |A^-1 x| <= |S x| / (1 - gap)
    loss = 1.0 / (1.0 - norms.gap) * (1.0 + 8 * U)
    stretch = np.ones(len(loss)) if norms.plain else two_norms(point(norms.transform))
    e = stretch * math.sqrt(n) * found.error * loss * (1.0 + 8 * U)
    size = sizes(around) * stretch
    slopes_norm = _in_general(around, norms) if chain is None else _in_chain(chain, norms, e)

    def rate(radius: Array, rows: Rows) -> Array:
        value = slopes_norm(radius, rows) * loss[rows]
        return np.where(radius <= CEILING * size[rows], value, math.inf)

    smallest = np.maximum(4.0 * e, 8 * U * size)
    least = rate(smallest, np.arange(len(e)))
    balls: Balls = [None] * len(e)
    able = np.flatnonzero(least < 1.0)
    if not len(able):
        return balls
    # In a chain another radius costs next to nothing.
    width = n if chain is None else 0
    start = (smallest[able], least[able])
    wide = widest(
        lambda radius, rows: rate(radius, able[rows]), start, FIRST_GUESS * size[able], width
    )
    rates = rate(wide, able) * (1.0 + 4 * U)
    shown = (wide - 2.0 * e[able]) * (1.0 - norms.gap[able]) * (1.0 - 16 * U)
    inner = shown / stretch[able] * (1.0 - 4 * U)
    for place, row in enumerate(able):
        if shown[place] > 0.0:
            balls[row] = AttractingBall(
                norms.transform[row].copy(),
                float(shown[place]),
                float(rates[place]),
                float(inner[place]),
            )
    return balls


def _in_general(around: Return, norms: Norms) -> Callable[[Array, Rows], Array]:
    """(r, rows) -> bounds of |S J A| on the ellipsoids of radius r."""

    def bound(radius: Array, rows: Rows) -> Array:
        slopes = around.at(rows).in_ellipsoid(norms.axes[rows], radius)
        return two_norms(matmul(point(norms.transform[rows]), slopes))

    return bound


def _in_chain(chain: ChainSlopes, norms: Norms, error: Array) -> Callable[[Array, Rows], Array]:
    """The same for slopes between the points of the ellipsoids and the exact points, which are
    within `error` of the printed ones in these norms."""
    if norms.plain:
        everywhere, straying = chain.lipschitz, chain.departing(None, None, error)
    else:
        everywhere, straying = math.inf, chain.departing(norms.transform, norms.axes, error)

    def bound(radius: Array, rows: Rows) -> Array:
        value = (norms.size[rows] + straying(radius, rows)) * (1.0 + 4 * U)
        return np.minimum(everywhere, value)

    return bound
