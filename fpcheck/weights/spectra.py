"""Norms and leading singular values of a weight matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream

Array = NDArray[np.float64]

LEADING = 10
# Below, LAPACK's full decomposition takes at most about 0.1 s; its values are good to 1e-15 of the
# largest. Above, the leading ones come from the Gram matrix.
FULL_COST = 3e8  # shorter side squared x longer side
GRAM_SIDE = 4096  # a Gram matrix of this side takes 128 MiB; longer ones are applied, not formed
LANCZOS_TOLERANCE = 1e-10  # relative, of an eigenvalue of the Gram matrix


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Norms and the largest singular values, descending, at most LEADING of them.

    `relative`: all of them over the largest, where the decomposition is a full one, else None.

    `method` is `full` (error at most about 1e-15 of the largest) or `lanczos` (squares are
    computed, so the error of a value s is about 1e-10 s, and more where s is below 1e-3 of the
    largest; values below 1e-7 of it are rounding).
    """

    frobenius_norm: float
    spectral_norm: float
    stable_rank: float | None
    singular_values: tuple[float, ...]
    method: str
    relative: Array | None = None


def spectrum(matrix: Array) -> Spectrum:
    """The norms and leading singular values of a finite matrix.

    The stable rank, ||W||_F^2 / ||W||_2^2, is None for a zero matrix.
    """
    largest = float(np.abs(matrix).max())
    count = min(LEADING, *matrix.shape)
    if largest == 0.0:
        return Spectrum(0.0, 0.0, None, (0.0,) * count, "full")
    # Scaled to entries of at most 1, so that no square overflows or vanishes.
    unit = matrix / largest
    short = min(matrix.shape)
    if cheap(matrix):
        every: Array = np.asarray(np.linalg.svd(unit, compute_uv=False), np.float64)
        values, method = every[:count], "full"
    else:
        every = np.empty(0)
        values, method = _lanczos(unit if matrix.shape[0] == short else unit.T, count), "lanczos"
    frobenius = float(np.linalg.norm(unit))
    with np.errstate(over="ignore"):  # a norm beyond float64 is reported as infinite
        scaled = [float(value) for value in largest * values]
    return Spectrum(
        frobenius_norm=float(largest * frobenius),
        spectral_norm=scaled[0],
        stable_rank=float((frobenius / values[0]) ** 2),
        singular_values=tuple(scaled),
        method=method,
        relative=every / every[0] if every.size else None,
    )


def cheap(matrix: Array) -> bool:
    """Whether a full decomposition takes a moment only."""
    short, long = sorted(matrix.shape)
    return bool(short * short * long <= FULL_COST)


def _lanczos(unit: Array, count: int) -> Array:
    """The `count` largest singular values of a matrix with no more rows than columns."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    side = unit.shape[0]
    start = random_stream(0, "weights").standard_normal(side)  # fixed: a result has no seed
    if side <= GRAM_SIDE:
        gram = unit @ unit.T
    else:
        gram = LinearOperator((side, side), matvec=lambda v: unit @ (unit.T @ v), dtype=np.float64)
    squares: Array = eigsh(
        gram, k=count, which="LA", v0=start, tol=LANCZOS_TOLERANCE, return_eigenvectors=False
    )
    values: Array = np.sqrt(np.maximum(np.sort(squares)[::-1], 0.0))
    return values
