"""Hermite coefficients of an activation function at a variance q.

phi(sqrt(q) z) = sum a_n h_n(z), h_n the orthonormal Hermite polynomials of the standard normal, so
that E phi(x) phi(y) = sum a_n^2 c^n at correlation c. [Daniely, Frostig, Singer 2016]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.piecewise_linear import Pieces
from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, composite_rule

REACH = 13.0  # sqrt of the density is 4e-19 there: what meets the square root of a_n's tail
MOST = 512  # coefficients; a panel of this width sees under two wave lengths of h_n up to there
WIDEST_PANEL = 0.5
SIZES = (64, MOST)  # of the matrices of h_k that are kept


def hermite_coefficients(f: ActivationFunction, q: float, n: int) -> Array:
    """a_0 .. a_(n-1) of `f` at variance q > 0; each to about 1e-15 of sqrt(E phi^2).

    n: at most MOST. Shape (n,).
    """
    if not 0 < n <= MOST:
        raise ValueError(f"between 1 and {MOST} coefficients are known, got {n}")
    p = piecewise_linear.pieces(f)
    if p is not None and p.knots:
        return _of_pieces(f, p, q, n)
    if f.name == "sin":  # no rule follows its oscillation at large q
        return _of_sine(q, n)
    return _by_quadrature(f, f.phi, q, n)


def hermite_slope_coefficients(f: ActivationFunction, q: float, n: int) -> Array:
    """The n first coefficients of phi', for `f` that is smooth or bends at 0 alone, and no sine.

    They are sqrt((k + 1) / q) a_(k+1), which at small q loses the digits that a_0 takes.
    """
    return _by_quadrature(f, f.derivative, q, n)


def _by_quadrature(f: ActivationFunction, g: Callable[[Array], Array], q: float, n: int) -> Array:
    """Coefficients of g, which is phi or phi' of `f`."""
    spread = math.sqrt(q)
    scale = moments.feature_scale(f)
    fineness = 0 if scale is None else max(0, math.ceil(math.log2(spread / scale)))
    z, weighted = _basis(fineness, next(size for size in SIZES if size >= n))
    return np.asarray(g(spread * z) @ weighted[:, :n])


@lru_cache(maxsize=16)
def _basis(fineness: int, n: int) -> tuple[Array, Array]:
    """Nodes z and the matrix (nodes, n) of h_k(z) times weight and density.

    fineness: phi changes over 2^-fineness of a standard deviation, or bends at 0.
    """
    widest = WIDEST_PANEL if n > SIZES[0] else 2.0 * WIDEST_PANEL
    uniform = widest * np.arange(1, math.ceil(REACH / widest) + 1)
    finest = widest * 2.0 ** -np.arange(fineness, 0, -1)
    right = np.concatenate(([0.0], finest, uniform))
    z, weights = composite_rule(np.concatenate((-right[:0:-1], right)))
    half_density = np.sqrt(INV_SQRT_2PI) * np.exp(-0.25 * z * z)
    values = hermite_functions(z, n)
    return z, (weights * half_density)[:, None] * values


def hermite_functions(z: Array, n: int) -> Array:
    """h_k(z) sqrt(pdf(z)) for k < n; nothing overflows. Shape (len(z), n)."""
    values = np.empty((len(z), n))
    values[:, 0] = np.sqrt(INV_SQRT_2PI) * np.exp(-0.25 * z * z)
    if n > 1:
        values[:, 1] = z * values[:, 0]
    for k in range(1, n - 1):
        step = z * values[:, k] - math.sqrt(k) * values[:, k - 1]
        values[:, k + 1] = step / math.sqrt(k + 1)
    return values


def _of_pieces(f: ActivationFunction, p: Pieces, q: float, n: int) -> Array:
    """Of a piecewise-linear function: phi'' is a sum of deltas, and each is a Hermite polynomial.

    a_k = sqrt(q) sum_i jump_i h_(k-2)(t_i) pdf(t_i) / sqrt(k (k - 1)), t_i in standard deviations.
    """
    spread = math.sqrt(q)
    knots = np.array(p.knots) / spread
    jumps = np.diff(p.slopes)
    half_density = np.sqrt(INV_SQRT_2PI) * np.exp(-0.25 * knots * knots)
    k = np.arange(2, max(n, 2))
    found = np.empty(max(n, 2))
    found[0] = moments.mean(f, q)
    found[1] = spread * piecewise_linear.mean_slope(p, q)
    if n > 2:
        found[2:] = spread * (jumps * half_density) @ hermite_functions(knots, n - 2)
        found[2:] /= np.sqrt(k * (k - 1.0))
    return found[:n]


def _of_sine(q: float, n: int) -> Array:
    """a_k = (-1)^((k - 1)/2) q^(k/2) exp(-q/2) / sqrt(k!) at odd k."""
    k = np.arange(n)
    logs = 0.5 * (k * math.log(q) - q - np.array([math.lgamma(i + 1.0) for i in range(n)]))
    signs = np.where(k % 4 == 1, 1.0, np.where(k % 4 == 3, -1.0, 0.0))
    return np.asarray(signs * np.exp(logs))
