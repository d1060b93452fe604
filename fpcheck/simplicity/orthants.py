"""The share of directions on the positive side of every one of some vectors, where it is known.

For a normal direction a it is P(y_i . a > 0 for all i), an orthant's probability under the normal
law whose correlations are the vectors' cosines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Cosines nearer than this are one; what it does to n vectors' bits is of the same order times n.
SAME_COSINE = 1e-12
# Vectors whose third singular value is below this share of the first lie in a plane.
FLAT = 1e-13
# The one-dimensional integral: steps a width of its peak, the natural logarithms by which its
# ends lie below the peak, and the coarsest step, in units of Phi's argument.
STEPS_A_WIDTH = 20.0
DROP = 60.0
COARSEST = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """bits: -log2 of the share, inf for none; reason: which closed form it is, in words."""

    bits: float
    reason: str


def positive_share(vectors: Array) -> Share | None:
    """The share of directions at an acute angle to all `vectors`, None where no form is known.

    vectors: (n, d), none of them zero.
    """
    n = len(vectors)
    if n == 0:
        return Share(0.0, "no row constrains it")
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    if n == 1:
        return Share(1.0, "one row: half of all directions")
    sizes = np.linalg.svd(units, compute_uv=False)
    if len(sizes) < 3 or sizes[2] <= FLAT * sizes[0]:
        return _in_a_plane(units)
    cosines = units @ units.T
    beside = cosines[~np.eye(n, dtype=bool)]
    if np.abs(beside).max() <= SAME_COSINE:
        return Share(float(n), "orthogonal rows: half of all directions each")
    if n == 3:
        return _of_three(cosines)
    return _of_one_correlation(cosines)


def _in_a_plane(units: Array) -> Share:
    """The angle that is left between the two outermost vectors' half-planes."""
    _, _, axes = np.linalg.svd(units, full_matrices=False)
    plane = units @ axes[:2].T
    across = plane[:, 1] if plane.shape[1] == 2 else np.zeros(len(plane))
    angles = np.sort(np.arctan2(across, plane[:, 0]))
    gaps = np.append(np.diff(angles), angles[0] + 2.0 * math.pi - angles[-1])
    share = (float(gaps.max()) - math.pi) / (2.0 * math.pi)
    reason = "rows in a plane: by the angle between the outermost"
    # Opposite vectors leave an angle of rounding alone.
    return Share(-math.log2(share), reason) if share > 1e-15 else Share(math.inf, reason)


def _of_three(cosines: Array) -> Share:
    """1/8 + (sum of arcsin of the three correlations) / (4 pi). [Sheppard 1899]"""
    above = np.clip(cosines[np.triu_indices(3, 1)], -1.0, 1.0)
    # The pairwise angles' complements: the area of a spherical triangle over that of the sphere.
    share = 0.125 + float(np.arcsin(above).sum()) / (4.0 * math.pi)
    return Share(-math.log2(share) if share > 1e-15 else math.inf, "three rows: by their angles")


def _of_one_correlation(cosines: Array) -> Share | None:
    """Vectors whose cosines are t_i t_j r for signs t: n+ of one sign, n- of the other.

    Given z, the common part of the n normal variables, they are independent:
    the integral of pdf(z) Phi(a z)^n+ Phi(-a z)^n-, a = sqrt(r / (1 - r)).
    """
    n = len(cosines)
    # The sign between 1 and 2 cancels in the product round a triangle, which is r^3 in all.
    around = cosines[0, 1] * cosines[1, 2] * cosines[0, 2]
    r = float(np.cbrt(around))
    if not SAME_COSINE < r < 1.0 - SAME_COSINE:
        return None
    signs = np.concatenate([[1.0], np.sign(cosines[0, 1:])])
    expected = r * np.outer(signs, signs)
    np.fill_diagonal(expected, 1.0)
    if np.abs(cosines - expected).max() > SAME_COSINE:
        return None
    alike = int(np.count_nonzero(signs > 0))
    bits = -_log_integral(math.sqrt(r / (1.0 - r)), alike, n - alike) / math.log(2.0)
    return Share(bits, "rows of one correlation: by an integral over what they share")


def _log_integral(a: float, positive: int, negative: int) -> float:
    """ln of the integral, by the trapezoidal rule in u = a z, which for such a peak is exact."""
    from scipy.special import log_ndtr

    def height(u: Array) -> Array:
        value: Array = positive * log_ndtr(u) + negative * log_ndtr(-u) - 0.5 * (u / a) ** 2
        return value

    # The logarithm of the integrand is concave: narrow down its peak, then where it ends.
    reach = 40.0 * (1.0 + a)
    low, high = -reach, reach
    for _ in range(200):
        left, right = low + (high - low) / 3.0, high - (high - low) / 3.0
        if height(np.array([left]))[0] < height(np.array([right]))[0]:
            low = left
        else:
            high = right
    peak = 0.5 * (low + high)
    top = float(height(np.array([peak]))[0])

    def end(towards: float, drop: float) -> float:
        near, far = peak, towards
        for _ in range(100):
            middle = 0.5 * (near + far)
            if float(height(np.array([middle]))[0]) > top - drop:
                near = middle
            else:
                far = middle
        return far

    width = min(end(reach, 0.5) - peak, peak - end(-reach, 0.5))
    step = min(width / STEPS_A_WIDTH, COARSEST)
    u = np.arange(end(-reach, DROP), end(reach, DROP) + step, step)
    total = float(np.exp(height(u) - top).sum()) * step
    return top + math.log(total) - math.log(a) - 0.5 * math.log(2.0 * math.pi)
