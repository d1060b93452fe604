"""Ridge regression with a free intercept, its penalty chosen by exact leave-one-out.

One eigendecomposition of the centred features serves every penalty: of X'X where there are fewer
features than rows, of XX' otherwise [Hastie, Tibshirani, Friedman 2009, sections 3.4.1, 7.10].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Penalties relative to the mean eigenvalue of the centred features: half a decade apart, from what
# only just steadies rounding to what leaves little but the mean.
RELATIVE_PENALTIES = 10.0 ** np.arange(-8.0, 4.25, 0.5)

# Columns of a matrix product that serves several penalties at once: enough for BLAS to be busy,
# few enough to keep what it makes small beside the features.
COLUMNS = 256


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """y = x @ coefficients + intercept, at the penalty with the least leave-one-out error.

    coefficients: (p, k); intercept: (k,). penalty: the alpha of
    sum |y - x b - c|^2 + alpha |b|^2. relative_penalty: over the mean eigenvalue.
    penalties, loo_errors: (g,) the grid and its mean squared leave-one-out errors over rows and
    outputs. degrees_of_freedom: trace of the hat matrix, the intercept's 1 included.
    """

    coefficients: Array
    intercept: Array
    penalty: float
    relative_penalty: float
    degrees_of_freedom: float
    penalties: Array
    loo_errors: Array

    def predict(self, features: Array) -> Array:
        """(n, k) predictions for features (n, p)."""
        return features @ self.coefficients + self.intercept


@dataclass(frozen=True, slots=True, eq=False)
class _Decomposition:
    """The centred problem in the eigenbasis.

    eigenvalues: (r,). rows: (m, r), row i's coordinates; targets: (r, k). In the primal form
    rows = X Q and targets = Q' X' y; in the dual form rows = U and targets = U' y.
    """

    dual: bool
    eigenvalues: Array
    basis: Array
    rows: Array
    targets: Array


def fit_ridge(
    features: Array, targets: Array, relative_penalties: Array = RELATIVE_PENALTIES
) -> RidgeFit:
    """The ridge fit of targets (m, k) on features (m, p); m >= 2, all finite.

    Of penalties with equal error the largest wins. Features without any variance give the mean.
    """
    feature_mean, target_mean = features.mean(axis=0), targets.mean(axis=0)
    centred, residual = features - feature_mean, targets - target_mean
    rows, width = features.shape
    total = float(np.einsum("ij,ij->", centred, centred))
    mean_eigenvalue = total / min(rows - 1, width)
    if not mean_eigenvalue > 0.0:
        return _mean_only(width, target_mean, residual, relative_penalties)
    parts = _decompose(centred, residual, total)
    penalties = mean_eigenvalue * relative_penalties
    errors = _loo_errors(parts, residual, penalties)
    best = _least(errors)
    penalty = float(penalties[best])
    shrunk = parts.basis @ (parts.targets / (parts.eigenvalues + penalty)[:, None])
    coefficients = centred.T @ shrunk if parts.dual else shrunk
    return RidgeFit(
        coefficients=coefficients,
        intercept=target_mean - feature_mean @ coefficients,
        penalty=penalty,
        relative_penalty=float(relative_penalties[best]),
        degrees_of_freedom=1.0 + float(np.sum(parts.eigenvalues / (parts.eigenvalues + penalty))),
        penalties=penalties,
        loo_errors=errors,
    )


def working_memory(rows: int, width: int) -> float:
    """Bytes that one fit takes at most: training features, centred ones, their coordinates and the
    squares of these, the matrix, its eigenvectors and their work space.
    """
    side = min(rows, width)
    return 8.0 * (2.0 * rows * width + 2.0 * rows * side + 4.0 * side * side)


def _decompose(centred: Array, residual: Array, total: float) -> _Decomposition:
    rows, width = centred.shape
    if width < rows:
        eigenvalues, basis = np.linalg.eigh(centred.T @ centred)
        return _Decomposition(
            dual=False,
            eigenvalues=np.maximum(eigenvalues, 0.0),
            basis=basis,
            rows=centred @ basis,
            targets=basis.T @ (centred.T @ residual),
        )
    # XX' has the constant vector in its null space, where the intercept lives. Shifted to the top
    # of the spectrum it is eigh's last vector, unmixed, and is dropped: what is left needs no
    # difference of nearly equal numbers even where the fit interpolates.
    gram = centred @ centred.T + 2.0 * total / rows
    eigenvalues, basis = np.linalg.eigh(gram)
    basis = np.ascontiguousarray(basis[:, :-1])
    return _Decomposition(
        dual=True,
        eigenvalues=np.maximum(eigenvalues[:-1], 0.0),
        basis=basis,
        rows=basis,
        targets=basis.T @ residual,
    )


def _loo_errors(parts: _Decomposition, residual: Array, penalties: Array) -> Array:
    """(g,) mean squared errors of predicting every row from all the others, by penalty.

    e_i / (1 - h_i) with the residual e and the leverage h, exact for a free intercept.
    """
    weights = 1.0 / (parts.eigenvalues[:, None] + penalties)  # (r, g)
    slack = np.square(parts.rows) @ weights  # (m, g)
    if not parts.dual:  # the dual's e and 1 - h share the factor `penalty`, which cancels
        slack = 1.0 - 1.0 / len(residual) - slack
    outputs = residual.shape[1]
    errors = np.empty(len(penalties))
    step = max(1, COLUMNS // outputs)
    for start in range(0, len(penalties), step):  # several penalties share one matrix product
        some = slice(start, start + step)
        shrunk = parts.targets[:, None, :] * weights[:, some, None]
        left = (parts.rows @ shrunk.reshape(len(shrunk), -1)).reshape(len(residual), -1, outputs)
        if not parts.dual:
            np.subtract(residual[:, None, :], left, out=left)
        with np.errstate(divide="ignore", invalid="ignore"):
            left /= slack[:, some, None]
        errors[some] = np.einsum("igk,igk->g", left, left) / residual.size
    return errors


def _least(errors: Array) -> int:
    """The last index of the least error; an error that is not finite never wins."""
    finite = np.where(np.isfinite(errors), errors, np.inf)
    return len(errors) - 1 - int(np.argmin(finite[::-1]))


def _mean_only(
    width: int, target_mean: Array, residual: Array, relative_penalties: Array
) -> RidgeFit:
    rows = len(residual)
    error = float(np.mean((residual * rows / (rows - 1.0)) ** 2))
    return RidgeFit(
        coefficients=np.zeros((width, len(target_mean))),
        intercept=target_mean,
        penalty=0.0,
        relative_penalty=float(relative_penalties[-1]),
        degrees_of_freedom=1.0,
        penalties=np.zeros_like(relative_penalties),
        loo_errors=np.full_like(relative_penalties, error),
    )
