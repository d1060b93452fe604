"""Lower triangular matrices: inverses and products made of matrix products.

SciPy's triangular routines keep the interpreter's lock while they run, which holds up all other
threads, and NumPy has none; these leave it free and are as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Below it LAPACK's inverse is as fast as a split into products.
SMALL = 64

# Columns of the inverse that one product gives: wide enough for BLAS, and few enough that little
# of a triangle's zeros is multiplied.
COLUMNS = 128

LAPACK_ROWS = 512  # up to here the whole is left to LAPACK

PIECES = 8  # of a triangle, in a product that skips its zeros


def factorise(matrix: Array) -> Array:
    """Lower triangular L, zeros above its diagonal, with L L' = matrix, symmetric.

    LAPACK's factors of blocks on the diagonal, joined by products: NumPy's call for the whole
    copies it twice against the grain, which takes as long as the work.

    Raises:
        LinAlgError: the matrix is not positive definite to rounding.
    """
    out = np.zeros(matrix.shape)
    _factorise(matrix, out)
    return out


def _factorise(matrix: Array, out: Array) -> None:
    size = len(matrix)
    if size <= LAPACK_ROWS:
        out[...] = np.linalg.cholesky(matrix)
        return
    half = size // 2
    _factorise(matrix[:half, :half], out[:half, :half])
    below = block_solver(out[:half, :half]).solve(matrix[:half, half:])
    out[half:, :half] = below.T
    _factorise(matrix[half:, half:] - below.T @ below, out[half:, half:])


def invert_triangle(factor: Array) -> None:
    """Put the inverse of a lower triangular matrix, zeros above its diagonal, in its place."""
    size = len(factor)
    if size <= SMALL:
        factor[...] = np.tril(np.linalg.inv(factor))
        return
    half = size // 2
    upper, lower, corner = factor[:half, :half], factor[half:, half:], factor[half:, :half]
    invert_triangle(upper)
    invert_triangle(lower)
    product = times_triangle(corner, upper)
    corner[...] = triangle_times(lower, product)
    np.negative(corner, out=corner)


def triangle_times(lower: Array, right: Array) -> Array:
    """lower @ right, skipping most of the zeros above the diagonal of `lower`."""
    size = len(lower)
    out = np.empty((size, right.shape[1]))
    step = max(SMALL, -(-size // PIECES))
    for start in range(0, size, step):
        stop = min(size, start + step)
        np.matmul(lower[start:stop, :stop], right[:stop], out=out[start:stop])
    return out


def times_triangle(left: Array, lower: Array) -> Array:
    """left @ lower, skipping most of the zeros above the diagonal of `lower`."""
    size = len(lower)
    out = np.empty((len(left), size))
    step = max(SMALL, -(-size // PIECES))
    for start in range(0, size, step):
        stop = min(size, start + step)
        np.matmul(left[:, start:], lower[start:, start:stop], out=out[:, start:stop])
    return out


def gram_of_triangle(lower: Array) -> Array:
    """lower' @ lower; the half that is computed is copied into the other."""
    size = len(lower)
    out = np.empty((size, size))
    for start in range(0, size, COLUMNS):
        stop = min(size, start + COLUMNS)
        part = lower[start:, :stop].T @ lower[start:, start:stop]
        out[:stop, start:stop] = part
        out[start:stop, :start] = part[:start].T
        corner = part[start:]
        out[start:stop, start:stop] = 0.5 * (corner + corner.T)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class BlockSolver:
    """Substitution with a lower triangular matrix (m, m), SMALL rows at a time.

    inverses: those of the blocks on its diagonal, in their order.
    """

    factor: Array
    inverses: tuple[Array, ...]

    def forward(self, right: Array) -> Iterator[Array]:
        """The rows of factor^-1 right, right (m, c), block by block."""
        out = np.empty_like(right)
        for index, inverse in enumerate(self.inverses):
            start = index * SMALL
            stop = start + len(inverse)
            rest = right[start:stop] - self.factor[start:stop, :start] @ out[:start]
            np.matmul(inverse, rest, out=out[start:stop])
            yield out[start:stop]

    def solve(self, right: Array) -> Array:
        """factor^-1 right, right (m, c)."""
        return np.concatenate([right[:0], *self.forward(right)])

    def backward(self, right: Array) -> Array:
        """factor'^-1 right, right (m, c)."""
        out = np.empty_like(right)
        for index in reversed(range(len(self.inverses))):
            inverse = self.inverses[index]
            start = index * SMALL
            stop = start + len(inverse)
            rest = right[start:stop] - self.factor[stop:, start:stop].T @ out[stop:]
            np.matmul(inverse.T, rest, out=out[start:stop])
        return out


def block_solver(factor: Array) -> BlockSolver:
    """The solver of a lower triangular matrix with a diagonal above 0."""
    starts = range(0, len(factor), SMALL)
    blocks = (factor[start : start + SMALL, start : start + SMALL] for start in starts)
    return BlockSolver(
        factor, tuple(np.asarray(np.linalg.inv(block), dtype=np.float64) for block in blocks)
    )
