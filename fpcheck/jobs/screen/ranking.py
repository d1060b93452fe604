"""The order of the skeletons, and which differences from the best are more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval
from fpcheck.jobs.screen.figures import Figures
from fpcheck.jobs.screen.result import Difference
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]

# In the order of preference: the first has no chance of draws in it.
MEASURES = ("nngp", "at_init")


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Names by score, best first; `by` is the measure, `because` why by that one.

    scores: of the ranked by name. together: how many intervals hold together, those of all pairs
    of ranked skeletons, of each with the linear model and the majority, and of these two.
    """

    by: str | None
    because: str
    names: tuple[str, ...]
    scores: Mapping[str, Array]
    to_best: Mapping[str, Difference]
    together: int

    @property
    def undecided(self) -> tuple[str, ...]:
        """Those that the interval to the best does not put behind it."""
        return tuple(name for name, one in self.to_best.items() if not one.high < 0.0)


def ranking(found: Mapping[str, Figures], by: str | None, split: Split) -> Ranking:
    """The ranking by one measure for all: that which is asked for, or that which most have.

    found: of those that can be judged, in the order given. by: nngp, ntk, at_init or None.
    """
    chosen, because = (by, "asked for") if by else _measure(found)
    scores = {
        name: values
        for name, each in found.items()
        if chosen and not isinstance(values := each.by(chosen), str)
    }
    if not scores:
        return Ranking(None, "there is no score to rank by", (), {}, {}, 1)
    names = sorted(scores, key=lambda name: -float(scores[name].mean()))  # equal ones as given
    together = len(names) * (len(names) - 1) // 2 + 2 * len(names) + 1
    best = names[0]
    to_best = {
        name: difference(name, scores[name], best, scores[best], split, together)
        for name in names[1:]
    }
    return Ranking(chosen, because, tuple(names), scores, to_best, together)


def difference(
    model: str, left: Array, over: str, right: Array, split: Split, together: int = 1
) -> Difference:
    """The mean of left - right, each (J,) over the same splits or (D, J) over draws as well.

    together: how many intervals are to hold at once with 95 % (Bonferroni).
    """
    gain = left - right
    interval = difference_interval(gain, split, together)
    return Difference(model, over, float(gain.mean()), interval.low, interval.high, together)


def difference_interval(gain: Array, split: Split, together: int = 1) -> Interval:
    """The interval of the mean of differences (J,), or (D, J) where they hang on draws as well.

    The corrected resampled t [Nadeau, Bengio 2003]; the variance of the mean over the draws is
    added, with degrees of freedom by Satterthwaite. split: any, for its numbers of rows.
    """
    from scipy.special import stdtrit

    table = np.atleast_2d(gain)
    draws, splits = table.shape
    mean = float(table.mean())
    if splits < 2:
        return Interval(-math.inf, math.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # R^2 of -1e200: without bounds
        correction = 1.0 / splits + len(split.test) / len(split.train)
        rows = float(np.var(table.mean(axis=0), ddof=1)) * correction
        chance = float(np.var(table.mean(axis=1), ddof=1)) / draws if draws > 1 else 0.0
    total = rows + chance
    if not total < math.inf:
        return Interval(-math.inf, math.inf)
    if total == 0.0:
        return Interval(mean, mean)
    share = rows / total
    freedom = 1.0 / (share**2 / (splits - 1) + (1.0 - share) ** 2 / max(draws - 1, 1))
    half = float(stdtrit(freedom, 1.0 - 0.025 / together)) * math.sqrt(total)
    return Interval(mean - half, mean + half)


def _measure(found: Mapping[str, Figures]) -> tuple[str | None, str]:
    """The measure that most skeletons have, and why it is that."""
    having = {
        name: [one for one, each in found.items() if not isinstance(each.by(name), str)]
        for name in MEASURES
    }
    best = max(MEASURES, key=lambda name: len(having[name]))
    if not having[best]:
        return None, ""
    lacking = _others(found, having["nngp"])
    if best != "nngp":
        return best, f"infinite width is not known for {lacking}"
    return best, "it has no chance of draws in it"


def _others(found: Mapping[str, Figures], names: Sequence[str]) -> str:
    return ", ".join(name for name in found if name not in names)
