"""How far the kernel of networks of this width is from the one at infinite width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import mean_t
from fpcheck.readout.kernel_curve import spread_rows
from fpcheck.readout.result import KernelError, Skipped

Array = NDArray[np.float64]

ROWS = 500  # an error of Frobenius norms is the same for more


def kernel_error(features: Sequence[Array], kernel: Array) -> KernelError | Skipped:
    """The relative Frobenius error of the empirical kernels, mean over random networks.

    An empirical kernel is the mean over units of the product of two rows' values. It falls as
    1 / sqrt(width). With more than ROWS rows it is that of ROWS of them, evenly chosen.

    Args:
        features: of every random network (n, p), what enters its last layer.
        kernel: (n, n), the dual kernel of the same rows at that node.
    """
    if not features:
        return Skipped("no random network was drawn")
    rows = spread_rows(len(kernel), ROWS)
    dual = kernel[np.ix_(rows, rows)]
    unit = float(np.abs(dual).max(initial=0.0))
    if not (unit > 0.0 and math.isfinite(unit)):
        return Skipped("the dual kernel of these rows is 0 or not finite")
    dual = dual / unit
    norm, scale = float(np.linalg.norm(dual)), 1.0 / math.sqrt(unit)
    errors = []
    for each in features:
        values = each[rows] * scale
        with np.errstate(over="ignore", invalid="ignore"):
            found = values @ values.T / values.shape[1]
        errors.append(float(np.linalg.norm(found - dual)) / norm)
    if not np.isfinite(errors).all():
        return Skipped("the features of some draws are not finite")
    mean, draws = float(np.mean(errors)), len(errors)
    deviation = float(np.std(errors, ddof=1)) if draws > 1 else math.inf
    interval = mean_t(mean, deviation / math.sqrt(draws), draws - 1)
    return KernelError(
        error=mean,
        low=max(0.0, interval.low),
        high=interval.high,
        rows=len(rows),
        width=features[0].shape[1],
        draws=draws,
    )
