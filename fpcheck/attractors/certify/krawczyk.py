"""Existence and uniqueness of a fixed point of f^p by Krawczyk's operator [Krawczyk 1969]."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.certify.chain_slopes import ChainSlopes
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.widest import widest
from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, U, matmul, minus
from fpcheck.network.enclosure.matrices import (
    inverse,
    less_identity,
    max_norm,
    point,
    two_norm,
)

TRIES = 4
# Linear maps have no other fixed point anywhere: somewhere the doubling has to end.
CEILING = 2.0**20
FIRST_GUESS = 1e-3
# Up to this width bounds entry by entry may be better than norms, and cost little.
NARROW = 16


@dataclass(frozen=True, slots=True, eq=False)
class Existence:
    """A fixed point of f^p within `error` of the printed point, the only one within `radius`.

    jacobian: of f^p, holds the one at the exact point; index_sign: of det(I - J), None if unproved.
    """

    error: float
    radius: float
    jacobian: Ball
    index_sign: int | None


def prove_existence(around: Return, jacobian: Array, chain: ChainSlopes | None) -> Existence | str:
    """The proof, or why there is none.

    jacobian: of f^p at the point, (n, n), roughly; chain: its slopes where it is a dense chain.

    N(x) = x - C (x - f^p(x)) with C near (I - J)^-1 moves the centre by at most alpha and contracts
    the box of radius r by beta = |I - C (I - J(box))|. Where alpha + beta r <= r it maps the box
    into itself, and where beta < 1 it has one fixed point at most; C is regular there.
    """
    inverted = inverse(np.eye(len(jacobian)) - jacobian)
    if inverted is None:
        return "I - J is singular"
    moving = point(inverted.ball.mid)
    defect = minus(point(around.point), around.images[-1])
    alpha = max_norm(matmul(moving, defect.map(lambda x: x[:, None])))
    if not math.isfinite(alpha):
        return "the values cannot be enclosed: numbers out of range"
    size = max(1.0, float(np.abs(around.point).max()))
    radius = 2.0 * alpha + 4 * U * size
    for _ in range(TRIES):
        slopes = around.in_box(radius)
        matrix = less_identity(slopes)
        beta = max_norm(less_identity(matmul(moving, matrix)))
        if beta < 1.0 and (alpha + beta * radius) * (1.0 + 4 * U) < radius:
            break
        radius = max(4.0 * radius, min(1.5 * alpha / (1.0 - beta), size) if beta < 1.0 else 0.0)
    else:
        return _too_wide(alpha, beta)
    error = alpha / (1.0 - beta) * (1.0 + 8 * U)
    unique = radius
    if chain is not None:
        unique = max(unique, _unique_in_ball(chain, moving, (radius, beta), size))
    if chain is None or len(jacobian) <= NARROW:
        unique = max(unique, _unique_in_box(around, moving, (radius, beta), size))
    signed = max_norm(less_identity(matmul(inverted.ball, matrix))) < 1.0
    return Existence(error, unique, slopes, inverted.sign if signed else None)


def _unique_in_box(around: Return, moving: Ball, known: tuple[float, float], size: float) -> float:
    """As large a radius as was found in which N contracts."""

    def bound(radius: float) -> float:
        if radius > CEILING * size:
            return math.inf
        return max_norm(less_identity(matmul(moving, less_identity(around.in_box(radius)))))

    return widest(bound, known, FIRST_GUESS * size, len(around.point))


def _unique_in_ball(
    chain: ChainSlopes, moving: Ball, known: tuple[float, float], size: float
) -> float:
    """The same in the 2-norm, as the radius of a box that lies in the ball: it has to hold the box
    in which the point is."""
    n = len(moving.mid)
    root = math.sqrt(n) * (1.0 + 4 * U)
    rest = two_norm(less_identity(matmul(moving, less_identity(chain.jacobian))))
    straying = chain.straying(moving.mid, np.eye(n))

    def bound(radius: float) -> float:
        if radius > CEILING * size:
            return math.inf
        return (rest + straying(radius * root)) * (1.0 + 4 * U)

    first = bound(known[0])
    if not first < 1.0:
        return 0.0
    return widest(bound, (known[0], first), FIRST_GUESS * size, 0)


def _too_wide(alpha: float, beta: float) -> str:
    if not beta < 1.0:
        return f"I - J is too near singular, or a kink too near: Krawczyk's factor is {beta:.2g}"
    return f"rounding moves the point by up to {alpha:.2g}, more than Krawczyk's test allows"
