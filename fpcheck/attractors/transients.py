"""How far deviations grow before they die away, and how long that takes: powers of a Jacobian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array

# A deviation has decayed once it is this much smaller whatever its direction.
DECAYED = math.exp(-1.0)
# The search for the largest power may cost so many multiplications, and as many as the spectrum
# itself does (some 10 n^3) where that is more.
WORK = 2e9
SPECTRUM_WORK = 10.0
# Beyond this width the decay time is given to within a factor of two.
REFINED_WIDTH = 512
MOST_SQUARINGS = 50
MOST_STEPS = 1024
# A norm is estimated by so many steps of power iteration at most, until one gains less than this.
PROBES = 20
PROBE_GAIN = 1e-6


@dataclass(frozen=True, slots=True)
class Transient:
    """What the powers of a Jacobian J do, in the 2-norm; None where they grow without bound.

    growth: max_k ||J^k|| over k >= 0, reached at `step` (0: nothing grows); growth_high: an upper
    bound of it, above it only where the search was cut short, and infinite where there is none;
    decay_time: a k with ||J^k|| <= 1/e < ||J^(k-1)||, the only one unless the norms waver about
    1/e; beyond REFINED_WIDTH units a power of two with ||J^k|| <= 1/e.
    """

    growth: float | None
    growth_high: float | None
    step: int | None
    decay_time: int | None


UNBOUNDED = Transient(None, None, None, None)


def transient(jac: Array, radius: float, sigma_max: float) -> Transient:
    """The transient growth and the decay time of deviations under x -> J x.

    jac: (n, n); radius: its spectral radius; sigma_max: its 2-norm. The search for the largest
    power ends at the first m with ||J^m|| < 1: since ||J^(qm + r)|| <= ||J^m||^q ||J^r||, no later
    power exceeds those before it. [Trefethen, Embree 2005, chapter 16]
    """
    if not radius < 1.0:
        return UNBOUNDED
    with np.errstate(all="ignore"):  # powers may overflow; what is not finite is said to be
        growth, high, step = _growth(jac, sigma_max)
        return Transient(growth, high, step, _decay_time(jac))


def _growth(jac: Array, sigma_max: float) -> tuple[float, float, int]:
    """max_k ||J^k||, an upper bound of it, and the k that attains it."""
    if sigma_max < 1.0:
        return 1.0, 1.0, 0
    n = len(jac)
    most = min(MOST_STEPS, int(max(WORK, SPECTRUM_WORK * float(n) ** 3) / float(n) ** 3))
    probe = np.ones(n) / math.sqrt(n) + np.arange(n) / (1.0 + n * n)
    best, step, power, finished = max(1.0, sigma_max), int(sigma_max > 1.0), jac, False
    attained = jac
    for k in range(2, most + 1):
        power = power @ jac
        above = _norm_bound(power)
        if not math.isfinite(above):
            return math.inf, math.inf, k
        finished = above < 1.0
        if finished:
            break
        if above > best:
            norm, probe = _probed_norm(power, probe)
            if norm > best:
                best, step, attained = norm, k, power
    if step > 1:
        best = float(np.linalg.norm(attained, 2))
    high = best if finished else max(best, _modal_bound(jac, most))
    return best, high, step


def _probed_norm(power: Array, probe: Array) -> tuple[float, Array]:
    """The 2-norm by power iteration from `probe`, from below, and the direction that attains it."""
    norm = 0.0
    for _ in range(PROBES):
        image = power @ probe
        back = image @ power
        length = float(np.linalg.norm(back))
        if not length > 0.0:
            break
        before, norm = norm, float(np.linalg.norm(image))
        probe = back / length
        if norm - before <= PROBE_GAIN * norm:
            break
    return norm, probe


def _modal_bound(jac: Array, k: int) -> float:
    """A bound of ||J^j|| for all j > k: the sum of |lambda|^k ||P|| over the spectral projectors.

    Infinite where the eigenvectors do not span, or are too many to be worth it.
    """
    if len(jac) > REFINED_WIDTH:
        return math.inf
    eigenvalues, vectors = np.linalg.eig(jac)
    try:
        inverse = np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        return math.inf
    projectors = np.linalg.norm(vectors, axis=0) * np.linalg.norm(inverse, axis=1)
    bound = float(np.sum(np.abs(eigenvalues) ** k * projectors))
    return bound if math.isfinite(bound) else math.inf


def _decay_time(jac: Array) -> int | None:
    """A k with ||J^k|| <= 1/e, by squaring and then by bisection."""
    squares = [jac]
    while not _has_decayed(squares[-1]):
        if len(squares) > MOST_SQUARINGS or not np.isfinite(squares[-1]).all():
            return None
        if len(jac) > REFINED_WIDTH:
            squares = [*[jac[:0]] * len(squares), squares[-1] @ squares[-1]]
        else:
            squares.append(squares[-1] @ squares[-1])
    top = 1 << (len(squares) - 1)
    if len(squares) == 1 or len(jac) > REFINED_WIDTH:
        return top
    power, k = squares[-2], top // 2  # the last one known not to have decayed
    for exponent in range(len(squares) - 3, -1, -1):
        further = power @ squares[exponent]
        if not _has_decayed(further):
            power, k = further, k + (1 << exponent)
    return k + 1 if _has_decayed(power @ jac) else top


def _has_decayed(power: Array) -> bool:
    """Whether ||power||_2 <= 1/e; the 2-norm is taken only where cheaper norms leave it open."""
    if _norm_bound(power) <= DECAYED:
        return True
    frobenius = float(np.linalg.norm(power))
    if not frobenius <= DECAYED * math.sqrt(len(power)):
        return False
    longest = power[int(np.argmax(np.einsum("ij,ij->i", power, power)))]
    if _probed_norm(power, longest / np.linalg.norm(longest))[0] > DECAYED * (1.0 + PROBE_GAIN):
        return False  # what is found on the way is a norm from below
    return float(np.linalg.norm(power, 2)) <= DECAYED


def _norm_bound(power: Array) -> float:
    """An upper bound of the 2-norm: Frobenius's, or the root of the 1-norm times the inf-norm."""
    sizes = np.abs(power)
    mixed = math.sqrt(float(sizes.sum(axis=0).max()) * float(sizes.sum(axis=1).max()))
    return min(float(np.linalg.norm(power)), mixed)
