"""What kind of point a fixed point or a cycle is: spectrum, unstable directions, index sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fpcheck.attractors.polish import Polished, size_of
from fpcheck.attractors.selfmap import Array, image, return_tangent
from fpcheck.core.findings import Status
from fpcheck.network.program import Program

Kind = Literal["stable", "saddle", "repelling", "marginal", "degenerate"]

# At rho = 0.995 a mode is still exp(-10) of its start after 2 000 steps: too slow to judge.
NEUTRAL_BAND = 5e-3
ARNOLDI_EIGENVALUES = 6
ARNOLDI_BASIS = 80  # vectors: a dense disc of eigenvalues, as of random weights, needs many
ARNOLDI_TOLERANCE = 1e-6
# The trial of a network without derivatives: so many neighbours, so far away, so many steps.
TRIAL_NEIGHBOURS = 64
TRIAL_DISTANCE = 1e-6
TRIAL_STEPS = 50


@dataclass(frozen=True, slots=True)
class Stability:
    """How iteration behaves near a point of period p; None is "not known", and `note` says why.

    leading: the eigenvalue of largest modulus of the Jacobian of f^p, the one with a positive
    imaginary part of a pair; unstable_directions: eigenvalues outside the unit circle; index_sign:
    sign det(I - J), 0 where it is singular.
    """

    kind: Kind
    status: Status
    spectral_radius: float | None = None
    leading: complex | None = None
    unstable_directions: int | None = None
    index_sign: int | None = None
    note: str = ""


def dense_stability(jac: Array, degenerate: bool) -> Stability:
    """Stability by the full spectrum. jac: (n, n); degenerate: I - J is singular."""
    # eigvals, not eigvalsh: the Jacobian is not symmetric even where W is.
    eigenvalues = np.linalg.eigvals(jac)
    moduli = np.abs(eigenvalues)
    unstable = int(np.count_nonzero(moduli > 1.0))
    radius = float(np.max(moduli))
    sign = 0 if degenerate else round(float(np.linalg.slogdet(np.eye(len(jac)) - jac)[0]))
    return Stability(
        kind="degenerate" if degenerate else _kind(radius, unstable, len(jac)),
        status="numerical",
        spectral_radius=radius,
        leading=_leading(eigenvalues),
        unstable_directions=unstable,
        index_sign=sign,
    )


def arnoldi_stability(program: Program, found: Polished, rng: np.random.Generator) -> Stability:
    """Stability by the leading eigenvalues alone, for networks too wide for the full spectrum."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    n = len(found.point)
    operator = LinearOperator(
        (n, n), matvec=lambda v: return_tangent(program, found.points, v), dtype=np.float64
    )
    try:
        eigenvalues = eigs(
            operator,
            k=ARNOLDI_EIGENVALUES,
            ncv=ARNOLDI_BASIS,
            v0=rng.standard_normal(n),
            tol=ARNOLDI_TOLERANCE,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        note = "the leading eigenvalues did not converge (Arnoldi)"
        return Stability("marginal", "numerical", note=note)
    moduli = np.abs(eigenvalues)
    radius = float(np.max(moduli))
    counted = int(np.count_nonzero(moduli > 1.0))
    return Stability(
        kind=_kind(radius, counted, n),
        status="numerical",
        spectral_radius=radius,
        leading=_leading(eigenvalues),
        unstable_directions=counted if counted < ARNOLDI_EIGENVALUES else None,
        note=f"{ARNOLDI_EIGENVALUES} leading eigenvalues by Arnoldi; not polished by Newton",
    )


def trial_stability(program: Program, found: Polished, rng: np.random.Generator) -> Stability:
    """Stability by trial, for networks without a useful derivative.

    Neighbours at a relative distance of TRIAL_DISTANCE are iterated for TRIAL_STEPS returns: all
    back at the point is `stable`, none is `repelling`, some is `saddle`; those that neither came
    back nor left the neighbourhood make it `marginal`.
    """
    size = size_of(found.point)
    shape = (TRIAL_NEIGHBOURS, len(found.point))
    neighbours = found.point + TRIAL_DISTANCE * size * rng.uniform(-1.0, 1.0, shape)
    ends = image(program, neighbours, TRIAL_STEPS * found.period)
    distance = np.max(np.abs(ends - found.point), axis=1)
    back = distance <= max(found.residual, 1e-3 * TRIAL_DISTANCE * size)
    left = ~(distance <= 10.0 * TRIAL_DISTANCE * size)  # a NaN has left
    note = f"no derivative; {int(back.sum())} of {TRIAL_NEIGHBOURS} near starts come back"
    if back.all():
        return Stability("stable", "sampled", note=note)
    if not (back | left).all():
        return Stability("marginal", "sampled", note=note)
    return Stability("saddle" if back.any() else "repelling", "sampled", note=note)


def lyapunov_exponent(spectral_radius: float | None, period: int) -> float | None:
    """log(rho) / p of a cycle: the growth rate of small deviations, per step."""
    if spectral_radius is None:
        return None
    return math.log(spectral_radius) / period if spectral_radius > 0 else -math.inf


def time_constant(spectral_radius: float | None) -> float | None:
    """1 / |log rho|: the steps in which a small deviation shrinks, or grows, by a factor e."""
    if spectral_radius is None:
        return None
    if spectral_radius <= 0.0:
        return 0.0
    rate = abs(math.log(spectral_radius))
    return 1.0 / rate if rate > 0.0 else math.inf


def _kind(radius: float, unstable: int, n: int) -> Kind:
    if not abs(radius - 1.0) >= NEUTRAL_BAND:
        return "marginal"
    if unstable == 0:
        return "stable"
    return "repelling" if unstable == n else "saddle"


def _leading(eigenvalues: np.ndarray) -> complex:
    # Ties go to the positive imaginary part, so that a conjugate pair prints one way.
    order = np.lexsort((-eigenvalues.imag, -eigenvalues.real, -np.abs(eigenvalues).round(12)))
    return complex(eigenvalues[order[0]])
