"""Norms in which stable matrices contract at every step: from Lyapunov's equation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, matmul, split
from fpcheck.network.enclosure.matrices import inverted, less_identity, point, two_norms

DOUBLINGS = 40
# Squarings after which a power of a matrix is its slowest part: 1 and 0.99 are then 1e-18 apart.
SQUARINGS = 12
# Slow is an eigenvalue, or a pair of them; what the power holds of others is at most this share.
MOST_SLOW, FAINT = 2, 1e-6
# The other directions' rate, from their spectral radius to 1.
SHARE = 0.8
NEGLIGIBLE = 1e-18
SKEWEST = 1e14  # a norm more skew than this is lost in rounding

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """|x| = |A^-1 x|_2, one for each of k matrices M.

    axes: A, (k, n, n); transform: S near A^-1; gap: (k,), above |I - S A|_2, below 1; size: (k,),
    above |S M A|_2; plain: whether A = I in all of them.
    """

    axes: Array
    transform: Array
    gap: Array
    size: Array
    plain: bool


def plain_norms(n: int, size: Array) -> Norms:
    """The 2-norm of n entries, for matrices of these sizes in it."""
    axes = np.broadcast_to(np.eye(n), (len(size), n, n))
    return Norms(axes, axes, np.zeros(len(size)), size, plain=True)


def lyapunov_norms(stack: Ball, rate: Array) -> tuple[Rows, Norms]:
    """Norms that `lyapunov_bases` give in which the matrices of the balls are proved to contract,
    and of which they are. stack: (k, n, n)."""
    return _shown(stack, *lyapunov_bases(stack.mid, rate))


def apart_norms(stack: Ball) -> tuple[Rows, Norms]:
    """The same with what is slowest apart from the rest: |x|^2 = |slow part|^2 + |the rest|^2.

    One norm for all shrinks the slow directions along with what must shrink for the others to
    contract; apart, a ball is as long in them as the 2-norm has it. stack: (k, n, n).
    """
    return _shown(stack, *_apart_bases(stack.mid))


def _shown(stack: Ball, rows: Rows, axes: Array, transform: Array) -> tuple[Rows, Norms]:
    """Which of these norms are proved to contract, and what is known of them."""
    gap = two_norms(less_identity(matmul(point(transform), point(axes))), loose=True)
    turned = matmul(point(transform), matmul(split(stack, rows), point(axes)))
    size = two_norms(turned)
    held = np.flatnonzero((gap < 0.5) & (size < 1.0 - gap))
    norms = Norms(axes[held], transform[held], gap[held], size[held], plain=False)
    return rows[held], norms


def lyapunov_bases(stack: Array, rate: Array) -> tuple[Rows, Array, Array]:
    """(rows, A, S near A^-1): in |A^-1 x|_2 each of these matrices contracts by less than its
    `rate`; those are left out whose spectral radius is not below it, or too near.

    The square of the norm is x^T P x with P = sum_k (M^k)^T M^k, M = matrix / rate, so that
    P - M^T P M = I; by doubling: k squarings give 2^k terms [Smith 1968, SIAM J. Appl. Math. 16].
    """
    gram, settled = _grams(stack, rate)
    rows = np.flatnonzero(settled)
    return _of_grams(rows, gram[rows])


def _grams(stack: Array, rate: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The sums P, and of which matrices they settled."""
    power = stack / rate[:, None, None]
    gram = np.tile(np.eye(stack.shape[-1]), (len(stack), 1, 1))
    settled = np.zeros(len(stack), dtype=bool)
    left = np.arange(len(stack))
    for _ in range(DOUBLINGS):
        step = power.swapaxes(1, 2) @ gram[left] @ power
        gram[left] += step
        size = np.abs(gram[left]).max(axis=(1, 2), initial=0.0)
        small = np.abs(step).max(axis=(1, 2), initial=0.0) <= NEGLIGIBLE * size
        settled[left] = small & (size <= SKEWEST)
        going = ~small & (size <= SKEWEST)
        left, power = left[going], power[going]
        if not len(left):
            break
        power = power @ power
    return gram, settled


