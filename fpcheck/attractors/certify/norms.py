"""Norms in which a stable matrix contracts at every step: from Lyapunov's equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import matmul
from fpcheck.network.enclosure.matrices import less_identity, point, two_norm

DOUBLINGS = 40
NEGLIGIBLE = 1e-18
SKEWEST = 1e14  # a norm more skew than this is lost in rounding


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """|x| = |A^-1 x|_2. axes: A, (n, n); transform: S near A^-1; gap: above |I - S A|_2, below 1;
    plain: A = I."""

    axes: Array
    transform: Array
    gap: float
    plain: bool = False


def plain_norm(n: int) -> Norm:
    """The 2-norm of n entries; n may be 0."""
    return Norm(np.eye(n), np.eye(n), 0.0, plain=True)


def lyapunov_norm(matrix: Array, rate: float) -> Norm | None:
    """A norm in which `matrix` contracts by less than `rate`, if its spectral radius is below it.

    It is x^T P x with P = sum_k (M^k)^T M^k, M = matrix / rate, so that P - M^T P M = I; by
    doubling: k squarings give 2^k terms [Smith 1968, SIAM J. Appl. Math. 16].
    """
    if not len(matrix):
        return plain_norm(0)
    power = matrix / rate
    gram = np.eye(len(matrix))
    for _ in range(DOUBLINGS):
        step = power.T @ gram @ power
        gram = gram + step
        if not np.abs(gram).max() <= SKEWEST:
            return None
        if np.abs(step).max(initial=0.0) <= NEGLIGIBLE * np.abs(gram).max(initial=0.0):
            return _of_gram(gram)
        power = power @ power
    return None


def _of_gram(gram: Array) -> Norm | None:
    from scipy.linalg.lapack import dtrtri

    try:
        transform = np.ascontiguousarray(np.linalg.cholesky(0.5 * (gram + gram.T)).T)
    except np.linalg.LinAlgError:
        return None
    # One scale for both, so that neither under- nor overflows: the norm's unit is free.
    transform /= math.sqrt(float(np.abs(np.diagonal(gram)).max()))
    axes, trouble = dtrtri(transform, lower=0)
    axes = np.ascontiguousarray(np.triu(axes))
    if trouble or not np.isfinite(axes).all():
        return None
    gap = two_norm(less_identity(matmul(point(transform), point(axes))))
    return Norm(axes, transform, gap) if gap < 0.5 else None
