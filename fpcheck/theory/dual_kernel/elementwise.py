"""E phi(x) phi(y) and E phi'(x) phi'(y) for whole blocks of pairs, each with variances of its own.

By closed form (`closed`), by sums over the bends of piecewise-linear functions (`bent`), or by
Hermite series (`smooth`). All agree with theory.pairs to 1e-12 of sqrt(E phi(x)^2 E phi(y)^2), and
of the same of phi', wherever E phi^2 > 0.
"""

from __future__ import annotations

import numpy as np

from fpcheck.kernels.duals import correlations
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory import piecewise_linear
from fpcheck.theory.asymptotes import LINEAR_AT_INFINITY
from fpcheck.theory.bent import bent_moments, bent_rows_of
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.dual_kernel.closed import closed_moments, closed_own_moments
from fpcheck.theory.dual_kernel.octaves import HIGHEST
from fpcheck.theory.dual_kernel.rows import rows_of
from fpcheck.theory.dual_kernel.smooth import own_moments, smooth_moments
from fpcheck.theory.quadrature import Array

# Covariances are sums, off by some roundings: a correlation this near to 1 is that of equal rows.
# The angle arccos c, which slopes with a jump depend on, is known no better than to 4e-8 there.
EQUAL = 1e-15
LARGEST = 2.0**HIGHEST


def dual_moments(
    f: ActivationFunction, left: Array, right: Array, cov: Array, *, slope: bool
) -> tuple[Array, Array | None]:
    """E phi(x) phi(y) and, if `slope`, E phi'(x) phi'(y), both (m, k).

    left (m,), right (k,): variances of x and y; cov (m, k): covariances, held to |cov| <=
    sqrt(q1 q2). A row without variance counts as uncorrelated, its phi' as the mean of the slopes
    on both sides of 0. NaN in `cov` gives NaN. A step has no slope: None.

    Raises:
        ValueError: a variance is negative or not finite.
    """
    left, right = _checked(left), _checked(right)
    c = np.empty(cov.shape)
    correlations(np.sqrt(left), np.sqrt(right), np.ascontiguousarray(cov), EQUAL, c)
    slope = slope and f.kind.derivative is not None
    if closed_forms(f) is not None:
        return closed_moments(f, left, right, c, slope=slope)
    if piecewise_linear.pieces(f) is not None:
        return bent_moments(f, left, right, c, slope=slope)
    (left, grown), (right, also_grown) = _in_range(f, left), _in_range(f, right)
    rows, columns = rows_of(left), rows_of(right)
    moment = smooth_moments(f, rows, columns, c, slope=False)
    if max(grown.max(initial=1.0), also_grown.max(initial=1.0)) > 1.0:
        moment *= grown[:, None] * also_grown
    return moment, smooth_moments(f, rows, columns, c, slope=True) if slope else None


def self_moments(f: ActivationFunction, q: Array) -> tuple[Array, Array]:
    """E phi^2 and E phi'^2 at every variance (m,); the slope of a step is NaN.

    Raises:
        ValueError: as `dual_moments`.
    """
    found = _own(f, _checked(q))
    return found[:, 1], found[:, 2]


def unit_means(f: ActivationFunction, q: Array) -> Array:
    """E phi at every variance (m,).

    Raises:
        ValueError: as `dual_moments`.
    """
    return _own(f, _checked(q))[:, 0]


def _own(f: ActivationFunction, q: Array) -> Array:
    """E phi, E phi^2 and E phi'^2 at every variance, (m, 3)."""
    if closed_forms(f) is not None:
        return closed_own_moments(f, q)
    if piecewise_linear.pieces(f) is not None:
        rows = bent_rows_of(f, q)
        return np.stack([rows.own[:, 0], rows.second, rows.slope], axis=1)
    inside, grown = _in_range(f, q)
    return own_moments(f, rows_of(inside)) * np.stack([grown, grown**2, np.ones(len(q))], axis=1)


def _in_range(f: ActivationFunction, q: Array) -> tuple[Array, Array]:
    """Variances (m,) up to LARGEST, and the factors by which phi is larger at those given.

    So far out what is linear at infinity is linear, but for 1e-13 of it.
    """
    if f.name not in LINEAR_AT_INFINITY:
        return q, np.ones(len(q))
    inside = np.minimum(q, LARGEST)
    return inside, np.sqrt(np.where(q > LARGEST, q / LARGEST, 1.0))


def _checked(q: Array) -> Array:
    if not np.all((q >= 0.0) & (q < np.inf)):
        raise ValueError("variances must be finite and not negative")
    return np.ascontiguousarray(q, dtype=np.float64)
