"""What is said of a matrix's law: the result of `identify`, and what it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL = 1e-3  # the chance that the law which drew a layer is excluded


@dataclass(frozen=True, slots=True)
class Candidate:
    """A named initialiser held against a matrix.

    Args:
        name: the initialiser's.
        sigma_w2: fan_in times its second moment.
        p_value: the smallest of its tests' p-values times their number.
        weight: its share of the likelihood of all named ones.
        excluded: whether p_value lies below the level.
    """

    name: str
    sigma_w2: float
    p_value: float
    weight: float
    excluded: bool


@dataclass(frozen=True, slots=True)
class MatrixLaw:
    """The law that a matrix's entries are consistent with.

    Args:
        family: uniform, normal, truncated_normal (cut at 2), laplace, student_t, cauchy,
            alpha_stable, orthogonal, lattice, constant, zeros, "trained or other" or "unknown".
        family_status: certain; "cannot tell" where other families fit too (`families`), with
            `family` the likeliest; rejected where none fits; "too few entries".
        families: all that are not rejected.
        initialiser: the name of the only initialiser that is not excluded, else None.
        initialiser_status: certain, "cannot tell", "none named" (a fresh law without a name),
            or "trained or other".
        reason: why the status is what it is; empty where it is certain.
        candidates: named initialisers, first those not excluded, each group by weight.
        sigma_w2: fan_in x mean square as the family has it; None where it has none.
        sigma_w2_low, sigma_w2_high: 95 % under the family.
        p_value: the family's, of all its tests; None where nothing is tested.
        level: the chance that the true law of a fresh layer is rejected.
        width: the family's own scale: the standard deviation (before the cut), the bound of
            uniform, the mean absolute value of laplace, gamma of cauchy, sigma of the others.
        index: degrees of freedom of student_t, alpha of alpha_stable, levels of a lattice.
        entries: how many were used.
        stride: every how many rows or columns were used, 1 for all.
        bias: "as PyTorch's default", "zeros", "other", or "" where there is none.
    """

    family: str
    family_status: str
    families: tuple[str, ...]
    initialiser: str | None
    initialiser_status: str
    reason: str
    candidates: tuple[Candidate, ...]
    sigma_w2: float | None
    sigma_w2_low: float | None
    sigma_w2_high: float | None
    p_value: float | None
    entries: int
    level: float = LEVEL
    width: float | None = None
    index: float | None = None
    stride: int = 1
    bias: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is held against the laws.

    Args:
        weights: (units, fan_in), finite.
        fan_out: units times the kernel's size.
        precision: the relative rounding of the stored numbers.
        spectral_norm: the largest singular value; None leaves its test out.
        bias: (units,), or None.
        hidden: the units of the recurrent cell whose input weights these are; 0 for others.
    """

    weights: Array
    fan_out: int
    precision: float
    spectral_norm: float | None = None
    bias: Array | None = None
    hidden: int = 0

    @property
    def fan_in(self) -> int:
        """What each unit takes in."""
        return int(self.weights.shape[1])


def alternatives(law: MatrixLaw) -> tuple[str, ...]:
    """The named initialisers that are not excluded, where none is certain."""
    if law.initialiser is not None:
        return ()
    return tuple(candidate.name for candidate in law.candidates if not candidate.excluded)
