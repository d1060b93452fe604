"""What a bias vector looks like beside its weights."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.weights.entry_counts import count_entries
from fpcheck.weights.entry_laws import EntryLaw, distance_p_value
from fpcheck.weights.initialisers import SAME
from fpcheck.weights.law_result import LEVEL, Matrix

LEAST_ENTRIES = 20  # whose distribution is looked at


def bias_law(matrix: Matrix) -> str:
    """What the bias looks like: PyTorch draws it as the weights, most others start at zero."""
    bias = matrix.bias
    if bias is None or not np.isfinite(bias).all():
        return ""
    if not bias.any():
        return "zeros"
    bound = 1.0 / math.sqrt(matrix.hidden or matrix.fan_in)
    largest = float(np.abs(bias).max())
    fits = largest <= bound * (1.0 + matrix.precision + SAME)
    # The largest of so many uniform numbers is seldom much below the bound.
    if not fits or (largest / bound) ** bias.size < LEVEL:
        return "other"
    if bias.size >= LEAST_ENTRIES:
        counted = count_entries(bias[:, None], matrix.precision)
        law = EntryLaw("uniform", bound)
        if distance_p_value(law, counted) < LEVEL:
            return "other"
    return "as PyTorch's default"
