"""What can be proved about matrices that are known within balls: norms, definiteness, inverses.

Most functions take a stack of matrices, (k, n, m): a small matrix costs less to work out than to
call for. All is worked out in plain floating point and then verified [Rump 2010, "Verification
methods", sections 10.8 to 10.12]; each matrix's answer is the same in any company.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.enclosure.ball import TINY, Array, Ball, U, gamma, matmul, minus, widen

# A loose 2-norm of a wide matrix: so many steps of the power method, and this margin above the
# square that it finds; between the given widths powers of the matrix cost less.
POWER_STEPS = 8
LOOSE = 1.1
LEAST_POWER, SQUARED = 8, 128
REFINEMENTS = 3  # of the bound that says what those powers' rounding is

Flags = NDArray[np.bool_]


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
    """I - M; also of a stack."""
    return minus(point(np.eye(matrix.shape[-1])), matrix)


def row_sums(matrix: Ball) -> Array:
    """Above the sum of |M_ij| over j, for every row. (.., n, m) -> (.., n)."""
    sizes = np.abs(matrix.mid) + matrix.rad
    return np.asarray(sizes.sum(axis=-1) * widen(matrix.shape[-1]) + TINY)


def max_norms(stack: Ball) -> Array:
    """Above the norms that belong to the largest entry of a vector: the largest row sums."""
    return np.asarray(row_sums(stack).max(axis=-1, initial=0.0))


def max_norm(matrix: Ball) -> float:
    """`max_norms` of one matrix."""
    return float(max_norms(matrix))


def two_norm(matrix: Ball, *, loose: bool = False) -> float:
    """`two_norms` of one matrix."""
    return float(two_norms(matrix.map(lambda x: x[None]), loose=loose)[0])


def two_norms(stack: Ball, *, loose: bool = False) -> Array:
    """Above the 2-norm of every matrix in each ball; inf where none can be shown. (k, n, m) -> (k,)

    With `loose` they may be some ten per cent larger, for a third of the time.
    """
    norms = _point_norms(stack.mid, loose)
    if stack.rad.any():
        rows = stack.rad.sum(axis=2).max(axis=1, initial=0.0) * widen(stack.shape[2]) + TINY
        columns = stack.rad.sum(axis=1).max(axis=1, initial=0.0) * widen(stack.shape[1]) + TINY
        # Two roots: the product of two small numbers would be 0.
        norms = norms + np.sqrt(rows) * np.sqrt(columns)
    return np.asarray(norms * (1.0 + 8 * U) + TINY)


def positive_definite(matrix: Array, uncertainty: float) -> bool:
    """`all_definite` of one matrix."""
    return bool(all_definite(matrix[None], np.array([uncertainty]))[0])


def all_definite(stack: Array, uncertainty: Array) -> Flags:
    """Whether all symmetric matrices within `uncertainty` (2-norm) of each matrix are proved
    positive definite; the lower triangles count. (k, n, n), (k,) -> (k,)

    Where Cholesky's factorisation of A - c I runs to its end, A is positive definite for
    c >= gamma_(n+1) / (1 - gamma_(n+1)) tr A [Rump 2006, BIT 46, theorem 2.3].
    """
    n = stack.shape[-1]
    diagonal = np.abs(stack.diagonal(axis1=1, axis2=2))
    # Twice the theorem's constant, and the rounding of the new diagonal.
    shift = 2 * gamma(n + 1) * diagonal.sum(axis=1) + n * TINY
    shift += 4 * U * diagonal.max(axis=1, initial=0.0)
    lowered = stack.copy()
    place = np.arange(n)
    lowered[:, place, place] -= ((uncertainty + shift) * (1.0 + 8 * U))[:, None]
    finite = np.isfinite(lowered).all(axis=(1, 2))
    proved = np.zeros(len(stack), dtype=bool)
    proved[finite] = _factorised(lowered[finite])
    return proved


def _factorised(stack: Array) -> Flags:
    """Which of symmetric matrices Cholesky's factorisation works out for."""
    done = np.ones(len(stack), dtype=bool)
    try:
        factors = np.linalg.cholesky(stack)
    except np.linalg.LinAlgError:
        if len(stack) > 1:  # one by one, only where it fails for some
            return np.concatenate([_factorised(matrix[None]) for matrix in stack])
        return ~done
    return np.asarray(done & np.isfinite(factors).all(axis=(1, 2)))


def inverted(stack: Array) -> tuple[Array, Flags]:
    """About the inverse of every matrix, and which have one to the factorisation."""
    try:
        return np.asarray(np.linalg.inv(stack), dtype=np.float64), np.ones(len(stack), dtype=bool)
    except np.linalg.LinAlgError:
        if len(stack) == 1:
            return np.zeros_like(stack), np.zeros(1, dtype=bool)
    parts = [inverted(matrix[None]) for matrix in stack]
    return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])


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


def _point_norms(stack: Array, loose: bool) -> Array:
    """Above the 2-norm of each matrix: t^2 I - M M^T is proved positive definite."""
    count, rows, columns = stack.shape
    if min(rows, columns) == 0:
        return np.zeros(count)
    finite = np.isfinite(stack.sum(axis=(1, 2)))  # a sum that overflows loses no more than time
    if not finite.all():
        finite = np.isfinite(stack).all(axis=(1, 2))
        norms = np.full(count, math.inf)
        norms[finite] = _finite_norms(stack[finite], loose)
        return norms
    return _finite_norms(stack, loose)


