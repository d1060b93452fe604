"""The variances of a block's rows, sorted into octaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.theory.dual_kernel.octaves import (
    HIGHEST,
    LOWEST,
    POINTS,
    chebyshev_basis,
    octaves,
)
from fpcheck.theory.quadrature import Array


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Variances q (m,), and for those that are interpolated their octaves and places therein.

    basis: (m, POINTS) Chebyshev polynomials at the places, 0 for the other rows. by_octave: every
    octave met with its rows. still: rows (m,) without variance; wild: rows beyond every octave.
    """

    q: Array
    octave: NDArray[np.int64]
    basis: Array
    by_octave: tuple[tuple[int, NDArray[np.int64]], ...]
    still: NDArray[np.bool_]
    wild: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.q)


def rows_of(q: Array) -> Rows:
    """The rows whose variances are q (m,)."""
    octave = octaves(q)
    still = (q == 0.0) | (octave < LOWEST)
    wild = octave > HIGHEST
    known = np.flatnonzero(~(still | wild))
    basis = np.zeros((len(q), POINTS))
    basis[known] = chebyshev_basis(q[known], octave[known])
    met = [(int(k), known[octave[known] == k]) for k in np.unique(octave[known])]
    return Rows(q, octave, basis, tuple(met), still, wild)
