"""Where the eigenvalues of a matrix known within a ball lie: discs around computed ones.

With V near the eigenvectors V^-1 J V is diagonal but for a small rest, in real arithmetic with a
2 x 2 block for a complex pair: every eigenvalue lies within sum_j |E_ij| of a block's own, and
groups of discs that touch no other hold as many as they are [Feingold, Varga 1962, theorems 2, 4].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball, U, matmul, minus, split, widen
from fpcheck.network.enclosure.matrices import less_identity, point, row_sums

# A matrix with too few eigenvectors has them all where its entries move a little.
NUDGES = (0.0, 1e-13, 1e-9)
CLOSE = 1e-3  # the interval's width, relative, below which no other is tried
NUDGED = 256  # units up to which that is tried: it costs another spectrum


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What is proved: eigenvalues outside the unit circle (None: undecided), an interval that
    holds the spectral radius, and the sign of det(I - M) (None: undecided)."""

    unstable: int | None
    low: float
    high: float
    index_sign: int | None


def enclose_spectrum(matrix: Ball) -> Spectrum | None:
    """`enclose_spectra` of one matrix, (n, n)."""
    return enclose_spectra(matrix.map(lambda x: x[None]))[0]


def enclose_spectra(stack: Ball) -> list[Spectrum | None]:
    """The spectrum of every matrix in each ball, (k, n, n); None where no discs can be had."""
    out: list[Spectrum | None] = [None] * len(stack.mid)
    left = np.arange(len(out))
    for nudge in NUDGES if stack.shape[-1] <= NUDGED else NUDGES[:1]:
        if not len(left):
            break
        part = split(stack, left)
        for row, found in zip(left, _by_discs(part, _nudged(part.mid, nudge)), strict=True):
            if _width(found) < _width(out[row]):
                out[row] = found
        left = np.array([row for row in left if not _close(out[row])], dtype=np.intp)
    return out


def _width(spectrum: Spectrum | None) -> float:
    return math.inf if spectrum is None else spectrum.high - spectrum.low


def _close(spectrum: Spectrum | None) -> bool:
    return spectrum is not None and _width(spectrum) < CLOSE * spectrum.high


def _nudged(stack: Array, nudge: float) -> Array:
    """The matrices with every entry moved by about `nudge` of the largest, in no pattern."""
    if nudge == 0.0:
        return stack
    places = np.arange(stack[0].size, dtype=np.float64).reshape(stack.shape[1:])
    largest = np.abs(stack).max(axis=(1, 2), keepdims=True)
    return np.asarray(stack + nudge * largest * np.cos(places * places))


def _by_discs(stack: Ball, near: Array) -> list[Spectrum | None]:
    """From the eigenvectors of nearby matrices; one by one where some have none."""
    try:
        eigenvalues, vectors = np.linalg.eig(near)
        basis, blocks = _real_basis(eigenvalues, vectors)
        back: Array = np.linalg.inv(basis).astype(np.float64)
    except np.linalg.LinAlgError:
        if len(near) == 1:
            return [None]
        rows = [np.array([row]) for row in range(len(near))]
        return [_by_discs(split(stack, row), near[row])[0] for row in rows]
    turned = matmul(point(back), matmul(stack, point(basis)))
    # V^-1 = (I - G)^-1 R with G = I - R V, so V^-1 J V - R J V is the sum of G^k R J V, k >= 1.
    left = less_identity(matmul(point(back), point(basis)))
    left_sums, sums = row_sums(left), row_sums(turned)
    g = left_sums.max(axis=1)
    rest = row_sums(minus(turned, point(blocks)))
    by_g = ((np.abs(left.mid) + left.rad) @ sums[:, :, None])[:, :, 0]
    tail = left_sums * (g / (1.0 - g) * sums.max(axis=1))[:, None]
    radii = (rest + by_g + tail) * widen(sums.shape[1])
    return [
        _judged(*each) if contracts else None
        for contracts, *each in zip(g < 1.0, eigenvalues, radii, strict=True)
    ]


def _real_basis(
    eigenvalues: NDArray[np.complexfloating], vectors: NDArray[np.complexfloating]
) -> tuple[Array, Array]:
    """(V, the block diagonal matrices), (k, n, n) each: a complex pair's first column holds the
    real part of its vector, its second one the imaginary part of the first's."""
    second = eigenvalues.imag < 0  # the conjugate of the one before it
    basis = np.where(second[:, None, :], -vectors.imag, vectors.real)
    blocks = np.zeros(basis.shape)
    place = np.arange(basis.shape[-1])
    blocks[:, place, place] = eigenvalues.real
    which, row = np.nonzero(second)
    blocks[which, row - 1, row] = eigenvalues.imag[which, row - 1]
    blocks[which, row, row - 1] = eigenvalues.imag[which, row]
    return np.ascontiguousarray(basis), blocks


def _judged(eigenvalues: NDArray[np.complexfloating], radii: Array) -> Spectrum | None:
    """What discs around the eigenvalues of the blocks say, of the radii of their rows, added up."""
    firsts = np.flatnonzero(eigenvalues.imag >= 0)
    sizes = np.diff(np.append(firsts, len(radii)))
    radii = np.add.reduceat(radii, firsts)
    moduli = np.abs(eigenvalues[firsts])
    low = np.maximum(moduli * (1.0 - 4 * U) - radii, 0.0) * (1.0 - 4 * U)
    high = (moduli * (1.0 + 4 * U) + radii) * (1.0 + 4 * U)
    if not np.isfinite(high).all():
        return None
    clear = bool(((high < 1.0) | (low > 1.0)).all())
    unstable = int(sizes[low > 1.0].sum()) if clear else None
    sign = _index_sign(eigenvalues[firsts], radii)
    return Spectrum(unstable, _largest_ring(low, high), float(high.max()), sign)


def _index_sign(centres: NDArray[np.complexfloating], radii: Array) -> int | None:
    """The sign of det(I - M) where 1 is in no disc: it stays the same while the rest E of
    V^-1 M V = blocks + E shrinks to 0, and a complex pair's block has (1 - a)^2 + b^2 > 0."""
    if not (np.abs(1.0 - centres) * (1.0 - 8 * U) > radii * (1.0 + 4 * U)).all():
        return None
    above = np.count_nonzero((centres.imag == 0) & (centres.real > 1.0))
    return -1 if above % 2 else 1


def _largest_ring(low: Array, high: Array) -> float:
    """Below the largest modulus: the lower edge of the outermost group of rings that touch."""
    edge = -1.0
    for place in np.argsort(-high):
        if edge >= 0.0 and high[place] < edge:
            break
        edge = low[place] if edge < 0.0 else min(edge, low[place])
    return float(edge)
