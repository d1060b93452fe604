"""The leading singular values of a weight matrix, step after step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEADING = 10
# Shorter side squared x longer side: below, LAPACK's full decomposition takes some 10 ms (64 x 64:
# 0.4 ms, 300 x 300: 12 ms) and its values are good to 1e-15 of the largest.
FULL_COST = 3e7
# Above, the squares come from the Gram matrix (1000 x 1000: 0.1 s): a value s is good to
# 1e-15 s_1^2 / s.


def leading_values(matrix: Array, count: int = LEADING) -> Array:
    """The largest singular values, descending, at most `count`; matrix: (units, fan_in), finite."""
    short, long = sorted(matrix.shape)
    count = min(count, short)
    largest = float(np.abs(matrix).max(initial=0.0))
    if largest == 0.0:
        return np.zeros(count)
    unit = matrix / largest  # so that no square overflows or vanishes
    if short * short * long <= FULL_COST:
        values: Array = np.asarray(np.linalg.svd(unit, compute_uv=False), np.float64)
        return largest * values[:count]
    from scipy.linalg import eigh

    wide = unit if matrix.shape[0] == short else unit.T
    squares = eigh(
        wide @ wide.T, eigvals_only=True, subset_by_index=(short - count, short - 1),
        overwrite_a=True, check_finite=False,
    )  # fmt: skip
    found: Array = np.sqrt(np.maximum(np.asarray(squares, np.float64)[::-1], 0.0))
    return largest * found


def first_direction(matrix: Array) -> tuple[Array, Array]:
    """The first left and right singular vectors (units,), (fan_in,) of a finite matrix."""
    short, long = sorted(matrix.shape)
    if short * short * long <= FULL_COST:
        left, _, right = np.linalg.svd(matrix, full_matrices=False)
        return left[:, 0], right[0]
    from scipy.linalg import eigh

    turned = matrix.shape[0] > short
    wide = matrix.T if turned else matrix
    _, vectors = eigh(
        wide @ wide.T, subset_by_index=(short - 1, short - 1), overwrite_a=True, check_finite=False
    )
    near = np.asarray(vectors)[:, 0]
    far = near @ wide
    norm = float(np.linalg.norm(far))
    far = far / norm if norm > 0.0 else far
    return (far, near) if turned else (near, far)


def numerical_rank(values: Array, tolerance: float) -> int:
    """How many singular values of a matrix are above `tolerance` times the largest.

    values: (rows, units), of the smaller Gram matrix; tolerance at least 1e-6, so that the squares
    hold it.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return 0
    unit = values / largest
    gram = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit
    squares = np.linalg.eigvalsh(gram)
    return int(np.count_nonzero(squares > tolerance * tolerance * squares[-1]))
