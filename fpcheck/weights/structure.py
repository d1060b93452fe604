"""What independent entries cannot have: units or inputs that stand out, directions beyond the bulk.

The tests of units and inputs are of ranks, so they hold for every law of the entries alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.weights.entry_counts import EntryCounts

Array = NDArray[np.float64]

LEAST_SIDE = 5  # of a matrix whose largest singular value is judged
# Tracy and Widom's first law as a shifted gamma law [Chiani 2014, table I]: shape, scale, shift.
GAMMA_SHAPE, GAMMA_SCALE, GAMMA_SHIFT = 46.446, 0.186054, 9.84801
ORTHOGONAL_VECTORS = 64  # of the shorter side, that are looked at
ORTHOGONAL_ERROR = 1e-5  # of a decomposition in float32, relative


@dataclass(frozen=True, slots=True)
class StructureTest:
    """One test's p-value under independent, equally distributed entries, and what it looks at."""

    name: str
    p_value: float


def structure_tests(entries: EntryCounts) -> tuple[StructureTest, ...]:
    """Tests of symmetry, and of units and inputs that differ in size or in mean.

    The ranks of the entries, between and within the rows (units) and columns (inputs), as in the
    test of Kruskal and Wallis [1952]; of sizes by the ranks of absolute values.
    """
    middles = (entries.shares - 0.5 * entries.counts / entries.size).astype(np.float64)
    sizes = middles[entries.bins]
    signed = np.copysign(sizes, entries.matrix)
    found = [StructureTest("the mean is not zero", _mean_p_value(signed))]
    for scores, words in ((sizes, "in size"), (signed, "in mean")):
        for axis, of in ((1, "units"), (0, "inputs")):
            p_value = _groups_p_value(scores, axis)
            found.append(StructureTest(f"{of} differ {words}", p_value))
    return tuple(found)


def _mean_p_value(signed: Array) -> float:
    """Two-sided, of signs given the sizes: the sum of +-s is nearly normal, of variance sum s^2."""
    flat = signed.ravel()
    norm = math.sqrt(float(np.dot(flat, flat)))
    return math.erfc(abs(float(flat.sum())) / norm / math.sqrt(2.0)) if norm > 0.0 else 1.0


def _groups_p_value(scores: Array, axis: int) -> float:
    """Whether the means along `axis` differ, by the variance between groups over the whole."""
    from scipy.special import gammaincc

    within, groups = scores.shape[axis], scores.shape[1 - axis]
    if groups < 2 or within < 2:
        return 1.0
    means = scores.mean(axis=axis)
    centre = float(means.mean())
    flat = scores.ravel()
    spread = float(np.dot(flat, flat)) - flat.size * centre * centre
    if not spread > 0.0:
        return 1.0
    between = within * float(np.sum((means - centre) ** 2)) * (flat.size - 1) / spread
    # Equal means are as telling as unequal ones; in a permutation neither is likely.
    return float(gammaincc(0.5 * (groups - 1), 0.5 * between))


def spectral_edge_p_value(
    spectral_norm: float, shape: tuple[int, int], second_moment: float
) -> float:
    """Two-sided, of the largest singular value under independent entries of that second moment.

    Its square follows the first law of Tracy and Widom about the edge of the law of Marchenko and
    Pastur [Johnstone 2001; centring of Ma 2012]; for entries without heavy tails too [Pillai, Yin
    2014]. 1 for a matrix with a side under LEAST_SIDE.
    """
    from scipy.special import gammainc, gammaincc

    short, long = sorted(shape)
    if short < LEAST_SIDE or not second_moment > 0.0:
        return 1.0
    sides = math.sqrt(short - 0.5), math.sqrt(long - 0.5)
    centre = (sides[0] + sides[1]) ** 2
    width = (sides[0] + sides[1]) * (1.0 / sides[0] + 1.0 / sides[1]) ** (1.0 / 3.0)
    place = (spectral_norm * spectral_norm / second_moment - centre) / width
    z = max(0.0, (place + GAMMA_SHIFT) / GAMMA_SCALE)
    return min(1.0, 2.0 * float(min(gammainc(GAMMA_SHAPE, z), gammaincc(GAMMA_SHAPE, z))))


def orthogonal_gain(matrix: Array, precision: float) -> float | None:
    """The gain g of a matrix with W W^T = g^2 I or W^T W = g^2 I, None if it has none.

    At most ORTHOGONAL_VECTORS vectors of the shorter side are looked at; independent entries
    agree to one part in a thousand of g with a chance below 1e-6.
    """
    vectors = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    count = len(vectors)
    if count < 2:
        return None
    places = np.linspace(0, count - 1, min(count, ORTHOGONAL_VECTORS)).astype(np.intp)
    chosen = vectors[np.unique(places)]
    gram = chosen @ chosen.T
    square = float(np.trace(gram)) / len(chosen)
    error = float(np.abs(gram / square - np.eye(len(chosen))).max()) if square > 0.0 else math.inf
    # A sum of independent roundings, and the decomposition's own.
    allowed = ORTHOGONAL_ERROR + 4.0 * precision
    return math.sqrt(square) if error <= allowed else None
