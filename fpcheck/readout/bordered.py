"""The inverse of a kernel with a free intercept.

Kernel ridge with a free intercept solves [K + penalty I, 1; 1', 0] [alpha; c] = [y; 0]. The first
block G of the inverse is that of the centred kernel on the space orthogonal to the constant vector,
and alpha = G y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.triangle import factorise, gram_of_triangle, invert_triangle

Array = NDArray[np.float64]


def centred_kernel(kernel: Array) -> tuple[Array, float]:
    """C K C with C = I - 11'/n, and its mean eigenvalue, trace / (n - 1).

    0 where nothing but rounding varies. Terms a_i + a_j of a kernel are invisible to a model with
    a free intercept, so predictions do not change.
    """
    rows = len(kernel)
    means = kernel.mean(axis=1)
    centred = kernel - means[:, None]
    centred -= means[None, :]
    centred += float(means.mean())
    mean_eigenvalue = float(np.trace(centred)) / max(1, rows - 1)
    rounding = rows * np.finfo(np.float64).eps * float(np.abs(np.diagonal(kernel)).max(initial=0.0))
    if np.isfinite(mean_eigenvalue) and not mean_eigenvalue > rounding:
        return np.zeros_like(centred), 0.0
    return centred, mean_eigenvalue


def bordered_inverse(
    centred: Array, penalty: float, mean_eigenvalue: float, room: Array | None = None
) -> Array | None:
    """G of a centred kernel (n, n), symmetric to the last bit; G 1 = 0 to rounding.

    None where kernel + penalty is not positive definite to rounding. The constant vector, the
    kernel's null space, is given the mean eigenvalue and taken out again. room: (2, n, n), where
    the work is done, G in its second half: memory used before is quicker than the system's.
    """
    rows = len(centred)
    room = np.empty((2, rows, rows)) if room is None else room
    shifted: Array = room[0]
    inverse: Array = room[1]
    np.add(centred, mean_eigenvalue / rows, out=shifted)
    shifted.flat[:: rows + 1] += penalty
    try:
        factor = factorise(shifted, in_place=True)
    except np.linalg.LinAlgError:
        return None
    invert_triangle(factor)
    gram_of_triangle(factor, out=inverse)
    inverse -= 1.0 / (rows * (penalty + mean_eigenvalue))
    return inverse
