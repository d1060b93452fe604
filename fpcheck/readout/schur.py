"""One split at one penalty, from the inverse of all rows' kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.splits import Split
from fpcheck.readout.triangle import BlockSolver, block_solver, factorise

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What penalty number `index` gives a split.

    gain: the share of the best error before it that it takes off, 1 where there was none.
    residuals: (|T|, k), targets minus predictions of the held-out rows. weights: (|S|, k), alpha
    of the training rows.
    """

    index: int
    loo_error: float
    gain: float
    residuals: Array
    weights: Array
    degrees_of_freedom: float


def look(
    inverse: Array, weights: Array, split: Split, penalty: float, index: int, before: Look | None
) -> Look | None:
    """The better of `before` and this penalty by leave-one-out; of equals the larger penalty.

    inverse: (n, n), G; weights: (n, k), G y.
    """
    train, test = split.train, split.test
    cross = inverse.take(test, axis=0)
    within = cross.take(test, axis=1)
    cross = cross.take(train, axis=1)
    try:
        solver = block_solver(factorise(within))
    except np.linalg.LinAlgError:
        return before
    residuals = solver.backward(solver.solve(weights[test]))
    alpha = weights[train] - cross.T @ residuals
    worst = np.inf if before is None else before.loo_error
    found = _leave_one_out(solver, cross, np.diagonal(inverse)[train], alpha, worst)
    if found is None:
        return before
    error, diagonal = found
    if before is not None and error == before.loo_error and index < before.index:
        return before
    freedom = len(train) - penalty * float(diagonal.sum())
    gain = 1.0 - error / worst if worst > 0.0 else 0.0
    return Look(index, error, gain, residuals, alpha, freedom)


def _leave_one_out(
    solver: BlockSolver, cross: Array, diagonal: Array, alpha: Array, worst: float
) -> tuple[float, Array] | None:
    """The leave-one-out error and the training rows' inverse's diagonal (|S|,); None above `worst`.

    A row's residual is its alpha over that diagonal, G_SS - G_ST (G_TT)^-1 G_TS. The second term
    is a sum of squares over the rows of L^-1 G_TS, with L L' = G_TT. Every part of the sum that is
    still missing makes the error larger, so the work ends where the error so far is above `worst`.
    """
    energy = np.square(alpha).mean(axis=1)
    for block in solver.forward(cross):
        diagonal = diagonal - np.einsum("ij,ij->j", block, block)
        # Written so that NaN is the worst of all.
        if not (diagonal.min() > 0.0 and _error(energy, diagonal) <= worst):
            return None
    error = _error(energy, diagonal)
    return (error, diagonal) if np.isfinite(error) else None


def _error(energy: Array, diagonal: Array) -> float:
    with np.errstate(over="ignore"):
        return float(np.mean(energy / np.square(diagonal)))
