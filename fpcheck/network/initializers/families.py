"""The families of weight laws at amplitude 1: how each draws, and its exact second moment.

Every family but `orthogonal` draws independent entries. The scale rules are in this file too,
because a law is a family, its parameters and a scale, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Parameters: TypeAlias = Mapping[str, float]

# What a scale multiplies the amplitude by. With `fan_in^(-1/alpha)` a sum over fan_in entries of a
# stable law of index alpha has one width for every fan_in; fan_avg is (fan_in + fan_out) / 2.
SCALES = (
    "1",
    "1/sqrt(fan_in)",
    "1/fan_in",
    "fan_in^(-1/alpha)",
    "1/sqrt(fan_out)",
    "1/sqrt(fan_avg)",
)

# Below this index a draw of ordinary size overflows float64: |z| grows like u^(-1/alpha).
LOWEST_ALPHA = 0.1


@dataclass(frozen=True, slots=True)
class Family:
    """A family of laws of one entry.

    `parameters` are (name, default) pairs, a default of None meaning required; `check` returns
    what is wrong with the values as (parameter, fact), or None; `draw(values, shape, rng)` draws at
    amplitude 1; `second_moment(values)` is the expected square of an entry, inf where it diverges.
    Orthogonal's depends on the matrix's shape and is left to `law.second_moment`.
    """

    parameters: tuple[tuple[str, float | None], ...]
    check: Callable[[Parameters], tuple[str, str] | None]
    draw: Callable[[Parameters, tuple[int, ...], np.random.Generator], Array]
    second_moment: Callable[[Parameters], float]


def _positive(*names: str) -> Callable[[Parameters], tuple[str, str] | None]:
    def check(values: Parameters) -> tuple[str, str] | None:
        for name in names:
            if not values[name] > 0:
                return name, "must be positive"
        return None

    return check


def _truncated_check(values: Parameters) -> tuple[str, str] | None:
    if values["cut"] < 0.01:  # the variance that is divided by loses its digits below
        return "cut", "must be at least 0.01"
    return _positive("sigma2")(values)


def _not_negative(name: str) -> Callable[[Parameters], tuple[str, str] | None]:
    return lambda values: None if values[name] >= 0 else (name, "must not be negative")


def _ordered(values: Parameters) -> tuple[str, str] | None:
    return None if values["low"] < values["high"] else ("low", "must lie below high")


def _lattice_check(values: Parameters) -> tuple[str, str] | None:
    levels = values["levels"]
    if levels != int(levels) or not 2 <= levels <= 2**31:
        return "levels", "must be a whole number, 2 or more"
    return _ordered(values)


def _stable_check(values: Parameters) -> tuple[str, str] | None:
    if not LOWEST_ALPHA <= values["alpha"] <= 2:
        return "alpha", f"must lie between {LOWEST_ALPHA} and 2"
    return _positive("sigma")(values)


def _normal(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return math.sqrt(values["sigma2"]) * rng.standard_normal(shape)


def _truncated_normal(
    values: Parameters, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    from scipy.special import ndtr, ndtri

    cut = values["cut"]
    z: Array = ndtri(rng.uniform(float(ndtr(-cut)), float(ndtr(cut)), shape))
    # Rounding can put an extreme quantile an ulp outside.
    z = np.clip(z, -cut, cut)
    return math.sqrt(values["sigma2"] / truncated_variance(cut)) * z


def truncated_variance(cut: float) -> float:
    """The variance of a standard normal conditioned on [-cut, cut]."""
    inside = math.erf(cut / math.sqrt(2.0))
    density = math.exp(-0.5 * cut * cut) / math.sqrt(2.0 * math.pi)
    return 1.0 - 2.0 * cut * density / inside


def _uniform(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return rng.uniform(values["low"], values["high"], shape)


def _laplace(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return rng.laplace(0.0, math.sqrt(values["sigma2"] / 2.0), shape)


def _student_t(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return values["sigma"] * rng.standard_t(values["df"], shape)


def _student_t_moment(values: Parameters) -> float:
    df = values["df"]
    return values["sigma"] ** 2 * df / (df - 2.0) if df > 2 else math.inf


def _cauchy(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return values["gamma"] * rng.standard_cauchy(shape)


def _alpha_stable(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Symmetric stable draws with E exp(itz) = exp(-|sigma t|^alpha / 2).

    Chambers, Mallows, Stuck (1976), without skew; the draws of their formula have
    E exp(itz) = exp(-|t|^alpha); hence the factor 2^(-1/alpha).
    """
    alpha = values["alpha"]
    angle = rng.uniform(-math.pi / 2.0, math.pi / 2.0, shape)
    exponential = rng.standard_exponential(shape)
    head = np.sin(alpha * angle) / np.cos(angle) ** (1.0 / alpha)
    tail = (np.cos((1.0 - alpha) * angle) / exponential) ** ((1.0 - alpha) / alpha)
    z: Array = head * tail
    return values["sigma"] * math.pow(2.0, -1.0 / alpha) * z


