"""Interpolation in the variance q: what is known at POINTS variances of an octave serves all of it.

phi(sqrt(q) z) as a function of log q is analytic in a strip about the real axis (half as wide as
the angle by which x can be turned before phi meets a singularity: pi for tanh and what is made of
exp, pi/3 for the tanh form of GELU), so Chebyshev interpolation over an octave converges like
18^-n, or 6^-n. All moments, Hermite coefficients and pair moments are as smooth.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels.dual_series import LANES
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments
from fpcheck.theory.quadrature import Array

POINTS = LANES  # 14 would do
# Octaves outside are not interpolated: below, sqrt(q) is nothing beside any function's scale and
# squares leave the range of doubles; above, the function is its asymptotes.
LOWEST, HIGHEST = -960, 88


def octaves(q: Array) -> NDArray[np.int64]:
    """floor(log2 q), for every q > 0."""
    return np.asarray(np.frexp(q)[1], dtype=np.int64) - 1


def octave_points(octave: int) -> Array:
    """The variances (POINTS,) at which the octave's quantities are worked out."""
    return np.asarray(2.0 ** (octave + 0.5 * (_places() + 1.0)))


def to_chebyshev(values: Array) -> Array:
    """Coefficients of the interpolants through values (POINTS, ...) at the octave's points."""
    return np.asarray(np.tensordot(_transform(), values, axes=1))


def chebyshev_basis(q: Array, octave: NDArray[np.int64]) -> Array:
    """T_a at the place of every q in its octave; (m, POINTS)."""
    place = 4.0 * np.ldexp(q, -octave - 1)  # 2 to 4
    place = np.clip(2.0 * np.log2(place) - 3.0, -1.0, 1.0)
    values = np.empty((len(q), POINTS))
    values[:, 0] = 1.0
    values[:, 1] = place
    for a in range(2, POINTS):
        values[:, a] = 2.0 * place * values[:, a - 1] - values[:, a - 2]
    return values


@lru_cache(maxsize=1024)
def row_moments(f: ActivationFunction, octave: int) -> Array:
    """Chebyshev coefficients (POINTS, 3) of the `exact_moments` over an octave."""
    return to_chebyshev(np.array([exact_moments(f, q) for q in octave_points(octave).tolist()]))


def exact_moments(f: ActivationFunction, q: float) -> tuple[float, float, float]:
    """E phi, E phi^2 and E phi'^2 at a variance."""
    return moments.mean(f, q), moments.second_moment(f, q), moments.slope_moment(f, q)


@cache
def _places() -> Array:
    """The Chebyshev points in (-1, 1)."""
    return np.cos(math.pi * (np.arange(POINTS) + 0.5) / POINTS)


@cache
def _transform() -> Array:
    """The matrix that takes values at the points to coefficients."""
    angles = math.pi * (np.arange(POINTS) + 0.5) / POINTS
    matrix = 2.0 / POINTS * np.cos(np.arange(POINTS)[:, None] * angles)
    matrix[0] *= 0.5
    return np.asarray(matrix)
