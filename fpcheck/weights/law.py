"""Which initialiser a matrix looks like: the law and scale that its entries are consistent with.

Named laws are excluded at LEVEL: the chance that a layer's true law is excluded is at most LEVEL,
whatever the number of tests. What is left is a confidence set; a name is certain where it is
alone in it and the scale is known well enough that no law between the names fits as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95
from fpcheck.weights import entry_laws
from fpcheck.weights.bias_law import bias_law
from fpcheck.weights.entry_counts import EntryCounts, count_entries, levels
from fpcheck.weights.entry_laws import FAMILIES, EntryLaw, fitted, second_moment_interval
from fpcheck.weights.heavy_tails import LIGHT_INDEX, heavy_tailed
from fpcheck.weights.initialisers import (
    GAINS,
    Initialiser,
    named_initialisers,
    same_law,
)
from fpcheck.weights.law_result import LEVEL, Candidate, Matrix, MatrixLaw
from fpcheck.weights.structure import (
    StructureTest,
    orthogonal_gain,
    spectral_edge_p_value,
    structure_tests,
)

Array = NDArray[np.float64]

# sigma_w^2 must be known this well before a name is certain: between the named scales lie others,
# such as He's for a leaky ReLU of slope 0.3, 8 % below.
KNOWN_SCALE = 0.10
LEAST_ENTRIES = 20  # with fewer nothing is excluded that anybody would draw
MOST_CANDIDATES = 5  # in the report, beyond those that are not excluded
DISTRIBUTION, LARGEST = OF_ENTRIES = "the distribution of the entries", "the largest entry"
RANGE = 1e-100, 1e100  # of the largest entry, whose square must stay a number

OTHER = "trained or other"
TOO_FEW = "too few entries"
FEW_FOR_A_NAME = "too few entries to fix the scale"


@dataclass(frozen=True, slots=True)
class _Fit:
    """A law of a family, fitted, its p-value and its worst test; `entries_fit`: whether the
    entries one by one are as the law has them."""

    law: EntryLaw
    p_value: float
    worst: str
    entries_fit: bool


def identify(matrix: Matrix) -> MatrixLaw:
    """The law, scale and initialiser that `matrix` is consistent with."""
    largest = max(-float(matrix.weights.min()), float(matrix.weights.max()))
    size = matrix.weights.size
    exact = _without_chance(matrix, largest)
    if exact is not None:
        return exact
    if size < LEAST_ENTRIES or not RANGE[0] < largest < RANGE[1]:
        reason = f"{TOO_FEW}: {size}" if size < LEAST_ENTRIES else "entries out of range"
        return _unknown(matrix, reason)
    entries = count_entries(matrix.weights, matrix.precision)
    structure = structure_tests(entries)
    worst = min(structure, key=lambda test: test.p_value)
    fits = [_fit(family, matrix, entries, worst, len(structure)) for family in FAMILIES]
    named = _candidates(matrix, entries, worst, len(structure))
    if len(structure) * worst.p_value >= LEVEL and not any(fit.entries_fit for fit in fits):
        fits = [*fits, _heavy_fit(matrix, entries, worst, len(structure))]
    return _concluded(matrix, entries, fits, named)


def _without_chance(matrix: Matrix, largest: float) -> MatrixLaw | None:
    """Zeros, constants, few levels and orthogonal matrices, which no other law gives."""
    weights = matrix.weights
    if largest == 0.0:
        return _exact(matrix, "zeros", "zeros", 0.0)
    if not RANGE[0] < largest < RANGE[1]:
        return None
    square = float(np.dot(weights.ravel(), weights.ravel())) / len(weights)
    if weights.size > 1 and float(np.ptp(weights)) == 0.0:
        name = "ones" if weights.flat[0] == 1.0 else None
        return _exact(matrix, "constant", name, square)
    count = levels(weights)
    if count is not None:
        return _exact(matrix, "lattice", None, square, float(count))
    gain = orthogonal_gain(weights, matrix.precision)
    if gain is not None:
        slack = 10.0 * matrix.precision + 1e-5
        names = [name for name, value in GAINS.items() if abs(gain / value - 1.0) <= slack]
        return _exact(matrix, "orthogonal", names[0] if names else None, square)
    return None


def _exact(
    matrix: Matrix, family: str, name: str | None, sigma_w2: float, index: float | None = None
) -> MatrixLaw:
    return MatrixLaw(
        family=family,
        family_status="certain",
        families=(family,),
        initialiser=name,
        initialiser_status="none named" if name is None else "certain",
        reason="",
        candidates=() if name is None else (Candidate(name, sigma_w2, 1.0, 1.0, False),),
        sigma_w2=sigma_w2,
        sigma_w2_low=sigma_w2,
        sigma_w2_high=sigma_w2,
        p_value=None,
        entries=matrix.weights.size,
        index=index,
        bias=bias_law(matrix),
    )


def _unknown(matrix: Matrix, reason: str) -> MatrixLaw:
    return MatrixLaw(
        family="unknown",
        family_status="cannot tell",
        families=(),
        initialiser=None,
        initialiser_status="cannot tell",
        reason=reason,
        candidates=(),
        sigma_w2=None,
        sigma_w2_low=None,
        sigma_w2_high=None,
        p_value=None,
        entries=matrix.weights.size,
        bias=bias_law(matrix),
    )


def _fit(
    family: str, matrix: Matrix, entries: EntryCounts, structure: StructureTest, tests: int
) -> _Fit:
    """The family's best law, and the p-value of all tests of it."""
    law = fitted(family, entries)
    found = [structure, *_law_tests(law, matrix, entries)]
    if math.isinf(law.bound):
        found.append(StructureTest(LARGEST, entry_laws.largest_p_value(law, entries)))
    return _joined(law, found, tests + len(found) - 1)


