"""Matrices drawn from named initialisers, for the tests of what they are recognised as."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.weights.entry_laws import CUT, EntryLaw
from fpcheck.weights.initialisers import named_initialisers
from fpcheck.weights.law import identify
from fpcheck.weights.law_result import Matrix, MatrixLaw

FLOAT32 = 2.0**-23


def draw(law: EntryLaw, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    match law.family:
        case "normal":
            z = rng.standard_normal(shape)
        case "uniform":
            z = rng.uniform(-1.0, 1.0, shape)
        case "laplace":
            z = rng.laplace(0.0, 1.0, shape)
        case "student_t":
            z = rng.standard_t(law.index, shape)
        case "truncated_normal":  # by rejection, which the program does not use
            z = rng.standard_normal(shape)
            while (outside := np.abs(z) > CUT).any():
                z[outside] = rng.standard_normal(int(outside.sum()))
    return (law.width * z).astype(np.float32).astype(np.float64)


def named(name: str, fan_in: int, fan_out: int) -> EntryLaw:
    return next(item.law for item in named_initialisers(fan_in, fan_out) if item.name == name)


def known(weights: np.ndarray, kernel: int = 1, *, spectral: bool = True, **more) -> MatrixLaw:
    norm = float(np.linalg.norm(weights, 2)) if spectral else None
    return identify(Matrix(weights, len(weights) * kernel, FLOAT32, norm, **more))


def not_excluded(law: MatrixLaw) -> set[str]:
    return {candidate.name for candidate in law.candidates if not candidate.excluded}


def binomial_most(trials: int, rate: float, chance: float = 1e-4) -> int:
    """The number of events that is exceeded with at most `chance` if each has `rate`."""
    total, k = 0.0, -1
    while total < 1.0 - chance:
        k += 1
        total += math.comb(trials, k) * rate**k * (1.0 - rate) ** (trials - k)
    return k
