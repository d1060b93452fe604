"""The number of eigenvalues outside the unit circle, for matrices far from normal.

Where eigenvectors are too skew for discs, the stable and the unstable subspace are split by
Schur's form, and each part is seen in a norm of its own in which it contracts or expands.
"""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.certify.norms import lyapunov_bases
from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, matmul, split
from fpcheck.network.enclosure.matrices import inverse, less_identity, point, two_norm


def count_unstable(matrix: Ball) -> int | None:
    """The eigenvalues outside the unit circle of every matrix in the ball, (n, n), or None.

    In blocks let |N11| <= a < 1 and |N22 y| >= d |y|, d > 1. An eigenvector (x, y) on the unit
    circle would have (1 - a) |x| <= e12 |y| and (d - 1) |y| <= e21 |x|; where
    (1 - a)(d - 1) > e12 e21 there is none, for no share of N12 and N21, so that the count is that
    of N22 alone: all its size.
    """
    made = _split_basis(matrix.mid)
    if made is None:
        return None
    basis, stable = made
    inverted = inverse(basis)
    if inverted is None:
        return None
    back = point(inverted.ball.mid)
    turned = matmul(back, matmul(matrix, point(basis)))
    gap = two_norm(less_identity(matmul(back, point(basis))))
    if not gap < 0.5:
        return None
    # V^-1 J V - R J V = sum of G^k R J V over k >= 1, G = I - R V.
    doubt = gap / (1.0 - gap) * two_norm(turned) * (1.0 + 1e-12)
    inner, outer = slice(None, stable), slice(stable, None)
    a = two_norm(split(turned, (inner, inner))) + doubt
    d = _expansion(split(turned, (outer, outer))) - doubt
    across = (two_norm(split(turned, (inner, outer))) + doubt) * (
        two_norm(split(turned, (outer, inner))) + doubt
    )
    proved = a < 1.0 < d and (1.0 - a) * (d - 1.0) * (1.0 - 1e-12) > across
    return len(basis) - stable if proved else None


def _split_basis(matrix: Array) -> tuple[Array, int] | None:
    """(V, k): V^-1 M V is nearly block diagonal, the first k of its columns stable."""
    from scipy.linalg import LinAlgError, schur, solve_sylvester

    try:
        form, rotation, stable = schur(matrix, output="real", sort="iuc")
        first, last = form[:stable, :stable], form[stable:, stable:]
        cut = np.eye(len(matrix))
        if 0 < stable < len(matrix):
            cut[:stable, stable:] = solve_sylvester(first, -last, -form[:stable, stable:])
        inner = _contracting_basis(first)
        outer = _contracting_basis(np.linalg.inv(last))
    except (LinAlgError, np.linalg.LinAlgError, ValueError):
        return None
    if inner is None or outer is None:
        return None
    scales = np.zeros_like(cut)
    scales[:stable, :stable] = inner
    scales[stable:, stable:] = outer
    basis = np.ascontiguousarray(rotation @ cut @ scales)
    return (basis, stable) if np.isfinite(basis).all() else None


def _contracting_basis(matrix: Array) -> Array | None:
    rows, axes, _ = lyapunov_bases(matrix[None], np.ones(1))
    return axes[0] if len(rows) else None


def _expansion(matrix: Ball) -> float:
    """Below the smallest singular value; inf for an empty matrix."""
    if not len(matrix.mid):
        return np.inf
    inverted = inverse(matrix.mid)
    if inverted is None:
        return 0.0
    back = point(inverted.ball.mid)
    gap = two_norm(less_identity(matmul(back, matrix)))
    return (1.0 - gap) / two_norm(back) * (1.0 - 1e-14) if gap < 1.0 else 0.0
