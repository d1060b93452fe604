"""Moments of one unit over a grid of q at once: what the noise of a finite layer is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction
from fpcheck.theory.moments import feature_scale
from fpcheck.theory.quadrature import INV_SQRT_2PI, Array, composite_rule, feature_edges

# phi^6 of a function that grows like x weighs x^6 exp(-x^2/2): 1e-17 of it lies beyond this reach.
REACH = 10.0
PANEL = 1.25  # standard deviations; with 16 nodes x^12 exp(-x^2/2) is exact to 1e-13 on it


@dataclass(frozen=True, slots=True)
class UnitMoments:
    """Expectations over x ~ N(0, q) at every q of a grid, each of the grid's shape.

    square, fourth, sixth: E phi^2, phi^4, phi^6. slope2, slope4: E phi'^2, phi'^4. rise:
    E[x phi phi'] / q = d/dq E phi^2. slope2_x2: E[phi'^2 x^2] / q. square_slope2: E[phi^2 phi'^2].
    silent: P(phi' = 0), the share of units that pass no gradient.
    """

    q: Array
    square: Array
    fourth: Array
    sixth: Array
    slope2: Array
    slope4: Array
    rise: Array
    slope2_x2: Array
    square_slope2: Array
    silent: Array


def unit_moments(f: ActivationFunction, q: Array) -> UnitMoments:
    """The moments of `f` at every q > 0 of a one-dimensional grid.

    Raises:
        UnsupportedOperationError: `f` is a step, which has no gradient.
    """
    if f.kind.derivative is None:
        raise UnsupportedOperationError(
            f"activation '{f.name}' passes no gradient: chi_1 is not defined for it",
            hint="choose an activation with a derivative",
        )
    z, weights = _rules(f, q)
    x = np.sqrt(q)[:, None] * z
    value, slope = f.phi(x), f.derivative(x)
    square, slope2 = value * value, slope * slope

    def mean(values: Array) -> Array:
        return np.asarray(np.einsum("ij,ij->i", weights, values))

    return UnitMoments(
        q,
        square=mean(square),
        fourth=mean(square * square),
        sixth=mean(square * square * square),
        slope2=mean(slope2),
        slope4=mean(slope2 * slope2),
        rise=mean(x * value * slope) / q,
        slope2_x2=mean(slope2 * z * z),
        square_slope2=mean(square * slope2),
        silent=mean(np.where(slope == 0.0, 1.0, 0.0)),
    )


def second_moments(f: ActivationFunction, q: Array) -> Array:
    """E phi(x)^2, x ~ N(0, q), at every q > 0 of a one-dimensional grid."""
    z, weights = _rules(f, q)
    value = f.phi(np.sqrt(q)[:, None] * z)
    return np.asarray(np.einsum("ij,ij,ij->i", weights, value, value))


def _rules(f: ActivationFunction, q: Array) -> tuple[Array, Array]:
    """Nodes z and weights (with the density) for every q, both (q, nodes), split at the kinks."""
    spread = np.sqrt(q)[:, None]
    common = np.linspace(-REACH, REACH, round(2.0 * REACH / PANEL) + 1)
    own = np.asarray(f.kinks, dtype=np.float64)
    scale = feature_scale(f)
    if scale is not None:
        bends = feature_edges(scale, REACH * float(spread.max()))
        own = np.concatenate((own, -bends, [0.0], bends))
    moved = np.clip(own / spread, -REACH, REACH)
    edges = np.concatenate((np.broadcast_to(common, (q.size, common.size)), moved), axis=1)
    z, weights = composite_rule(np.sort(edges, axis=1))
    return z, weights * INV_SQRT_2PI * np.exp(-0.5 * z * z)
