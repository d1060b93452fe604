"""Whether a matrix is a P-matrix: all its principal minors are positive.

I - S W is regular for every diagonal S with entries in [l, h] if and only if I - l W is regular and
(I - h W)(I - l W)^-1 is a P-matrix [Gale, Nikaido 1965; for l = 0: I - h W]. Then and only then has
z = phi(W z + c) exactly one solution for every c and all component-wise phi with difference
quotients in [l, h]: no argument that knows only W and the range of slopes proves more.

A is a P-matrix if and only if a_11 > 0 and both A without its first row and column and the Schur
complement of a_11 are P-matrices [Tsatsomeros, Li 2000]. All 2^k matrices of a level are worked on
at once, as balls, so that a pivot that is positive is proved to be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.network.enclosure.ball import WIDEN, Ball, U, matmul, times
from fpcheck.network.enclosure.matrices import less_identity, max_norm, point, row_sums

# What underflow can cost a product.
LEAST = 1e-300
LARGEST = 20  # units: 2^20 minors, a fifth of a second


@dataclass(frozen=True, slots=True)
class PMatrixTest:
    """pivot: the smallest lower bound of a ratio of nested minors; holds: all are proved positive.

    refuted: whether a minor is proved not to be positive.
    """

    pivot: float
    holds: bool
    refuted: bool


def regular_slopes(weight: Ball, low: Array, high: Array, monitor: Monitor) -> PMatrixTest:
    """The test of z = phi(W z + c). weight: (N, N), N at most LARGEST; low, high: (N,)."""
    matrix = less_identity(times(point(high[:, None]), weight))
    if low.any():
        opposite = inverses(less_identity(times(point(low[:, None]), weight)))
        if opposite is None:
            return PMatrixTest(-np.inf, holds=False, refuted=False)
        matrix = matmul(matrix, opposite)
    return p_matrix(matrix, monitor)


def inverses(matrix: Ball) -> Ball | None:
    """The inverses of all square matrices of the ball, or None where one may be singular.

    X an approximate inverse and E = I - A X, ||E||_inf <= e < 1: A^-1 = X (I - E)^-1, so every
    entry of row i is within ||X_i||_1 e / (1 - e) of X's.
    """
    try:
        near = np.asarray(np.linalg.inv(matrix.mid), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(near).all() and np.isfinite(matrix.rad).all()):
        return None
    norm = max_norm(less_identity(matmul(matrix, point(near))))
    if not norm < 0.5:
        return None
    bound = row_sums(point(near))[:, None] * (norm / (1.0 - norm) * WIDEN) * WIDEN
    return Ball(near, np.broadcast_to(bound, near.shape).copy())


def p_matrix(matrix: Ball, monitor: Monitor) -> PMatrixTest:
    """Whether every matrix of the ball is a P-matrix. matrix: (N, N), N at most LARGEST."""
    with np.errstate(all="ignore"):
        return _tested(matrix.mid[None], matrix.rad[None], monitor)


def _tested(mid: Array, rad: Array, monitor: Monitor) -> PMatrixTest:
    """The test level by level. mid, rad: (1, N, N)."""
    smallest = np.inf
    while mid.shape[1]:
        monitor.check()
        pivot, spread = mid[:, 0, 0], rad[:, 0, 0]
        lowest = float((pivot - spread).min()) * (1.0 - 2.0 * U)
        smallest = min(smallest, lowest)
        if not lowest > 0.0:
            refuted = bool((pivot + spread < 0.0).any())
            return PMatrixTest(smallest, holds=False, refuted=refuted)
        mid, rad = _next_level(mid, rad)
    return PMatrixTest(smallest, holds=True, refuted=False)


def _next_level(mid: Array, rad: Array) -> tuple[Array, Array]:
    """The trailing blocks and the Schur complements of the first entries, as balls.

    mid, rad: (k, m, m) -> (2 k, m - 1, m - 1). With q = a_21 / a_11, |dq| <= (r_21 + |q| r_11) /
    (|a_11| - r_11), and S = A_22 - q a_12; each rounding is u of its result, so WIDEN covers
    those of the bounds.
    """
    pivot, spread = mid[:, :1, :1], rad[:, :1, :1]
    column, row = mid[:, 1:, :1], mid[:, :1, 1:]
    quotient = column / pivot
    size = np.abs(quotient)
    off = (rad[:, 1:, :1] + size * spread) / (pivot - spread) + 2.0 * U * size
    product = quotient * row
    schur = mid[:, 1:, 1:] - product
    bound = rad[:, 1:, 1:] + size * rad[:, :1, 1:] + off * (np.abs(row) + rad[:, :1, 1:])
    bound += U * (np.abs(schur) + np.abs(product))
    bound = bound * WIDEN + LEAST
    return (
        np.concatenate([mid[:, 1:, 1:], schur]),
        np.concatenate([rad[:, 1:, 1:], bound]),
    )
