"""What kind of point a fixed point or a cycle is: spectrum, unstable directions, transients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.polish import EPSILON, Polished, size_of
from fpcheck.attractors.selfmap import Array, image, return_tangent
from fpcheck.attractors.transients import transient
from fpcheck.core.findings import Status
from fpcheck.network.program import Program, trace, vjp

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Kind = Literal["stable", "saddle", "repelling", "marginal", "degenerate"]

# At rho = 0.995 a mode is still exp(-10) of its start after 2 000 steps: too slow to judge.
NEUTRAL_BAND = 5e-3
ARNOLDI_EIGENVALUES = 6
ARNOLDI_BASES = (80, 160, 320)  # vectors: a disc of eigenvalues, as of random weights, needs many
ARNOLDI_TOLERANCE = 1e-6
# Up to this width the leading eigenvalue's condition number is worth its time.
CONDITION_WIDTH = 512
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

    spectral_radius_error: how far rounding may have moved the leading eigenvalue, to first order:
    its condition number times n eps ||J||_F; of Arnoldi's the residual |J v - lambda v|, by which
    some matrix lies off J whose eigenvalue it is. Infinite where the eigenvalue is defective.
    sigma_max: ||J||_2; transient_growth: max_k ||J^k||_2, reached at transient_step, and
    transient_growth_high a bound of it where the search was cut short; decay_time: returns after
    which every small deviation is at most 1/e of what it was, again and again.
    """

    kind: Kind
    status: Status
    spectral_radius: float | None = None
    leading: complex | None = None
    unstable_directions: int | None = None
    index_sign: int | None = None
    note: str = ""
    spectral_radius_error: float | None = None
    sigma_max: float | None = None
    transient_growth: float | None = None
    transient_growth_high: float | None = None
    transient_step: int | None = None
    decay_time: int | None = None


def dense_stability(jac: Array, degenerate: bool) -> Stability:
    """Stability by the full spectrum. jac: (n, n); degenerate: I - J is singular."""
    # eigvals, not eigvalsh: the Jacobian is not symmetric even where W is.
    eigenvalues = np.linalg.eigvals(jac)
    moduli = np.abs(eigenvalues)
    unstable = int(np.count_nonzero(moduli > 1.0))
    radius = float(np.max(moduli))
    leading = _leading(eigenvalues)
    sign = 0 if degenerate else round(float(np.linalg.slogdet(np.eye(len(jac)) - jac)[0]))
    sigma_max = float(np.linalg.norm(jac, 2))
    passing = transient(jac, radius, sigma_max)
    return Stability(
        kind="degenerate" if degenerate else _kind(radius, unstable, len(jac)),
        status="numerical",
        spectral_radius=radius,
        leading=leading,
        unstable_directions=unstable,
        index_sign=sign,
        spectral_radius_error=_rounding_error(jac, leading),
        sigma_max=sigma_max,
        transient_growth=passing.growth,
        transient_growth_high=passing.growth_high,
        transient_step=passing.step,
        decay_time=passing.decay_time,
    )


def arnoldi_stability(program: Program, found: Polished, rng: np.random.Generator) -> Stability:
    """Stability by the leading eigenvalues alone, for networks too wide for the full spectrum.

    Arnoldi's method runs until every eigenvalue has converged, with more basis vectors where it
    must, and from two starting vectors, so that a direction which one of them hardly has is seen.
    """
    n = len(found.point)
    operator = _jacobian_operator(program, found)
    runs = [_leading_eigenvalues(operator, rng.standard_normal(n)) for _ in range(2)]
    converged = [run for run in runs if run is not None]
    if not converged:
        note = "the leading eigenvalues did not converge (Arnoldi)"
        return Stability("marginal", "numerical", note=note)
    eigenvalues, residuals = max(converged, key=lambda run: float(np.max(np.abs(run[0]))))
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
        spectral_radius_error=float(residuals[int(np.argmax(moduli))]),
        sigma_max=_largest_singular_value(operator, rng.standard_normal(n), program),
    )


def _jacobian_operator(program: Program, found: Polished) -> LinearOperator:
    from scipy.sparse.linalg import LinearOperator

    n = len(found.point)
    return LinearOperator(
        (n, n),
        matvec=lambda v: return_tangent(program, found.points, v),
        rmatvec=lambda v: return_cotangent(program, found.points, v),
        dtype=np.float64,
    )


def _largest_singular_value(
    operator: LinearOperator, start: Array, program: Program
) -> float | None:
    """||J||_2 by Lanczos' method on J^T J; None where a product with J^T goes through all of J."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    if program.skeleton.black_box:
        return None
    try:
        square = eigsh(
            operator.H @ operator, k=1, v0=start, tol=ARNOLDI_TOLERANCE, return_eigenvectors=False
        )
    except ArpackNoConvergence:
        return None
    return math.sqrt(max(0.0, float(square[0])))


def return_cotangent(program: Program, points: Array, direction: Array) -> Array:
    """u^T times the orbit's Jacobians, from the last to the first. points: (period, n); (n,)."""
    shape = program.skeleton.input_shape
    cotangent = direction.reshape(1, *program.skeleton.output_shape)
    for point in points[::-1]:
        values = trace(program, point.reshape(1, *shape))
        cotangent = vjp(program, values, cotangent).reshape(1, *program.skeleton.output_shape)
    return cotangent.reshape(-1)


def _leading_eigenvalues(
    operator: LinearOperator, start: Array
) -> tuple[NDArray[np.complex128], Array] | None:
    """The leading eigenvalues and the residuals |J v - lambda v|; None where none converge."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    n = len(start)
    for basis in ARNOLDI_BASES:
        try:
            values, vectors = eigs(
                operator, k=ARNOLDI_EIGENVALUES, ncv=min(basis, n), v0=start, tol=ARNOLDI_TOLERANCE
            )
        except ArpackNoConvergence:
            continue
        images = np.stack(
            [operator.matvec(v.real) + 1j * operator.matvec(v.imag) for v in vectors.T], axis=1
        )
        return values, np.linalg.norm(images - values * vectors, axis=0)
    return None


def _rounding_error(jac: Array, leading: complex) -> float | None:
    """How far rounding may move the leading eigenvalue, to first order: |dJ| / |y^H x|.

    y, x: its left and right eigenvectors, by two steps of inverse iteration with one inverse. Not
    worth its time, some four spectra's, for wide networks, where it is None.
    """
    n = len(jac)
    if n > CONDITION_WIDTH:
        return None
    size = float(np.linalg.norm(jac))
    shift = leading + 4.0 * EPSILON * max(size, EPSILON)
    try:
        inverse = np.linalg.inv(jac - shift * np.eye(n))
    except np.linalg.LinAlgError:
        return math.inf
    if not np.isfinite(inverse).all():
        return math.inf
    inverse /= np.abs(inverse).max()
    right = left = np.ones(n) / math.sqrt(n) + np.arange(n) / (1.0 + n * n)
    for _ in range(2):
        right, left = inverse @ right, inverse.conj().T @ left
        sizes = float(np.linalg.norm(right)), float(np.linalg.norm(left))
        if min(sizes) == 0.0:
            return math.inf
        right, left = right / sizes[0], left / sizes[1]
    overlap = abs(complex(np.vdot(left, right)))
    return n * EPSILON * size / overlap if overlap > EPSILON else math.inf


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
