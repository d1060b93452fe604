"""Units that stay in one state on every input: those that are never active, or always saturated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, mean_t

Mask = NDArray[np.bool_]
# A unit that left the state this often would leave it on another sample too: at a rate that gives
# 8 on average it stays with probability e^-8.
OFTEN = 8


@dataclass(slots=True)
class UnitCounts:
    """On how many inputs each unit left a state, up to OFTEN, and the first of them."""

    inputs: int = 0
    left: NDArray[np.int64] | None = None
    first: NDArray[np.int64] | None = None

    def add(self, away: Mask) -> None:
        """Take in a block. away: (inputs, units), whether the unit is out of the state."""
        if self.left is None or self.first is None:
            self.left = np.zeros(away.shape[1], dtype=np.int64)
            self.first = np.zeros(away.shape[1], dtype=np.int64)
        waiting = np.flatnonzero(self.left < OFTEN)
        if len(waiting):
            seen = away if len(waiting) == away.shape[1] else away[:, waiting]
            times = np.add.reduce(seen, axis=0, dtype=np.int64)
            new = waiting[(times == 1) & (self.left[waiting] == 0)]
            self.first[new] = self.inputs + away[:, new].argmax(axis=0)
            self.left[waiting] = np.minimum(self.left[waiting] + times, OFTEN)
        self.inputs += len(away)

    def staying(self) -> int:
        """The number of units that never left."""
        return 0 if self.left is None else int(np.count_nonzero(self.left == 0))

    def staying_share(self) -> tuple[float, Interval]:
        """The share of units that stay on as many inputs, with the jackknife's interval.

        Without one input the share would be larger by the units that left on it alone; the spread
        of those over the inputs is what another sample would change. [Efron, Stein 1981: such a
        variance is on average too large, never too small.] One unit is added to them, as Agresti
        and Coull add to a count, where any unit left less than OFTEN: no unit seen to hang on one
        input does not mean that none does.
        """
        if self.left is None or self.first is None:
            raise ValueError("no block was taken in")
        units, n = len(self.left), self.inputs
        share = self.staying() / units
        if n < 2:
            return share, Interval(0.0, 1.0)
        alone = np.bincount(self.first[self.left == 1], minlength=n)
        variance = (n - 1) / n * float(np.sum((alone - alone.mean()) ** 2))
        variance += float(np.any(self.left < OFTEN))
        ends = mean_t(share, math.sqrt(variance) / units, n - 1)
        return share, Interval(max(0.0, ends.low), min(1.0, ends.high))
