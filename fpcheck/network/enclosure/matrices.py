"""What can be proved about a matrix that is known within a ball: norms, definiteness, inverse.

Balls here are (n, m) without a batch axis. All is worked out in plain floating point and then
verified [Rump 2010, "Verification methods", sections 10.8 to 10.12].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpcheck.network.enclosure.ball import TINY, Array, Ball, U, gamma, matmul, minus, widen

# A loose 2-norm: so many steps of the power method, and this margin above the square it finds.
POWER_STEPS = 8
LOOSE = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Inverse:
    """An approximate inverse as the exact product of two triangular matrices and a permutation.

    ball: holds that product, (n, n); sign: of its determinant, exactly.
    """

    ball: Ball
    sign: int


def point(values: Array) -> Ball:
    """The ball of one exactly known matrix."""
    return Ball(values, np.zeros_like(values))


def less_identity(matrix: Ball) -> Ball:
    """I - M."""
    return minus(point(np.eye(len(matrix.mid))), matrix)


def row_sums(matrix: Ball) -> Array:
    """Above the sum of |M_ij| over j, for every row."""
    sizes = np.abs(matrix.mid) + matrix.rad
    return np.asarray(sizes.sum(axis=1) * widen(matrix.shape[1]) + TINY)


def max_norm(matrix: Ball) -> float:
    """Above the norm that belongs to the largest entry of a vector: the largest row sum."""
    return float(row_sums(matrix).max(initial=0.0))


def two_norm(matrix: Ball, *, loose: bool = False) -> float:
    """Above the 2-norm of every matrix in the ball; inf where none can be shown.

    With `loose` it may be some ten per cent larger, for half of the time.
    """
    # Two roots: the product of two small numbers would be 0.
    spread = math.sqrt(max_norm(_sizes(matrix.rad))) * math.sqrt(max_norm(_sizes(matrix.rad.T)))
    return (_point_norm(matrix.mid, loose) + spread) * (1.0 + 8 * U) + TINY


def positive_definite(matrix: Array, uncertainty: float) -> bool:
    """Whether all symmetric matrices within `uncertainty` (2-norm) of `matrix` are proved positive
    definite; its lower triangle counts.

    Where Cholesky's factorisation of A - c I runs to its end, A is positive definite for
    c >= gamma_(n+1) / (1 - gamma_(n+1)) tr A [Rump 2006, BIT 46, theorem 2.3].
    """
    n = len(matrix)
    diagonal = np.diagonal(matrix)
    # Twice the theorem's constant, and the rounding of the new diagonal.
    shift = 2 * gamma(n + 1) * float(np.abs(diagonal).sum()) + n * TINY
    shift += 4 * U * float(np.abs(diagonal).max(initial=0.0))
    lowered = matrix.copy()
    lowered[np.diag_indices(n)] -= (uncertainty + shift) * (1.0 + 8 * U)
    if not np.isfinite(lowered).all():
        return False
    try:
        return bool(np.isfinite(np.linalg.cholesky(lowered)).all())
    except np.linalg.LinAlgError:
        return False


def inverse(matrix: Array) -> Inverse | None:
    """An approximate inverse of `matrix`; None where it is singular to the factorisation."""
    from scipy.linalg.lapack import dgetrf, dtrtri

    if not np.isfinite(matrix).all():
        return None
    factors, swaps, trouble = dgetrf(matrix)
    if trouble:
        return None
    upper, bad_upper = dtrtri(factors, lower=0)
    lower, bad_lower = dtrtri(factors, lower=1, unitdiag=1)
    if bad_upper or bad_lower:
        return None
    upper = np.ascontiguousarray(np.triu(upper))
    lower = np.tril(lower, -1) + np.eye(len(matrix))
    if not (np.isfinite(upper).all() and np.isfinite(lower).all()):
        return None
    order = np.arange(len(matrix))
    for row, other in enumerate(swaps):
        order[[row, other]] = order[[other, row]]
    odd = np.count_nonzero(np.diagonal(upper) < 0) + np.count_nonzero(swaps != range(len(swaps)))
    # U^-1 L^-1 P: column order[j] of the result is column j of the product.
    product = matmul(point(upper), point(lower))
    back = np.argsort(order)
    sign = 0 if (np.diagonal(upper) == 0).any() else 1 - 2 * int(odd % 2)
    return Inverse(product.map(lambda x: np.ascontiguousarray(x[:, back])), sign)


def _point_norm(matrix: Array, loose: bool) -> float:
    """Above the 2-norm of one matrix: t^2 I - M M^T is proved positive definite."""
    if not np.isfinite(matrix).all():
        return math.inf
    if min(matrix.shape, default=0) == 0:
        return 0.0
    small = np.ascontiguousarray(matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T)
    gram = small @ small.T
    # Squares of entries below 1e-160 underflow.
    frobenius = float(np.trace(gram)) * widen(small.size) + TINY
    # |fl(M M^T) - M M^T| <= gamma |M| |M|^T, whose 2-norm is at most the trace.
    doubt = gamma(small.shape[1]) * frobenius + TINY
    for largest in _guesses(gram, loose):
        slack = doubt + 4 * gamma(len(gram) + 1) * len(gram) * largest
        square = largest * (1.0 + 1e-12) + 2 * slack
        if square >= frobenius:
            break
        if positive_definite(square * np.eye(len(gram)) - gram, doubt + 4 * U * square):
            return math.sqrt(square) * (1.0 + 4 * U)
    return math.sqrt(frobenius) * (1.0 + 4 * U)


def _guesses(gram: Array, loose: bool) -> Iterator[float]:
    """Numbers that are probably above the largest eigenvalue, closely unless `loose`."""
    if loose and len(gram) > 8:
        vector = gram.sum(axis=1)
        for _ in range(POWER_STEPS):
            vector = gram @ vector
            vector /= np.sqrt(vector @ vector) + TINY
        yield LOOSE * float(vector @ (gram @ vector))
    try:
        largest = float(np.linalg.eigvalsh(gram)[-1])
    except np.linalg.LinAlgError:
        return
    yield largest
    yield largest * (1.0 + 1e-6)


def _sizes(radius: Array) -> Ball:
    return Ball(radius, np.zeros_like(radius))
