"""Kernel ridge on few rows: leave-one-out at every penalty from one eigendecomposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class KernelCurve:
    """The centred kernel of m training rows in its eigenbasis, less the constant vector.

    eigenvalues: (r,), r = m - 1. basis: (m, r). targets: (r, k), the targets' coordinates.
    mean: (k,), what the targets' coordinates leave out.
    """

    eigenvalues: Array
    basis: Array
    targets: Array
    mean: Array

    def weights(self, penalty: float) -> Array:
        """(m, k): alpha of the kernel ridge fit; its columns add up to 0."""
        shrunk: Array = self.basis @ (self.targets / (self.eigenvalues + penalty)[:, None])
        return shrunk

    def degrees_of_freedom(self, penalty: float) -> float:
        """Trace of the hat matrix, the intercept's 1 included."""
        return 1.0 + float(np.sum(self.eigenvalues / (self.eigenvalues + penalty)))

    def loo_errors(self, penalties: Array) -> Array:
        """(g,) mean squared errors of predicting every row from all the others, by penalty.

        alpha_i / G_ii, with G the inverse that gives alpha from the targets; NaN for a row alone.
        """
        slack = np.square(self.basis) @ (1.0 / (self.eigenvalues[:, None] + penalties))
        errors = np.empty(len(penalties))
        for index, penalty in enumerate(penalties.tolist()):
            with np.errstate(divide="ignore", invalid="ignore"):
                left_out = self.weights(penalty) / slack[:, index, None]
            errors[index] = np.mean(np.square(left_out))
        return errors


def kernel_curve(kernel: Array, targets: Array) -> KernelCurve:
    """The eigenbasis for targets (m, k) on a kernel (m, m), m >= 1, centred here.

    The constant vector, in the centred kernel's null space, is lifted above the spectrum and so
    is eigh's last vector, unmixed; it is dropped. Eigenvalues below 0 are rounding and become 0.
    """
    rows = len(kernel)
    means = kernel.mean(axis=1)
    centred = kernel - means[:, None] - means[None, :] + float(means.mean())
    total = float(np.abs(np.diagonal(centred)).sum())
    eigenvalues, basis = np.linalg.eigh(centred + (2.0 * total + 1.0) / rows)
    basis = np.ascontiguousarray(basis[:, :-1])
    mean = targets.mean(axis=0)
    return KernelCurve(
        eigenvalues=np.maximum(eigenvalues[:-1], 0.0),
        basis=basis,
        targets=basis.T @ (targets - mean),
        mean=mean,
    )


def least(errors: Array) -> int:
    """The last index of the least error; an error that is not finite never wins."""
    finite = np.where(np.isfinite(errors), errors, np.inf)
    return len(errors) - 1 - int(np.argmin(finite[::-1]))


def spread_rows(rows: int, count: int) -> NDArray[np.intp]:
    """At most `count` of `rows` indices, ascending: all, or those of a golden-ratio sequence.

    Evenly over any order of the rows and without a period, so that data sorted by class or
    recorded in turns give their share of everything.
    """
    if rows <= count:
        return np.arange(rows)
    golden = 0.6180339887498949
    return np.unique((np.arange(count) * golden % 1.0 * rows).astype(np.intp))
