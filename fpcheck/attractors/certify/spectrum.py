"""Where the eigenvalues of a matrix known within a ball lie: discs around computed ones.

With V near the eigenvectors V^-1 J V is diagonal but for a small rest, in real arithmetic with a
2 x 2 block for a complex pair: every eigenvalue lies within sum_j |E_ij| of a block's own, and
groups of discs that touch no other hold as many as they are [Feingold, Varga 1962, theorems 2, 4].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, U, matmul, minus, widen
from fpcheck.network.enclosure.matrices import less_identity, max_norm, point, row_sums

# A matrix with too few eigenvectors has them all where its entries move a little.
NUDGES = (0.0, 1e-13, 1e-9)
NUDGED = 256  # units up to which that is tried: it costs another spectrum


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What is proved: eigenvalues outside the unit circle (None: undecided), and an interval that
    holds the spectral radius."""

    unstable: int | None
    low: float
    high: float


def enclose_spectrum(matrix: Ball) -> Spectrum | None:
    """The spectrum of every matrix in the ball, (n, n); None where the discs cannot be had."""
    best: Spectrum | None = None
    for nudge in NUDGES if len(matrix.mid) <= NUDGED else NUDGES[:1]:
        found = _by_discs(matrix, _nudged(matrix.mid, nudge))
        if found is None:
            continue
        if best is None or found.high - found.low < best.high - best.low:
            best = found
        if best.high - best.low < 1e-3 * best.high:
            break
    return best


def _nudged(matrix: Array, nudge: float) -> Array:
    """`matrix` with every entry moved by about `nudge` of the largest, in no pattern."""
    if nudge == 0.0:
        return matrix
    places = np.arange(matrix.size, dtype=np.float64).reshape(matrix.shape)
    return np.asarray(matrix + nudge * np.abs(matrix).max() * np.cos(places * places))


def _by_discs(matrix: Ball, near: Array) -> Spectrum | None:
    try:
        eigenvalues, vectors = np.linalg.eig(near)
        basis, blocks, firsts = _real_basis(eigenvalues, vectors)
        back: Array = np.linalg.inv(basis).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    turned = matmul(point(back), matmul(matrix, point(basis)))
    # V^-1 = (I - G)^-1 R with G = I - R V, so V^-1 J V - R J V is the sum of G^k R J V, k >= 1.
    left = less_identity(matmul(point(back), point(basis)))
    g = max_norm(left)
    if not g < 1.0:
        return None
    sums = row_sums(turned)
    rest = row_sums(minus(turned, point(blocks)))
    by_g = (np.abs(left.mid) + left.rad) @ sums
    tail = row_sums(left) * (g / (1.0 - g) * float(sums.max()))
    radii = (rest + by_g + tail) * widen(len(sums))
    return _judged(eigenvalues[firsts], np.add.reduceat(radii, firsts), _sizes(firsts, len(sums)))


def _real_basis(
    eigenvalues: NDArray[np.complexfloating], vectors: NDArray[np.complexfloating]
) -> tuple[Array, Array, NDArray[np.intp]]:
    """(V, the block diagonal matrix, the first row of every block)."""
    basis = np.ascontiguousarray(vectors.real)
    blocks = np.diag(eigenvalues.real).astype(np.float64)
    firsts = np.ones(len(eigenvalues), dtype=bool)
    for row in np.flatnonzero(eigenvalues.imag > 0):  # its conjugate comes next
        basis[:, row + 1] = vectors[:, row].imag
        blocks[row, row + 1] = eigenvalues[row].imag
        blocks[row + 1, row] = -eigenvalues[row].imag
        firsts[row + 1] = False
    return basis, blocks, np.flatnonzero(firsts)


def _sizes(firsts: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    return np.diff(np.append(firsts, n))


def _judged(
    centres: NDArray[np.complexfloating], radii: Array, sizes: NDArray[np.intp]
) -> Spectrum | None:
    """What discs of these radii around the blocks' eigenvalues say. sizes: of the blocks."""
    moduli = np.abs(centres)
    low = np.maximum(moduli * (1.0 - 4 * U) - radii, 0.0) * (1.0 - 4 * U)
    high = (moduli * (1.0 + 4 * U) + radii) * (1.0 + 4 * U)
    if not np.isfinite(high).all():
        return None
    clear = bool(((high < 1.0) | (low > 1.0)).all())
    unstable = int(sizes[low > 1.0].sum()) if clear else None
    return Spectrum(unstable, _largest_ring(low, high), float(high.max()))


def _largest_ring(low: Array, high: Array) -> float:
    """Below the largest modulus: the lower edge of the outermost group of rings that touch."""
    edge = -1.0
    for place in np.argsort(-high):
        if edge >= 0.0 and high[place] < edge:
            break
        edge = low[place] if edge < 0.0 else min(edge, low[place])
    return float(edge)
