"""Spectral exponents of noise: their quantiles by size and shape, as a table that was made once."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

OUTSIDE = "the shape is outside the table of noise: shorter side below 64, or above 256 to 1"

# The lowest quantile is taken this much lower: what the number of draws and the interpolation
# between shapes leave open. About 0.25 % of noise matrices lie below it, in place of 0.5 %.
MARGIN = 0.96


@cache
def table() -> tuple[Array, Array, Array, Array]:
    """(levels in per cent, shorter sides, aspect ratios, quantiles of the exponent).

    quantiles: (sides, aspects, levels). Made by `python -m fpcheck.weights.null_spectra.make`.
    """
    text = resources.files(__package__).joinpath("table.json").read_text("utf-8")
    held = json.loads(text)
    levels, sides, aspects = (np.array(held[key]) for key in ("levels", "sides", "aspects"))
    return levels, sides, aspects, np.array(held["quantiles"])


def percentile(exponent: float, shape: tuple[int, int]) -> float | None:
    """The share, in per cent, of noise matrices of this shape that have a smaller exponent.

    The ends of the table's levels stand for everything beyond them. None where the shorter side or
    the aspect ratio is outside the table; above the largest side its quantiles stand in: exponents
    of noise grow with the size, so that noise is then placed higher, and never called a signal.
    """
    levels, sides, aspects, quantiles = table()
    short, long = sorted(shape)
    aspect = long / short
    if short < sides[0] or aspect > aspects[-1]:
        return None
    at_sides = np.array(
        [
            [np.interp(math.log(aspect), np.log(aspects), row) for row in np.log(side.T)]
            for side in quantiles
        ]
    )
    here = [np.interp(math.log(short), np.log(sides), column) for column in at_sides.T]
    here[0] += math.log(MARGIN)
    return float(np.interp(math.log(exponent), here, levels))
