"""From the latent coordinates to entries of a law: quantiles of a standard normal coordinate.

Every transform is exact in both tails: it works on p = Phi(-|z|), which loses no digits, and puts
the sign back. Monotone in z where it is a quantile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import elementwise, opcodes
from fpcheck.network.initializers import Law
from fpcheck.network.initializers.families import truncated_variance

Array = NDArray[np.float64]
Parameters = Mapping[str, float]

ROOT_HALF = math.sqrt(0.5)


def latents_an_entry(law: Law) -> int:
    """How many latent coordinates one entry of the law takes; 0 where it is not random."""
    if law.name in ("zeros", "constant"):
        return 0
    return 2 if law.name == "alpha_stable" and law.parameters["alpha"] != 2.0 else 1


def entries(law: Law, latent: Array, shape: tuple[int, ...]) -> Array:
    """Draws of the law's family at amplitude 1. latent: (m, latents) -> (m, prod(shape)).

    shape: of the tensor, first axis the units, which the orthogonal law depends on.
    """
    if law.name == "orthogonal":
        return _orthogonal(law.parameters, latent, shape)
    if not latents_an_entry(law):
        value = law.parameters.get("value", 0.0)
        return np.full((len(latent), math.prod(shape)), value)
    return _QUANTILES[law.name](law.parameters, latent)


def centred_uniform(z: Array) -> Array:
    """2 Phi(z) - 1 = erf(z / sqrt 2)."""
    u = np.multiply(z, ROOT_HALF, order="C")
    elementwise.apply(opcodes.ERF, 0.0, 0.0, u, u)
    return u


def _tail(z: Array) -> Array:
    """Phi(-|z|)."""
    from scipy.special import ndtr

    p: Array = ndtr(-np.abs(z))
    return p


def _signed(size: Array, z: Array) -> Array:
    """`size` with the sign of z."""
    signed: Array = np.copysign(size, z)
    return signed


def _normal(values: Parameters, z: Array) -> Array:
    return math.sqrt(values["sigma2"]) * z


def _uniform(values: Parameters, z: Array) -> Array:
    centre, half = 0.5 * (values["low"] + values["high"]), 0.5 * (values["high"] - values["low"])
    u = centred_uniform(z)
    u *= half
    u += centre
    return u


def _lattice(values: Parameters, z: Array) -> Array:
    levels = np.linspace(values["low"], values["high"], int(values["levels"]))
    chosen: Array = levels[z.astype(np.int64)]
    return chosen


def _laplace(values: Parameters, z: Array) -> Array:
    from scipy.special import log_ndtr

    # Phi(-|z|) = exp(-|x| / b) / 2
    size = -math.sqrt(values["sigma2"] / 2.0) * (log_ndtr(-np.abs(z)) + math.log(2.0))
    return _signed(size, z)


def _student_t(values: Parameters, z: Array) -> Array:
    from scipy.special import stdtrit

    return values["sigma"] * _signed(stdtrit(values["df"], _tail(z)), z)


def _cauchy(values: Parameters, z: Array) -> Array:
    return values["gamma"] * _signed(1.0 / np.tan(math.pi * _tail(z)), z)


def _truncated_normal(values: Parameters, z: Array) -> Array:
    from scipy.special import ndtr, ndtri

    cut = values["cut"]
    outside = float(ndtr(-cut))
    size = -ndtri(outside + (1.0 - 2.0 * outside) * _tail(z))
    spread = math.sqrt(values["sigma2"] / truncated_variance(cut))
    return spread * _signed(np.minimum(size, cut), z)


def _alpha_stable(values: Parameters, latent: Array) -> Array:
    """Symmetric stable entries with E exp(itz) = exp(-|sigma t|^alpha / 2), two coordinates each.

    Chambers, Mallows, Stuck (1976) without skew: an angle uniform on (-pi/2, pi/2) and an
    exponential; their formula has E exp(itz) = exp(-|t|^alpha), hence 2^(-1/alpha).
    """
    from scipy.special import log_ndtr

    alpha = values["alpha"]
    if alpha == 2.0:  # N(0, sigma^2)
        return values["sigma"] * latent
    angle = 0.5 * math.pi * centred_uniform(latent[:, 0::2])
    # cos(pi/2 (1 - 2p)) = sin(pi p) keeps its digits where the angle is nearly a right one.
    cosine = np.sin(math.pi * _tail(latent[:, 0::2]))
    exponential = -log_ndtr(latent[:, 1::2])
    head = np.sin(alpha * angle) / cosine ** (1.0 / alpha)
    tail = (np.cos((1.0 - alpha) * angle) / exponential) ** ((1.0 - alpha) / alpha)
    z: Array = values["sigma"] * math.pow(2.0, -1.0 / alpha) * head * tail
    return z


def _orthogonal(values: Parameters, latent: Array, shape: tuple[int, ...]) -> Array:
    """Haar matrices with orthonormal rows or columns: QR of normal ones, R's diagonal positive.

    [Mezzadri 2007, section 5]
    """
    rows, columns = shape[0], math.prod(shape[1:])
    normal = latent.reshape(len(latent), max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(normal)
    q = q * np.copysign(1.0, np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    matrix = q if rows >= columns else np.swapaxes(q, 1, 2)
    return values["gain"] * np.ascontiguousarray(matrix).reshape(len(latent), -1)


_QUANTILES: dict[str, Callable[[Parameters, Array], Array]] = {
    "normal": _normal,
    "truncated_normal": _truncated_normal,
    "uniform": _uniform,
    "laplace": _laplace,
    "student_t": _student_t,
    "cauchy": _cauchy,
    "alpha_stable": _alpha_stable,
    "lattice": _lattice,
}