def _lattice(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    levels, low, high = int(values["levels"]), values["low"], values["high"]
    chosen: NDArray[np.int64] = rng.integers(0, levels, shape)
    z: Array = np.linspace(low, high, levels)[chosen]
    return z


def _lattice_moment(values: Parameters) -> float:
    """Mean square of Q equally spaced levels: centre^2 + (high - low)^2 (Q + 1) / (12 (Q - 1))."""
    levels, low, high = values["levels"], values["low"], values["high"]
    centre = 0.5 * (low + high)
    return centre**2 + (high - low) ** 2 * (levels + 1.0) / (12.0 * (levels - 1.0))


def _orthogonal(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A (rows, the rest) matrix with orthonormal rows or columns, Haar distributed, times gain.

    QR of a normal matrix, with R's diagonal made positive; without that the law is not Haar's
    [Mezzadri 2007, section 5].
    """
    rows, columns = shape[0], math.prod(shape[1:])
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.copysign(1.0, np.diagonal(r))
    matrix = q if rows >= columns else q.T
    return values["gain"] * np.ascontiguousarray(matrix).reshape(shape)


def _uniform_moment(values: Parameters) -> float:
    low, high = values["low"], values["high"]
    return (low * low + low * high + high * high) / 3.0


def _constant(values: Parameters, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return np.full(shape, values["value"])


FAMILIES: dict[str, Family] = {
    "normal": Family((("sigma2", None),), _not_negative("sigma2"), _normal, lambda v: v["sigma2"]),
    "truncated_normal": Family(
        (("sigma2", None), ("cut", 2.0)),
        _truncated_check,
        _truncated_normal,
        lambda v: v["sigma2"],
    ),
    "uniform": Family((("low", -1.0), ("high", 1.0)), _ordered, _uniform, _uniform_moment),
    "laplace": Family((("sigma2", None),), _positive("sigma2"), _laplace, lambda v: v["sigma2"]),
    "student_t": Family(
        (("df", None), ("sigma", 1.0)), _positive("df", "sigma"), _student_t, _student_t_moment
    ),
    "cauchy": Family((("gamma", 1.0),), _positive("gamma"), _cauchy, lambda v: math.inf),
    "alpha_stable": Family(
        (("alpha", None), ("sigma", 1.0)),
        _stable_check,
        _alpha_stable,
        lambda v: v["sigma"] ** 2 if v["alpha"] == 2 else math.inf,
    ),
    "orthogonal": Family((("gain", 1.0),), _positive("gain"), _orthogonal, lambda v: math.nan),
    "lattice": Family(
        (("levels", None), ("low", -1.0), ("high", 1.0)),
        _lattice_check,
        _lattice,
        _lattice_moment,
    ),
    "constant": Family((("value", None),), lambda v: None, _constant, lambda v: v["value"] ** 2),
    "zeros": Family((), lambda v: None, lambda v, shape, rng: np.zeros(shape), lambda v: 0.0),
}
