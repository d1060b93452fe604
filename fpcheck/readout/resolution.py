"""How finely the held-out rows themselves can tell scores apart, whatever the splits say.

Splits of a few rows may all give one difference by chance, or because few rows ever decide it, and
the spread over splits is then 0. The rows are still no more than there are: the interval of a mean
over rows bounds what they can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, mean_t
from fpcheck.readout.scores import RowLosses

Array = NDArray[np.float64]

# Two more rows, on one of which the models differ by a whole loss, half of it for each of them:
# what keeps Wald's interval of matched pairs honest where few rows differ. [Agresti, Min 2005]
MORE_ROWS = 2.0


def resolution(model: Sequence[RowLosses], over: Sequence[RowLosses] = ()) -> float:
    """Half the 95 % interval of a score, or of its gain over another, as a mean over rows.

    Every row gives its mean residual about the pooled score over the splits that held it out, a
    ratio's by linearisation. No bound, so 0, where fewer than two rows were held out.

    Args:
        model: of every split, and of every random network in it.
        over: the other model's on the same held-out rows in the same order; none for a score.
    """
    rows = np.concatenate([one.rows for one in model]) if model else np.empty(0, np.intp)
    if len(rows) == 0:
        return 0.0
    spread = np.concatenate([one.spread for one in model])
    losses = np.concatenate([one.losses for one in model])
    other = np.concatenate([one.losses for one in over]) if over else spread
    level = float(spread.mean())
    seen = np.bincount(rows)
    held_out = int(np.count_nonzero(seen))
    if held_out < 2 or not level > 0.0:
        return 0.0
    gain = (other - losses) / level
    residuals = gain - float(gain.mean()) * spread / level
    further = max(float(np.mean([one.one for one in side])) for side in (model, over) if side)
    with np.errstate(over="ignore"):
        squares = float(np.sum(_means(residuals, rows, seen) ** 2)) + (further / level) ** 2
    return mean_t(0.0, float(np.sqrt(squares)) / (held_out + MORE_ROWS), held_out - 1).high


def finest(rows: int) -> float:
    """What the `resolution` of an accuracy is at least, of so many rows."""
    return mean_t(0.0, 1.0 / (rows + MORE_ROWS), rows - 1).high


def no_finer(interval: Interval, middle: float, half: float) -> Interval:
    """The interval, reaching at least `half` to either side of the middle."""
    return Interval(min(interval.low, middle - half), max(interval.high, middle + half))


def _means(values: Array, rows: NDArray[np.intp], seen: NDArray[np.intp]) -> Array:
    """The mean of the values of every row that was held out."""
    total = np.bincount(rows, weights=values)
    present = seen > 0
    means: Array = total[present] / seen[present]
    return means
