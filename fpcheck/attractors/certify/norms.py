"""Norms in which stable matrices contract at every step: from Lyapunov's equation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, matmul, split
from fpcheck.network.enclosure.matrices import inverted, less_identity, point, two_norms

DOUBLINGS = 40
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
    rows, axes, transform = lyapunov_bases(stack.mid, rate)
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
    rows = np.flatnonzero(settled)
    return _of_grams(rows, gram[rows])


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