def _heavy_fit(matrix: Matrix, entries: EntryCounts, structure: StructureTest, tests: int) -> _Fit:
    law, distance = heavy_tailed(entries)
    found = [structure, StructureTest(DISTRIBUTION, distance)]
    if law.family == "student_t" and law.index > LIGHT_INDEX:
        found += _spectral_test(law, matrix)
    return _joined(law, found, tests + len(found) - 1)


def _law_tests(law: EntryLaw, matrix: Matrix, entries: EntryCounts) -> list[StructureTest]:
    shape = entry_laws.distance_p_value(law, entries)
    return [
        StructureTest(DISTRIBUTION, shape),
        *_spectral_test(law, matrix),
    ]


def _spectral_test(law: EntryLaw, matrix: Matrix) -> list[StructureTest]:
    if matrix.spectral_norm is None:
        return []
    shape = (matrix.weights.shape[0], matrix.weights.shape[1])
    p_value = spectral_edge_p_value(matrix.spectral_norm, shape, law.second_moment)
    return [StructureTest("the largest singular value", p_value)]


def _joined(law: EntryLaw, found: list[StructureTest], number: int) -> _Fit:
    worst = min(found, key=lambda test: test.p_value)
    of_entries = [test.p_value for test in found if test.name in OF_ENTRIES]
    fits = number * min(of_entries) >= LEVEL
    return _Fit(law, min(1.0, number * worst.p_value), worst.name, fits)


def _candidates(
    matrix: Matrix, entries: EntryCounts, structure: StructureTest, tests: int
) -> list[tuple[Initialiser, Candidate]]:
    """Every named initialiser with its p-value and weight.

    Beside the tests of its own a law is excluded if another one is far likelier: under the law a
    likelihood ratio exceeds r with a chance of at most 1/r, whichever of K others is taken K/r.
    """
    named = named_initialisers(matrix.fan_in, matrix.fan_out, matrix.hidden)
    logs = np.array([item.law.log_likelihood(entries) for item in named])
    best = float(logs.max())
    shares = np.exp(logs - best) if math.isfinite(best) else np.zeros(len(named))
    total = float(shares.sum()) or 1.0
    found = []
    for item, log, share in zip(named, logs, shares, strict=True):
        p_value = 0.0
        # A law that a thousandth of the entries rules out needs no further look.
        if math.isfinite(log) and best - log < 1e3:
            ratio = min(1.0, len(named) * math.exp(log - best))
            own = [
                structure,
                *_law_tests(item.law, matrix, entries),
                StructureTest(LARGEST, entry_laws.largest_p_value(item.law, entries)),
                StructureTest("the scale", entry_laws.scale_p_value(item.law, entries)),
                StructureTest("the likelihood", ratio),
            ]
            p_value = _joined(item.law, own, tests + len(own) - 1).p_value
        sigma_w2 = matrix.fan_in * item.law.second_moment
        found.append(
            (item, Candidate(item.name, sigma_w2, p_value, float(share) / total, p_value < LEVEL))
        )
    return found