def _finite_norms(stack: Array, loose: bool) -> Array:
    turned = stack.swapaxes(1, 2)
    gram = stack @ turned if stack.shape[1] <= stack.shape[2] else turned @ stack
    n, terms = gram.shape[-1], max(stack.shape[1:])
    # Squares of entries below 1e-160 underflow.
    trace = gram.diagonal(axis1=1, axis2=2).sum(axis=1)
    frobenius = trace * widen(n * terms) + TINY
    # |fl(M M^T) - M M^T| <= gamma |M| |M|^T, whose 2-norm is at most the trace.
    doubt = gamma(terms) * frobenius + TINY
    if loose and LEAST_POWER < n <= SQUARED:
        squares = _by_powers(gram, frobenius, doubt)
    else:
        squares = _by_cholesky(gram, frobenius, doubt, loose)
    return np.asarray(np.sqrt(squares) * (1.0 + 4 * U))


def _by_powers(gram: Array, frobenius: Array, doubt: Array) -> Array:
    """Above the largest eigenvalues of G = M M^T, computed within `doubt`, and its trace below
    `frobenius`: |G^8|^(1/8) in Frobenius's norm, at most n^(1/16) too large.

    With P_0 near G and P_k+1 the square of P_k as rounded, in error by gamma |P_k|^2 at most,
    |P_k+1 - G^2^(k+1)| <= gamma |P_k|^2 + (2 |G|^2^k + d_k) d_k for |P_k - G^2^k| <= d_k. That
    needs a bound of |G|, at first its trace, and gives a closer one.
    """
    terms = gram.shape[-1]
    power = gram / frobenius[:, None, None]  # of trace 1
    sizes = []
    for _ in range(3):
        sizes.append(_frobenius(power))
        power = power @ power
    last = _frobenius(power)
    rounding = gamma(terms)
    start = (doubt / frobenius + 2 * U) * (1.0 + 8 * U) + TINY
    bound = np.ones(len(gram))
    for _ in range(REFINEMENTS):
        error, reach = start, bound
        for size in sizes:
            error = (rounding * size * size + (2.0 * reach + error) * error) * (1.0 + 16 * U)
            error = error + terms * TINY
            reach = reach * reach * (1.0 + 2 * U)
        closer = np.sqrt(np.sqrt(np.sqrt(last + error))) * (1.0 + 16 * U)
        bound = np.where(closer < bound, closer, bound)
    return np.asarray(bound * frobenius * (1.0 + 4 * U))


def _frobenius(stack: Array) -> Array:
    """Above Frobenius's norms."""
    terms = stack.shape[1] * stack.shape[2]
    squares = np.einsum("kij,kij->k", stack, stack) * widen(terms) + TINY
    return np.asarray(np.sqrt(squares) * (1.0 + 4 * U))


def _by_cholesky(gram: Array, frobenius: Array, doubt: Array, loose: bool) -> Array:
    """The same by proofs that t^2 I - G is positive definite."""
    n = gram.shape[-1]
    squares = frobenius.copy()
    left = np.flatnonzero(np.isfinite(frobenius))
    place = np.arange(n)
    for largest in _guesses(gram, loose):
        if not len(left):
            break
        guess = largest(left)
        slack = doubt[left] + 4 * gamma(n + 1) * n * guess
        square = guess * (1.0 + 1e-12) + 2 * slack
        below = square < frobenius[left]  # else the root of the trace is as good
        left, square = left[below], square[below]
        rest = -gram[left]
        rest[:, place, place] += square[:, None]
        proved = all_definite(rest, doubt[left] + 4 * U * square)
        squares[left[proved]] = square[proved]
        left = left[~proved]
    return squares


def _guesses(gram: Array, loose: bool) -> Iterator[Callable[[NDArray[np.intp]], Array]]:
    """Numbers that are probably above the largest eigenvalues of those asked for, closely unless
    `loose`."""
    if loose and gram.shape[-1] > SQUARED:
        yield lambda index: _stepped(gram[index])
    yield lambda index: _eigenvalues(gram[index])
    yield lambda index: _eigenvalues(gram[index]) * (1.0 + 1e-6)


def _stepped(gram: Array) -> Array:
    """About the largest eigenvalues, with a margin: Rayleigh's quotients after a few steps."""
    vector = gram.sum(axis=2)[:, :, None]
    for _ in range(POWER_STEPS):
        vector = gram @ vector
        vector /= np.sqrt((vector * vector).sum(axis=1, keepdims=True)) + TINY
    return np.asarray(LOOSE * (vector * (gram @ vector)).sum(axis=(1, 2)))


def _eigenvalues(gram: Array) -> Array:
    """About the largest eigenvalues; inf where they are not found."""
    try:
        return np.asarray(np.linalg.eigvalsh(gram)[:, -1])
    except np.linalg.LinAlgError:
        if len(gram) == 1:
            return np.array([math.inf])
        return np.concatenate([_eigenvalues(matrix[None]) for matrix in gram])
