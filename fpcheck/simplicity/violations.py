"""How far an answer is from being right: 0 where it is right, and nowhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels.margins import shortfalls
from fpcheck.simplicity.labelling import Labelling

Array = NDArray[np.float64]

# What a wrong tie counts, so that a network with outputs 0 is not right: the smallest number whose
# digits are all there.
TIE = float(np.finfo(np.float64).tiny)


def violations(out: Array, labelling: Labelling) -> Array:
    """v (m, n) >= 0 of outputs (m, n, c): 0 where row i is answered right, else by how much not.

    Sign: |f| on the wrong side. Argmax: max f - f_y. Band: max |f_j - y_j| - tolerance. What is
    NaN is infinitely wrong.
    """
    if labelling.targets is not None:
        return _positive(np.abs(out - labelling.targets).max(axis=2) - labelling.tolerance)
    assert labelling.labels is not None
    if labelling.rule == "sign":
        return _by_sign(out[:, :, 0], labelling.labels)
    return _by_argmax(out, labelling.labels)


def _by_sign(f: Array, labels: NDArray[np.int64]) -> Array:
    positive = labels == 1
    against = np.where(positive, -f, f)  # above 0, or for class 1 at 0: wrong
    wrong = np.where(positive & (against == 0.0), TIE, against)
    return _positive(wrong)


def _by_argmax(out: Array, labels: NDArray[np.int64]) -> Array:
    wrong = np.empty(out.shape[:2])
    shortfalls(np.ascontiguousarray(out), labels, TIE, wrong)
    return wrong


def _positive(wrong: Array) -> Array:
    """`wrong` where it is above 0, 0 where it is not, inf where it is NaN."""
    wrong = np.maximum(wrong, 0.0)
    wrong[np.isnan(wrong)] = np.inf
    return wrong
