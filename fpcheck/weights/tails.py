"""The two tails of a weight matrix as the fields of the report: its entries' and its spectrum's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.theory.tail_index import tail_index
from fpcheck.weights.null_spectra import OUTSIDE
from fpcheck.weights.spectra import Spectrum
from fpcheck.weights.spectral_exponent import spectral_exponent

TOO_LARGE = "the matrix is too large for all of its singular values"
NO_TAIL = "too few different singular values"


def tails(matrix: NDArray[np.float64], spectrum: Spectrum) -> dict[str, Any]:
    """The fields of `TensorWeights` about the tails of a finite matrix (units, fan_in)."""
    fields: dict[str, Any] = {}
    index = tail_index(matrix.ravel())
    if index is not None:
        fields |= {
            "tail_index": index.tail_index,
            "tail_index_low": index.interval.low,
            "tail_index_high": index.interval.high,
            "tail_entries": index.largest,
        }
    if spectrum.relative is None and spectrum.spectral_norm > 0.0:
        return fields | {"spectral_exponent_note": TOO_LARGE}
    shape = (matrix.shape[0], matrix.shape[1])
    fitted = None if spectrum.relative is None else spectral_exponent(spectrum.relative, shape)
    if fitted is None:
        return fields | {"spectral_exponent_note": NO_TAIL}
    return fields | {
        "spectral_exponent": fitted.exponent,
        "spectral_exponent_null_percentile": fitted.null_percentile,
        "spectral_exponent_note": OUTSIDE if fitted.null_percentile is None else "",
    }