def _of_grams(rows: Rows, gram: Array) -> tuple[Rows, Array, Array]:
    transforms = np.zeros_like(gram)
    kept = np.ones(len(rows), dtype=bool)
    # One scale for both, so that neither under- nor overflows: the norm's unit is free.
    scale = np.sqrt(np.abs(gram.diagonal(axis1=1, axis2=2)).max(axis=1, initial=0.0))
    for place, (each, unit) in enumerate(zip(gram, scale, strict=True)):
        try:
            transforms[place] = np.linalg.cholesky(0.5 * (each + each.T)).T / unit
        except np.linalg.LinAlgError:
            kept[place] = False
            continue
    axes, regular = inverted(transforms)
    kept &= regular & np.isfinite(axes).all(axis=(1, 2))
    return rows[kept], np.triu(axes[kept]), transforms[kept]


def _apart_bases(stack: Array) -> tuple[Rows, Array, Array]:
    """(rows, A, S near A^-1) of `apart_norms`; those are left out that have no slowest part."""
    n = stack.shape[-1]
    radius, power = _power(stack)
    left, sizes, right = np.linalg.svd(power)
    # The rank of the power says how many directions are slowest.
    slow = (sizes > FAINT * sizes[:, :1]).sum(axis=1)
    rows = np.flatnonzero((slow <= min(MOST_SLOW, n - 1)) & (radius < 1.0))
    grams = np.tile(np.eye(n), (len(rows), 1, 1))
    kept = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(rows):
        spaces = left[row, :, : slow[row]], right[row, : slow[row]]
        gram = _apart_gram(stack[row], *spaces, float(radius[row]))
        if gram is not None:
            grams[place], kept[place] = gram, True
    return _of_grams(rows[kept], grams[kept])


def _apart_gram(matrix: Array, along: Array, across: Array, radius: float) -> Array | None:
    """P of |x|^2 = x^T P x, the slowest part |part x| in size apart from what is left modulo it.

    along: (n, d), orthonormal, what the slow directions span; across: (d, n), the same of M^T.
    """
    try:
        part = np.linalg.solve(across @ along, across)  # x -> its slow coordinates
    except np.linalg.LinAlgError:
        return None
    other = np.eye(len(matrix)) - along @ along.T
    rest = other @ matrix @ other
    inner = _gram(part @ matrix @ along, 0.5 * (1.0 + radius))
    outer = _gram(rest, 1.0 - (1.0 - SHARE) * (1.0 - float(_power(rest[None])[0][0])))
    if inner is None or outer is None:
        return None
    gram = part.T @ inner @ part / np.linalg.eigvalsh(inner)[0] + other @ outer @ other
    return np.asarray(gram)


def _gram(matrix: Array, rate: float) -> Array | None:
    """sum_k (M^k)^T M^k, M = matrix / rate; None where it does not settle, or rate >= 1."""
    if not 0.0 < rate < 1.0:
        return None
    grams, settled = _grams(matrix[None], np.array([rate]))
    return np.asarray(grams[0]) if settled[0] else None


def _power(stack: Array) -> tuple[Array, Array]:
    """(|M^k|^(1/k), M^k / |M^k|) for k = 2^SQUARINGS; norms are Frobenius'."""
    power, logarithm = stack.copy(), np.zeros(len(stack))
    for _ in range(SQUARINGS + 1):
        size = np.sqrt((power * power).sum(axis=(1, 2)))
        lost = ~((size > 0.0) & (size < np.inf))
        size[lost], power[lost] = np.inf, 0.0  # left out: its radius comes out infinite
        logarithm = 2.0 * logarithm + np.log(size)
        power /= size[:, None, None]
        last = power
        power = power @ power
    return np.exp(logarithm / 2.0**SQUARINGS), last