def _concluded(
    matrix: Matrix,
    entries: EntryCounts,
    fits: list[_Fit],
    named: list[tuple[Initialiser, Candidate]],
) -> MatrixLaw:
    left = [item for item, candidate in named if not candidate.excluded]
    kept = [fit for fit in fits if fit.p_value >= LEVEL]
    kept += [
        fit
        for fit in fits
        if fit.p_value < LEVEL and any(item.law.family == fit.law.family for item in left)
    ]
    ordered = sorted((candidate for _, candidate in named), key=_rank)
    shown = tuple(ordered[: max(len(left), min(len(ordered), MOST_CANDIDATES))])
    if not kept:
        nearest = max(fits, key=lambda fit: fit.p_value)
        return _rejected(matrix, entries, shown, nearest)
    best = kept[0] if len(kept) == 1 else max(kept, key=lambda fit: _likelihood(fit.law, entries))
    name, status, reason = _name(matrix, left)
    interval = second_moment_interval(best.law, entries)
    fan_in = matrix.fan_in
    families = tuple(_family(fit.law) for fit in kept)
    return MatrixLaw(
        family=_family(best.law),
        family_status="certain" if len(set(families)) == 1 else "cannot tell",
        families=families,
        initialiser=name,
        initialiser_status=status,
        reason=reason,
        candidates=shown,
        sigma_w2=fan_in * best.law.second_moment if interval else None,
        sigma_w2_low=fan_in * interval.low if interval else None,
        sigma_w2_high=fan_in * interval.high if interval else None,
        p_value=best.p_value,
        entries=entries.size,
        width=best.law.width,
        index=best.law.index if math.isfinite(best.law.index) else None,
        stride=entries.stride,
        bias=bias_law(matrix),
    )


def _name(matrix: Matrix, left: list[Initialiser]) -> tuple[str | None, str, str]:
    """(initialiser, its status, the reason) from the initialisers that are not excluded."""
    if not left:
        return None, "none named", "every named initialiser is excluded"
    if len(left) > 1:
        alike = all(same_law(left[0], other) for other in left[1:])
        reason = "one law here under several names" if alike else "not excluded by the entries"
        return None, "cannot tell", reason
    # Two standard errors of the mean square of normal entries, which other laws' come near.
    if Z95 * math.sqrt(2.0 / matrix.weights.size) > KNOWN_SCALE:
        return None, "cannot tell", f"{FEW_FOR_A_NAME}: {matrix.weights.size}"
    return left[0].name, "certain", ""


def _rejected(
    matrix: Matrix, entries: EntryCounts, shown: tuple[Candidate, ...], nearest: _Fit
) -> MatrixLaw:
    square = matrix.fan_in * entries.mean_square
    return MatrixLaw(
        family=OTHER,
        family_status="rejected",
        families=(),
        initialiser=None,
        initialiser_status=OTHER,
        reason=nearest.worst,
        candidates=shown,
        sigma_w2=square,
        sigma_w2_low=None,
        sigma_w2_high=None,
        p_value=nearest.p_value,
        entries=entries.size,
        stride=entries.stride,
        bias=bias_law(matrix),
    )


def _rank(candidate: Candidate) -> tuple[bool, float, str]:
    return candidate.excluded, -candidate.weight, candidate.name


def _family(law: EntryLaw) -> str:
    return "cauchy" if law.family == "student_t" and law.index == 1.0 else law.family


def _likelihood(law: EntryLaw, entries: EntryCounts) -> float:
    return law.log_likelihood(entries) if law.family in FAMILIES else -math.inf
