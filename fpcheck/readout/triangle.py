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

# Columns of a triangle that one product takes: enough for BLAS to be busy, and few enough that
# little of the triangle's zeros is multiplied.
COLUMNS = 256

GRAM_ROWS = 128  # up to here a triangle's zeros are multiplied along

LAPACK_ROWS = 512  # up to here the whole is left to LAPACK

PIECES = 8  # of a triangle, in a product that skips its zeros


def factorise(matrix: Array, *, in_place: bool = False) -> Array:
    """Lower triangular L, zeros above its diagonal, with L L' = matrix, symmetric.

    LAPACK's factors of blocks on the diagonal, joined by products: NumPy's call for the whole
    copies it twice against the grain, which takes as long as the work. in_place: L takes the
    matrix's place, which holds nothing of use where it is not positive definite.

    Raises:
        LinAlgError: the matrix is not positive definite to rounding.
    """
    out = matrix if in_place else matrix.copy()
    _factorise(out)
    return out


def _factorise(out: Array) -> None:
    size = len(out)
    if size <= LAPACK_ROWS:
        out[...] = np.linalg.cholesky(out)
        return
    half = size // 2
    above, rest = out[:half, half:], out[half:, half:]
    _factorise(out[:half, :half])
    below = block_solver(out[:half, :half]).solve(above)
    out[half:, :half] = below.T
    above[...] = 0.0
    rest -= below.T @ below
    _factorise(rest)


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


def gram_of_triangle(lower: Array, out: Array | None = None) -> Array:
    """lower' @ lower, symmetric to the last bit; put into `out`, (n, n), where there is one."""
    out = np.empty(lower.shape) if out is None else out
    size = len(lower)
    if size <= GRAM_ROWS:
        np.matmul(lower.T, lower, out=out)  # BLAS's symmetric product: one half is copied
        return out
    half = size // 2
    corner, below = lower[half:, :half], lower[half:, half:]
    gram_of_triangle(lower[:half, :half], out[:half, :half])
    out[:half, :half] += corner.T @ corner
    gram_of_triangle(below, out[half:, half:])
    joint = out[half:, :half]
    for start in range(0, size - half, COLUMNS):
        stop = min(size - half, start + COLUMNS)
        np.matmul(below[start:, start:stop].T, corner[start:], out=joint[start:stop])
    out[:half, half:] = joint.T
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
